"""How far a site is from everything that a model has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from xanesflow.core.array_types import Floats
from xanesflow.core.standardise import mean_and_deviation

AXES = 32
"""Principal axes in which distances are measured: as good as all features, and small enough to store."""

FAR_SHARE = 0.99
"""Share of the training sites that are closer than `TrainingSites.limit` to a training site of another material."""

_ROWS = 512  # sites whose distances to all others are in memory at a time


@dataclass(frozen=True, eq=False)
class TrainingSites:
    """The positions of a model's training sites in the space of their features.

    Attributes:
        mean: (d,) of the features over the training part.
        scale: (d,) divisor of each feature: its standard deviation there, or 1 if it is constant.
        axes: (c, d) leading principal axes of the features standardised with `mean` and `scale`.
        points: (n, c) float32, the training sites along these axes; empty for a subset without a training part.
        limit: distance beyond which a site is unlike all training sites. It is the `FAR_SHARE` quantile of the training
            sites' distances to the nearest one of another material, because a new site has no neighbours of its own
            material either. None if the materials are not known, or there is only one.
    """

    mean: Floats
    scale: Floats
    axes: Floats
    points: npt.NDArray[np.float32]
    limit: float | None = field(default=None)

    @classmethod
    def fit(cls, features: npt.NDArray[np.floating], materials: Sequence[str] | None = None) -> TrainingSites:
        """Make it from the (n, d) features of a training part; `materials` (n,) are those of its sites."""
        values = features.astype(np.float64)
        if not len(values):
            d = values.shape[1]
            return cls(np.zeros(d), np.ones(d), np.zeros((0, d)), np.zeros((0, 0), np.float32))
        mean, deviation = mean_and_deviation(values)
        scale = np.where(deviation > 0, deviation, 1.0)
        standardised = (values - mean) / scale
        axes = np.linalg.svd(standardised, full_matrices=False)[2][:AXES]
        points = (standardised @ axes.T).astype(np.float32)
        return cls(mean, scale, axes, points, None if materials is None else _limit(points, materials))

    def along_axes(self, features: npt.NDArray[np.floating]) -> Floats:
        """(n, c) positions of sites (n, d) in the space of `points`."""
        found: Floats = ((features.astype(np.float64) - self.mean) / self.scale) @ self.axes.T
        return found

    def distance(self, features: npt.NDArray[np.floating]) -> Floats:
        """(n,) Euclidean distance of each site (n, d) to the nearest training site, in standard deviations.

        0 for all if there are no training sites; this says nothing about the sites.
        """
        if not len(self.points) or not len(features):
            return np.zeros(len(features))
        return np.asarray(cKDTree(self.points).query(self.along_axes(features))[0], dtype=np.float64)


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
