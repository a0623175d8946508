"""Error bars and probabilities that hold on spectra an interpreter did not learn from.

The bars are conformal: how many times its expected error a value is off is counted on the validation part, whose
spectra are distorted as those of the training are, so that the bars know of an unknown calibration too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from xanesflow.core.array_types import Floats
from xanesflow.interpretation.targets import Targets

LEVELS = (0.5, 0.68, 0.9, 0.95)
"""Shares of the sites that the bars should hold; those of 90 % are shown."""

FEWEST_VALIDATION = 8
"""Fewest validation sites with a descriptor for bars; with fewer, its bars are the prior."""


@dataclass(frozen=True, eq=False)
class Bars:
    """How wide error bars must be, and how far probabilities must be flattened.

    Attributes:
        floor: (k,) part of the expected error that is the same for all spectra, in units of the descriptor's scale.
        factor: (levels, k) how many times the expected error the bars reach; infinite: as wide as the prior.
        temperature: by descriptor with classes; above 1 it brings probabilities closer together.
    """

    floor: Floats
    factor: Floats
    temperature: dict[str, float]

    @classmethod
    def fit(cls, found: Floats, spread: Floats, wanted: Floats, targets: Targets, sites: int) -> Bars:
        """Count on validation spectra.

        Args:
            found: (n, k + classes) outputs of the reader.
            spread: (n, k + classes) of them.
            wanted: (n, k + classes) the truth; NaN where it is not known.
            targets: what the outputs are.
            sites: validation sites, of which the n spectra are copies. As in conformal prediction, a level p counts as
                p (m + 1) / m for m sites.
        """
        k = len(targets.names)
        floor, factor = np.ones(k), np.full((len(LEVELS), k), np.inf)
        for column in range(k):
            known = np.isfinite(wanted[:, column])
            effective = known.mean() * sites
            if effective < FEWEST_VALIDATION:
                continue
            residual = np.abs(wanted[known, column] - found[known, column])
            floor[column] = np.sqrt(np.mean(residual**2)) / 2 + 1e-6
            scores = residual / np.hypot(spread[known, column], floor[column])
            levels = np.minimum(1.0, np.array(LEVELS) * (effective + 1) / effective)
            factor[:, column] = np.quantile(scores, levels, method="higher")
        temperature = {
            name: _temperature(found[:, block], wanted[:, block]) for name, block in targets.blocks().items()
        }
        return cls(floor, factor, temperature)

    def around(self, found: Floats, spread: Floats, targets: Targets, level: float = 0.9) -> tuple[Floats, Floats]:
        """(n, k) lower and upper ends in the descriptors' units, within the range of the training sites."""
        k = len(targets.names)
        values = found[:, :k] * targets.scale + targets.mean
        half = np.hypot(spread[:, :k], self.floor) * self.factor[LEVELS.index(level)] * targets.scale
        return np.clip(values - half, targets.low, targets.high), np.clip(values + half, targets.low, targets.high)

    def probabilities(self, found: Floats, targets: Targets) -> dict[str, Floats]:
        """(n, c) of each class, by descriptor."""
        return {name: _flattened(found[:, block], self.temperature[name]) for name, block in targets.blocks().items()}


def _temperature(found: Floats, wanted: Floats) -> float:
    known = np.isfinite(wanted).all(axis=1)
    if known.sum() < FEWEST_VALIDATION:
        return 1.0
    truth = wanted[known].argmax(axis=1)

    def loss(logarithm: float) -> float:
        chosen = _flattened(found[known], float(np.exp(logarithm)))[np.arange(len(truth)), truth]
        return float(-np.mean(np.log(chosen)))

    return float(np.exp(minimize_scalar(loss, bounds=(-1.5, 2.0), method="bounded").x))


def _flattened(shares: Floats, temperature: float) -> Floats:
    logits = np.log(np.maximum(shares, 0.0) + 1e-3) / temperature
    found = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(found / found.sum(axis=1, keepdims=True))
