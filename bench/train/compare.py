"""Training by `mrl` and by PyTorch in turn, on the same images and machine: steps alone, views alone, end to end.

Run by `cargo xtask bench train --data-dir DIR`, where DIR holds cifar-10-batches-bin. Prints and writes table.md and
result.json.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))
import folder
from machine import machine
from processes import Command, Worker, alternate, table

HERE = Path(__file__).parent
# GFLOP of an image and step of ResNet-18 with CIFAR stem at 32 x 32: 1.11 forward for each of two views by two networks,
# and twice that backward through one of them.
GFLOP_PER_IMAGE = 8.9
# Allocators that keep freed memory, by the Debian packages that have them.
ALLOCATORS = {"libtcmalloc-minimal4": "libtcmalloc_minimal.so.4", "libjemalloc2": "libjemalloc.so.2",
              "libmimalloc2.0": "libmimalloc.so.2"}


def ours(args, batch, name=None, environment=None, **options):
    words = [args.step, "--bench", "--batch", batch]
    for option, value in options.items():
        words += [f"--{option}", value]
    return Worker(name or f"`mrl`, batch {batch}", words, batch, environment)


def torch(args, name, batch, *options, environment=None):
    return Worker(name, [sys.executable, HERE / "worker.py", "--device", args.device, "--batch", batch, *options], batch, environment)


def tuned(args, batch, *options, more="", environment=None):
    """PyTorch as whoever knows it well would have it, in what `mrl` computes in."""
    name = f"PyTorch tuned: {'bf16 autocast' if args.fast == 'bf16' else 'f32'}, channels-last, fused Adam{more}"
    return torch(args, name, batch, "--mode", "tuned", "--dtype", args.fast, *options, environment=environment)


def chosen(args):
    """The device and the format of numbers that `mrl` takes here."""
    answer = subprocess.run([str(args.step), "--bench"], input="steps 0\n", stdout=subprocess.PIPE, text=True, check=True).stdout
    answer = json.loads(answer)
    return answer["device"], answer["precision"]


def preloads():
    """Environments that preload an allocator, by its name; those that are not installed are named."""
    for package, library in ALLOCATORS.items():
        path = Path("/usr/lib") / f"{platform.machine()}-linux-gnu" / library
        if path.exists():
            yield package, {"LD_PRELOAD": str(path)}
        else:
            print(f"skipped: {library} is not installed (Debian: {package})", file=sys.stderr)


def step(args):
    """Model, loss, Adam and target network, on views that lie in memory."""
    batch = 256
    workers = [
        ours(args, batch),
        torch(args, "reference as it comes, f32", batch, "--mode", "f32"),
        tuned(args, batch),
        tuned(args, batch, "--compile", more=", torch.compile"),
    ]
    for package, environment in preloads():
        if "tcmalloc" in package:
            workers.append(tuned(args, batch, more=", tcmalloc", environment=environment))
    alternate(workers, args.repeats, args.steps)
    # What a processor computes at most is measured; a GPU's is in its maker's sheet.
    share = share_of_peak(args, workers[0].median() * GFLOP_PER_IMAGE) if args.device == "cpu" else ""
    return table("A step alone", workers) + share, workers


def share_of_peak(args, reached):
    peak = json.loads(output(args.peak, "--bench"))
    product = largest_product(args.fast)
    text = f"\n`mrl` computes {reached:.0f} GFLOP/s, {100 * reached / product:.0f} % of torch's largest {args.fast} product ({product:.0f})"
    if peak[args.fast]:
        known = ", ".join(f"{gflops:.0f} in {dtype}" for dtype, gflops in peak.items() if gflops)
        text += f" and {100 * reached / peak[args.fast]:.0f} % of what the processor computes in registers alone ({known})"
    return text + ".\n"


def largest_product(fast):
    """GFLOP/s of a large product of matrices."""
    dtype = {"bf16": "bfloat16", "f32": "float32"}[fast]
    code = (f"import torch, time\na = torch.randn(4096, 4096, dtype=torch.{dtype})\nbest = 9e9\n"
            "for _ in range(6):\n    s = time.perf_counter(); a @ a; best = min(best, time.perf_counter() - s)\n"
            "print(2 * 4096**3 / best / 1e9)")
    return float(output(sys.executable, "-c", code))


def batches(args):
    """Our step at several batches."""
    workers = [ours(args, batch) for batch in (256, 64, 128, 512)]
    alternate(workers, args.repeats, args.steps)
    return table("Batch sizes", workers), workers


def allocators(args):
    """Our step with other allocators of memory than glibc's."""
    workers = [ours(args, 256)]
    workers += [ours(args, 256, f"`mrl`, {package}", environment) for package, environment in preloads()]
    alternate(workers, args.repeats, args.steps)
    return table("Allocators", workers), workers


def resnet50(args):
    """ResNet-50 at STL-10's size."""
    model = {"encoder": "resnet50", "size": 96}
    words = ["--encoder", "resnet50", "--size", "96"]
    workers = [ours(args, 256, "`mrl`, ResNet-50", **model), tuned(args, 256, *words, more=", ResNet-50")]
    alternate(workers, args.repeats, args.steps, warm=1)
    return table("ResNet-50 at 96 x 96, batch 256", workers), workers


def views(args):
    """Views a second on one core: ours and torchvision's, in turn."""
    rounds = []
    for _ in range(args.repeats):
        mine = json.loads(output(args.views, "--bench"))
        theirs = json.loads(output(sys.executable, HERE / "views.py"))
        rounds.append((mine, theirs))
    lines = ["## Views alone, on one core", "", "| views | `mrl`, views/s | torchvision on PIL, views/s | ratio |", "|---|---|---|---|"]
    for size in (32, 96):
        mine, theirs = (statistics.median(r[side][f"views_per_s_{size}"] for r in rounds) for side in (0, 1))
        lines.append(f"| {size} x {size} | {mine:.0f} | {theirs:.0f} | {mine / theirs:.1f} |")
    return "\n".join(lines) + "\n", rounds


def photos(args):
    """Two views of each image of a folder of photographs: from the files and from the pixel cache."""
    with tempfile.TemporaryDirectory() as scratch:
        count = folder.write_photos(Path(scratch), args.data_dir)
        rounds = []
        for _ in range(args.repeats):
            mine = json.loads(output(args.folder, "--bench", "--folder", scratch))
            theirs = json.loads(output(sys.executable, HERE / "folder.py", "--folder", scratch))
            rounds.append({**mine, **theirs})
    median = {key: statistics.median(entry[key] for entry in rounds) for key in rounds[0]}
    torchs, decoded, cached = (median[f"{name}_images_per_s"] for name in ("torch", "decoded", "cached"))
    return "\n".join([
        f"## A folder of {count} photographs of {folder.WIDTH} x {folder.HEIGHT}, views of 96 x 96, all cores", "",
        "| | images/s | ratio |", "|---|---|---|",
        f"| torchvision's `ImageFolder` and torch's loader | {torchs:.0f} | 1.0 |",
        f"| `mrl`, decoding (`--no-pixel-cache`) | {decoded:.0f} | {decoded / torchs:.1f} |",
        f"| `mrl`, from the pixel cache | {cached:.0f} | {cached / torchs:.1f} |", "",
        f"The first epoch waits {median['build_s']:.2f} s for the cache to be built, a later run {median['open_s']:.3f} s.", "",
    ]), rounds


def whole(args):
    """`mrl train` and the reference with its loader."""
    workers = [Command(args), torch(args, "reference with its own loader, f32", 256, "--mode", "f32", "--loader", args.data_dir)]
    alternate(workers, args.repeats, args.steps)
    start = statistics.median(workers[0].starts)
    return (table("End to end: views, step, target network, log", workers)
            + f"\nFrom the start of `mrl train` to the start of its first step: {start:.2f} s.\n"), workers


def epochs(args):
    """Whether a run keeps its speed: its first epochs beside its last."""
    with tempfile.TemporaryDirectory() as scratch:
        run, count = Path(scratch) / "run", 12
        output(args.mrl, "train", "--preset", "reference-cifar10-resnet18", "--data-dir", args.data_dir, "--subset-per-class", 32,
               "--batch-size", 64, "--epochs", count, "--log-every", 1, "--out", run)
        rates = [json.loads(line)["images_per_s"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    quarter = len(rates) // 4
    first, last = (statistics.median(part) for part in (rates[:quarter], rates[-quarter:]))
    return (f"## From the first epoch to the last\n\n{count} epochs of 5 steps, batch 64: {first:.1f} images/s in the first quarter, "
            f"{last:.1f} in the last ({100 * (last / first - 1):+.1f} %), medians of steps.\n"), rates


def output(*words):
    return subprocess.run([str(word) for word in words], check=True, stdout=subprocess.PIPE, text=True).stdout


PARTS = {part.__name__: part for part in (step, batches, allocators, resnet50, views, photos, whole, epochs)}
NEED_IMAGES = {"photos", "whole", "epochs"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mrl", type=Path, required=True)
    for name in ("step", "peak", "views", "folder"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=f"the built benchmark `{name}`")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("bench-train"))
    args = parser.parse_args()
    if NEED_IMAGES.intersection(args.parts) and not (args.data_dir / "cifar-10-batches-bin").is_dir():
        sys.exit(f"{args.data_dir} holds no cifar-10-batches-bin; give its folder as --data-dir")
    args.out.mkdir(parents=True, exist_ok=True)
    args.device, args.fast = chosen(args)
    text = [f"{machine(args.device)}; {time.strftime('%Y-%m-%d')}; medians of {args.repeats} alternating rounds, of as many images as {args.steps} "
            "steps of batch 256 have; an image is two views.\n"]
    result = {"machine": machine(args.device)}
    for name in args.parts:
        lines, measured = PARTS[name](args)
        print(lines, flush=True)
        text.append(lines)
        workers = isinstance(measured[0], (Worker, Command))
        result[name] = {worker.name: worker.rates for worker in measured} if workers else measured
    (args.out / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    (args.out / "table.md").write_text("\n".join(text))


main()
