"""What the prefix of the nested encoder is compared with, and whether it is better."""

from dataclasses import asdict

import numpy
from paired import difference

# What the prefix is compared with: which encoder, and how its features are shortened.
RIVALS = {
    "PCA of the same features": ("nested", "pca"),
    "uncentred PCA of the same features": ("nested", "pca-uncentred"),
    "PCA without nesting": ("fixed", "pca"),
    "uncentred PCA without nesting": ("fixed", "pca-uncentred"),
    "random projection of the same features": ("nested", "random-projection"),
}
# Compared where these encoders were trained. No goal: the Matryoshka paper asks a prefix to be as good as they are, at a part of their cost.
OF_EACH_WIDTH = {"an encoder of each width": ("widths", "prefix")}
PREFIX = ("nested", "prefix")
# Percent of the images that all dims of the nested encoder may lose against the one without nesting.
MOST_LOST = 0.5


def compare(dims, right, measures):
    """Accuracies in percent and differences of the prefix, by measure. `right` has what is right by encoder, for each seed."""
    def rows(encoder, method, measure):
        """What is right at each dim, a list of `[seeds, images]`."""
        return [numpy.stack([of_seed[encoder][f"{method}.{measure}"][place] for of_seed in right]) for place in range(len(dims))]

    def percent(right_at_dims):
        return [100.0 * float(at_dim.mean()) for at_dim in right_at_dims]

    result = {}
    for measure in measures:
        prefix, whole = rows(*PREFIX, measure), rows("fixed", "prefix", measure)[-1]
        rivals = {name: rows(*rival, measure) for name, rival in (RIVALS | OF_EACH_WIDTH).items() if rival[0] in right[0]}
        result[measure] = {
            "accuracy": {name: percent(found) for name, found in {"prefix": prefix, **rivals}.items()},
            "prefix minus": {name: [asdict(difference(*pair)) for pair in zip(prefix, found)] for name, found in rivals.items()},
            "all dims without nesting": 100.0 * float(whole.mean()),
            "all dims minus without nesting": asdict(difference(prefix[-1], whole)),
        }
    return result


def missed(result, dims, goal_dims):
    """The goals that the lower ends of the intervals do not reach, as sentences."""
    found = []
    for measure, of_measure in result.items():
        for name in RIVALS:
            differences = of_measure["prefix minus"][name]
            lost = [dim for dim, difference in zip(dims, differences) if dim in goal_dims and difference["low"] <= 0]
            if lost:
                found.append(f"{measure}: the prefix is not surely better than {name} at {', '.join(map(str, lost))} dims")
        low = of_measure["all dims minus without nesting"]["low"]
        if low < -MOST_LOST:
            found.append(f"{measure}: all {dims[-1]} dims may lose {-low:.1f} points to the encoder without nesting; {MOST_LOST} are allowed")
    return found
