"""A folder of photographs through torchvision's `ImageFolder` and torch's loader: what `crates/mrl-data/benches/folder.rs` measures.

Needs torchvision: python folder.py --folder DIR. Prints {"torch_images_per_s": ...}. The recipe is that of views.py.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.datasets import ImageFolder

from views import recipe

# As photographs of ImageNet are on average.
WIDTH, HEIGHT = 500, 375
SIZE, BATCH = 96, 64


def write_photos(folder, data_dir, count=1024):
    """JPEG files of real images, enlarged, a folder for each class."""
    raw = np.fromfile(data_dir / "cifar-10-batches-bin" / "data_batch_1.bin", np.uint8).reshape(-1, 3073)[:count]
    for index, row in enumerate(raw):
        pixels = row[1:].reshape(3, 32, 32).transpose(1, 2, 0)
        place = folder / f"class-{row[0]}"
        place.mkdir(exist_ok=True)
        Image.fromarray(pixels).resize((WIDTH, HEIGHT), Image.BICUBIC).save(place / f"{index:05}.jpg", quality=90)
    return len(raw)


class TwoViews:
    def __init__(self):
        self.make = recipe(SIZE)

    def __call__(self, image):
        return self.make(image), self.make(image)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    images = ImageFolder(str(parser.parse_args().folder), TwoViews())
    loader = torch.utils.data.DataLoader(
        images, batch_size=BATCH, shuffle=True, drop_last=True, num_workers=torch.get_num_threads())
    start = time.perf_counter()
    batches = sum(1 for _ in loader)
    print(json.dumps({"torch_images_per_s": round(batches * BATCH / (time.perf_counter() - start))}))


if __name__ == "__main__":
    main()
