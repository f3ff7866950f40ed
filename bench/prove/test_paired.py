"""The paired bootstrap, against formulas and against what it must not depend on."""

import numpy
import pytest
from paired import difference


def rows(runs, count, share, seed):
    return numpy.random.default_rng(seed).random((runs, count)) < share


def test_with_one_run_the_interval_is_that_of_the_mean_of_the_differences():
    first, second = rows(1, 2000, 0.7, 0), rows(1, 2000, 0.6, 1)
    gained = first[0].astype(float) - second[0]
    found = difference(first, second)
    error = 100 * gained.std() / numpy.sqrt(2000)
    assert found.mean == pytest.approx(100 * gained.mean(), abs=1e-4)
    assert found.low == pytest.approx(found.mean - 1.96 * error, abs=0.2)
    assert found.high == pytest.approx(found.mean + 1.96 * error, abs=0.2)


def test_what_is_right_on_the_same_rows_has_no_uncertainty():
    right = rows(3, 500, 0.5, 2)
    found = difference(right, right)
    assert (found.mean, found.low, found.high) == (0, 0, 0)


def test_pairing_makes_the_interval_narrower():
    first = rows(1, 2000, 0.7, 3)
    paired = first.copy()
    paired[0, numpy.flatnonzero(first[0])[:40]] = False
    found = difference(first, paired)
    unpaired = difference(first, paired[:, numpy.random.default_rng(4).permutation(2000)])
    assert found.mean == pytest.approx(unpaired.mean) == pytest.approx(2.0)
    assert found.high - found.low < (unpaired.high - unpaired.low) / 3


def test_runs_that_differ_widen_the_interval():
    second = rows(2, 2000, 0.5, 5)
    alike, apart = (numpy.stack([row | (numpy.arange(2000) < count) for row, count in zip(second, counts)])
                    for counts in [(200, 200), (0, 400)])
    widths = [found.high - found.low for found in (difference(alike, second), difference(apart, second))]
    assert widths[1] > 2 * widths[0]


def test_the_order_of_the_rows_changes_nothing_but_chance():
    first, second = rows(3, 1000, 0.7, 6), rows(3, 1000, 0.65, 7)
    order = numpy.random.default_rng(8).permutation(1000)
    ours, theirs = difference(first, second), difference(first[:, order], second[:, order])
    assert ours.mean == pytest.approx(theirs.mean)
    assert ours.low == pytest.approx(theirs.low, abs=0.3)


def test_drawing_kinds_of_rows_is_drawing_rows():
    first, second = rows(3, 300, 0.7, 9), rows(3, 300, 0.6, 10)
    gained = first.astype(float) - second
    random = numpy.random.default_rng(11)
    means = [gained[random.integers(3, size=3)][:, random.integers(300, size=300)].mean() for _ in range(20_000)]
    found = difference(first, second)
    assert [found.low, found.high] == pytest.approx(100 * numpy.quantile(means, [0.025, 0.975]), abs=0.3)
