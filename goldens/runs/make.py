#!/usr/bin/env python3
"""Runs as `mrl` left them before it stored `head_hidden` and other defaults, for the tests of crates/mrl-cli.

Needs numpy 2.4 and safetensors 0.8, and a `mrl` built at commit 7ea785e (0.1.0, November 2026): `python3 goldens/runs/make.py MRL`.
Writes runs.tar.gz:

- data/: 40 images to train on and 20 to test, of 12 x 12 pixels, in the format of Fashion-MNIST
- begun/: a run after 2 of its 4 steps, with its checkpoint
- finished/: configuration and encoder of a run of 2 steps
- expected/: what that `mrl` made of them: the metrics of the run that was resumed, and the test images embedded

So that they compress to little, the weights of a checkpoint are made to repeat a short pattern before that `mrl` goes on from it or
writes the encoder; its digest is computed anew.
"""
import gzip, hashlib, io, pathlib, shutil, statistics, struct, subprocess, sys, tarfile, tempfile

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

SIDE = 12
CHECKPOINT = "checkpoints/step-000000002.safetensors"
PATTERN = np.array([round(64 * statistics.NormalDist().inv_cdf((i * 37 % 61 + 0.5) / 61)) / 64 for i in range(61)])


def write_images(folder):
    """Class 0 has horizontal stripes, class 1 vertical ones."""
    folder.mkdir()
    for name, count in [("train", 40), ("t10k", 20)]:
        pixels = bytes((((y, x)[i % 2] + i // 2) % 6 * 40 + (x * y + i) % 13) & 255
                       for i in range(count) for y in range(SIDE) for x in range(SIDE))
        (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, count, SIDE, SIDE) + pixels)
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, count) + bytes(i % 2 for i in range(count)))


def coarsen(path):
    """Gives matrices and kernels the numbers of the pattern, in the scale of their own."""
    with safe_open(path, "numpy") as file:
        entries, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    for name, tensor in tensors.items():
        if tensor.ndim > 1:
            pattern = np.resize(PATTERN, tensor.size).reshape(tensor.shape)
            # A mean of squares has no sign.
            pattern = pattern**2 if (tensor >= 0).all() else pattern
            tensors[name] = (tensor.std() * pattern).astype(np.float32)
    entries["digest"] = digest(entries, tensors)
    save_file(tensors, path, entries)


def digest(entries, tensors):
    """As `FileDigest` of crates/mrl-train/src/tensor_file.rs."""
    found = hashlib.sha256()

    def part(text):
        text = text.encode() if isinstance(text, str) else text
        found.update(struct.pack("<Q", len(text)) + text)

    for key in sorted(entries.keys() - {"digest"}):
        part(key), part(entries[key])
    for name in sorted(tensors):
        part(name), part(str(list(tensors[name].shape))), part(tensors[name].tobytes())
    return found.hexdigest()[:16]


def forget(run, *files):
    for file in files:
        (run / file).unlink()


def main():
    mrl_path, out = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(__file__).with_name("runs.tar.gz")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        mrl = lambda words: subprocess.run([mrl_path, *words.split()], cwd=scratch, check=True, env={"OMP_NUM_THREADS": "1"})
        train = lambda steps, run: mrl(
            "train --preset reference --dataset fashion-mnist --data-dir data --width 0.125 --precision f32 --device cpu --batch-size 8 "
            f"--max-steps {steps} --log-every 1 --checkpoint-every 2 --out {run}")
        write_images(scratch / "data")
        (scratch / "expected").mkdir()
        for run, steps in [("begun", 4), ("finished", 2)]:
            train(steps, run)
            forget(scratch / run, "encoder.safetensors", "online.safetensors")
            coarsen(scratch / run / CHECKPOINT)
        forget(scratch / "begun", "checkpoints/step-000000004.safetensors")
        shutil.copytree(scratch / "begun", scratch / "whole")
        lines = (scratch / "begun/metrics.jsonl").read_text().splitlines(keepends=True)
        (scratch / "begun/metrics.jsonl").write_text("".join(lines[:2]))
        mrl("train --resume --out whole")
        shutil.copy(scratch / "whole/metrics.jsonl", scratch / "expected/metrics.jsonl")
        mrl("train --resume --out finished")
        for run, network in [("finished", "target"), ("begun", "target"), ("begun", "online"), ("whole", "online")]:
            mrl(f"embed --run {run} --network {network} --split test --out expected/{run}-{network}.safetensors")
        forget(scratch / "finished", "online.safetensors", CHECKPOINT, "metrics.jsonl")
        files = sorted(path for folder in ("data", "begun", "finished", "expected") for path in (scratch / folder).rglob("*") if path.is_file())
        bytes_of_tar = io.BytesIO()
        with tarfile.open(fileobj=bytes_of_tar, mode="w") as tar:
            for path in files:
                entry = tarfile.TarInfo(str(path.relative_to(scratch)))
                entry.size = path.stat().st_size
                tar.addfile(entry, io.BytesIO(path.read_bytes()))
        out.write_bytes(gzip.compress(bytes_of_tar.getvalue(), 9, mtime=0))
    print(out, out.stat().st_size, "bytes")


main()
