"""Wide descriptors on a few axes: principal components of the training part.

ACSF and SOAP give thousands of numbers a site, most of them nearly proportional to others. As in arXiv 2409.19552, a
model sees their principal components instead, as many as hold 99 % of the variance. Unlike there, the axes come from
the training part alone: no other part may shape a model.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from xanesflow.core.feature_names import REDUCED

VARIANCE = 0.99
"""Share of a descriptor's variance over the training part that its components hold."""

Floats = npt.NDArray[np.float64]


def fit_projection(dimensions: Mapping[str, int], training: npt.NDArray[np.floating]) -> npt.NDArray[np.float32] | None:
    """The matrix from centred features to what a model sees of them.

    Args:
        dimensions: numbers per site of each featurizer, in the order of the columns.
        training: (n, d) features of the training part, in any unit.

    Returns:
        (d, k): columns of the identity for features that are taken as they are, orthonormal axes in the order of
        their variance for those in `feature_names.REDUCED`; None if there are no such.
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
    """Orthonormal axes of the largest variance, as many as hold a share of it.

    Args:
        values: (n, d).
        variance: the share, above 0 and below 1.

    Returns:
        (d, k), the largest variance first; the first axis of the features, if all rows are equal.
    """
    from sklearn.decomposition import PCA  # half a second, for nothing where no descriptor is wide

    exact = np.asarray(values, dtype=np.float64)
    # To the rounding of float32, in which features are stored: beyond it there is nothing but noise to find axes in.
    if exact.std(axis=0).max() <= 1e-6 * max(float(np.abs(exact).max()), float(np.finfo(np.float32).tiny)):
        return np.eye(exact.shape[1], 1)
    # The covariance is the smaller matrix if there are more sites than columns.
    solver = "covariance_eigh" if len(exact) > exact.shape[1] else "full"
    axes: Floats = PCA(variance, svd_solver=solver).fit(exact).components_.T
    return axes
