"""Simple models that a network has to beat: linear regression, gradient-boosted trees (arXiv 2409.19552, Fig. 6).

Both get the same inputs as a network: standardised features, with ACSF and SOAP as principal components. Like the best
epoch of a network, their settings are chosen on the validation part. Fitting takes seconds to minutes, so no model is
stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xanesflow.core.array_types import Floats
from xanesflow.models.network.reduction import principal_axes

Part = tuple[npt.NDArray[np.floating], Floats]
"""Inputs (n, k) and spectra (n, 141) in bohr² of one part of the split."""

PENALTIES = (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Penalties to choose from for linear regression, in units of the inputs' variance; 0 is plain least squares."""

SPECTRA_VARIANCE = 0.999
"""Share of the training spectra's variance that the trees predict; each principal component has its own trees."""

TREES: dict[str, Any] = {
    "learning_rate": 0.1,
    "max_iter": 1000,
    "max_leaf_nodes": 31,
    "min_samples_leaf": 20,
    "early_stopping": True,
    "n_iter_no_change": 20,
    "random_state": 0,
}
"""Settings of scikit-learn's HistGradientBoostingRegressor; it stops after 20 trees without gain on validation data."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted simple model."""

    predict: Callable[[npt.NDArray[np.floating]], Floats]  # (n, k) inputs -> (n, 141) spectra in bohr²
    settings: dict[str, Any]  # the chosen settings, as plain values that JSON can hold


def fit_linear(train: Part, val: Part) -> Fitted:
    """Linear regression with the penalty of PENALTIES that has the smallest squared error on the validation part.

    A penalty of 0 means least squares (with the smallest norm, if the inputs do not determine the solution). A penalty
    λ adds λ n |w|² to the sum of squares.
    """
    inputs, spectra = train[0].astype(np.float64), train[1]
    origin, mean = inputs.mean(axis=0), spectra.mean(axis=0)
    left, singular, right = np.linalg.svd(inputs - origin, full_matrices=False)
    there = singular > max(inputs.shape) * np.finfo(np.float64).eps * singular.max(initial=0.0)
    left, singular, right = left[:, there], singular[there], right[there]
    onto = left.T @ (spectra - mean)
    errors = []
    for penalty in PENALTIES:
        weights = _weights(singular, right, onto, penalty * len(inputs))
        errors.append(float(np.mean(((val[0] - origin) @ weights + mean - val[1]) ** 2)))
    penalty = PENALTIES[int(np.argmin(errors))]
    weights = _weights(singular, right, onto, penalty * len(inputs))
    return Fitted(
        lambda given: np.asarray((given - origin) @ weights + mean),
        {"penalty": penalty, "rank": int(there.sum()), "inputs": inputs.shape[1]},
    )


def _weights(singular: Floats, right: Floats, onto: Floats, penalty: float) -> Floats:
    """(k, 141) coefficients of ridge regression, from the singular value decomposition of the inputs."""
    return np.asarray(right.T @ ((singular / (singular**2 + penalty))[:, None] * onto))


def fit_trees(train: Part, val: Part) -> Fitted:
    """Gradient-boosted trees for each principal component of the training spectra, up to 99.9 % of their variance.

    The values at 141 energies are not 141 unknowns: about ten components hold all but a thousandth of the variance.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # the import takes a second

    mean = train[1].mean(axis=0)
    axes = principal_axes(train[1], SPECTRA_VARIANCE)
    components, wanted = (train[1] - mean) @ axes, (val[1] - mean) @ axes
    # Divide by the standard deviations: the tolerances of the trees assume values of the order of 1.
    size = components.std(axis=0)
    size[size == 0] = 1.0
    trees = [
        HistGradientBoostingRegressor(**TREES).fit(train[0], y, X_val=val[0], y_val=y_val)
        for y, y_val in zip((components / size).T, (wanted / size).T, strict=True)
    ]

    def predict(given: npt.NDArray[np.floating]) -> Floats:
        if not len(given):
            return np.zeros((0, len(mean)))
        return np.asarray(np.column_stack([each.predict(given) for each in trees]) * size @ axes.T + mean)

    return Fitted(predict, {**TREES, "components": len(trees), "trees": [int(each.n_iter_) for each in trees]})


SIMPLE_MODELS: dict[str, Callable[[Part, Part], Fitted]] = {"linear": fit_linear, "trees": fit_trees}
"""The function that fits each model of `models.simple_models`, by name."""
