"""Writes images of 240 Chinese characters as IDX files: many classes, which a supervised encoder can learn.

    python3 characters.py FONTS OUT

FONTS is the folder of Noto's CJK fonts, e.g. /usr/share/fonts/opentype/noto after `apt-get install fonts-noto-cjk`. Needs numpy and Pillow.
Each image shows one character in one of four fonts, moved, sheared, turned, blurred, with noise, dark on light or light on dark.
"""

import random
import struct
import sys
from pathlib import Path

import numpy
from PIL import Image, ImageDraw, ImageFilter, ImageFont

CLASSES, SIDE, WINDOW = 240, 28, 112
SPLITS = {"train": 80, "t10k": 20}
FACES = [f"Noto{kind}CJK-{weight}.ttc" for kind in ("Sans", "Serif") for weight in ("Regular", "Bold")]
SIMPLIFIED_CHINESE = 2


def image(character, fonts, draw, noise):
    """One picture, uint8 `[28, 28]`."""
    picture = Image.new("L", (WINDOW, WINDOW), 0)
    font = draw.choice(draw.choice(fonts))
    place = tuple(WINDOW / 2 + draw.uniform(-10, 10) for _ in range(2))
    ImageDraw.Draw(picture).text(place, character, font=font, fill=255, anchor="mm")
    a, b = draw.uniform(-0.25, 0.25), draw.uniform(-0.25, 0.25)
    sheared = picture.transform((WINDOW, WINDOW), Image.AFFINE, (1, a, -a * WINDOW / 2, b, 1, -b * WINDOW / 2), Image.BILINEAR)
    picture = sheared.rotate(draw.uniform(-25, 25), Image.BILINEAR).resize((SIDE, SIDE), Image.BOX)
    if draw.random() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(draw.uniform(0, 0.8)))
    levels = numpy.asarray(picture, float) * draw.uniform(0.5, 1)
    levels = levels + noise.normal(0, draw.uniform(5, 30), (SIDE, SIDE)) + draw.uniform(0, 40)
    if draw.random() < 0.5:
        levels = 255 - levels
    return numpy.clip(levels, 0, 255).astype(numpy.uint8)


def main(folder, out):
    draw, noise = random.Random(0), numpy.random.default_rng(0)
    fonts = [[ImageFont.truetype(str(folder / face), size, index=SIMPLIFIED_CHINESE) for size in (64, 72, 80, 88)] for face in FACES]
    characters = draw.sample([chr(code) for code in range(0x4E00, 0x6E00)], CLASSES)
    out.mkdir(parents=True, exist_ok=True)
    for split, count in SPLITS.items():
        rows = [(label, image(character, fonts, draw, noise)) for label, character in enumerate(characters) for _ in range(count)]
        draw.shuffle(rows)
        pixels = b"".join(picture.tobytes() for _, picture in rows)
        (out / f"{split}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, len(rows), SIDE, SIDE) + pixels)
        (out / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, len(rows)) + bytes(label for label, _ in rows))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
