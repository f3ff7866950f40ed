"""Writes the same embeddings as numpy and safetensors do, with numbers of every kind that is read.

Number i of all rows is i / 4 - 1 in a matrix of 3 rows of 4, label r is 1 - r, or r where labels have no sign.

Needs: numpy 2.4, safetensors 0.8, torch 2.13 (for bfloat16).
Run:   python goldens/sets/make.py
"""

from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent
ROWS, WIDTH = 3, 4
UNSIGNED = (torch.uint8, torch.uint16, torch.uint32, torch.uint64)

numbers = numpy.arange(ROWS * WIDTH).reshape(ROWS, WIDTH) / 4 - 1

for kind in ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]:
    name = kind.replace("<", "little-").replace(">", "big-")
    for order, called in [("C", "rows"), ("F", "columns")]:
        numpy.save(HERE / f"{name}-{called}.npy", numpy.asarray(numbers, kind, order=order))

for kind in ["i1", "u1"]:
    numpy.save(HERE / f"{kind}.npy", numpy.arange(ROWS * WIDTH).reshape(ROWS, WIDTH).astype(kind) - (kind == "i1") * 6)

kinds = [
    (torch.float16, torch.int32),
    (torch.float16, torch.uint32),
    (torch.bfloat16, torch.int16),
    (torch.bfloat16, torch.uint16),
    (torch.float64, torch.int8),
    (torch.float64, torch.uint8),
    (torch.float32, torch.int64),
    (torch.float32, torch.uint64),
]
for floats, integers in kinds:
    labels = torch.arange(ROWS) if integers in UNSIGNED else 1 - torch.arange(ROWS)
    name = f"{floats}-{integers}".replace("torch.", "")
    tensors = {"embeddings": torch.from_numpy(numbers).to(floats), "labels": labels.to(integers)}
    save_file(tensors, HERE / f"{name}.safetensors")

bytes_of = {"embeddings": torch.arange(ROWS * WIDTH, dtype=torch.int8).view(ROWS, WIDTH) - 6, "labels": torch.arange(ROWS) % 2 == 0}
save_file(bytes_of, HERE / "int8-bool.safetensors")
save_file({"embeddings": torch.from_numpy(numbers).float(), "labels": torch.arange(ROWS).double()}, HERE / "float32-float64.safetensors")
