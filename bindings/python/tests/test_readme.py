"""The lines of Python in the project's README and tutorial that use the index do what they say."""

import itertools
from pathlib import Path

import mrl
import pytest

ROOT = Path(__file__).parents[3]


def snippet(page, first):
    """The indented block of a page whose first line starts with `first`."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith("    " + first)]
    assert len(starts) == 1, f"{page} has {len(starts)} blocks that start with {first!r}"
    block = itertools.takewhile(lambda line: line.startswith("    ") or not line, lines[starts[0] :])
    return "\n".join(line[4:] for line in block)


@pytest.mark.parametrize("page", ["README.md", "docs/tutorials/search.md"])
def test_index(page, x, q, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"mrl": mrl, "x": x, "queries": q}
    exec(snippet(page, "index = mrl.Index.build"), names)
    assert names["ids"].shape == names["scores"].shape == (len(q), 10)
