#!/usr/bin/env python3
"""Outputs of the reference implementation, for the parity tests of crates/mrl-train.

Made with the PyPI packages mrl-pytorch 0.1.1, torch 2.13.0 and torchvision 0.28.0, in f32 on the CPU with one thread;
run `python3 goldens/reference/make.py`. The package's projector nests its second layer only; its forward is replaced
here by the published one, which nests both.

Weights and inputs are a formula of a tensor's name and a place in it (`fill`, written again in the tests), so that the
file holds outputs alone.
"""
import copy, json, math, pathlib

import numpy as np
import torch
from mrl.encoders import resnet18, resnet50
from mrl.mrl import MatryoshkaProjector, ReLIC, relic_loss

torch.set_num_threads(1)
torch.manual_seed(0)

CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}


def fill(name, shape, offset=0.0, scale=1.0):
    """offset + scale · u, u in [-0.5, 0.5) a hash of the place, the hash's key that of the name (FNV-1a)."""
    key = 2166136261
    for byte in name.encode():
        key = (key ^ byte) * 16777619 % 2**32
    place = np.arange(1, math.prod(shape) + 1, dtype=np.uint64)
    h = (place * np.uint64(2654435761) + np.uint64((key + 1) * 40503 % 2**32)) % np.uint64(2**32)
    h ^= h >> np.uint64(15)
    h = h * np.uint64(2246822519) % np.uint64(2**32)
    h ^= h >> np.uint64(13)
    u = h.astype(np.float64) / 2.0**32 - 0.5
    return torch.from_numpy((offset + scale * u).astype(np.float32).reshape(shape))


def fill_weight(name, shape):
    """What a tensor of a network starts as; the name tells its kind."""
    if name.endswith("running_var"):
        return fill(name, shape, 1.0, 0.4)
    if name.endswith("running_mean") or name.endswith("bias"):
        return fill(name, shape, 0.0, 0.4)
    if len(shape) == 1:
        return fill(name, shape, 1.0, 0.4)
    if len(shape) == 2:
        return fill(name, shape, 0.0, 2 / math.sqrt(shape[1]))
    return fill(name, shape, 0.0, math.sqrt(12 * 2 / (shape[0] * shape[2] * shape[3])))


def images(name, n, size):
    return fill(name, (n, 3, size, size), 0.5, 1.0)


def nested_forward(self, x):
    outputs = []
    for d in self.nesting_dims:
        h = torch.relu(x[:, :d] @ self.proj_hidden.weight[:, :d].t())
        outputs.append(h[:, :d] @ self.proj_linear.weight[:, :d].t())
    return outputs


MatryoshkaProjector.forward = nested_forward


def torchvision_name(name):
    head, _, rest = name.partition(".")
    return f"{CHILDREN[head]}.{rest}"


def named(relic_half):
    """The tensors of an encoder and its projector under torchvision's names; counters are left out."""
    encoder, projector = relic_half
    for name, tensor in encoder.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            yield torchvision_name(name), tensor
    yield "projector.hidden.weight", projector.proj_hidden.weight.data
    yield "projector.output.weight", projector.proj_linear.weight.data


def numbers(tensor):
    """As text of nine digits, which f32 survives."""
    return [float(f"{value:.9g}") for value in tensor.detach().double().flatten().tolist()]


def losses():
    out = []
    for log_scale, alpha in [(0.0, 1.0), (0.3, 0.5), (2.0, 1.0), (-0.7, 0.0)]:
        x, x_prime = fill("loss.x", (7, 5), 0.0, 2.0), fill("loss.x_prime", (7, 5), 0.0, 2.0)
        x.requires_grad_(True)
        t = torch.tensor([log_scale], requires_grad=True)
        loss = relic_loss(x, x_prime, t, alpha)
        loss.backward()
        out.append(dict(log_scale=log_scale, alpha=alpha, loss=loss.item(), grad_x=numbers(x.grad), grad_t=t.grad.item()))
    return out


def projectors():
    out = []
    for dims in ([8, 16], [4, 8, 12, 16]):
        projector = MatryoshkaProjector(dims, 6, bias=False)
        projector.proj_hidden.weight.data = fill_weight("projector.hidden.weight", (16, 16))
        projector.proj_linear.weight.data = fill_weight("projector.output.weight", (6, 16))
        x = fill("projector.x", (5, 16), 0.0, 2.0).requires_grad_(True)
        outputs = projector(x)
        sum((z * fill(f"projector.g.{d}", (5, 6))).sum() for d, z in zip(dims, outputs)).backward()
        out.append(dict(dims=dims, outputs=[numbers(z) for z in outputs], grad_x=numbers(x.grad),
                        grad_hidden=numbers(projector.proj_hidden.weight.grad),
                        grad_output=numbers(projector.proj_linear.weight.grad)))
    return out


def load(encoder):
    for name, tensor in encoder.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            tensor.copy_(fill_weight(torchvision_name(name), tuple(tensor.shape)))
    return encoder


def encoders():
    out = []
    for name, make in [("resnet18", resnet18), ("resnet50", resnet50)]:
        for stem, size in [("cifar", 16), ("imagenet", 64)]:
            encoder = load(make(modify_model=stem == "cifar"))
            x = images("images", 3, size)
            with torch.no_grad():
                evaluated = encoder.eval()(x)
                trained = encoder.train()(x)
            state = {torchvision_name(k): v for k, v in encoder.state_dict().items()}
            last = "layer4.1.bn2" if name == "resnet18" else "layer4.2.bn3"
            out.append(dict(encoder=name, stem=stem, size=size, eval=numbers(evaluated), train=numbers(trained),
                            running_mean=numbers(state["bn1.running_mean"]), running_var=numbers(state["bn1.running_var"]),
                            last=last, last_mean=numbers(state[f"{last}.running_mean"][:16]),
                            last_var=numbers(state[f"{last}.running_var"][:16])))
    return out


def training(steps=5, after=1, every=1, horizon=10, start=0.995, alpha=1.0):
    """The reference's loop, word by word, on five batches."""
    relic = ReLIC(load(resnet18(modify_model=True)), proj_out_dim=64)
    for half in (relic.online_encoder, relic.target_encoder):
        for name, tensor in named(half):
            tensor.copy_(fill_weight(name, tuple(tensor.shape)))
    relic.train()
    optimizer = torch.optim.Adam(list(relic.online_encoder.parameters()) + [relic.t_prime], lr=3e-4, weight_decay=1e-5)
    gamma, records = start, []
    for step in range(steps):
        x1, x2 = images(f"step{step}.view1", 8, 16), images(f"step{step}.view2", 8, 16)
        o1, o2, t1, t2 = relic(x1, x2)
        losses1 = torch.stack([relic_loss(o, t, relic.t_prime, alpha) for o, t in zip(o1, t2)])
        losses2 = torch.stack([relic_loss(o, t, relic.t_prime, alpha) for o, t in zip(o2, t1)])
        loss = (losses1.sum() + losses2.sum()) / 2
        optimizer.zero_grad()
        loss.backward()
        trained = list(relic.online_encoder.parameters()) + [relic.t_prime]
        grad_norm = torch.cat([p.grad.flatten() for p in trained]).norm().item()
        temperature = relic.t_prime.exp().item()
        optimizer.step()
        used = gamma
        if step > after and step % every == 0:
            relic.update_params(gamma)
            gamma = 1 - (1 - start) * (math.cos(math.pi * step / horizon) + 1) / 2
        if step <= after:
            relic.copy_params()
        records.append(dict(loss=loss.item(), loss_per_dim=numbers((losses1 + losses2) / 2), grad_norm=grad_norm,
                            temperature=temperature, gamma=0.0 if step <= after else used))
    relic.eval()
    probe = images("probe", 3, 16)
    with torch.no_grad():
        features = {net: relic_half[0](probe) for net, relic_half in
                    [("online", relic.online_encoder), ("target", relic.target_encoder)]}
    sums = {net: {name: [tensor.double().sum().item(), tensor.double().norm().item()] for name, tensor in named(half)}
            for net, half in [("online", relic.online_encoder), ("target", relic.target_encoder)]}
    return dict(horizon=horizon, steps=records, log_scale=relic.t_prime.item(), sums=sums,
                features={net: numbers(f) for net, f in features.items()})


def adam():
    """Five steps of torch's Adam with strong weight decay on six numbers."""
    p = fill("adam.p", (6,), 0.0, 2.0).requires_grad_(True)
    optimizer = torch.optim.Adam([p], lr=3e-2, weight_decay=1e-1)
    after = []
    for step in range(5):
        p.grad = fill(f"adam.g.{step}", (6,), 0.0, 2.0)
        optimizer.step()
        after.append(numbers(p))
    return after


if __name__ == "__main__":
    golden = dict(fill=numbers(fill("a name", (2, 3), 0.5, 3.0)), losses=losses(), projectors=projectors(),
                  encoders=encoders(), training=training(), adam=adam())
    out = pathlib.Path(__file__).with_name("reference.json")
    out.write_text(json.dumps(golden) + "\n")
    print(out, out.stat().st_size, "bytes")
