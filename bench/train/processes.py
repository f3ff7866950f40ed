"""Programs that train side by side, one after the other on the whole machine."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


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


def alternate(workers, repeats, steps, warm=2):
    """Warms each up, then lets one after the other work, again and again: as many images as `steps` of batch 256 have."""
    for worker in workers:
        worker.steps(warm)
    for repeat in range(repeats):
        print(f"repeat {repeat + 1} of {repeats}", file=sys.stderr)
        for worker in workers:
            worker.measure(max(1, steps * 256 // worker.batch))
    for worker in workers:
        worker.close()


def table(title, workers):
    lines = [f"## {title}", "", "| | images/s, median | range | `mrl` is faster by | peak MiB of the process |", "|---|---|---|---|---|"]
    return "\n".join(lines + [worker.row(workers[0]) for worker in workers]) + "\n"


class Command:
    """`mrl train` as a user starts it; its speed is that of its metrics, its start that of its first step."""

    def __init__(self, args):
        self.args, self.name, self.batch = args, "`mrl train`", 256
        self.rates, self.peak, self.starts = [], 0.0, []

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
