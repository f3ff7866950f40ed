"""`mrl eval` and scikit-learn in turn on the same sets: probes to the same objective, 1-NN, PCA, at every length.

Run by `cargo xtask bench eval`, or: python compare.py --mrl target/release/mrl [--train FILE --test FILE] [--out DIR]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))
from machine import machine

HERE = Path(__file__).parent


def run(*words):
    """Seconds and peak memory in MiB of a process."""
    start = time.perf_counter()
    process = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{words[0]} failed:\n{complaint.decode()}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mrl", type=Path, required=True)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--dims", default="8,16,32,64,128,256,512")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("bench-eval"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if not args.train or not args.test:
            subprocess.run([sys.executable, HERE / "make_sets.py", folder], check=True)
        compare(args, args.train or folder / "train.safetensors", args.test or folder / "test.safetensors", folder)


def compare(args, train, test, folder):
    plan = args.out / "plan.json"
    common = [args.mrl, "eval", "--train", train, "--test", test, "--dims", args.dims, "--methods", "prefix,pca", "--l2", "1"]
    whole = [*common, "--measures", "probe,knn1", "--out", folder / "whole"]
    fits = [*common, "--measures", "probe", "--out", folder / "fits"]
    report, times = folder / "whole/report.json", folder / "sklearn.json"
    theirs = [sys.executable, HERE / "sklearn_eval.py", train, test, report, times, "--plan", plan]
    run(*whole)
    if not plan.exists():
        print("finding scikit-learn's tolerances ...", file=sys.stderr)
        run(*theirs)
    runs = {"whole": [], "fits": [], "theirs": []}
    for repeat in range(args.repeats):
        print(f"repeat {repeat + 1} of {args.repeats}", file=sys.stderr)
        runs["whole"].append(run(*whole))
        runs["fits"].append(run(*fits))
        _, memory = run(*theirs)
        runs["theirs"].append((json.loads(times.read_text()), memory))
    text, result = summary(args, runs, json.loads(report.read_text()))
    (args.out / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    (args.out / "table.md").write_text(text)
    print(text)


def summary(args, runs, report):
    median = statistics.median
    whole, fits = median(s for s, _ in runs["whole"]), median(s for s, _ in runs["fits"])
    of_theirs = lambda pick: median(pick(times) for times, _ in runs["theirs"])
    total = lambda times, key: sum(row[key] for row in times["rows"])
    pca = of_theirs(lambda times: times["pca_s"])
    their_fits = of_theirs(lambda times: times["pca_s"] + total(times, "probe_s"))
    their_whole = of_theirs(lambda times: times["pca_s"] + total(times, "probe_s") + total(times, "knn_s"))
    lines = [
        f"{machine()}; {time.strftime('%Y-%m-%d')}; median of {args.repeats} alternating runs; "
        f"{report['train_size']} x {len(report['variance'])} train, {report['test_size']} test, {report['classes']} classes.",
        "",
        "| | `mrl eval`, whole process | scikit-learn, work alone | ratio |",
        "|---|---|---|---|",
        f"| probes and PCA | {fits:.1f} s | {their_fits:.1f} s | {their_fits / fits:.1f} |",
        f"| probes, 1-NN and PCA | {whole:.1f} s | {their_whole:.1f} s | {their_whole / whole:.1f} |",
        f"| peak memory | {median(m for _, m in runs['whole']):.0f} MiB | {median(m for _, m in runs['theirs']):.0f} MiB | |",
        "",
        f"PCA alone takes scikit-learn {pca:.2f} s. Each fit:",
        "",
        "| method | dim | scikit-learn's fit | steps | `mrl`'s steps | objective, relative difference | accuracy, both |",
        "|---|---|---|---|---|---|---|",
    ]
    for index, row in enumerate(runs["theirs"][0][0]["rows"]):
        measures = report["methods"][row["method"]]
        at = measures["dims"].index(row["dim"])
        seconds = of_theirs(lambda times: times["rows"][index]["probe_s"])
        lines.append(
            f"| {row['method']} | {row['dim']} | {seconds:.2f} s | {row['steps']} | {measures['probe'][at]['iterations']} "
            f"| {row['objective_difference']:.1e} | {100 * row['probe_accuracy']:.2f}, {100 * measures['logreg'][at]:.2f} |"
        )
    worst = max(abs(row["knn_accuracy"] - report["methods"][row["method"]]["knn1"][report["dims"].index(row["dim"])])
                for row in runs["theirs"][0][0]["rows"])
    lines += ["", f"1-NN accuracies differ by at most {100 * worst:.2f} points (ties and float32 in numpy's products).", ""]
    return "\n".join(lines), {"machine": machine(), "runs": runs}


main()
