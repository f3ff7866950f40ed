"""Paired comparison of two ways to classify the same test rows."""

from dataclasses import dataclass

import numpy

RESAMPLES = 20_000


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
    gained = first.astype(int) - second.astype(int)
    runs, rows = gained.shape
    # Rows that are gained and lost in the same runs are alike, so it is enough to draw how many there are of each kind.
    kinds, counts = numpy.unique(gained.T, axis=0, return_counts=True)
    random = numpy.random.default_rng(seed)
    of_runs = random.multinomial(rows, counts / rows, size=resamples) @ kinds / rows
    means = numpy.take_along_axis(of_runs, random.integers(runs, size=(resamples, runs)), axis=1).mean(axis=1)
    low, high = numpy.quantile(means, [0.025, 0.975])
    return Difference(*(100.0 * float(value) for value in (gained.mean(), low, high)))
