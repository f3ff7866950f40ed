"""Parts of the proof that need no training."""

import numpy
from comparison import compare, missed
from options import OF_NESTING, without

DIMS = [8, 16]


def test_options_of_nesting_are_left_out():
    options = ["--width", "0.25", "--nest-after", "0.5", "--nesting=8,16", "--epochs", "3", "--head", "mrl"]
    assert without(options, OF_NESTING) == ["--width", "0.25", "--epochs", "3"]


def outcomes(prefix, others):
    """What is right for one seed: the shares of 1,000 images that the nested prefix, and all others, classify correctly."""
    def rows(share):
        return numpy.tile(numpy.arange(1000) < 1000 * share, (len(DIMS), 1))

    methods = {"prefix": prefix, "pca": others, "pca-uncentred": others, "random-projection": others}
    nested = {f"{method}.{measure}": rows(share) for method, share in methods.items() for measure in ("probe", "knn1")}
    fixed = {f"{method}.{measure}": rows(others) for method in methods for measure in ("probe", "knn1")}
    return {"nested": nested, "fixed": fixed}


def test_a_better_prefix_misses_no_goal():
    result = compare(DIMS, [outcomes(0.6, 0.5)] * 2)
    assert result["probe"]["accuracy"]["prefix"] == [60.0, 60.0]
    assert abs(result["knn1"]["prefix minus"]["PCA without nesting"][0]["mean"] - 10.0) < 1e-4
    assert missed(result, DIMS, [8]) == []


def test_a_worse_prefix_and_a_loss_of_all_dims_are_named():
    goals = missed(compare(DIMS, [outcomes(0.5, 0.6)]), DIMS, [8])
    assert any("not surely better than PCA of the same features at 8 dims" in goal for goal in goals)
    assert any("all 16 dims may lose" in goal for goal in goals)
    # Equal is not better.
    assert any("PCA of the same features" in goal for goal in missed(compare(DIMS, [outcomes(0.5, 0.5)]), DIMS, [8]))
