"""Search by `mrl`, faiss and usearch in turn, on the same embeddings and machine.

Run by `cargo xtask bench search --base SET --queries SET`, two embedding sets. Prints and writes table.md and result.json.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

sys.path.append(str(Path(__file__).parent.parent))
from machine import machine
from memory import peaks

HERE = Path(__file__).parent
# A graph has to be built before it answers: its time is spread over so many queries.
QUERIES_OF_A_BUILD = 10_000
RECALL = 0.99


WAYS = ["flat", "shortlist", "hnsw", "usearch"]


def rounds(args, base, queries):
    """What each way to search reached, round by round."""
    programs = [[args.search, "--bench", base, queries, *args.ours]]
    programs += [[sys.executable, HERE / "peers.py", "--way", way, "--base", base, "--queries", queries] for way in args.ways]
    measured = {}
    for number in range(args.repeats):
        print(f"repeat {number + 1} of {args.repeats}", file=sys.stderr)
        for words in programs:
            with tempfile.TemporaryFile("w+") as lines:
                _, own, mapped = peaks(words, stdout=lines, stderr=None)
                lines.seek(0)
                for line in lines:
                    entry = json.loads(line) | {"own_mib": own, "mapped_mib": mapped}
                    print(entry, file=sys.stderr)
                    measured.setdefault(entry.pop("name"), []).append(entry)
    return measured


def repeated(path, rows, out):
    """The rows of a set again and again, each with a little noise of its own: of a tenth of its length."""
    base = load_file(path)["embeddings"]
    random = np.random.default_rng(0)
    many = np.empty((rows, base.shape[1]), np.float32)
    for start in range(0, rows, len(base)):
        part = base[:rows - start]
        noise = random.standard_normal(part.shape, np.float32)
        noise *= 0.1 * np.linalg.norm(part, axis=1, keepdims=True) / part.shape[1] ** 0.5
        many[start:start + len(part)] = part + noise
    save_file({"embeddings": many}, out)
    return out


def medians(measured):
    return {name: {key: statistics.median(entry[key] for entry in entries) for key in entries[0]}
            for name, entries in measured.items()}


def counted(entry):
    """Queries a second in batches when the build is counted over `QUERIES_OF_A_BUILD`."""
    return QUERIES_OF_A_BUILD / (entry["build_s"] + QUERIES_OF_A_BUILD / entry["batch"])


def table(result):
    flat = next(entry for name, entry in result.items() if name.startswith("faiss Flat") and "shortlist" not in name)
    lines = ["| | recall@10 | one at a time, queries/s | × Flat | in batches, queries/s | × Flat | build, s | build counted, queries/s | own memory, MiB |",
             "|---|---|---|---|---|---|---|---|---|"]
    for name, entry in result.items():
        lines.append(
            f"| {name} | {entry['recall']:.4f} | {entry['single']:,.0f} | {entry['single'] / flat['single']:.1f} | {entry['batch']:,.0f} | "
            f"{entry['batch'] / flat['batch']:.1f} | {entry['build_s']:.2f} | {counted(entry):,.0f} | {entry['own_mib']:,.0f} |")
    return "\n".join(lines) + "\n"


def verdict(result):
    enough = {name: entry for name, entry in result.items() if entry["recall"] >= RECALL}
    ours = {name: entry for name, entry in enough.items() if name.startswith("`mrl`")}
    graphs = {name: entry for name, entry in enough.items() if "HNSW" in name}
    if not ours or not graphs:
        return f"No way of `mrl`, or no graph, finds {RECALL:.0%}.\n"
    best, graph = (max(entries.items(), key=lambda item: counted(item[1])) for entries in (ours, graphs))
    ratio = counted(best[1]) / counted(graph[1])
    return (f"At a recall of {RECALL:.0%} and builds counted over {QUERIES_OF_A_BUILD:,} queries, {best[0]} is {ratio:.1f} times as fast as "
            f"{graph[0]}.\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--search", type=Path, required=True, help="the built benchmark `search`")
    parser.add_argument("--base", type=Path, required=True, help="the embedding set to search")
    parser.add_argument("--queries", type=Path, required=True, help="the embedding set to search for")
    parser.add_argument("--rows", type=int, help="repeat the base to so many rows, with a little noise")
    parser.add_argument("--first", type=int, default=1000, help="with --rows, how many of the queries are asked")
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=WAYS)
    parser.add_argument("--ours", nargs="*", default=[], help="DTYPE, DIMS, GRAPH and SCHEDULEs of the benchmark `search`")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("bench-search"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base, queries = args.base, args.queries
        if args.rows:
            base = repeated(base, args.rows, Path(folder) / "base.safetensors")
            few = Path(folder) / "queries.safetensors"
            save_file({"embeddings": load_file(queries)["embeddings"][:args.first].copy()}, few)
            queries = few
        measured = rounds(args, base, queries)
    result = medians(measured)
    text = "\n".join([f"{machine()}; {time.strftime('%Y-%m-%d')}; medians of {args.repeats} alternating rounds; k = 10.\n",
                      table(result), verdict(result)])
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "result.json").write_text(json.dumps({"machine": machine(), "rounds": measured}, indent=1) + "\n")
    (args.out / "table.md").write_text(text)
    print(text)


main()
