#!/usr/bin/env python3
"""Five updates of each optimiser, for the tests of crates/mrl-train/src/optimiser.

Needs Python 3.9 and nothing else: run `python3 goldens/optimisers/make.py`. Everything is computed in float64, number by number,
as the documentation of torch.optim 2.13 writes Adam, AdamW and SGD, and as google-research/simclr's lars_optimizer.py and
google-deepmind's BYOL write LARS (the learning rate is outside of the momentum, as in torch's SGD and in BYOL).

Weights and gradients are the formula `fill` of a tensor's name and a place in it (goldens/reference/make.py has it too), rounded to
float32, so that the file holds the cases and what comes out of them alone.
"""
import json, math, pathlib, struct

BETAS, EPSILON = (0.9, 0.999), 1e-8
RATES = [0.03, 0.06, 0.09, 0.05, 0.02]
# Name, shape, and the scales of its weights and gradients. A tensor of zeros and one that has no gradient have no ratio in LARS.
TENSORS = [
    ("conv.weight", [2, 3, 3, 3], 1.0, 0.5),
    ("norm.weight", [7], 2.0, 0.5),
    ("linear.weight", [4, 5], 0.5, 2.0),
    ("zero.weight", [3, 2], 0.0, 1.0),
    ("still.weight", [2, 3], 1.0, 0.0),
]
ADAM = [{"kind": kind, "weight_decay": 0.3, **decay}
        for kind in ("adam", "adamw") for decay in ({}, {"decay_norms_and_biases": False})]
SGD = [{"kind": "sgd", "weight_decay": 0.3, **more} for more in (
    {}, {"momentum": 0.0}, {"nesterov": True, "momentum": 0.8}, {"decay_norms_and_biases": False})]
LARS = [{"kind": "lars", "weight_decay": 0.3, "trust_coefficient": 0.5, **more} for more in (
    {}, {"nesterov": True, "momentum": 0.8}, {"decay_norms_and_biases": True})]


def fill(name, shape, scale):
    """scale · u, u in [-0.5, 0.5) a hash of the place, the hash's key that of the name (FNV-1a)."""
    key = 2166136261
    for byte in name.encode():
        key = (key ^ byte) * 16777619 % 2**32
    values = []
    for place in range(1, math.prod(shape) + 1):
        h = (place * 2654435761 + (key + 1) * 40503) % 2**32
        h ^= h >> 15
        h = h * 2246822519 % 2**32
        h ^= h >> 13
        values.append(struct.unpack("f", struct.pack("f", scale * (h / 2.0**32 - 0.5)))[0])
    return values


def norm(values):
    return math.sqrt(sum(value * value for value in values))


def adam_update(case, p, g, state, step, lr, wd):
    for i in range(len(p)):
        if case["kind"] == "adamw":
            p[i] -= lr * wd * p[i]
            slope = g[i]
        else:
            slope = g[i] + wd * p[i]
        m, v = state[i]
        m = BETAS[0] * m + (1 - BETAS[0]) * slope
        v = BETAS[1] * v + (1 - BETAS[1]) * slope * slope
        state[i] = (m, v)
        m_hat = m / (1 - BETAS[0] ** step)
        v_hat = v / (1 - BETAS[1] ** step)
        p[i] -= lr * m_hat / (math.sqrt(v_hat) + EPSILON)


def sgd_update(case, p, g, state, lr, wd, adapts):
    slopes = [slope + wd * weight for slope, weight in zip(g, p)]
    if adapts and norm(p) > 0 and norm(slopes) > 0:
        ratio = case["trust_coefficient"] * norm(p) / norm(slopes)
        slopes = [ratio * slope for slope in slopes]
    momentum = case.get("momentum", 0.9)
    for i, slope in enumerate(slopes):
        state[i] = momentum * state[i] + slope
        p[i] -= lr * (slope + momentum * state[i] if case.get("nesterov") else state[i])


def run(case):
    """The tensors behind the first and behind the last update."""
    is_lars, is_adam = case["kind"] == "lars", case["kind"].startswith("adam")
    weights = {name: fill(name, shape, scale) for name, shape, scale, _ in TENSORS}
    states = {name: [(0.0, 0.0) if is_adam else 0.0] * len(p) for name, p in weights.items()}
    outputs = []
    for step, lr in enumerate(RATES, 1):
        for name, shape, _, scale in TENSORS:
            g = fill(f"{name}.{step}", shape, scale)
            many_axes = len(shape) > 1
            wd = case["weight_decay"] if many_axes or case.get("decay_norms_and_biases", not is_lars) else 0.0
            if is_adam:
                adam_update(case, weights[name], g, states[name], step, lr, wd)
            else:
                sgd_update(case, weights[name], g, states[name], lr, wd, is_lars and many_axes)
        if step in (1, len(RATES)):
            outputs.append({name: [round(value, 9) for value in p] for name, p in weights.items()})
    return {"config": case, "first": outputs[0], "last": outputs[1]}


def main():
    tensors = [dict(zip(("name", "shape", "weights", "gradients"), tensor)) for tensor in TENSORS]
    golden = {"rates": RATES, "tensors": tensors, "cases": [run(case) for case in ADAM + SGD + LARS]}
    out = pathlib.Path(__file__).with_name("optimisers.json")
    out.write_text(json.dumps(golden, separators=(",", ":")).replace('{"config"', '\n{"config"') + "\n")


main()
