"""Writes the images of words in ten scripts that ship with mrl.

    python3 make.py FONTS CLDR [OUT]

FONTS is a folder with Google's Noto fonts, CLDR a folder with the Unicode Common Locale Data Repository, e.g. /usr/share/fonts
and /usr/share/unicode/cldr/common after `apt-get install fonts-noto-core fonts-noto-cjk unicode-cldr-core`. OUT is this script's
own folder by default. Needs Pillow with Raqm, which shapes the scripts that need it. The same versions write the same bytes.
"""

import gzip
import hashlib
import random
import struct
import sys
import unicodedata
import xml.etree.ElementTree as xml
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

# Each script with the languages that its words are from, and what its fonts are called.
FACES = ["Sans{}-Regular", "Sans{}-Bold", "Serif{}-Regular", "Serif{}-Bold"]
NASKH = ["SansArabic-Regular", "SansArabic-Bold", "NaskhArabic-Regular", "NaskhArabic-Bold"]
SCRIPTS = {
    "Latin": (["en", "de", "es", "pl"], [face.format("") for face in FACES]),
    "Greek": (["el"], [face.format("") for face in FACES]),
    "Cyrillic": (["ru", "uk", "bg"], [face.format("") for face in FACES]),
    "Hebrew": (["he"], [face.format("Hebrew") for face in FACES]),
    "Arabic": (["ar", "fa"], NASKH),
    "Devanagari": (["hi", "mr", "ne"], [face.format("Devanagari") for face in FACES]),
    "Bengali": (["bn"], [face.format("Bengali") for face in FACES]),
    "Tamil": (["ta"], [face.format("Tamil") for face in FACES]),
    "Thai": (["th"], [face.format("Thai") for face in FACES]),
    "Hangul": (["ko"], [face.format("CJK") for face in FACES]),
}
# The Korean face in a collection of fonts for Chinese, Japanese and Korean.
KOREAN = 1
SPLITS = {"train": 1000, "t10k": 500}
# Words are drawn four times as large and shrunk, so that edges are smooth.
SIDE, SCALE = 28, 4
WINDOW = SIDE * SCALE
# The least share of an image that is ink.
INK = 0.12
# Places that are tried in one word.
ATTEMPTS = 20


def words(cldr, script, languages):
    """The names of countries and languages that are written in `script`."""
    found = set()
    for language in languages:
        root = xml.parse(cldr / f"main/{language}.xml").getroot()
        for kind in ("territory", "language"):
            for element in root.iter(kind):
                found.update(word.strip("()[],.«»–-") for word in (element.text or "").split())
    return sorted(word for word in found if len(word) >= 4 and is_of(script, word))


def is_of(script, word):
    letters = [sign for sign in word if unicodedata.category(sign)[0] in "LM"]
    named = all(unicodedata.name(sign, "").startswith((script.upper(), "COMBINING")) for sign in letters)
    return named and len(letters) >= 3 and not any(sign.isdigit() for sign in word)


def open_font(fonts, name, size):
    path, index = fonts / f"truetype/noto/Noto{name}.ttf", 0
    if not path.exists():
        path, index = fonts / f"opentype/noto/Noto{name}.ttc", KOREAN
    return ImageFont.truetype(str(path), size, index=index, layout_engine=ImageFont.Layout.RAQM)


def draw(word, font, rng):
    """
    A part of `word` as 28 × 28 gray pixels: at a random place, a little askew, in a random ink on random paper. None where no
    place with enough ink was found.
    """
    left, top, right, bottom = font.getbbox(word)
    width, height = right - left, bottom - top
    canvas = Image.new("L", (width + 4 * WINDOW, height + 4 * WINDOW), 0)
    ImageDraw.Draw(canvas).text((2 * WINDOW - left, 2 * WINDOW - top), word, fill=255, font=font)
    for _ in range(ATTEMPTS):
        x = 2 * WINDOW + rng.uniform(0.15, 0.85) * width
        y = 2 * WINDOW + rng.uniform(0.35, 0.65) * height
        around = canvas.crop((round(x) - WINDOW, round(y) - WINDOW, round(x) + WINDOW, round(y) + WINDOW))
        askew = around.rotate(rng.uniform(-10, 10), resample=Image.Resampling.BILINEAR)
        middle = askew.crop((WINDOW // 2, WINDOW // 2, WINDOW // 2 + WINDOW, WINDOW // 2 + WINDOW))
        ink = middle.resize((SIDE, SIDE), Image.Resampling.BOX).tobytes()
        if sum(ink) >= INK * 255 * SIDE * SIDE:
            dark, light = rng.randrange(0, 100), rng.randrange(170, 256)
            return bytes(light - (light - dark) * share // 255 for share in ink)
    return None


def images_of(fonts, texts, faces, count, rng):
    loaded, images = {}, []
    while len(images) < count:
        face = rng.choice(faces), rng.randrange(14 * SCALE, 24 * SCALE, SCALE)
        if face not in loaded:
            loaded[face] = open_font(fonts, *face)
        image = draw(rng.choice(texts), loaded[face], rng)
        if image:
            images.append(image)
    return images


def write_idx(path, dims, data):
    header = b"\0\0\x08" + bytes([len(dims)]) + struct.pack(f">{len(dims)}I", *dims)
    packed = gzip.compress(header + data, compresslevel=9, mtime=0)
    path.write_bytes(packed)
    print(hashlib.sha256(packed).hexdigest(), path.name)


def main(fonts, cldr, out):
    rng = random.Random(0)
    splits = {split: [] for split in SPLITS}
    for label, (script, (languages, faces)) in enumerate(SCRIPTS.items()):
        texts = words(cldr, script, languages)
        rng.shuffle(texts)
        # A word of the test images is in no training image.
        cut = 2 * len(texts) // 3
        for (split, count), part in zip(SPLITS.items(), (texts[:cut], texts[cut:])):
            splits[split] += [(image, label) for image in images_of(fonts, part, faces, count, rng)]
    for split, items in splits.items():
        rng.shuffle(items)
        write_idx(out / f"{split}-images-idx3-ubyte.gz", (len(items), SIDE, SIDE), b"".join(image for image, _ in items))
        write_idx(out / f"{split}-labels-idx1-ubyte.gz", (len(items),), bytes(label for _, label in items))
    (out / "classes.txt").write_text("".join(f"{script}\n" for script in SCRIPTS))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) == 4 else Path(__file__).resolve().parent)
