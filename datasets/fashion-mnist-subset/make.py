"""Writes the subset of Fashion-MNIST that ships with mrl.

    python3 make.py SOURCE [OUT]

SOURCE is a folder with the four original files, e.g. /usr/share/datasets/fashion-mnist after
`apt-get install dataset-fashion-mnist`; OUT is this script's own folder by default. Of each class the first 1,000
training images and the first 200 test images are kept, in the order of the file. The output is the same byte
for byte with the same zlib: no time and no file name are stored.
"""

import gzip
import hashlib
import struct
import sys
from pathlib import Path

CLASSES = 10
SPLITS = {"train": 1000, "t10k": 200}


def read_idx(path):
    """The dims and the bytes of a gzipped IDX file of unsigned bytes."""
    raw = gzip.decompress(path.read_bytes())
    if raw[:3] != b"\0\0\x08":
        sys.exit(f"{path}: not an IDX file of unsigned bytes")
    rank = raw[3]
    dims = struct.unpack(f">{rank}I", raw[4 : 4 + 4 * rank])
    return dims, raw[4 + 4 * rank :]


def write_idx(path, dims, data):
    header = b"\0\0\x08" + bytes([len(dims)]) + struct.pack(f">{len(dims)}I", *dims)
    packed = gzip.compress(header + data, compresslevel=9, mtime=0)
    path.write_bytes(packed)
    print(hashlib.sha256(packed).hexdigest(), path.name)


def first_of_each_class(labels, per_class):
    """Indices of the first `per_class` items of every class, in file order."""
    left = [per_class] * CLASSES
    chosen = []
    for index, label in enumerate(labels):
        if left[label]:
            left[label] -= 1
            chosen.append(index)
    if any(left):
        sys.exit(f"a class has fewer than {per_class} items")
    return chosen


def main(source, out):
    for split, per_class in SPLITS.items():
        (count, rows, columns), pixels = read_idx(source / f"{split}-images-idx3-ubyte.gz")
        (label_count,), labels = read_idx(source / f"{split}-labels-idx1-ubyte.gz")
        size = rows * columns
        if count != label_count or len(pixels) != count * size or len(labels) != count:
            sys.exit(f"{source}: the {split} files do not match")
        chosen = first_of_each_class(labels, per_class)
        images = b"".join(pixels[i * size : (i + 1) * size] for i in chosen)
        write_idx(out / f"{split}-images-idx3-ubyte.gz", (len(chosen), rows, columns), images)
        write_idx(out / f"{split}-labels-idx1-ubyte.gz", (len(chosen),), bytes(labels[i] for i in chosen))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).resolve().parent)
