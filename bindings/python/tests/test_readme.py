"""The lines of Python in the project's README that use the index do what it says."""

import itertools
from pathlib import Path

import mrl

README = Path(__file__).parents[3] / "README.md"


def snippet(first):
    """The indented block of README.md whose first line starts with `first`."""
    lines = README.read_text(encoding="utf-8").splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith("    " + first)]
    assert len(starts) == 1, f"README.md has {len(starts)} blocks that start with {first!r}"
    block = itertools.takewhile(lambda line: line.startswith("    ") or not line, lines[starts[0] :])
    return "\n".join(line[4:] for line in block)


def test_index(x, q, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"mrl": mrl, "x": x, "queries": q}
    exec(snippet("index = mrl.Index.build"), names)
    assert names["ids"].shape == names["scores"].shape == (len(q), 10)
