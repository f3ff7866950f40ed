"""Tuning against plain numpy."""

import numpy
import pytest
from conftest import best, scores_of

import mrl


def recall_of(x, q, found, k):
    """The share of the true k best rows of each query that are found, [queries]."""
    truth = best(scores_of(x, q), k)[0]
    return numpy.array([len(set(row) & set(other)) / k for row, other in zip(truth, found)])


def map_of(labels, found, own, query_labels):
    """The mean average precision of found [queries, k]. own: whether queries are rows, and one that is relevant is themselves."""
    values = []
    for row, label in zip(found, query_labels):
        relevant = (labels == label).sum() - own
        hits = labels[row] == label
        precision = numpy.cumsum(hits) / numpy.arange(1, len(row) + 1)
        if relevant:
            values.append((precision * hits).sum() / min(len(row), relevant))
    return numpy.mean(values)


@pytest.mark.parametrize("workload", ["batch", "single"])
def test_the_best_is_the_fastest_that_finds_enough(x, q, index, workload):
    tuning = index.tune(q, k=5, recall=0.9, workload=workload)
    times = [point.query_s for point in tuning.points]
    assert times == sorted(times) and min(times) > 0
    enough = [point for point in tuning.points if point.recall_low >= 0.9]
    assert (tuning.best.schedule, tuning.best.query_s) == (enough[0].schedule, enough[0].query_s)
    assert index.schedule == mrl.Index.open(index.path).schedule == tuning.best.schedule
    assert len({point.schedule for point in tuning.points}) == len(tuning.points) > 3
    for point in tuning.points:
        found = index.search(q, k=5, schedule=point.schedule)[0].astype(int)
        shares = recall_of(x, q, found, 5)
        assert point.recall == pytest.approx(shares.mean(), abs=1e-12), point
        shares = numpy.append(shares, 0.8)
        low = shares.mean() - 1.645 * shares.std(ddof=1) / len(shares) ** 0.5
        assert point.recall_low == pytest.approx(1 if point.schedule == "exact" else low, abs=1e-12), point
        assert point.multiply_adds > 0 and point.map is None
    assert repr(tuning) == f"<mrl.Tuning: {tuning.best.schedule} is the best of {len(tuning.points)} schedules>"
    assert repr(tuning.best).startswith(f"<mrl.Point {tuning.best.schedule}: recall=")


def test_labels_of_queries_and_rows_give_the_mean_average_precision(x, q, path):
    numbers = numpy.random.default_rng(8)
    labels, query_labels = numbers.integers(-1, 9, len(x)), numbers.integers(-1, 11, len(q))
    index = mrl.Index.build(x, path, labels=labels)
    tuning = index.tune(q, k=6, labels=query_labels)
    for point in tuning.points:
        found = index.search(q, k=6, schedule=point.schedule)[0].astype(int)
        assert point.map == pytest.approx(map_of(labels, found, 0, query_labels), abs=1e-12), point
    assert len({point.map for point in tuning.points}) > 1
    assert f", map={tuning.best.map:.4f}, " in repr(tuning.best)
    assert all(point.map is None for point in index.tune(q).points)


def test_rows_of_a_labelled_index_stand_in_for_queries(x, path):
    x = x[:400]
    labels = numpy.random.default_rng(9).integers(0, 5, len(x))
    index = mrl.Index.build(x, path, labels=labels)
    tuning = index.tune(k=6, store=False)
    exact = next(point for point in tuning.points if point.schedule == "exact")
    scores = scores_of(x, x)
    numpy.fill_diagonal(scores, -numpy.inf)
    assert exact.map == pytest.approx(map_of(labels, best(scores, 6)[0], 1, labels), abs=1e-12)
    assert exact.recall == 1


def test_nothing_is_stored_unless_it_is_to_be(q, index, path):
    before = path.read_bytes()
    index.tune(q, store=False)
    assert path.read_bytes() == before and index.schedule == "exact"


@pytest.mark.parametrize(
    ("error", "message", "given"),
    [
        (ValueError, "recall 1.5 cannot be; ask for one from 0 to 1", {"recall": 1.5}),
        (ValueError, 'workload "all" is none of batch, single', {"workload": "all"}),
        (ValueError, "k is 0", {"k": 0}),
        (ValueError, "-1 is no number of rows", {"k": -1}),
        (ValueError, "32 numbers are no queries of width 32", {"queries": numpy.ones((2, 16))}),
        (ValueError, r"queries has shape \[32\]; give \[rows, width\]", {"queries": numpy.ones(32)}),
        (ValueError, "labels: 1 labels for 2 embeddings", {"queries": numpy.ones((2, 32)), "labels": [1]}),
        (ValueError, "labels are those of queries; give queries too", {"labels": [1]}),
        (TypeError, "labels holds float64", {"queries": numpy.ones((2, 32)), "labels": [1.0, 2.0]}),
    ],
)
def test_what_cannot_be_tuned_is_refused(index, error, message, given):
    with pytest.raises(error, match=message):
        index.tune(**given)
    assert index.schedule == "exact"


def test_a_graph_is_walked_and_kept_if_it_wins(x, q, path):
    index = mrl.Index.build(x, path, dims=[8, 16], graph=16)
    assert index.info()["graph"] == 16
    exact, walked = (index.search(q, k=3, schedule=schedule)[0] for schedule in ("exact", "g16:9"))
    assert numpy.mean([len(set(a) & set(b)) / 3 for a, b in zip(exact, walked)]) > 0.5
    tuning = index.tune(q, k=3, recall=0.5, graph=8, store=False)
    assert tuning.graph_build_s > 0 and any(point.schedule.startswith("g8:") for point in tuning.points)
    assert index.info()["graph"] == 16
    kept = index.tune(q, k=3, recall=0.5, graph=8).best.schedule.startswith("g")
    assert index.info()["graph"] == (8 if kept else None)
    assert index.tune(q, k=3, graph="none").graph_build_s is None
    with pytest.raises(ValueError, match="graph: write auto, none"):
        index.tune(q, graph="some")
    with pytest.raises(ValueError, match="cannot be on 7 dims"):
        mrl.Index.build(x, path, graph=7)
    with pytest.raises(ValueError, match="has no graph"):
        mrl.Index.build(x, path).search(q, schedule="g8:20")
