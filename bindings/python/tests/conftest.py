"""Embeddings that are the same in every run."""

import numpy
import pytest

import mrl

ROWS, WIDTH = 600, 32


@pytest.fixture(scope="session")
def x():
    """[600, 32], the first numbers the largest, as in nested embeddings."""
    numbers = numpy.random.default_rng(5).standard_normal((ROWS, WIDTH))
    return (numbers * numpy.linspace(2, 0.2, WIDTH)).astype("float32")


@pytest.fixture(scope="session")
def q():
    """[40, 32]"""
    numbers = numpy.random.default_rng(6).standard_normal((40, WIDTH))
    return (numbers * numpy.linspace(2, 0.2, WIDTH)).astype("float32")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.index"


@pytest.fixture
def index(x, path):
    return mrl.Index.build(x, path)


def scores_of(x, q, metric="cosine"):
    """Of each query with each row, [queries, rows], in float64."""
    x, q = x.astype("float64"), q.astype("float64")
    if metric == "cosine":
        x = x / numpy.linalg.norm(x, axis=1, keepdims=True)
        q = q / numpy.linalg.norm(q, axis=1, keepdims=True)
    return q @ x.T


def best(scores, k):
    """The k best rows of each query, [queries, k], and their scores."""
    rows = numpy.argsort(-scores, axis=1, kind="stable")[:, :k]
    return rows, numpy.take_along_axis(scores, rows, axis=1)
