"""What is installed beside the code: stubs, documentation, the examples of the README."""

import inspect
import os
import pathlib
import re
import subprocess
import sys

import mrl


def test_the_stubs_are_those_of_the_module():
    """Names and arguments; and that there are stubs at all."""
    command = [sys.executable, "-m", "mypy.stubtest", "mrl"]
    checked = subprocess.run(command, capture_output=True, text=True, cwd="/")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_all_is_documented():
    kinds = [mrl.Index, mrl.Point, mrl.Tuning]
    public = [getattr(kind, name) for kind in kinds for name in dir(kind) if not name.startswith("_")]
    for thing in [mrl, mrl.probe, *kinds, *public]:
        assert inspect.getdoc(thing), thing


def test_the_readme_runs(tmp_path):
    readme = pathlib.Path(__file__).parent.parent / "README.md"
    blocks = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
    assert len(blocks) == 4
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", "".join(blocks)],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert all(0.5 < float(number) <= 1 for number in ran.stdout.split())
