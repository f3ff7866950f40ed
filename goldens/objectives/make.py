#!/usr/bin/env python3
"""Losses and heads by their papers' formulas, for the parity tests of crates/mrl-train.

Needs Python 3.9 or later alone: sums over plain lists in double precision; run `python3 goldens/objectives/make.py`.
Gradients are central differences. Inputs are a formula of their name (`fill`, as in goldens/reference/make.py), rounded to f32.
"""
import json, math, pathlib, struct

N, K = 7, 5  # images in a batch, numbers of a projection


def fill(name, shape, offset=0.0, scale=1.0):
    """offset + scale · u, u in [-0.5, 0.5) a hash of the place, the hash's key that of the name (FNV-1a)."""
    key = 2166136261
    for byte in name.encode():
        key = (key ^ byte) * 16777619 % 2**32
    numbers = []
    for place in range(1, math.prod(shape) + 1):
        h = (place * 2654435761 + (key + 1) * 40503) % 2**32
        h ^= h >> 15
        h = h * 2246822519 % 2**32
        h ^= h >> 13
        value = offset + scale * (h / 2**32 - 0.5)
        numbers.append(struct.unpack("f", struct.pack("f", value))[0])
    return numbers


def rows(numbers, width):
    return [numbers[i:i + width] for i in range(0, len(numbers), width)]


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b))


def cosine(a, b):
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def log_sum_exp(numbers):
    largest = max(numbers)
    return largest + math.log(math.fsum(math.exp(number - largest) for number in numbers))


def mean(numbers):
    return math.fsum(numbers) / len(numbers)


def simclr(z1, z2, temperature, decoupled=False):
    """arXiv 2002.05709, equation 1 and algorithm 1: the mean of l(i, j) over both orders of every pair; without the positive in the sum, arXiv 2110.06848."""
    views = z1 + z2
    losses = []
    for i, anchor in enumerate(views):
        positive = (i + len(z1)) % len(views)
        scores = [cosine(anchor, other) / temperature for k, other in enumerate(views) if k != i and not (decoupled and k == positive)]
        losses.append(log_sum_exp(scores) - cosine(anchor, views[positive]) / temperature)
    return mean(losses)


def byol(p, z):
    """arXiv 2006.07733, equation 2, the mean over the batch."""
    losses = []
    for prediction, target in zip(p, z):
        lengths = math.sqrt(dot(prediction, prediction)), math.sqrt(dot(target, target))
        losses.append(math.fsum((a / lengths[0] - b / lengths[1]) ** 2 for a, b in zip(prediction, target)))
    return mean(losses)


def columns(z):
    return [list(column) for column in zip(*z)]


def covariance(a, b, divisor):
    mean_a, mean_b = mean(a), mean(b)
    return math.fsum((x - mean_a) * (y - mean_b) for x, y in zip(a, b)) / divisor


def vicreg(z1, z2, invariance, variance, covariance_weight):
    """arXiv 2105.04906, algorithm 1."""
    n, d = len(z1), len(z1[0])
    similarity = math.fsum((a - b) ** 2 for r1, r2 in zip(z1, z2) for a, b in zip(r1, r2)) / (n * d)
    spread = decorrelation = 0.0
    for z in (columns(z1), columns(z2)):
        spread += mean([max(0.0, 1 - math.sqrt(covariance(c, c, n - 1) + 1e-4)) for c in z])
        decorrelation += math.fsum(covariance(z[i], z[j], n - 1) ** 2 for i in range(d) for j in range(d) if i != j) / d
    return invariance * similarity + variance * spread + covariance_weight * decorrelation


def barlow_twins(z1, z2, lambda_):
    """arXiv 2103.03230, equations 1 and 2; variances by n and with 1e-5, as in the authors' code."""
    n, total = len(z1), 0.0
    for i, a in enumerate(columns(z1)):
        for j, b in enumerate(columns(z2)):
            c = covariance(a, b, n) / math.sqrt((covariance(a, a, n) + 1e-5) * (covariance(b, b, n) + 1e-5))
            total += (1 - c) ** 2 if i == j else lambda_ * c**2
    return total


def relic(z, z_prime, alpha, log_scale):
    """arXiv 2010.07922 as the reference computes it: contrast, and the divergence of columns from rows."""
    n, scale = len(z), min(math.exp(log_scale), 5.0)
    scores = [[scale * cosine(a, b) for b in z_prime] for a in z]
    rows_ = [[score - log_sum_exp(row) for score in row] for row in scores]
    across = [[score - log_sum_exp(row) for score in row] for row in columns(scores)]
    contrast = mean([-rows_[i][i] for i in range(n)])
    divergence = math.fsum(math.exp(across[i][j]) * (across[i][j] - rows_[i][j]) for i in range(n) for j in range(n)) / n
    return contrast + alpha * divergence


def supervised(logits, labels):
    return mean([log_sum_exp(row) - row[label] for row, label in zip(logits, labels)])


def gradient(f, numbers, step=1e-5):
    """Of f at a flat list of numbers, as text of nine digits."""
    found = []
    for i in range(len(numbers)):
        ends = []
        for sign in (1, -1):
            moved = list(numbers)
            moved[i] += sign * step
            ends.append(f(moved))
        found.append(short((ends[0] - ends[1]) / (2 * step)))
    return found


def short(number):
    return float(f"{number:.9g}")


def losses():
    """Each loss with its gradient in the projections of each view; those of a target are constants."""
    cases = [
        ("relic", dict(alpha=0.5), lambda a, b: relic(a, b, 0.5, 0.3), False),
        ("simclr", dict(temperature=0.5), lambda a, b: simclr(a, b, 0.5), True),
        ("simclr", dict(temperature=0.07), lambda a, b: simclr(a, b, 0.07), True),
        ("simclr", dict(temperature=0.2, decoupled=True), lambda a, b: simclr(a, b, 0.2, True), True),
        ("byol", dict(), byol, False),
        ("vicreg", dict(), lambda a, b: vicreg(a, b, 25.0, 25.0, 1.0), True),
        ("vicreg", dict(invariance=2.0, variance=3.0, covariance=40.0), lambda a, b: vicreg(a, b, 2.0, 3.0, 40.0), True),
        ("barlow-twins", dict(), lambda a, b: barlow_twins(a, b, 5e-3), True),
        ("barlow-twins", dict([("lambda", 0.7)]), lambda a, b: barlow_twins(a, b, 0.7), True),
    ]
    x, y = fill("objective.x", (N, K), 0.1, 2.0), fill("objective.y", (N, K), -0.2, 3.0)
    out = []
    for name, parameters, loss, both in cases:
        at = lambda a, b: loss(rows(a, K), rows(b, K))
        case = dict(objective=dict(name=name, **parameters), loss=at(x, y), grad_x=gradient(lambda a: at(a, y), x))
        if both:
            case["grad_y"] = gradient(lambda b: at(x, b), y)
        out.append(case)
    labels = [0, 4, 2, 2, 1, 3, 0]
    at = lambda a: supervised(rows(a, K), labels)
    out.append(dict(objective=dict(name="supervised", classes=K), labels=labels, loss=at(x), grad_x=gradient(at, x)))
    return out


def of_pairs(loss):
    """The mean over all pairs of views but those of two small ones; there are no targets."""
    def at(views, large, _):
        return mean([loss(views[i], views[j]) for i in range(large) for j in range(i + 1, len(views))])
    return at


def against_targets(loss):
    """The mean over all views of the mean over the targets of the other large views."""
    def at(views, large, targets):
        return mean([mean([loss(view, targets[j]) for j in range(large) if j != i]) for i, view in enumerate(views)])
    return at


def against_mean_target(loss):
    """The mean over all views, each against the mean of the targets of the other large views (FastSiam)."""
    def at(views, large, targets):
        losses = []
        for i, view in enumerate(views):
            others = [targets[j] for j in range(large) if j != i]
            centre = [[mean([other[r][c] for other in others]) for c in range(K)] for r in range(N)]
            losses.append(loss(view, centre))
        return mean(losses)
    return at


def views():
    """Losses of three views and a small one, with their gradient in the projections of each."""
    count, large = 4, 3
    x = [fill(f"views.x.{i}", (N, K), 0.1, 2.0) for i in range(count)]
    targets = [rows(fill(f"views.target.{i}", (N, K), -0.2, 3.0), K) for i in range(large)]
    labels = [0, 4, 2, 2, 1, 3, 0]
    cases = [
        ("relic", dict(alpha=0.5), against_targets(lambda a, b: relic(a, b, 0.5, 0.3))),
        ("simclr", dict(temperature=0.5), of_pairs(lambda a, b: simclr(a, b, 0.5))),
        ("byol", dict(), against_mean_target(byol)),
        ("vicreg", dict(), of_pairs(lambda a, b: vicreg(a, b, 25.0, 25.0, 1.0))),
        ("barlow-twins", dict(), of_pairs(lambda a, b: barlow_twins(a, b, 5e-3))),
        ("supervised", dict(classes=K), lambda views, large, _: mean([supervised(view, labels) for view in views])),
    ]
    out = []
    for name, parameters, loss in cases:
        at = lambda flat: loss([rows(view, K) for view in rows(flat, N * K)], large, targets)
        flat = [number for view in x for number in view]
        out.append(dict(objective=dict(name=name, **parameters), labels=labels, large=large, loss=at(flat), grad=rows(gradient(at, flat), N * K)))
    return out


def weight(name, shape):
    return rows(fill(name, shape, 0.0, 2 / math.sqrt(shape[1])), shape[1])


def batch_norm(h, dim, n):
    """arXiv 1502.03167, with torch's epsilon; weight and bias are those of the prefix."""
    scale, shift = (fill(f"projector.{dim}.norm.{part}", (len(h[0]),), offset, 0.4) for part, offset in (("weight", 1.0), ("bias", 0.0)))
    normed = [[(x - mean(c)) / math.sqrt(covariance(c, c, n) + 1e-5) * a + b for x in c]
              for c, a, b in zip(columns(h), scale, shift)]
    return columns(normed)


def projections(x, dims, hidden, separate, norm, nested, out=3):
    """Of every prefix: its share of the hidden units, rounded up, or all where these are not nested, sees its share of the features."""
    width, found = dims[-1], []
    for d in dims:
        units, infix = -(-hidden * d // width) if nested else hidden, f"{d}." if separate else ""
        full = (units, d) if separate else (hidden, width)
        w1, w2 = weight(f"projector.{infix}hidden.weight", full), weight(f"projector.{infix}output.weight", (out, full[0]))
        h = [[dot(row[:d], unit[:d]) for unit in w1[:units]] for row in x]
        h = batch_norm(h, d, len(x)) if norm else h
        h = [[max(0.0, number) for number in row] for row in h]
        found.append([[dot(row, unit[:units]) for unit in w2] for row in h])
    return found


def heads():
    """Projections with their gradient in the features, for heads that the reference lacks."""
    out, width = [], 8
    x = fill("heads.x", (N, width), 0.0, 2.0)
    for head, dims, hidden, norm, nested in [
        ("mrl-e", [2, 5, 8], 12, False, True), ("mrl-e", [2, 5, 8], 8, True, True), ("mrl", [3, 8], 5, True, True),
        ("fixed", [8], 6, True, True), ("random-prefix", [2, 8], 6, False, True), ("mrl-e", [2, 5, 8], 7, True, False),
        ("mrl", [3, 8], 5, False, False),
    ]:
        at = lambda numbers: projections(rows(numbers, width), dims, hidden, head == "mrl", norm, nested)
        weighed = lambda numbers: math.fsum(
            g * z for d, found in zip(dims, at(numbers))
            for g, z in zip(fill(f"heads.g.{d}", (N, 3)), (z for row in found for z in row)))
        outputs = [[short(z) for row in found for z in row] for found in at(x)]
        out.append(dict(head=head, dims=dims, hidden=hidden, batch_norm=norm, nest_hidden=nested, outputs=outputs, grad_x=gradient(weighed, x)))
    return out


def classifiers():
    """Logits of every prefix: columns of one weight and one bias, or its own."""
    out, width, classes = [], 8, 4
    x = rows(fill("heads.x", (N, width), 0.0, 2.0), width)
    for head, dims in [("mrl-e", [2, 5, 8]), ("mrl", [3, 8]), ("fixed", [8])]:
        outputs = []
        for d in dims:
            infix = f"{d}." if head == "mrl" else ""
            w = weight(f"classifier.{infix}weight", (classes, d if head == "mrl" else width))
            bias = fill(f"classifier.{infix}bias", (classes,), 0.0, 0.4)
            outputs.append([short(dot(row[:d], unit[:d]) + b) for row in x for unit, b in zip(w, bias)])
        out.append(dict(head=head, dims=dims, outputs=outputs))
    return out


if __name__ == "__main__":
    golden = dict(losses=losses(), views=views(), heads=heads(), classifiers=classifiers())
    out = pathlib.Path(__file__).with_name("objectives.json")
    out.write_text(json.dumps(golden) + "\n")
    print(out, out.stat().st_size, "bytes")
