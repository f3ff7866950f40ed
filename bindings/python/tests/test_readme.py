"""The lines of Python in the project's README that use the index do what it says."""

from pathlib import Path

import mrl

README = Path(__file__).parents[3] / "README.md"


def snippet(first):
    """The indented block of README.md whose first line starts with `first`."""
    lines = iter(README.read_text(encoding="utf-8").splitlines())
    block = [next(line for line in lines if line.startswith("    " + first))]
    for line in lines:
        if not line.startswith("    "):
            break
        block.append(line)
    return "\n".join(line[4:] for line in block)


def test_index(x, q, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"mrl": mrl, "x": x, "queries": q}
    exec(snippet("index = mrl.Index.build"), names)
    assert names["ids"].shape == names["scores"].shape == (len(q), 10)
