"""Features of a long prediction, kept while it lasts, so that a killed one goes on where it was."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xanesflow.core.files import atomic_path

CachedFeatures = NDArray[np.float32] | str
"""Features (sites, d) of a structure, or why there are none."""


class FeatureCache:
    """A folder with a file for each batch of structures; what is in it is known by its content, not by its place.

    Args:
        folder: made when there is something to keep.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def beside(cls, output: Path) -> FeatureCache:
        """Of the prediction that goes to `output`."""
        return cls(output.with_name(f".{output.name}.features"))

    def get(self, keys: Sequence[str]) -> list[CachedFeatures] | None:
        """What `put` kept for this very batch; None if nothing did, or the file is damaged."""
        try:
            with np.load(self._path(keys), allow_pickle=False) as file:
                reasons, ends = file["reasons"].tolist(), file["ends"]
                rows = np.split(file["rows"], ends[:-1])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return [reason or each for reason, each in zip(reasons, rows, strict=True)]

    def put(self, keys: Sequence[str], answers: Sequence[CachedFeatures]) -> None:
        """Keep the answers of a batch."""
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
        """Remove it all, as the prediction is there."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, keys: Sequence[str]) -> Path:
        return self.folder / f"{hashlib.sha256(' '.join(keys).encode()).hexdigest()[:32]}.npz"
