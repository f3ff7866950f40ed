"""Writes the first files of each fuzzer's corpus, from the goldens, the presets, and indexes that mrl builds.

    python3 fuzz/seeds.py target/release/mrl
"""

import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
GOLDENS = ROOT / "goldens"


def save(target, name, *parts):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"".join(parts))


def two(first, second):
    """Two files as one input: the length of the first comes before it."""
    return struct.pack("<H", len(first)) + first + second


def images(count, side):
    return struct.pack(">IIII", 2051, count, side, side) + bytes(range(256))[: count * side * side]


def indexes(mrl, folder):
    def run(*words):
        subprocess.run([mrl, "index", *words], check=True, cwd=folder, capture_output=True)

    rows = str(GOLDENS / "parquet/lists-snappy.parquet")
    for name, options in {
        "plain": [],
        "names": ["--id-column", "name", "--label-column", "label"],
        "int8-pca": ["--rotate", "pca", "--metric", "dot"],
        "f32-graph": ["--shortlist-dtype", "f32", "--graph", "4", "--rotate", "none"],
    }.items():
        run("build", "--input", rows, "--dims", "2,4", *options, "--out", f"{name}.index")
        if name == "plain":
            run("remove", f"{name}.index", "0", "7")
            run("add", f"{name}.index", "--input", rows)
        yield name, (folder / f"{name}.index").read_bytes()


def main(mrl):
    for path in sorted((GOLDENS / "sets").glob("*.npy")):
        save("npy", path.stem, path.read_bytes())
    for path in sorted((GOLDENS / "sets").glob("*.safetensors")):
        save("safetensors", path.stem, path.read_bytes())
    for path in sorted((GOLDENS / "labels").glob("*.npy")):
        save("labels", path.stem, path.read_bytes())
    save("labels", "lines", b"cat\ndog\ncat\n")
    for path in sorted((GOLDENS / "parquet").glob("*.parquet")):
        for choice in (0, 11, 15):
            save("parquet", f"{path.stem}-{choice}", bytes([choice]), path.read_bytes())
    for path in sorted((GOLDENS / "runs").rglob("*.safetensors")):
        if path.stat().st_size < 100_000:
            save("tensor_file", path.stem, path.read_bytes())
    entries = b'{"__metadata__":{"digest":"0","step":"3"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    save("tensor_file", "small", struct.pack("<Q", len(entries)), entries, bytes(8))
    for text in ("exact", "64:200,512", "t64:200", "g64:100,512", "8:400,16:200,512"):
        save("schedule", text.replace(":", "-"), text.encode())
    with tempfile.TemporaryDirectory() as folder:
        for name, content in indexes(mrl, Path(folder)):
            save("index", name, content)
    python = GOLDENS / "datasets/cifar-100-python"
    save("pickle", "cifar-100", two((python / "meta").read_bytes(), (python / "train").read_bytes()))
    labels = struct.pack(">II", 2049, 3) + bytes([0, 1, 2])
    save("idx", "three", two(labels, images(3, 4)))
    save("idx", "cut", two(labels, images(3, 4)[:-1]))
    save("binary", "stl10", bytes([0]), two(bytes([1, 2]), bytes(2 * 3 * 96 * 96)))
    save("binary", "cifar10", bytes([1]), two(b"a\nb\n", bytes([3]) + bytes(3072)))
    for path in sorted((GOLDENS / "datasets/images").iterdir()):
        if path.stat().st_size < 20_000:
            save("image", path.name.replace(".", "-"), path.read_bytes())
    for path in sorted((ROOT / "presets").glob("*.toml")):
        save("config", path.stem, path.read_bytes())
    for path in sorted((GOLDENS / "runs").rglob("config.toml")):
        save("config", f"run-{path.parent.name}", path.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        rows = str(GOLDENS / "sets/float16-uint32.safetensors")
        subprocess.run([mrl, "eval", "--train", rows, "--test", rows, "--dims", "2,4", "--resamples", "5", "--measures", "knn1,knn,retrieval", "--out", folder + "/r"],
                       check=True, capture_output=True)
        save("report", "small", Path(folder, "r/report.json").read_bytes())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(str(Path(sys.argv[1]).absolute()))
