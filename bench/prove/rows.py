"""Parts of embedding sets."""

import sys

import numpy
from safetensors import safe_open
from safetensors.numpy import save_file


def part(path, rows, out):
    """Some of the rows of an embedding set, without ids, as a set of their own."""
    with safe_open(path, "numpy") as file:
        tensors = {name: file.get_slice(name)[:][rows].copy() for name in ("embeddings", "labels")}
        save_file(tensors, out, file.metadata())
    return out


def of_each_class(path, start, end):
    """The places of the images `start` to `end` of each class; a label of -1 is none."""
    with safe_open(path, "numpy") as file:
        labels = file.get_tensor("labels")
    places = [numpy.flatnonzero(labels == label)[start:end] for label in numpy.unique(labels[labels >= 0])]
    if any(len(found) < end - start for found in places):
        sys.exit(f"a class has fewer than {end} images; choose a smaller --per-class, or give --test")
    return numpy.sort(numpy.concatenate(places))
