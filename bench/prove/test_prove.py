"""Parts of the proof that need no training."""

import numpy
from comparison import compare, missed
from encoders import of_each_width
from options import OF_NESTING, without

DIMS = [8, 16]
MEASURES = ["probe", "knn1"]


def test_options_of_nesting_are_left_out():
    options = ["--width", "0.25", "--nest-after", "0.5", "--nesting=8,16", "--epochs", "3", "--head", "mrl"]
    assert without(options, OF_NESTING) == ["--width", "0.25", "--epochs", "3"]


def outcomes(prefix, others):
    """What is right for one seed: the shares of 1,000 images that the nested prefix, and all others, classify correctly."""
    def rows(share):
        return numpy.tile(numpy.arange(1000) < 1000 * share, (len(DIMS), 1))

    methods = {"prefix": prefix, "pca": others, "pca-uncentred": others, "random-projection": others}
    nested = {f"{method}.{measure}": rows(share) for method, share in methods.items() for measure in MEASURES}
    fixed = {f"{method}.{measure}": rows(others) for method in methods for measure in MEASURES}
    return {"nested": nested, "fixed": fixed}


def test_a_better_prefix_misses_no_goal():
    result = compare(DIMS, [outcomes(0.6, 0.5)] * 2, MEASURES)
    assert result["probe"]["accuracy"]["prefix"] == [60.0, 60.0]
    assert abs(result["knn1"]["prefix minus"]["PCA without nesting"][0]["mean"] - 10.0) < 1e-4
    assert missed(result, DIMS, [8]) == []


def test_a_worse_prefix_and_a_loss_of_all_dims_are_named():
    goals = missed(compare(DIMS, [outcomes(0.5, 0.6)], MEASURES), DIMS, [8])
    assert any("not surely better than PCA of the same features at 8 dims" in goal for goal in goals)
    assert any("all 16 dims may lose" in goal for goal in goals)
    # Equal is not better.
    assert any("PCA of the same features" in goal for goal in missed(compare(DIMS, [outcomes(0.5, 0.5)], MEASURES), DIMS, [8]))


def test_encoders_of_each_width_are_compared_and_are_no_goal():
    right = outcomes(0.6, 0.5)
    right["widths"] = {f"prefix.{measure}": right["nested"][f"prefix.{measure}"] | True for measure in MEASURES}
    result = compare(DIMS, [right], MEASURES)
    assert result["probe"]["accuracy"]["an encoder of each width"] == [100.0, 100.0]
    assert abs(result["knn1"]["prefix minus"]["an encoder of each width"][1]["mean"] + 40.0) < 1e-4
    assert missed(result, DIMS, [8]) == []


def test_each_width_is_judged_at_its_own_dim():
    class Runs:
        """An encoder of width d has d images right, and is no better at other dims."""

        trained = []

        def trained_dims(self, name, words):
            self.trained.append((name, words[-2:]))

        def right(self, name, dims):
            width = int(name.split("-")[1])
            return {"prefix.probe": numpy.array([numpy.arange(100) < min(dim, width) for dim in dims])}

    widest = {"prefix.probe": numpy.array([numpy.arange(100) < 50] * 2)}
    runs = Runs()
    found = of_each_width(runs, ["--head", "fixed"], DIMS, 3, widest)
    assert found["prefix.probe"].sum(axis=1).tolist() == [8, 50]
    assert runs.trained == [("width-8-3", ["--embedding-dim", 8])]
