"""Search by faiss and usearch: what `crates/mrl-retrieve/benches/search.rs` measures of `mrl`, on the same vectors.

Run by compare.py: python peers.py --way flat|shortlist|hnsw|usearch --base SET --queries SET, two embedding sets. Prints a line of
JSON: its name, the seconds that its index takes to build, queries a second, one at a time and all at once, and recall@10 against the
exact answer, by the first thousand queries.
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
# Queries that recall is measured by, at most.
SAMPLE = 1000
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
    one_by_one = [queries[index:index + 1] for index in range(min(SINGLE, len(queries)))]
    print(json.dumps({
        "name": name, "build_s": build_s, "recall": float(recall(search(queries[:SAMPLE]), truth)),
        "single": per_second(len(one_by_one), lambda: [search(query) for query in one_by_one]),
        "batch": per_second(len(queries), lambda: search(queries)),
    }), flush=True)


def least_breadth(set_breadth, search, queries, truth):
    """The first of `BREADTHS` that finds enough on a tenth of the sample."""
    for breadth in BREADTHS:
        set_breadth(breadth)
        if recall(search(queries[:SAMPLE:10]), truth[::10]) >= RECALL:
            break
    return breadth


def exact(base, queries, block=50_000):
    """The true best ids, `[n, K]`, by products of blocks, which leave no index in memory."""
    scores, ids = (np.empty((len(queries), 0), kind) for kind in (np.float32, np.int64))
    for start in range(0, len(base), block):
        part = queries @ base[start:start + block].T
        ids = np.hstack([ids, np.broadcast_to(np.arange(start, start + part.shape[1]), part.shape)])
        scores = np.hstack([scores, part])
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        scores, ids = (np.take_along_axis(values, best, axis=1) for values in (scores, ids))
    return ids


def flat(base, queries, truth, threads):
    index = faiss.IndexFlatIP(base.shape[1])
    index.add(base)
    measure(f"faiss Flat {base.shape[1]}", lambda rows: index.search(rows, K)[1], queries, truth)


def shortlist(base, queries, truth, threads, dims=64, keep=200):
    """The first `dims`, normalised, shortlist in faiss; numpy ranks by all."""
    dims = min(dims, base.shape[1])
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


def hnsw(base, queries, truth, threads):
    start = time.perf_counter()
    graph = faiss.IndexHNSWFlat(base.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
    graph.add(base)
    build_s = time.perf_counter() - start
    search = lambda rows: graph.search(rows, K)[1]
    breadth = least_breadth(lambda ef: setattr(graph.hnsw, "efSearch", ef), search, queries, truth)
    measure(f"faiss HNSW32, ef {breadth}", search, queries, truth, build_s)


def usearch(base, queries, truth, threads):
    start = time.perf_counter()
    graph = Index(ndim=base.shape[1], metric="ip", dtype="f32")
    graph.add(np.arange(len(base)), base, threads=threads)
    build_s = time.perf_counter() - start
    search = lambda rows: np.atleast_2d(graph.search(rows, K, threads=threads).keys)
    breadth = least_breadth(lambda ef: setattr(graph, "expansion_search", ef), search, queries, truth)
    measure(f"usearch HNSW, ef {breadth}", search, queries, truth, build_s)


WAYS = {way.__name__: way for way in (flat, shortlist, hnsw, usearch)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--way", choices=WAYS, required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    faiss.omp_set_num_threads(args.threads)
    base, queries = unit(args.base), unit(args.queries)
    WAYS[args.way](base, queries, exact(base, queries[:SAMPLE]), args.threads)


main()
