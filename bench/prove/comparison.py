"""What the prefix of the nested encoder is compared with, and whether it is better."""

from dataclasses import asdict

import numpy
from paired import difference

MEASURES = ["probe", "knn1"]
# What the prefix is compared with: which encoder, and how its features are shortened.
RIVALS = {
    "PCA of the same features": ("nested", "pca"),
    "uncentred PCA of the same features": ("nested", "pca-uncentred"),
    "PCA without nesting": ("fixed", "pca"),
    "uncentred PCA without nesting": ("fixed", "pca-uncentred"),
    "random projection of the same features": ("nested", "random-projection"),
}
PREFIX = ("nested", "prefix")
# Percent of the images that all dims of the nested encoder may lose against the one without nesting.
MOST_LOST = 0.5


def compare(dims, right):
    """Accuracies in percent and differences of the prefix, by measure. `right` has what is right by encoder, for each seed."""
    def rows(encoder, method, measure, place):
        return numpy.stack([of_seed[encoder][f"{method}.{measure}"][place] for of_seed in right])

    def percent(encoder, method, measure, place):
        return 100.0 * float(rows(encoder, method, measure, place).mean())

    result = {}
    for measure in MEASURES:
        prefix = [rows(*PREFIX, measure, place) for place in range(len(dims))]
        accuracy = {"prefix": [percent(*PREFIX, measure, place) for place in range(len(dims))]}
        against = {}
        for name, (encoder, method) in RIVALS.items():
            accuracy[name] = [percent(encoder, method, measure, place) for place in range(len(dims))]
            against[name] = [asdict(difference(prefix[place], rows(encoder, method, measure, place))) for place in range(len(dims))]
        whole = rows("fixed", "prefix", measure, len(dims) - 1)
        result[measure] = {"accuracy": accuracy, "prefix minus": against, "all dims without nesting": 100.0 * float(whole.mean()),
                           "all dims minus without nesting": asdict(difference(prefix[-1], whole))}
    return result


def missed(result, dims, goal_dims):
    """The goals that the lower ends of the intervals do not reach, as sentences."""
    found = []
    for measure, of_measure in result.items():
        for name, differences in of_measure["prefix minus"].items():
            lost = [dim for dim, difference in zip(dims, differences) if dim in goal_dims and difference["low"] <= 0]
            if lost:
                found.append(f"{measure}: the prefix is not surely better than {name} at {', '.join(map(str, lost))} dims")
        low = of_measure["all dims minus without nesting"]["low"]
        if low < -MOST_LOST:
            found.append(f"{measure}: all {dims[-1]} dims may lose {-low:.1f} points to the encoder without nesting; {MOST_LOST} are allowed")
    return found
