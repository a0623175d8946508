"""Predicts sites whose cheap run failed: a delta model uses the structure alone, with separate error bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xanesflow.core.array_types import Floats
from xanesflow.models.delta.delta_model import DeltaModel
from xanesflow.models.model_kinds import TrainedModel

SIGMAS = {0.68: 0.9945, 0.95: 1.96}
"""Half widths of the bands of a normal distribution, in standard deviations."""


def spectra_by_seed(
    seed_models: Sequence[TrainedModel], features: NDArray[np.float32]
) -> tuple[Floats, NDArray[np.bool_]]:
    """(k, n, 141) spectra in bohr² by k seeds, and (n,) which of them come from the structure alone.

    Args:
        seed_models: the seeds of a model.
        features: (n, d); for a delta model, the columns of a failed run are NaN.
    """
    no_run: NDArray[np.bool_] = np.asarray(np.isnan(features).any(axis=1))
    if not no_run.any():
        return np.stack([seed_model.predict(features) for seed_model in seed_models]), no_run
    found = []
    for seed_model in seed_models:
        assert isinstance(seed_model, DeltaModel)  # for other models, sites without all features were left out
        spectra = seed_model.from_structure_alone(features)
        spectra[~no_run] = seed_model.predict(features[~no_run])
        found.append(spectra)
    return np.stack(found), no_run


def structure_only_bands(seed_models: Sequence[TrainedModel], spectra: Floats, level: float) -> Floats:
    """(2, n, 141) ends of the bands in bohr² around spectra (n, 141) that come from the structure alone.

    The bands are as wide as the errors at materials that were left out of the fit.
    """
    half = SIGMAS[level] * _error(seed_models)
    return np.maximum(np.stack([spectra - half, spectra + half]), 0.0)


def structure_only_errors(seed_models: Sequence[TrainedModel], n: int) -> Floats:
    """(n,) expected error of n such spectra, root mean square over the energies, bohr²."""
    return np.full(n, np.sqrt(np.mean(_error(seed_models) ** 2)))


def _error(seed_models: Sequence[TrainedModel]) -> Floats:
    """(141,) error of such spectra in bohr², root mean square over the seeds."""
    squares = [seed_model.structure_error**2 for seed_model in seed_models if isinstance(seed_model, DeltaModel)]
    return np.asarray(np.sqrt(np.mean(squares, axis=0)))
