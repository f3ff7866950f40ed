#!/usr/bin/env python3
"""Outputs of the reference implementation, for the parity tests of crates/mrl-train.

Needs the PyPI packages torch 2.13.0 and torchvision 0.28.0; run `python3 goldens/reference/make.py`. It computes in f32 on the CPU
with one thread.

The network is the published one (github.com/filipbasara0/matryoshka-representation-learning, `mrl/mrl.py`): there the projector's hidden
layer is computed and then overwritten, so that a projection is one linear map of the prefix, without bias. It is written here in a few
lines of torch. PyPI's mrl-pytorch 0.1.1 differs from it again and is not used. The form with a hidden layer, of which each prefix has
its share, is in no release; `projectors` has it too.

Weights and inputs are a formula of a tensor's name and a place in it (`fill`, written again in the tests), so that the
file holds outputs alone.
"""
import copy, json, math, pathlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet18, resnet50

torch.set_num_threads(1)
torch.manual_seed(0)


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


def project(x, weight, dims):
    """Features [n, D] to the projection [n, 64] of each prefix, by the first columns of one weight [64, D]."""
    return [x[:, :d] @ weight[:, :d].t() for d in dims]


def project_by_two_layers(x, hidden, output, dims):
    """As `project`, with a hidden layer [D, D] of whose units a prefix has as many as it has numbers."""
    return [torch.relu(x[:, :d] @ hidden[:d, :d].t()) @ output[:, :d].t() for d in dims]


def relic_loss(x, x_prime, log_scale, alpha):
    """Contrast of the online projections [n, k] with the target's, and alpha times the divergence of columns from rows."""
    logits = F.normalize(x) @ F.normalize(x_prime).t() * log_scale.exp().clamp(0, 5)
    contrast = F.cross_entropy(logits, torch.arange(len(x)))
    return contrast + alpha * F.kl_div(logits.log_softmax(1), logits.softmax(0).t(), reduction="batchmean")


def encoder(make, stem):
    """torchvision's network without its classifier; the CIFAR stem has a 3x3 convolution of stride 1 and no pooling."""
    network = make()
    network.fc = nn.Identity()
    if stem == "cifar":
        network.conv1, network.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    return network


class Network(nn.Module):
    """The encoder and the projector's weight."""

    def __init__(self):
        super().__init__()
        self.encoder = encoder(resnet18, "cifar")
        self.dims = [8, 16, 32, 64, 128, 256, 512]
        self.projector = nn.Linear(512, 64, bias=False)

    def forward(self, images):
        return project(self.encoder(images), self.projector.weight, self.dims)


def floats(network):
    """The tensors of a network under our names; counters are left out."""
    names = {"projector.weight": "projector.output.weight"}
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            yield names.get(name, name.removeprefix("encoder.")), tensor


def load(network):
    for name, tensor in floats(network):
        tensor.copy_(fill_weight(name, tuple(tensor.shape)))
    return network


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
    """The published form, and that with a hidden layer."""
    out = []
    for dims, has_hidden in [([8, 16], False), ([4, 8, 12, 16], False), ([8, 16], True), ([4, 8, 12, 16], True)]:
        x = fill("projector.x", (5, 16), 0.0, 2.0).requires_grad_(True)
        output = fill_weight("projector.output.weight", (6, 16)).requires_grad_(True)
        hidden = fill_weight("projector.hidden.weight", (16, 16)).requires_grad_(True)
        outputs = project_by_two_layers(x, hidden, output, dims) if has_hidden else project(x, output, dims)
        sum((z * fill(f"projector.g.{d}", (5, 6))).sum() for d, z in zip(dims, outputs)).backward()
        case = dict(dims=dims, has_hidden=has_hidden, outputs=[numbers(z) for z in outputs], grad_x=numbers(x.grad),
                    grad_output=numbers(output.grad))
        out.append(case | (dict(grad_hidden=numbers(hidden.grad)) if has_hidden else {}))
    return out


def encoders():
    out = []
    for name, make in [("resnet18", resnet18), ("resnet50", resnet50)]:
        for stem, size in [("cifar", 16), ("imagenet", 64)]:
            network = load(encoder(make, stem))
            x = images("images", 3, size)
            with torch.no_grad():
                evaluated = network.eval()(x)
                trained = network.train()(x)
            state = network.state_dict()
            last = "layer4.1.bn2" if name == "resnet18" else "layer4.2.bn3"
            out.append(dict(encoder=name, stem=stem, size=size, eval=numbers(evaluated), train=numbers(trained),
                            running_mean=numbers(state["bn1.running_mean"]), running_var=numbers(state["bn1.running_var"]),
                            last=last, last_mean=numbers(state[f"{last}.running_mean"][:16]),
                            last_var=numbers(state[f"{last}.running_var"][:16])))
    return out


def follow(target, online, share):
    """Moves every parameter and every statistic of the target so far towards the online network's."""
    with torch.no_grad():
        for (_, mine), (_, theirs) in zip(floats(target), floats(online)):
            mine.lerp_(theirs, share)


def training(freeze_after=None, steps=5, after=1, every=1, horizon=10, start=0.995, alpha=1.0):
    """The reference's loop on five batches. Its evaluation, every 2,000 steps by default, puts both networks into evaluation mode, and
    nothing puts them back; `freeze_after` is the number of steps before the first one."""
    online = load(Network())
    target = copy.deepcopy(online).requires_grad_(False)
    log_scale = nn.Parameter(torch.zeros(1))
    trained = [*online.parameters(), log_scale]
    optimizer = torch.optim.Adam(trained, lr=3e-4, weight_decay=1e-5)
    gamma, records = start, []
    for step in range(steps):
        if step == freeze_after:
            online.eval(), target.eval()
        x1, x2 = images(f"step{step}.view1", 8, 16), images(f"step{step}.view2", 8, 16)
        o1, o2, t1, t2 = online(x1), online(x2), target(x1), target(x2)
        losses1 = torch.stack([relic_loss(o, t, log_scale, alpha) for o, t in zip(o1, t2)])
        losses2 = torch.stack([relic_loss(o, t, log_scale, alpha) for o, t in zip(o2, t1)])
        loss = (losses1.sum() + losses2.sum()) / 2
        optimizer.zero_grad()
        loss.backward()
        grad_norm = torch.cat([p.grad.flatten() for p in trained]).norm().item()
        temperature = log_scale.exp().item()
        optimizer.step()
        used = gamma
        if step > after and step % every == 0:
            follow(target, online, 1 - gamma)
            gamma = 1 - (1 - start) * (math.cos(math.pi * step / horizon) + 1) / 2
        if step <= after:
            follow(target, online, 1)
        records.append(dict(loss=loss.item(), loss_per_dim=numbers((losses1 + losses2) / 2), grad_norm=grad_norm,
                            temperature=temperature, gamma=0.0 if step <= after else used))
    networks = dict(online=online.eval(), target=target.eval())
    probe = images("probe", 3, 16)
    with torch.no_grad():
        features = {name: numbers(network.encoder(probe)) for name, network in networks.items()}
    norms = {name: {tensor_name: tensor.double().norm().item() for tensor_name, tensor in floats(network)}
             for name, network in networks.items()}
    return dict(freeze_after=freeze_after, horizon=horizon, steps=records, log_scale=log_scale.item(), norms=norms, features=features)


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
                  encoders=encoders(), training=[training(), training(freeze_after=2)], adam=adam())
    out = pathlib.Path(__file__).with_name("reference.json")
    out.write_text(json.dumps(golden) + "\n")
    print(out, out.stat().st_size, "bytes")
