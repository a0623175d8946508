"""How far a site is from all that a model has seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float64]

AXES = 32
"""Principal axes that distances are taken in: as good as all features, and small enough to be kept beside a model."""


@dataclass(frozen=True, eq=False)
class TrainingSites:
    """Where the sites that a model learned from lie in the space of their features.

    Attributes:
        mean: (d,) of the features over the training part.
        scale: (d,) what each feature is divided by: its standard deviation there, or 1 of a constant one.
        axes: (c, d) leading principal axes of the features so standardised.
        points: (n, c) float32, the training sites along these axes; none of a subset without a training part.
    """

    mean: Floats
    scale: Floats
    axes: Floats
    points: npt.NDArray[np.float32]

    @classmethod
    def fit(cls, features: npt.NDArray[np.floating]) -> TrainingSites:
        """Take over the (n, d) features of a training part."""
        values = features.astype(np.float64)
        if not len(values):
            d = values.shape[1]
            return cls(np.zeros(d), np.ones(d), np.zeros((0, d)), np.zeros((0, 0), np.float32))
        mean, deviation = values.mean(axis=0), values.std(axis=0)
        constant = deviation <= 1e-6 * np.maximum(np.abs(mean), np.finfo(np.float32).tiny)
        scale = np.where(constant, 1.0, deviation)
        standardised = (values - mean) / scale
        axes = np.linalg.svd(standardised, full_matrices=False)[2][:AXES]
        return cls(mean, scale, axes, (standardised @ axes.T).astype(np.float32))

    def distance(self, features: npt.NDArray[np.floating]) -> Floats:
        """(n,) Euclidean distance of each site (n, d) to the nearest training site, in standard deviations.

        0 for all where there are no training sites, which tells nothing.
        """
        if not len(self.points) or not len(features):
            return np.zeros(len(features))
        there = ((features.astype(np.float64) - self.mean) / self.scale) @ self.axes.T
        return np.asarray(cKDTree(self.points).query(there)[0], dtype=np.float64)
