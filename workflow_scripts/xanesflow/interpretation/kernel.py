"""Kernel regression on some of the rows, as plain arrays: many rows cost no more memory than a few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xanesflow.core.array_types import Floats
from xanesflow.models.kernel_ridge import kernel_between

LANDMARKS = 5_000
"""Most rows that the kernel is spanned by."""

_ROWS, _SAMPLE, _JITTER = 2_000, 400, 1e-6


@dataclass(frozen=True, eq=False)
class KernelFit:
    """A regression with a Matérn kernel of order 3/2, spanned by landmarks (Nyström's method).

    Attributes:
        landmarks: (m, d) rows of the training inputs.
        length: of the kernel, in units of the inputs.
        mean: (k,) of the training outputs.
        coefficients: (m, k).
    """

    landmarks: npt.NDArray[np.float32]
    length: npt.NDArray[np.float64]
    mean: Floats
    coefficients: Floats

    @classmethod
    def fit(cls, inputs: Floats, outputs: Floats, *, noise: float, seed: int) -> KernelFit:
        """Fit to (n, d) inputs and (n, k) outputs; an output that is not known counts as the mean of the others.

        Args:
            inputs: (n, d).
            outputs: (n, k), of the order of 1.
            noise: variance of the outputs' noise, in units of the kernel's, if each landmark stood for one row.
            seed: of the choice of landmarks. The length is the median distance of two rows.
        """
        from scipy.linalg import solve
        from scipy.spatial.distance import pdist

        order = np.random.default_rng(seed).permutation(len(inputs))
        landmarks = inputs[order[:LANDMARKS]].astype(np.float32)
        length = max(float(np.median(pdist(inputs[order[:_SAMPLE]]))), 1e-12)
        mean = np.nanmean(outputs, axis=0)
        wanted = np.nan_to_num(outputs - mean, nan=0.0)
        matrix = kernel_between(landmarks, landmarks, length) + _JITTER * np.eye(len(landmarks))
        matrix *= noise * len(inputs) / len(landmarks)
        right = np.zeros((len(landmarks), outputs.shape[1]))
        for start in range(0, len(inputs), _ROWS):
            block = kernel_between(inputs[start : start + _ROWS], landmarks, length)
            matrix += block.T @ block
            right += block.T @ wanted[start : start + _ROWS]
        return cls(landmarks, np.array(length), mean, solve(matrix, right, assume_a="pos"))

    def predict(self, inputs: Floats) -> Floats:
        """(n, k) outputs of (n, d) inputs."""
        return self.mean + kernel_between(inputs, self.landmarks, float(self.length)) @ self.coefficients

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays by name, to be stored."""
        return {name: getattr(self, name) for name in self.__annotations__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> KernelFit:
        """Read it back.

        Raises:
            KeyError: an array is missing.
        """
        return cls(**{name: arrays[name] for name in cls.__annotations__})
