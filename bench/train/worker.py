"""The reference's training on request: reads `steps N` from stdin, makes N steps, answers with a line of JSON.

The PyPI package mrl-pytorch 0.1.1 has the model, the loss and the views; its training script is not in the wheel, and is
written again here from its published loop. The wheel's projector has a hidden layer; its forward is replaced by the published one,
a linear map of each prefix, as in goldens/reference/make.py.

Run by compare.py: python worker.py --mode f32|tuned --batch 256 [--device cpu] [--dtype f32] [--encoder resnet18] [--size 32]
[--loader DATA_DIR]
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
from mrl.aug import ViewGenerator, get_training_transforms
from mrl.encoders.models import resnet18, resnet50
from mrl.mrl import MatryoshkaProjector, ReLIC, relic_loss
from PIL import Image


def published_forward(self, x):
    return [x[:, :d] @ self.proj_linear.weight[:, :d].t() for d in self.nesting_dims]


MatryoshkaProjector.forward = published_forward


class Images(torch.utils.data.Dataset):
    """CIFAR-10 in the binary layout, as the PIL images that torchvision's data set gives."""

    def __init__(self, folder, transform):
        files = sorted(Path(folder, "cifar-10-batches-bin").glob("data_batch_*.bin"))
        raw = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, 3073) for file in files])
        self.pixels = raw[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy()
        self.transform = transform

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        return self.transform(Image.fromarray(self.pixels[index]))


def batches(args):
    """Endless pairs of views: made by the reference's loader, or always the same."""
    if not args.loader:
        views = [torch.rand(args.batch, 3, args.size, args.size, device=args.device) for _ in range(2)]
        while True:
            yield views
    images = Images(args.loader, ViewGenerator(get_training_transforms(args.size), n_views=2))
    # The reference takes eight processes fewer than there are cores, and fails where that is below zero.
    loader = torch.utils.data.DataLoader(
        images, batch_size=args.batch, shuffle=True, drop_last=True, num_workers=args.workers,
        persistent_workers=args.workers > 0)
    while True:
        yield from loader


class Training:
    def __init__(self, args):
        torch.manual_seed(0)
        encoder = {"resnet18": resnet18, "resnet50": resnet50}[args.encoder](modify_model=args.size <= 64)
        self.tuned, self.device, self.has_bf16 = args.mode == "tuned", torch.device(args.device), args.dtype == "bf16"
        self.relic = ReLIC(encoder, proj_out_dim=64).to(args.device)
        if self.tuned:
            self.relic = self.relic.to(memory_format=torch.channels_last)
        self.relic.train()
        parameters = list(self.relic.online_encoder.parameters()) + [self.relic.t_prime]
        fused = {"fused": True} if self.tuned else {}
        self.optimizer = torch.optim.Adam(parameters, lr=3e-4, weight_decay=1e-5, **fused)
        self.loss = torch.compile(self.losses) if args.compile else self.losses
        self.batches = batches(args)

    def losses(self, x1, x2):
        relic = self.relic
        o1, o2, t1, t2 = relic(x1, x2)
        one = torch.stack([relic_loss(o, t, relic.t_prime, 1.0) for o, t in zip(o1, t2)])
        two = torch.stack([relic_loss(o, t, relic.t_prime, 1.0) for o, t in zip(o2, t1)])
        return ((one + two) / 2).sum()

    def step(self):
        x1, x2 = (x.to(self.device) for x in next(self.batches))
        if self.tuned:
            x1, x2 = (x.to(memory_format=torch.channels_last) for x in (x1, x2))
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.has_bf16):
            loss = self.loss(x1, x2)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.relic.update_params(0.996)
        return loss.item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=["f32", "tuned"], required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32", help="what products are computed in")
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--loader", type=Path)
    parser.add_argument("--workers", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    training = Training(args)
    for line in sys.stdin:
        steps = int(line.split()[1])
        start = time.perf_counter()
        for _ in range(steps):
            training.step()
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "peak_mib": peak}), flush=True)


main()
