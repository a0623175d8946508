"""Standardise features: mean 0 and standard deviation 1 over the sites that a model learns from."""

from __future__ import annotations

import numpy as np

from xanesflow.core.array_types import Floats

CLIP = 6.0
"""Standardised inputs of a model are clipped at ± this: a site far outside the training part counts as one at its
border."""


def mean_and_deviation(values: Floats) -> tuple[Floats, Floats]:
    """(d,) means and standard deviations of (n, d) features, in their unit; 0 for a feature that is constant.

    A feature that varies within the rounding of float32 is constant: its deviation would only amplify rounding, or an
    unseen value.
    """
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    constant = deviation <= 1e-6 * np.maximum(np.abs(mean), np.finfo(np.float32).tiny)
    return mean, np.where(constant, 0.0, deviation)
