import os
import pathlib
from collections.abc import Sequence
from typing import Any, Literal, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Index", "Point", "Tuning", "__version__", "probe"]

__version__: str

@final
class Index:
    @staticmethod
    def build(
        x: ArrayLike,
        path: str | os.PathLike[str],
        ids: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        dims: Sequence[int] | None = None,
        metric: Literal["cosine", "dot"] = "cosine",
        rotate: Literal["none", "pca", "auto"] = "auto",
        shortlist_dtype: Literal["f32", "bf16", "int8"] = "int8",
        graph: int | None = None,
    ) -> Index: ...
    @staticmethod
    def open(path: str | os.PathLike[str]) -> Index: ...
    def search(
        self, q: ArrayLike, k: int = 10, schedule: str | None = None
    ) -> tuple[NDArray[np.uint64] | NDArray[np.str_], NDArray[np.float64]]: ...
    def tune(
        self,
        queries: ArrayLike | None = None,
        k: int = 10,
        recall: float = 0.99,
        workload: Literal["batch", "single"] = "batch",
        store: bool = True,
        labels: ArrayLike | None = None,
        graph: Literal["auto", "none"] | int = "auto",
    ) -> Tuning: ...
    def add(self, x: ArrayLike, ids: ArrayLike | None = None, labels: ArrayLike | None = None) -> None: ...
    def remove(self, ids: ArrayLike) -> None: ...
    def compact(self) -> None: ...
    def set_schedule(self, schedule: str | None) -> None: ...
    def labels(self, ids: ArrayLike) -> NDArray[np.int64]: ...
    def verify(self) -> None: ...
    def info(self) -> dict[str, Any]: ...
    @property
    def path(self) -> pathlib.Path: ...
    @property
    def width(self) -> int: ...
    @property
    def dims(self) -> list[int]: ...
    @property
    def metric(self) -> str: ...
    @property
    def schedule(self) -> str: ...
    def __len__(self) -> int: ...

@final
class Point:
    @property
    def schedule(self) -> str: ...
    @property
    def recall(self) -> float: ...
    @property
    def recall_low(self) -> float: ...
    @property
    def query_s(self) -> float: ...
    @property
    def multiply_adds(self) -> float: ...
    @property
    def map(self) -> float | None: ...

@final
class Tuning:
    @property
    def points(self) -> list[Point]: ...
    @property
    def best(self) -> Point: ...
    @property
    def graph_build_s(self) -> float | None: ...

def probe(
    train_x: ArrayLike,
    train_y: ArrayLike,
    test_x: ArrayLike,
    test_y: ArrayLike,
    dims: Sequence[int] | None = None,
    l2: float | None = None,
) -> dict[int, float]: ...
