"""Writes synthetic embedding sets as `mrl eval` reads them: overlapping classes in a space of falling variance.

Needs: numpy. Run: python make_sets.py FOLDER --train 50000 --test 10000 --dims 512 --classes 10
"""

import argparse
import json
import struct
from pathlib import Path

import numpy as np

BLOCK = 10_000


def write_set(path, rng, centres, scales, rows):
    """Streams `rows` rows to a safetensors file: nothing is held but a block."""
    dims, labels = len(scales), rng.permutation(np.arange(rows) % len(centres))
    sizes = {"embeddings": ("F32", [rows, dims], 4 * rows * dims), "labels": ("I64", [rows], 8 * rows)}
    header, end = {}, 0
    for name, (dtype, shape, size) in sizes.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for start in range(0, rows, BLOCK):
            of_block = labels[start : start + BLOCK]
            noise = rng.standard_normal((len(of_block), dims), dtype=np.float32)
            file.write(((centres[of_block] + noise) * scales).astype("<f4").tobytes())
        file.write(labels.astype("<i8").tobytes())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", type=int, default=50_000)
    parser.add_argument("--test", type=int, default=10_000)
    parser.add_argument("--dims", type=int, default=512)
    parser.add_argument("--classes", type=int, default=10)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((args.classes, args.dims)).astype(np.float32) * 0.15
    scales = (1.0 / np.sqrt(1.0 + np.arange(args.dims) / 8.0)).astype(np.float32)
    args.folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("train", args.train), ("test", args.test)):
        write_set(args.folder / f"{name}.safetensors", rng, centres, scales, rows)


main()
