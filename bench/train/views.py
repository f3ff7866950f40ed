"""Views that torchvision's PIL pipeline makes in a second on one core: what `crates/mrl-data/benches/views.rs` measures.

Needs torchvision and numpy: python views.py [--seconds 5]. Prints {"views_per_s_32": ..., "views_per_s_96": ...}.

The recipe is that of the PyPI package mrl-pytorch (`mrl.aug.get_training_transforms`), whose blur takes a float for the
kernel's size; here it is the same number as an int. The image is the one of the Rust benchmark.
"""

import argparse
import json
import math
import time

import numpy as np
import torch
import torchvision.transforms as T
from PIL import Image

VIEWS = 64


def recipe(size):
    kernel = math.ceil(int(size * 0.1)) // 2 * 2 + 1
    return T.Compose([
        T.RandomResizedCrop(size, scale=(0.08, 1.0)),
        T.RandomHorizontalFlip(),
        T.RandomApply([T.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8),
        T.RandomGrayscale(p=0.2),
        T.GaussianBlur(kernel),
        T.RandomSolarize(127, 0.5),
        T.ToTensor(),
    ])


def picture(size):
    """Shading, two discs of other colours and some noise."""
    pixels, noise = np.zeros((size, size, 3), np.uint8), 1
    for place in range(size * size):
        x, y = place % size / size, place // size / size
        if math.hypot(x - 0.35, y - 0.4) < 0.25:
            colour = 200, 120 + 60 * x, 40
        elif math.hypot(x - 0.7, y - 0.65) < 0.2:
            colour = 30, 90, 160 - 50 * y
        else:
            colour = 90 + 100 * y, 130 + 80 * y, 190 - 40 * x
        for channel, level in enumerate(colour):
            noise = (noise * 1_664_525 + 1_013_904_223) % 2**32
            pixels[place // size, place % size, channel] = int(level + (noise >> 28))
    return pixels


def views_per_s(size, seconds):
    """The fastest round counts: what else the machine does only ever slows one down."""
    pixels, make = picture(size), recipe(size)
    best, end = math.inf, time.perf_counter() + seconds
    while best == math.inf or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(VIEWS):
            make(Image.fromarray(pixels))  # a data set makes its PIL image for each view
        best = min(best, time.perf_counter() - start)
    return round(VIEWS / best)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5, help="how long each size is measured")
    seconds = parser.parse_args().seconds
    torch.manual_seed(7)
    torch.set_num_threads(1)
    print(json.dumps({f"views_per_s_{size}": views_per_s(size, seconds) for size in (32, 96)}))
