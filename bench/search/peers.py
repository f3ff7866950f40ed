"""Search by faiss and usearch: what `crates/mrl-retrieve/benches/search.rs` measures of `mrl`, on the same vectors.

Run by compare.py: python peers.py --base SET --queries SET, two embedding sets. Prints a line of JSON for each way to search: its name, the
seconds that its index takes to build, queries a second, one at a time and all at once, and recall@10 against the exact answer.
Vectors are unit rows, so that inner products are cosines.
"""

import argparse
import json
import time

import faiss
import numpy as np
from safetensors.numpy import load_file
from usearch.index import Index

K, SINGLE, SECONDS = 10, 200, 1.0
# Breadths of a graph's search, of which the least that finds 99 % counts.
BREADTHS = [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]
RECALL = 0.99


def unit(path):
    rows = load_file(path)["embeddings"]
    return np.ascontiguousarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def per_second(count, work):
    """The fastest round counts: what else the machine does only ever slows one down."""
    best, end = np.inf, time.perf_counter() + SECONDS
    while best == np.inf or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return count / best


def recall(found, truth):
    """The share of the true ids that were found."""
    return np.mean([len(np.intersect1d(a, b)) for a, b in zip(found, truth)]) / K


def measure(name, search, queries, truth, build_s=0.0):
    """`search` takes rows and gives ids `[n, K]`."""
    found = search(queries)
    one_by_one = [queries[index:index + 1] for index in range(min(SINGLE, len(queries)))]
    print(json.dumps({
        "name": name, "build_s": build_s, "recall": 1.0 if truth is None else float(recall(found, truth)),
        "single": per_second(len(one_by_one), lambda: [search(query) for query in one_by_one]),
        "batch": per_second(len(queries), lambda: search(queries)),
    }), flush=True)
    return found


def least_breadth(set_breadth, search, queries, truth):
    """The first of `BREADTHS` that finds enough on a tenth of the queries."""
    sample = slice(None, None, 10)
    for breadth in BREADTHS:
        set_breadth(breadth)
        if recall(search(queries[sample]), truth[sample]) >= RECALL:
            break
    return breadth


def shortlist(base, queries, truth, dims, keep):
    """The first `dims`, normalised, shortlist in faiss; numpy ranks by all."""
    short = np.ascontiguousarray(base[:, :dims])
    short /= np.linalg.norm(short, axis=1, keepdims=True)
    index = faiss.IndexFlatIP(dims)
    index.add(short)

    def search(rows):
        _, candidates = index.search(np.ascontiguousarray(rows[:, :dims]), keep)
        scores = np.einsum("nd,nkd->nk", rows, base[candidates]) if len(rows) == 1 else np.stack(
            [base[ids] @ row for row, ids in zip(rows, candidates)])
        best = np.argsort(-scores, axis=1)[:, :K]
        return np.take_along_axis(candidates, best, axis=1)

    measure(f"faiss Flat {dims} shortlist {keep}, rerank", search, queries, truth)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    faiss.omp_set_num_threads(args.threads)
    base, queries = unit(args.base), unit(args.queries)
    width = base.shape[1]

    flat = faiss.IndexFlatIP(width)
    flat.add(base)
    truth = measure(f"faiss Flat {width}", lambda rows: flat.search(rows, K)[1], queries, None)
    shortlist(base, queries, truth, min(64, width), 200)

    start = time.perf_counter()
    graph = faiss.IndexHNSWFlat(width, 32, faiss.METRIC_INNER_PRODUCT)
    graph.add(base)
    build_s = time.perf_counter() - start
    search = lambda rows: graph.search(rows, K)[1]
    breadth = least_breadth(lambda ef: setattr(graph.hnsw, "efSearch", ef), search, queries, truth)
    measure(f"faiss HNSW32, ef {breadth}", search, queries, truth, build_s)

    start = time.perf_counter()
    graph = Index(ndim=width, metric="ip", dtype="f32")
    graph.add(np.arange(len(base)), base, threads=args.threads)
    build_s = time.perf_counter() - start
    search = lambda rows: np.atleast_2d(graph.search(rows, K, threads=args.threads).keys)
    breadth = least_breadth(lambda ef: setattr(graph, "expansion_search", ef), search, queries, truth)
    measure(f"usearch HNSW, ef {breadth}", search, queries, truth, build_s)


main()
