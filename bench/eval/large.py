"""How `mrl eval` grows with the set, and what that means for 1.2 M x 2048 with 1,000 classes in 24 GiB.

Run by `cargo xtask bench eval-large`, or: python large.py --mrl target/release/mrl [--sizes 50000x512x100,...]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))
from memory import peaks

HERE = Path(__file__).parent
GOAL = {"train": 1_200_000, "test": 50_000, "dims": 2048, "classes": 1000}


def measure(mrl, folder, train, test, dims, classes):
    subprocess.run(
        [sys.executable, HERE / "make_sets.py", folder, "--train", str(train), "--test", str(test), "--dims", str(dims),
         "--classes", str(classes)], check=True)
    sets = ["--train", folder / "train.safetensors", "--test", folder / "test.safetensors"]
    common = [mrl, "eval", *sets, "--dims", dims, "--methods", "prefix", "--resamples", "100"]
    probe = peaks([*common, "--measures", "probe", "--l2", "1", "--out", folder / "probe"])
    report = json.loads((folder / "probe/report.json").read_text())
    steps = report["methods"]["prefix"]["probe"][0]["iterations"]
    return {"train": train, "test": test, "dims": dims, "classes": classes, "steps": steps, "probe": probe,
            "knn1": peaks([*common, "--measures", "knn1", "--out", folder / "knn1"])}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mrl", type=Path, required=True)
    parser.add_argument("--sizes", default="25000x1000x512x100,50000x2000x512x100,100000x4000x1024x200,200000x8000x1024x200",
                        help="TRAINxTESTxDIMSxCLASSES,...")
    parser.add_argument("--out", type=Path, default=Path("bench-eval-large"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for size in args.sizes.split(","):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(args.mrl, Path(folder), *map(int, size.split("x"))))
        print(rows[-1], file=sys.stderr)
    (args.out / "result.json").write_text(json.dumps(rows, indent=1) + "\n")
    text = table(rows)
    (args.out / "table.md").write_text(text)
    print(text)


def table(rows):
    lines = ["| train | test | dims | classes | steps | probe | 1-NN | own memory, probe / 1-NN | set on disk |", "|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        (probe_s, probe_mib, _), (knn_s, knn_mib, _) = row["probe"], row["knn1"]
        disk = row["train"] * row["dims"] * 4 / 2**20
        lines.append(f"| {row['train']} | {row['test']} | {row['dims']} | {row['classes']} | {row['steps']} | {probe_s:.1f} s "
                     f"| {knn_s:.1f} s | {probe_mib:.0f} / {knn_mib:.0f} MiB | {disk:.0f} MiB |")
    last = rows[-1]
    # A step multiplies every row by every class's weights twice; 1-NN every query by every row once.
    per_step = last["probe"][0] / last["steps"] / (last["train"] * last["dims"] * last["classes"])
    step = per_step * GOAL["train"] * GOAL["dims"] * GOAL["classes"]
    per_product = last["knn1"][0] / (last["train"] * last["test"] * last["dims"])
    knn = per_product * GOAL["train"] * GOAL["test"] * GOAL["dims"]
    weights = GOAL["dims"] * GOAL["classes"] * 8 / 2**30
    fit = (40 + 32 + 10) * weights
    moments, queries = 4 * GOAL["dims"] ** 2 * 8 / 2**30, GOAL["test"] * GOAL["dims"] * 4 / 2**30
    projected = (GOAL["train"] + GOAL["test"]) * GOAL["dims"] * 4 / 2**30
    return "\n".join(lines + [
        "",
        f"Extrapolated from the last row to {GOAL}, one dim of full width, by the number of multiplications:",
        "",
        f"- a step of the probe {step:.0f} s, and with that row's {last['steps']} steps {step * last['steps'] / 3600:.1f} h;",
        f"- 1-NN {knn / 60:.0f} min;",
        f"- own memory of the probe: {weights * 1024:.0f} MiB of weights, of which L-BFGS keeps 40, the parallel pieces up to 32 and "
        f"the rest some 10 copies: {fit:.1f} GiB; covariances and rotations {moments:.1f} GiB; of 1-NN: the queries, {queries:.1f} GiB;",
        f"- a method other than prefixes holds its features, {projected:.1f} GiB more; the set itself stays mapped, "
        f"{GOAL['train'] * GOAL['dims'] * 4 / 2**30:.1f} GiB that the system may drop.",
        "",
    ])


main()
