"""Paired comparison of two ways to classify the same test rows."""

from dataclasses import dataclass

import numpy

RESAMPLES = 4000


@dataclass(frozen=True)
class Difference:
    """How many percent of the rows the first classifies correctly more than the second, and the middle 95 % of the resamples of that."""

    mean: float
    low: float
    high: float


def difference(first, second, seed=0, resamples=RESAMPLES):
    """Bootstrap of a paired difference, in percent of the rows.

    `first` and `second` are bool `[runs, rows]`: run i of both has the same seed, and column j is the same test row everywhere. Each resample
    draws runs and rows with replacement, the same rows for all runs of it. With few runs this understates how much runs differ.
    """
    gained = first.astype(numpy.float32) - second.astype(numpy.float32)
    runs, rows = gained.shape
    random = numpy.random.default_rng(seed)
    means = numpy.empty(resamples)
    for index in range(resamples):
        counts = numpy.bincount(random.integers(rows, size=rows), minlength=rows).astype(numpy.float32)
        of_runs = gained @ counts / rows
        means[index] = of_runs[random.integers(runs, size=runs)].mean()
    low, high = numpy.quantile(means, [0.025, 0.975])
    return Difference(*(100.0 * float(value) for value in (gained.mean(), low, high)))
