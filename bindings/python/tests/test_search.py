"""Searches against plain numpy."""

import threading

import numpy
import pytest
from conftest import best, scores_of

import mrl


@pytest.mark.parametrize("metric", ["cosine", "dot"])
@pytest.mark.parametrize("rotate", ["none", "pca", "auto"])
@pytest.mark.parametrize("dtype", ["f32", "bf16", "int8"])
def test_exact_is_what_numpy_finds(x, q, path, metric, rotate, dtype):
    index = mrl.Index.build(x, path, metric=metric, rotate=rotate, shortlist_dtype=dtype)
    ids, scores = index.search(q, k=7)
    rows, expected = best(scores_of(x, q, metric), 7)
    assert ids.dtype == numpy.uint64 and scores.dtype == numpy.float64
    numpy.testing.assert_array_equal(ids, rows)
    numpy.testing.assert_allclose(scores, expected, rtol=0, atol=1e-9)


def test_a_funnel_is_two_plain_rankings(x, q, path):
    index = mrl.Index.build(x, path, dims=[8, 16], rotate="none", shortlist_dtype="f32")
    ids, scores = index.search(q, k=5, schedule="8:50,32")
    shortlist, _ = best(scores_of(x[:, :8], q[:, :8]), 50)
    whole = scores_of(x, q)
    kept = numpy.full_like(whole, -numpy.inf)
    numpy.put_along_axis(kept, shortlist, numpy.take_along_axis(whole, shortlist, axis=1), axis=1)
    rows, expected = best(kept, 5)
    numpy.testing.assert_array_equal(ids, rows)
    numpy.testing.assert_allclose(scores, expected, rtol=0, atol=1e-9)
    assert (ids != index.search(q, k=5)[0]).any(), "the funnel is to lose some, or this shows nothing"


def test_a_prefix_ranks_alone(x, q, index):
    ids, _ = index.search(q, k=5, schedule="16")
    numpy.testing.assert_array_equal(ids, best(scores_of(x[:, :16], q[:, :16]), 5)[0])


def test_one_query_is_a_row_of_several(q, index):
    ids, scores = index.search(q, k=4)
    one_ids, one_scores = index.search(q[3], k=4)
    assert one_ids.shape == one_scores.shape == (4,)
    numpy.testing.assert_array_equal(one_ids, ids[3])
    numpy.testing.assert_array_equal(one_scores, scores[3])


def test_no_more_rows_than_there_are(x, q, path):
    ids, scores = mrl.Index.build(x[:3], path).search(q)
    assert ids.shape == scores.shape == (len(q), 3)


def test_no_queries_have_no_hits(q, index):
    ids, scores = index.search(q[:0])
    assert ids.shape == scores.shape == (0, 10)


@pytest.mark.parametrize(
    "change",
    [
        lambda q: q.astype("float64"),
        lambda q: q.astype(">f4"),
        lambda q: numpy.asfortranarray(q),
        lambda q: numpy.repeat(q, 2, axis=1)[:, ::2],
        lambda q: numpy.frombuffer(b"\0" + q.tobytes(), dtype="f4", offset=1).reshape(q.shape),
        lambda q: q.tolist(),
    ],
    ids=["float64", "big endian", "by columns", "with gaps", "not aligned", "list"],
)
def test_other_layouts_are_copied(q, index, change):
    numpy.testing.assert_array_equal(index.search(change(q))[0], index.search(q)[0])


def test_read_only_arrays_serve(q, index):
    fixed = q.copy()
    fixed.flags.writeable = False
    numpy.testing.assert_array_equal(index.search(fixed)[0], index.search(q)[0])


def test_threads_share_an_index(q, index):
    expected, found = index.search(q)[0], [None] * 4

    def search(place):
        found[place] = index.search(q)[0]

    threads = [threading.Thread(target=search, args=(place,)) for place in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ids in found:
        numpy.testing.assert_array_equal(ids, expected)


def test_the_interpreter_is_free_during_a_search(x, path):
    """While another thread searches, this one goes on, not only at the ends of searches."""
    big = numpy.tile(x, (30, 4))
    index = mrl.Index.build(big + numpy.arange(len(big), dtype="float32")[:, None] * 1e-4, path, rotate="none")
    searching = threading.Thread(target=index.search, args=(big[:4000],))
    searching.start()
    counted = 0
    while searching.is_alive():
        searching.join(0.001)
        counted += 1
    assert counted > 5, "this thread stood still"
