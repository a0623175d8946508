"""How far a site is from all that a model has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

Floats = npt.NDArray[np.float64]

AXES = 32
"""Principal axes that distances are taken in: as good as all features, and small enough to be kept beside a model."""


FAR_SHARE = 0.99
"""Of the training sites, this share is nearer to a training site of another material than `TrainingSites.limit`."""

_ROWS = 512  # whose distances to all others are held at a time


@dataclass(frozen=True, eq=False)
class TrainingSites:
    """Where the sites that a model learned from lie in the space of their features.

    Attributes:
        mean: (d,) of the features over the training part.
        scale: (d,) what each feature is divided by: its standard deviation there, or 1 of a constant one.
        axes: (c, d) leading principal axes of the features so standardised.
        points: (n, c) float32, the training sites along these axes; none of a subset without a training part.
        limit: distance beyond which a site is unlike all that was learned from: the `FAR_SHARE` quantile of the
            distances of the training sites to the nearest one of another material, which a new material has none of
            either; None if the materials are not known, or there is but one.
    """

    mean: Floats
    scale: Floats
    axes: Floats
    points: npt.NDArray[np.float32]
    limit: float | None = field(default=None)

    @classmethod
    def fit(cls, features: npt.NDArray[np.floating], materials: Sequence[str] | None = None) -> TrainingSites:
        """Take over the (n, d) features of a training part, and how far its n materials lie from each other."""
        values = features.astype(np.float64)
        if not len(values):
            d = values.shape[1]
            return cls(np.zeros(d), np.ones(d), np.zeros((0, d)), np.zeros((0, 0), np.float32))
        mean, deviation = values.mean(axis=0), values.std(axis=0)
        constant = deviation <= 1e-6 * np.maximum(np.abs(mean), np.finfo(np.float32).tiny)
        scale = np.where(constant, 1.0, deviation)
        standardised = (values - mean) / scale
        axes = np.linalg.svd(standardised, full_matrices=False)[2][:AXES]
        points = (standardised @ axes.T).astype(np.float32)
        return cls(mean, scale, axes, points, None if materials is None else _limit(points, materials))

    def distance(self, features: npt.NDArray[np.floating]) -> Floats:
        """(n,) Euclidean distance of each site (n, d) to the nearest training site, in standard deviations.

        0 for all where there are no training sites, which tells nothing.
        """
        if not len(self.points) or not len(features):
            return np.zeros(len(features))
        there = ((features.astype(np.float64) - self.mean) / self.scale) @ self.axes.T
        return np.asarray(cKDTree(self.points).query(there)[0], dtype=np.float64)


def _limit(points: npt.NDArray[np.float32], materials: Sequence[str]) -> float | None:
    """See `TrainingSites.limit`."""
    names = np.unique(np.asarray(materials, dtype=np.str_), return_inverse=True)[1]
    if len(set(names.tolist())) < 2:
        return None
    nearest = np.empty(len(points))
    for start in range(0, len(points), _ROWS):
        rows = slice(start, start + _ROWS)
        apart = cdist(points[rows], points)
        apart[names[rows, None] == names[None, :]] = np.inf
        nearest[rows] = apart.min(axis=1)
    return float(np.quantile(nearest, FAR_SHARE))
