#!/usr/bin/env python3
"""Make the small files that the readers of data sets are tested with; run in any folder.

Made with Python 3.11, numpy 2.4, Pillow 13.0. `images/NAME.EXT` is read by our decoder and must match `expected/NAME.ppm`,
which is what Pillow makes of it (`ImageOps.exif_transpose`, then `convert("RGB")`), within a few levels. Of 16-bit gray,
which Pillow clips to 255 instead of scaling, the expected values are computed here.

The CIFAR pickles hold formula pixels (`pixel` below) and are read back here as torchvision reads them.
"""
import io, pathlib, pickle, shutil

import numpy as np
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent
W, H = 24, 17


def smooth(channels):
    """[H, W, channels] of smooth colour, so that JPEG keeps it well."""
    y, x = np.mgrid[0:H, 0:W]
    waves = [127.5 + 110 * np.sin(0.25 * x * (c + 1) / 2 + 0.2 * y + c) for c in range(channels)]
    return np.stack(waves, axis=-1).round().astype(np.uint8)


def images():
    out, wanted = HERE / "images", HERE / "expected"
    for folder in (out, wanted):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    rgb = Image.fromarray(smooth(3))
    noise = Image.fromarray(np.random.default_rng(7).integers(0, 256, (H, W, 3), dtype=np.uint8))
    rgba = Image.fromarray(smooth(4), "RGBA")
    gray = Image.fromarray(smooth(1)[..., 0])
    rotated = Image.Exif()
    rotated[0x0112] = 6

    def save(name, image, expected=None, **options):
        path = out / name
        image.save(path, **options)
        if expected is None:
            expected = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        expected.save(wanted / f"{path.stem}.ppm")

    save("rgb-444.jpg", rgb, quality=95, subsampling=0)
    save("rgb-420.jpg", rgb, quality=90, subsampling=2)
    save("rgb-progressive.jpg", rgb, quality=90, subsampling=1, progressive=True)
    save("gray.jpg", gray, quality=95)
    save("cmyk.jpg", rgb.convert("CMYK"), quality=95)
    for orientation in range(2, 9):
        rotated[0x0112] = orientation
        save(f"exif-{orientation}.jpg", rgb, quality=95, subsampling=0, exif=rotated)
    rotated[0x0112] = 6
    save("exif-6-png.png", noise, exif=rotated)
    save("exif-6-webp.webp", noise, lossless=True, exif=rotated)
    save("rgb.png", noise)
    save("gray-png.png", gray)
    save("alpha.png", rgba)
    save("gray-alpha.png", rgba.convert("LA"))
    palette = noise.quantize(32)
    save("palette.png", palette)
    save("palette-transparent.png", palette, transparency=3)
    save("one-bit.png", gray.convert("1"))
    deep = np.random.default_rng(8).integers(0, 65536, (H, W), dtype=np.uint16)
    scaled = np.round(deep / 257).astype(np.uint8)
    save("gray-16.png", Image.fromarray(deep), Image.fromarray(scaled).convert("RGB"))
    save("rgb-webp.webp", rgb, quality=90)
    save("lossless.webp", noise, lossless=True)
    save("alpha-webp.webp", rgba, lossless=True, exact=True)
    save("rgb-bmp.bmp", noise)
    save("palette-bmp.bmp", palette)
    save("gray-bmp.bmp", gray)
    (out / "rgb-16.png").write_bytes(png_rgb16(np.repeat(deep[..., None], 3, axis=-1) // [1, 2, 3]))
    Image.open(out / "rgb-16.png").convert("RGB").save(wanted / "rgb-16.ppm")
    save("rgb-tiff.tiff", noise)
    save("rgb-lzw.tif", noise, compression="tiff_lzw")
    save("gray-tiff.tif", gray)
    save("one-bit-tiff.tif", gray.convert("1"), compression="group4")
    rotated[0x0112] = 6
    save("exif-6-tiff.tiff", noise, exif=rotated)
    save("palette-gif.gif", palette)
    save("animated.gif", palette, save_all=True, append_images=[palette.transpose(Image.Transpose.FLIP_LEFT_RIGHT)])
    save("rgb-pnm.ppm", noise)
    save("gray-pnm.pgm", gray)
    save("one-bit-pnm.pbm", gray.convert("1"))


def png_rgb16(pixels):
    """A 16-bit RGB PNG, which Pillow reads but does not write."""
    import struct, zlib
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", W, H, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2's cPickle wrote with protocol 2: its byte strings, and numpy's names of that time."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        data = value if isinstance(value, bytes) else value.encode("latin1")
        self.write(b"U" + bytes([len(data)]) + data if len(data) < 256 else b"T" + len(data).to_bytes(4, "little") + data)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string

    def save_global(self, value, name=None):
        module, name = value.__module__, name or value.__qualname__
        self.write(b"c" + f"{module.replace('numpy._core', 'numpy.core')}\n{name}\n".encode())
        self.memoize(value)

    dispatch[type] = dispatch[type(smooth)] = dispatch[type(len)] = save_global


def python2(value):
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(value)
    return file.getvalue()


def pixel(first, n):
    """Row i is image first + i; value j of it is (31 i + 7 j) mod 251."""
    i, j = np.mgrid[first:first + n, 0:3072]
    return ((31 * i + 7 * j) % 251).astype(np.uint8)


def write(path, value, dump):
    path.write_bytes(dump(value))
    with open(path, "rb") as file:
        back = pickle.load(file, encoding="latin1")
    for key, expected in value.items():
        key = key.decode() if isinstance(key, bytes) and key not in back else key
        assert np.array_equal(back[key], expected) or list(back[key]) == list(expected), (path, key)


def pickles():
    cifar10, cifar100 = HERE / "cifar-10-batches-py", HERE / "cifar-100-python"
    for folder in (cifar10, cifar100):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    names = "airplane automobile bird cat deer dog frog horse ship truck".split()
    for k, name in enumerate([f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]):
        batch = {
            "batch_label": f"part {k + 1}", "labels": [(2 * k) % 10, (2 * k + 1) % 10],
            "data": pixel(2 * k, 2), "filenames": [f"{name}_{i}.png" for i in range(2)],
        }
        write(cifar10 / name, batch, python2)
    write(cifar10 / "batches.meta", {"num_cases_per_batch": 2, "label_names": names, "num_vis": 3072}, python2)

    # Two more ways in which the same dicts get pickled: by Python 3 with bytes as keys, and with protocol 5.
    fine = {b"fine_labels": [99, 0, 42], b"coarse_labels": [19, 0, 7], b"data": pixel(0, 3)}
    write(cifar100 / "train", fine, lambda value: pickle.dumps(value, protocol=2))
    write(cifar100 / "test", {"fine_labels": [5, 6], "data": pixel(3, 2)}, lambda value: pickle.dumps(value, protocol=5))
    write(cifar100 / "meta", {"fine_label_names": [f"class {i}" for i in range(100)]}, python2)


images()
pickles()
