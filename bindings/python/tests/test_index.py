"""Building, changing and describing indexes, and what is refused."""

import os

import numpy
import pytest
from conftest import best, scores_of

import mrl


def test_ids_may_be_numbers(x, q, path):
    names = numpy.arange(len(x))[::-1] * 3
    index = mrl.Index.build(x, path, ids=names)
    ids, _ = index.search(q, k=5)
    assert ids.dtype == numpy.uint64
    numpy.testing.assert_array_equal(ids, names[best(scores_of(x, q), 5)[0]])


@pytest.mark.parametrize("kind", [numpy.array, list, lambda names: numpy.array(names, dtype=object)])
def test_ids_may_be_text(x, q, path, kind):
    names = [f"row {row} é" for row in range(len(x))]
    index = mrl.Index.build(x, path, ids=kind(names))
    ids, _ = index.search(q, k=5)
    assert ids.dtype.kind == "U" and ids.shape == (len(q), 5)
    numpy.testing.assert_array_equal(ids, numpy.array(names)[best(scores_of(x, q), 5)[0]])
    index.remove(ids[0])
    assert len(index) == len(x) - 5


def test_labels_come_back_in_the_shape_of_hits(x, q, path):
    labels = numpy.arange(len(x)) % 7 - 2
    index = mrl.Index.build(x, path, labels=labels)
    ids, _ = index.search(q, k=4)
    found = index.labels(ids)
    assert found.dtype == numpy.int64
    numpy.testing.assert_array_equal(found, labels[ids.astype(int)])
    index.add(x[:1], labels=[9])
    assert index.labels([len(x)]).tolist() == [9]


def test_labels_may_be_wide_unsigned_numbers(x, path):
    labels = numpy.arange(len(x), dtype="uint64") + (2**63 - len(x))
    index = mrl.Index.build(x, path, labels=labels)
    found = index.labels([0, len(x) - 1])
    assert found.tolist() == [2**63 - len(x), 2**63 - 1]


def test_what_is_added_is_found_and_what_is_removed_is_not(x, q, path):
    index = mrl.Index.build(x[:500], path)
    index.add(x[500:])
    numpy.testing.assert_array_equal(index.search(q, k=5)[0], best(scores_of(x, q), 5)[0])
    gone = numpy.unique(index.search(q, k=2)[0])
    index.remove(gone)
    scores = scores_of(x, q)
    scores[:, gone.astype(int)] = -numpy.inf
    expected = best(scores, 5)[0]
    numpy.testing.assert_array_equal(index.search(q, k=5)[0], expected)
    size = index.info()["bytes"]
    index.compact()
    assert index.info()["bytes"] < size and index.info()["removed"] == 0
    assert len(index) == len(mrl.Index.open(path)) == len(x) - len(gone)
    numpy.testing.assert_array_equal(index.search(q, k=5)[0], expected)


def test_an_open_index_stays_what_it_was(x, index, path):
    other = mrl.Index.open(path)
    index.remove([0, 1])
    assert (len(other), len(index), len(mrl.Index.open(path))) == (len(x), len(x) - 2, len(x) - 2)


def test_it_says_what_it_is(x, index, path):
    assert (len(index), index.width, index.metric) == (len(x), 32, "cosine")
    assert index.dims == [8, 16, 32]
    assert index.path == path
    assert repr(index) == f"<mrl.Index {path}: 600 rows of 32 numbers, cosine>"
    info = index.info()
    assert (info["rows"], info["width"], info["dims"], info["labels"]) == (600, 32, [8, 16, 32], False)
    assert info["version"] == mrl.__version__


def test_dims_are_those_given_and_the_width(x, path):
    assert mrl.Index.build(x, path, dims=numpy.array([4, 12])).dims == [4, 12, 32]


def test_the_schedule_is_kept(q, index, path):
    assert index.schedule == "exact"
    index.set_schedule("8:20,32")
    other = mrl.Index.open(path)
    assert index.schedule == other.schedule == "8:20,32"
    numpy.testing.assert_array_equal(other.search(q)[0], other.search(q, schedule="8:20,32")[0])
    with pytest.raises(ValueError, match="keeps fewer rows than k = 21"):
        other.search(q, k=21)
    index.set_schedule(None)
    assert index.schedule == "exact"


def test_the_path_is_the_same_wherever_the_program_goes(x, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    index = mrl.Index.build(x, "rows.index")
    monkeypatch.chdir("/")
    index.remove([0])
    assert len(mrl.Index.open(str(tmp_path / "rows.index"))) == len(x) - 1


def test_damage_is_found(index, path):
    index.verify()
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(OSError, match="rows.index: ") as raised:
        mrl.Index.open(path).verify()
    assert not isinstance(raised.value, FileNotFoundError)


def test_what_is_not_there_is_named(path, x):
    with pytest.raises(FileNotFoundError, match="No such file or directory") as raised:
        mrl.Index.open(path)
    assert raised.value.filename == str(path)
    with pytest.raises(FileNotFoundError):
        mrl.Index.build(x, path / "below.index")


def test_a_second_writer_is_told(index, path):
    import fcntl

    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError, match="another process is changing this index"):
            index.remove([0])
    index.remove([0])


@pytest.mark.parametrize(
    ("error", "message", "given"),
    [
        (TypeError, "x holds complex64; give float32", {"x": numpy.ones((3, 8), "complex64")}),
        (TypeError, "x holds <U1; give float32", {"x": [["a"]]}),
        (ValueError, r"x has shape \[8\]; give \[rows, width\]", {"x": numpy.ones(8)}),
        (ValueError, "inhomogeneous", {"x": [[1.0], [1.0, 2.0]]}),
        (ValueError, "the source has no rows", {"x": numpy.ones((0, 8))}),
        (ValueError, "nesting dim 0 would be an empty prefix", {"x": numpy.ones((3, 0))}),
        (ValueError, "row 1 of the source has norm", {"x": [[1.0], [numpy.nan]]}),
        (ValueError, "the source has 2 ids for 3 rows", {"ids": [1, 2]}),
        (ValueError, "the id 1 comes twice", {"ids": [1, 2, 1]}),
        (ValueError, "-2 is no id", {"ids": [1, -2, 1]}),
        (ValueError, r"ids have shape \[3, 1\]; give \[rows\]", {"ids": [[1], [2], [3]]}),
        (TypeError, "ids are neither all whole numbers nor all str", {"ids": [1, "a", 2]}),
        (TypeError, "ids are neither all whole numbers nor all str", {"ids": [1.5, 2.0, 3.0]}),
        (ValueError, "the source has 2 labels for 3 rows", {"labels": [0, 1]}),
        (TypeError, "labels holds float64; give int64", {"labels": [0.0, 1.0, 2.0]}),
        (
            ValueError,
            r"labels holds 9223372036854775808; give labels below 2\*\*63",
            {"labels": numpy.array([0, 1, 2**63], "uint64")},
        ),
        (ValueError, "nesting dim 64 exceeds", {"dims": [16, 64]}),
        (ValueError, "-1 is no number of rows or dims", {"dims": [-1]}),
        (TypeError, "float", {"dims": [8.5]}),
        (ValueError, 'metric "l2" is none of cosine, dot', {"metric": "l2"}),
        (ValueError, 'rotate "yes" is none of none, pca, auto', {"rotate": "yes"}),
        (ValueError, 'shortlist_dtype "int4" is none of f32, bf16, int8', {"shortlist_dtype": "int4"}),
    ],
)
def test_what_cannot_be_built_is_refused(path, error, message, given):
    with pytest.raises(error, match=message):
        mrl.Index.build(**{"x": numpy.ones((3, 32), "float32"), "path": path} | given)
    assert not os.path.exists(path)


@pytest.mark.parametrize(
    ("error", "message", "given"),
    [
        (ValueError, "16 numbers are no queries of width 32", {"q": numpy.ones((2, 16))}),
        (ValueError, "64 numbers are no queries of width 32", {"q": numpy.ones(64)}),
        (ValueError, r"q has shape \[1, 1, 32\]", {"q": numpy.ones((1, 1, 32))}),
        (ValueError, r"q has shape \[\]", {"q": 1.0}),
        (ValueError, "query 1 is zero", {"q": numpy.eye(32)[:2] * [[1], [0]]}),
        (ValueError, "number 3 of query 0 is not finite", {"q": [1.0] * 3 + [numpy.inf] * 29}),
        (ValueError, "k is 0", {"k": 0}),
        (ValueError, "-1 is no number of rows", {"k": -1}),
        (TypeError, "float", {"k": 2.5}),
        (ValueError, "is no stage of a schedule", {"schedule": "fast"}),
        (ValueError, "the index has no prefix of 12 dims; it has 8, 16, 32", {"schedule": "12:50,32"}),
    ],
)
def test_what_cannot_be_searched_is_refused(index, error, message, given):
    with pytest.raises(error, match=message):
        index.search(**{"q": numpy.ones((2, 32), "float32")} | given)


def test_what_does_not_fit_the_index_is_refused(x, index):
    for error, message, change in [
        (ValueError, "the source is 8 wide but the index is 32", lambda: index.add(x[:, :8])),
        (ValueError, "the id 5 is in the index already", lambda: index.add(x[:1], ids=[5])),
        (ValueError, "the ids of the index are numbers", lambda: index.add(x[:1], ids=["five"])),
        (ValueError, "the source has labels", lambda: index.add(x[:1], labels=[1])),
        (ValueError, "the id 9000 is not in the index; nothing was removed", lambda: index.remove([1, 9000])),
        (ValueError, "the index has no labels", lambda: index.labels([1])),
        (ValueError, "the index has no prefix of 12 dims", lambda: index.set_schedule("12:50,32")),
    ]:
        with pytest.raises(error, match=message):
            change()
    assert len(index) == len(x) and index.schedule == "exact"
