"""Writes labels as numpy does, of every type that is read, and some that are not.

Needs: numpy 2.4.
Run:   python goldens/labels/make.py
"""

from pathlib import Path

import numpy

HERE = Path(__file__).parent


def save(name, labels, kind=None):
    numpy.save(HERE / f"{name}.npy", numpy.asarray(labels, kind))


save("b1", [True, False, True])
for kind in ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]:
    save(kind, [3, 0, 1], kind)
save("big-i4", [3, 0, 1], ">i4")
save("column-i8", [[3], [0], [1]], "i8")
save("unicode", ["dog", "ant", "bee"])
save("bytes", [b"dog", b"ant", b"bee"])

save("half", [1.0, 0.5], "f4")
save("matrix", [[1, 2], [3, 4]], "i8")
save("large", [2**64 - 1], "u8")
save("complex", [1j])
save("object", ["dog", None], object)
