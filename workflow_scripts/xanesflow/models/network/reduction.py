"""Reduce wide descriptors to their principal components over the training part.

ACSF and SOAP give thousands of numbers for each site, most of them nearly proportional to others. As in
arXiv 2409.19552, a network or simple model gets their principal components instead, as many as hold 99 % of the
variance. Unlike in the paper, the axes come from the training part alone: no other part may shape a model.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from xanesflow.core.array_types import Floats
from xanesflow.core.feature_names import REDUCED

VARIANCE = 0.99
"""Share of a descriptor's variance over the training part that its principal components hold."""


def fit_projection(dimensions: Mapping[str, int], training: npt.NDArray[np.floating]) -> npt.NDArray[np.float32] | None:
    """The matrix that turns centred features into the inputs of a model.

    Args:
        dimensions: numbers per site of each featurizer, in the order of the columns.
        training: (n, d) features of the training part, in any unit.

    Returns:
        (d, k): orthonormal axes in the order of their variance for features in `feature_names.REDUCED`, columns of the
        identity for all others. None if no feature is reduced.
    """
    if not REDUCED & set(dimensions):
        return None
    blocks = []
    first = 0
    for name, size in dimensions.items():
        columns = slice(first, first + size)
        blocks.append((columns, principal_axes(training[:, columns]) if name in REDUCED else np.eye(size)))
        first += size
    projection = np.zeros((first, sum(axes.shape[1] for _, axes in blocks)), dtype=np.float32)
    done = 0
    for columns, axes in blocks:
        projection[columns, done : done + axes.shape[1]] = axes
        done += axes.shape[1]
    return projection


def principal_axes(values: npt.NDArray[np.floating], variance: float = VARIANCE) -> Floats:
    """Orthonormal axes of the largest variance, as many as hold the given share of it.

    Args:
        values: (n, d).
        variance: the share, above 0 and below 1.

    Returns:
        (d, k) axes, the largest variance first. If all rows are equal, the first coordinate axis.
    """
    from sklearn.decomposition import PCA  # the import takes half a second, and most models do not need it

    exact = np.asarray(values, dtype=np.float64)
    # Features are stored in float32: variation below its rounding is noise, and has no axes.
    if exact.std(axis=0).max() <= 1e-6 * max(float(np.abs(exact).max()), float(np.finfo(np.float32).tiny)):
        return np.eye(exact.shape[1], 1)
    # The covariance is the smaller matrix if there are more sites than columns.
    solver = "covariance_eigh" if len(exact) > exact.shape[1] else "full"
    axes: Floats = PCA(variance, svd_solver=solver).fit(exact).components_.T
    return axes
