"""The probe, where plain numpy knows the answer."""

import numpy
import pytest

import mrl


@pytest.fixture
def sets():
    """Number 0 tells apart classes 0 and 1 + 2, number 4 classes 1 and 2; the rest is noise."""
    numbers = numpy.random.default_rng(3)
    y = numbers.integers(0, 3, 400)
    x = numbers.standard_normal((400, 8)).astype("float32") * 0.1
    x[:, 0] += y > 0
    x[:, 4] += y == 2
    return x[:300], y[:300], x[300:], y[300:]


def test_each_length_is_worth_what_it_tells(sets):
    accuracy = mrl.probe(*sets, dims=[2, 8], l2=1.0)
    train_y, test_y = sets[1], sets[3]
    assert list(accuracy) == [2, 8]
    assert accuracy[8] > 0.97
    # From the first numbers, class 0 is told from the others, and those are guessed.
    zero = (test_y == 0).mean()
    guess = max((test_y == 1).mean(), (test_y == 2).mean())
    assert zero < accuracy[2] <= zero + guess + 0.1
    assert set(train_y) == {0, 1, 2}


def test_the_penalty_is_chosen_and_dims_have_a_default(sets):
    accuracy = mrl.probe(*sets)
    assert list(accuracy) == [8]
    assert accuracy[8] > 0.97


@pytest.mark.parametrize(
    ("error", "message", "change"),
    [
        (ValueError, "train_y: 299 labels for 300 embeddings", {1: lambda y: y[1:]}),
        (ValueError, "the training set is 8 wide but the test set is 7", {2: lambda x: x[:, 1:]}),
        (ValueError, "row 0 of the test set has label -1", {3: lambda y: y * 0 - 1}),
        (ValueError, "all labels of the training set are 0", {1: lambda y: y * 0}),
        (TypeError, "test_y holds float64; give int64", {3: lambda y: y * 1.0}),
        (TypeError, "train_x holds <U", {0: lambda x: x.astype(str)}),
    ],
)
def test_what_cannot_be_probed_is_refused(sets, error, message, change):
    given = [change.get(place, lambda same: same)(part) for place, part in enumerate(sets)]
    with pytest.raises(error, match=message):
        mrl.probe(*given, dims=[4])
