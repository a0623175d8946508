"""Stores the features of a long prediction while it runs, so that a killed one continues where it was."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xanesflow.core.files import atomic_path, sha256_text
from xanesflow.core.npz import open_npz

CachedFeatures = NDArray[np.float32] | str
"""Features (sites, d) of a structure, or why there are none."""


class FeatureCache:
    """A folder with a file for each batch of structures, named by a hash of the batch's content.

    Args:
        folder: made when the first batch is stored.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def beside(cls, output: Path) -> FeatureCache:
        """The cache of the prediction that is written to `output`."""
        return cls(output.with_name(f".{output.name}.features"))

    def get(self, keys: Sequence[str]) -> list[CachedFeatures] | None:
        """Features that `put` stored for exactly this batch; None if there are none, or their file is damaged."""
        try:
            with open_npz(self._path(keys)) as file:
                reasons, ends = file["reasons"].tolist(), file["ends"]
                rows = np.split(file["rows"], ends[:-1])
            return [reason or each for reason, each in zip(reasons, rows, strict=True)]
        except Exception:  # not there, or damaged: NumPy raises all kinds of errors
            return None

    def put(self, keys: Sequence[str], answers: Sequence[CachedFeatures]) -> None:
        """Store the features of a batch."""
        good = [each for each in answers if not isinstance(each, str)]
        width = good[0].shape[1] if good else 0
        nothing = np.zeros((0, width), np.float32)
        rows = [nothing if isinstance(each, str) else each for each in answers]
        with atomic_path(self._path(keys)) as temporary:
            np.savez(
                temporary,
                rows=np.concatenate(rows) if rows else nothing,
                ends=np.cumsum([len(each) for each in rows]),
                reasons=np.array([each if isinstance(each, str) else "" for each in answers], dtype=np.str_),
            )

    def clear(self) -> None:
        """Remove the folder, once the prediction is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, keys: Sequence[str]) -> Path:
        return self.folder / f"{sha256_text(' '.join(keys))[:32]}.npz"
