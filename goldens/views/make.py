#!/usr/bin/env python3
"""Views made by torchvision's operators on PIL images, for crates/mrl-data/tests/views.rs.

Made with torchvision 0.28.0, torch 2.13.0, Pillow 12; run `python3 goldens/views/make.py`. The images are a formula
(`image` below, written again in the test), so the file holds parameters and outputs alone.
"""
import base64, json, math, pathlib

import numpy as np
import torch
import torchvision.transforms as T
import torchvision.transforms.functional as F
from PIL import Image, ImageOps

BILINEAR = T.InterpolationMode.BILINEAR


def image(width, height):
    """Waves of three lengths, with a hard edge, so that resizing, blur and hue all have something to change."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for y in range(height):
        for x in range(width):
            for c in range(3):
                value = (x * (3 + c) + y * (7 - 2 * c) + (x * y) // 5 + 40 * c) % 256
                pixels[y, x, c] = 255 - value if (x + 2 * y) % 29 < 9 else value
    return Image.fromarray(pixels)


IDENTITY = dict(size=None, crop=None, flip=False, jitter=None, grayscale=False, blur_sigma=None, solarize=None)
STEPS = {"brightness": F.adjust_brightness, "contrast": F.adjust_contrast, "saturation": F.adjust_saturation,
         "hue": F.adjust_hue}


def render(source, params):
    size = params["size"]
    left, top, width, height = params["crop"]
    view = F.resized_crop(source, top, left, height, width, [size, size], BILINEAR)
    if params["flip"]:
        view = F.hflip(view)
    if params["jitter"]:
        for step in params["jitter"]["order"]:
            view = STEPS[step](view, params["jitter"][step])
    if params["grayscale"]:
        view = F.to_grayscale(view, num_output_channels=3)
    if params["blur_sigma"]:
        kernel = int(np.ceil(int(size * 0.1)) // 2 * 2 + 1)
        view = F.gaussian_blur(view, [kernel, kernel], [params["blur_sigma"]] * 2)
    if params["solarize"] is not None:
        view = F.solarize(view, params["solarize"])
    return np.asarray(view)


def jitter(order, brightness=1.0, contrast=1.0, saturation=1.0, hue=0.0):
    return dict(order=order.split(), brightness=brightness, contrast=contrast, saturation=saturation, hue=hue)


ORDER = "brightness contrast saturation hue"


def cases():
    def case(name, width=32, height=32, size=32, crop=(0, 0, 32, 32), **params):
        return dict(IDENTITY, name=name, width=width, height=height, size=size, crop=list(crop), **params)

    yield case("identity")
    yield case("flip", flip=True)
    yield case("shrink", width=48, height=40, size=16, crop=(5, 3, 37, 31))
    yield case("grow", crop=(9, 4, 13, 11))
    yield case("shrink one side, grow the other", width=64, height=20, crop=(2, 1, 60, 17))
    for factor in (0.0, 0.2, 0.77, 1.0, 1.35, 1.8):
        yield case(f"brightness {factor}", jitter=jitter(ORDER, brightness=factor))
        yield case(f"contrast {factor}", jitter=jitter(ORDER, contrast=factor))
        yield case(f"saturation {factor}", jitter=jitter(ORDER, saturation=factor))
    for hue in (-0.2, -0.07, 0.0, 0.03, 0.2, 0.5):
        yield case(f"hue {hue}", jitter=jitter(ORDER, hue=hue))
    yield case("grayscale", grayscale=True)
    for sigma in (0.1, 0.5, 1.0, 2.0):
        yield case(f"blur {sigma}", blur_sigma=sigma)
    yield case("wide blur", width=96, height=96, size=96, crop=(0, 0, 96, 96), blur_sigma=1.3)
    yield case("solarize", solarize=127)
    for order in (ORDER, "hue saturation contrast brightness", "contrast hue brightness saturation"):
        yield case(f"all, {order}", crop=(3, 6, 21, 19), flip=True, blur_sigma=0.8, solarize=127,
                   jitter=jitter(order, 1.4, 0.6, 1.7, -0.13))
    yield case("all but colour", width=96, height=64, size=48, crop=(10, 2, 70, 60), grayscale=True, blur_sigma=1.5)


def crop_quantiles(width, height, draws=100_000):
    """Quantiles of torchvision's crops, to compare distributions."""
    torch.manual_seed(0)
    blank = Image.new("RGB", (width, height))
    boxes = np.array([T.RandomResizedCrop.get_params(blank, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(draws)])
    top, left, h, w = boxes.T
    at = np.linspace(0.05, 0.95, 19)
    columns = dict(top=top, left=left, height=h, width=w, area=w * h, ratio=w / h)
    quantiles = {name: np.quantile(column, at).round(6).tolist() for name, column in columns.items()}
    return dict(width=width, height=height, means={n: float(c.mean()) for n, c in columns.items()}, quantiles=quantiles)


if __name__ == "__main__":
    rendered = []
    for case in cases():
        pixels = render(image(case["width"], case["height"]), case)
        rendered.append(dict(case, pixels=base64.b16encode(pixels.tobytes()).decode()))
    crops = [crop_quantiles(32, 32), crop_quantiles(96, 48)]
    out = pathlib.Path(__file__).with_name("views.json")
    out.write_text(json.dumps(dict(views=rendered, crops=crops)) + "\n")
    print(out, out.stat().st_size, "bytes")
