"""Training by `mrl` and by PyTorch in turn, on the same images and machine: steps alone, views alone, end to end.

Run by `cargo xtask bench train --data-dir DIR`, where DIR holds cifar-10-batches-bin. Prints and writes table.md and
result.json.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
# GFLOP of an image and step of ResNet-18 with CIFAR stem at 32 x 32: 1.11 forward for each of two views by two networks,
# and twice that backward through one of them.
GFLOP_PER_IMAGE = 8.9
TCMALLOC = [Path("/usr/lib/x86_64-linux-gnu") / name for name in ("libtcmalloc_minimal.so.4", "libtcmalloc.so.4")]


class Worker:
    """A process that makes steps when it is told to."""

    def __init__(self, name, words, batch, environment=None):
        self.name, self.batch, self.rates, self.peak = name, batch, [], 0.0
        self.process = subprocess.Popen(
            [str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {})})

    def steps(self, count):
        self.process.stdin.write(f"steps {count}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended; its message is above")
        answer = json.loads(line)
        self.peak = answer["peak_mib"]
        return count * self.batch / answer["seconds"]

    def measure(self, count):
        self.rates.append(self.steps(count))

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def median(self):
        return statistics.median(self.rates)

    def row(self, base):
        spread = f"{min(self.rates):.1f}-{max(self.rates):.1f}"
        return (f"| {self.name} | {self.median():.1f} | {spread} | {base.median() / self.median():.2f} | {self.peak:.0f} |")


def alternate(workers, repeats, steps):
    """Warms each up, then lets one after the other work, again and again."""
    for worker in workers:
        worker.steps(2)
    for repeat in range(repeats):
        print(f"repeat {repeat + 1} of {repeats}", file=sys.stderr)
        for worker in workers:
            worker.measure(steps)
    for worker in workers:
        worker.close()


def table(title, workers):
    lines = [f"## {title}", "", "| | images/s, median | range | `mrl` is faster by | peak MiB |", "|---|---|---|---|---|"]
    return "\n".join(lines + [worker.row(workers[0]) for worker in workers]) + "\n"


def ours(args, batch, **options):
    words = [args.step, "--bench", "--batch", batch]
    for name, value in options.items():
        words += [f"--{name}", value]
    return Worker(f"`mrl`, batch {batch}", words, batch)


def torch(name, batch, *options, environment=None):
    return Worker(name, [sys.executable, HERE / "worker.py", "--batch", batch, *options], batch, environment)


def step_alone(args):
    batch = 256
    tuned = "PyTorch tuned: bf16 autocast, channels-last, fused Adam"
    workers = [
        ours(args, batch),
        torch("reference as it comes, f32", batch, "--mode", "f32"),
        torch(tuned, batch, "--mode", "tuned"),
        torch(f"{tuned}, torch.compile", batch, "--mode", "tuned", "--compile"),
    ]
    tcmalloc = next((path for path in TCMALLOC if path.exists()), None)
    if tcmalloc:
        preload = {"LD_PRELOAD": str(tcmalloc)}
        workers.append(torch(f"{tuned}, tcmalloc", batch, "--mode", "tuned", environment=preload))
    else:
        print("skipped: tcmalloc is not installed (Debian: libgoogle-perftools4)", file=sys.stderr)
    alternate(workers, args.repeats, args.steps)
    return workers


def batch_sizes(args):
    workers = [ours(args, batch) for batch in (64, 128, 256, 512)]
    for worker in workers:
        worker.steps(2)
    for _ in range(args.repeats):
        for worker in workers:
            worker.measure(max(1, args.steps * 256 // worker.batch))
    for worker in workers:
        worker.close()
    return workers


class Command:
    """`mrl train` as a user starts it; its speed is that of its metrics, its start that of its first step."""

    def __init__(self, args):
        self.args, self.name, self.rates, self.peak, self.starts = args, "`mrl train`", [], 0.0, []

    def steps(self, count):
        pass

    def measure(self, count):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            words = [self.args.mrl, "train", "--preset", "reference-cifar10-resnet18", "--data-dir", self.args.data_dir,
                     "--max-steps", count + 1, "--log-every", 1, "--out", run]
            start = time.perf_counter()
            process = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            metrics, first = run / "metrics.jsonl", None
            while first is None and process.poll() is None:
                if metrics.exists() and metrics.read_text().count("\n"):
                    first = time.perf_counter() - start
                time.sleep(0.005)
            complaint = process.stderr.read()
            _, status, usage = os.wait4(process.pid, 0)
            if os.waitstatus_to_exitcode(status):
                sys.exit(f"mrl train failed:\n{complaint.decode()}")
            lines = [json.loads(line) for line in metrics.read_text().splitlines()]
        # Each line has the speed since the line before; the first also waits for the first views.
        self.starts.append(first - 256 / lines[0]["images_per_s"])
        self.rates.append(statistics.harmonic_mean([line["images_per_s"] for line in lines[1:]]))
        self.peak = usage.ru_maxrss / 1024

    def close(self):
        pass

    median, row = Worker.median, Worker.row


def end_to_end(args):
    workers = [Command(args), torch("reference with its own loader, f32", 256, "--mode", "f32", "--loader", args.data_dir)]
    alternate(workers, args.repeats, args.steps)
    return workers


def views(args):
    """Views a second on one core: ours and torchvision's, in turn."""
    rounds = []
    for _ in range(args.repeats):
        mine = json.loads(subprocess.run([args.views, "--bench"], check=True, capture_output=True, text=True).stdout)
        theirs = json.loads(subprocess.run([sys.executable, HERE / "views.py"], check=True, capture_output=True, text=True).stdout)
        rounds.append((mine, theirs))
    lines = ["## Views alone, on one core", "", "| views | `mrl`, views/s | torchvision on PIL, views/s | ratio |", "|---|---|---|---|"]
    for size in (32, 96):
        mine, theirs = (statistics.median(r[side][f"views_per_s_{size}"] for r in rounds) for side in (0, 1))
        lines.append(f"| {size} x {size} | {mine:.0f} | {theirs:.0f} | {mine / theirs:.1f} |")
    return "\n".join(lines) + "\n", rounds


def bf16_peak():
    """GFLOP/s of a large product of bf16 matrices: the most that this machine has shown."""
    code = ("import torch, time\na = torch.randn(4096, 4096, dtype=torch.bfloat16)\nbest = 9e9\n"
            "for _ in range(6):\n    s = time.perf_counter(); a @ a; best = min(best, time.perf_counter() - s)\n"
            "print(2 * 4096**3 / best / 1e9)")
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    value = lambda key: next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")
    formats = " with bf16" if "avx512_bf16" in value("flags") else " without bf16"
    return f"{value('model name') or platform.processor()}, family {value('cpu family')} model {value('model')}, {os.cpu_count()} cores{formats}"


PARTS = ["step", "batches", "views", "whole"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mrl", type=Path, required=True)
    parser.add_argument("--step", type=Path, required=True, help="the built benchmark `step`")
    parser.add_argument("--views", type=Path, required=True, help="the built benchmark `views`")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("bench-train"))
    args = parser.parse_args()
    if "whole" in args.parts and not (args.data_dir / "cifar-10-batches-bin").is_dir():
        sys.exit(f"{args.data_dir} holds no cifar-10-batches-bin; give its folder as --data-dir")
    args.out.mkdir(parents=True, exist_ok=True)
    peak = bf16_peak()
    text = [f"{machine()}; {time.strftime('%Y-%m-%d')}; medians of {args.repeats} alternating rounds of {args.steps} steps of "
            f"batch 256; an image is two views. The largest bf16 product reached {peak:.0f} GFLOP/s.", ""]
    result = {"machine": machine(), "bf16_peak_gflops": peak}
    if "step" in args.parts:
        workers = step_alone(args)
        share = workers[0].median() * GFLOP_PER_IMAGE / peak
        text += [table("A step alone", workers), f"`mrl` computes {workers[0].median() * GFLOP_PER_IMAGE:.0f} GFLOP/s, "
                 f"{100 * share:.0f} % of the largest product's.", ""]
        result["step"] = {worker.name: worker.rates for worker in workers}
    if "batches" in args.parts:
        workers = batch_sizes(args)
        text += [table("Batch sizes", workers)]
        result["batches"] = {worker.name: worker.rates for worker in workers}
    if "views" in args.parts:
        lines, result["views"] = views(args)
        text += [lines]
    if "whole" in args.parts:
        workers = end_to_end(args)
        text += [table("End to end: views, step, target network, log", workers),
                 f"From the start of `mrl train` to the start of its first step: {statistics.median(workers[0].starts):.2f} s.", ""]
        result["whole"] = {worker.name: worker.rates for worker in workers} | {"starts_s": workers[0].starts}
    (args.out / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    (args.out / "table.md").write_text("\n".join(text))
    print("\n".join(text))


main()
