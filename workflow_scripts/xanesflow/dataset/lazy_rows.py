"""Rows of HDF5 datasets that are read when they are indexed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

_BLOCK = 256
"""Rows to read at once when iterating over all rows."""


class Source(Protocol):
    """The source of an array: HDF5 datasets by name, and a choice of their rows."""

    rows: NDArray[np.intp]

    def data(self, path: str) -> h5py.Dataset:
        """One of its HDF5 datasets."""


class Array:
    """Rows of HDF5 datasets that are read when they are indexed: `[5]`, `[10:20]`, `[[3, 1]]`, `[mask]`, `[:]`."""

    def __init__(self, source: Source, paths: Sequence[str]) -> None:
        self._source, self._paths = source, paths
        widths = [source.data(path).shape[1] for path in paths]
        self.shape: tuple[int, int] = (len(source.rows), sum(widths))
        self.dtype: np.dtype[Any] = source.data(paths[0]).dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> NDArray[Any]:
        rows = self._source.rows[index]
        blocks = [_take(self._source.data(path), rows) for path in self._paths]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=-1)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for start in range(0, len(self), _BLOCK):
            yield from self[start : start + _BLOCK]

    def __repr__(self) -> str:
        return f"<{' + '.join(self._paths)}, {self.shape[0]} × {self.shape[1]} {self.dtype}, read when indexed>"


def _take(dataset: h5py.Dataset, rows: Any) -> NDArray[Any]:
    """Rows of an HDF5 dataset in any order: one read of the whole range if they lie close together, else row by row."""
    if np.ndim(rows) == 0:
        return np.asarray(dataset[int(rows)])
    if not len(rows):
        return np.empty((0, *dataset.shape[1:]), dataset.dtype)
    first, last = int(rows.min()), int(rows.max())
    if last - first < 8 * len(rows):  # the rows lie close together: read everything between them at once
        block = dataset[first : last + 1]
        return np.asarray(block if len(block) == len(rows) and (np.diff(rows) == 1).all() else block[rows - first])
    return np.stack([dataset[int(row)] for row in rows])
