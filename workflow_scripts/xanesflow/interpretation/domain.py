"""Whether a spectrum is like those that were simulated.

The distance to the nearest simulated spectrum gives no warning: a metal passes for an oxide. So two statistics are
combined. A classifier tells simulated spectra from made-up foreign ones, whose white line is damped or whose edge has
two steps, as those of sulfides and metals. The distance to the nearest spectra is taken in the four leading components.
How unusual both are is counted on the validation part, and again for their product, so that a spectrum of the kind that
was simulated is called foreign in `LEVEL` of the cases only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import N_POINTS, STEP_EV
from xanesflow.interpretation.forest import Forest
from xanesflow.interpretation.views import MEASURED, distort, see

LEVEL = 0.05
"""Below this p-value a spectrum is called foreign."""

_COMPONENTS, _NEIGHBOURS = 4, 10
_TRAINING_COPIES, _VALIDATION_COPIES = 2, 4
_TREES: dict[str, Any] = {"trees": 60, "min_leaf": 3, "max_features": 0.3}


@dataclass(frozen=True, eq=False)
class Domain:
    """What is needed to judge a spectrum.

    Attributes:
        classifier: its output is 1 for foreign spectra.
        mean, axes: (d,) and (d, 4): the leading components, scaled to unit variance.
        places: (m, 4) of the training spectra.
        scores: (2, v) of both statistics on the validation part, ascending.
        products: (v,) of the two p-values there, ascending.
    """

    classifier: Forest
    mean: Floats
    axes: Floats
    places: Floats
    scores: Floats
    products: Floats

    @classmethod
    def fit(cls, train: Floats, val: Floats, seed: int) -> Domain:
        """Fit to (n, 141) training spectra, and calibrate on (m, 141) validation spectra."""
        rng = np.random.default_rng([seed, 27])
        known = _copies(train, _TRAINING_COPIES, rng)
        foreign = see(distort(foreign_spectra(train, rng), MEASURED, rng), "aligned")
        labels = np.concatenate([np.zeros(len(known)), np.ones(len(foreign))])
        classifier = Forest.fit(np.concatenate([known, foreign]), labels[:, None], seed=seed, **_TREES)
        mean = known.mean(axis=0)
        _, size, right = np.linalg.svd(known - mean, full_matrices=False)
        axes = right[:_COMPONENTS].T / (size[:_COMPONENTS] / np.sqrt(len(known)))
        fitted = cls(classifier, mean, axes, (known - mean) @ axes, np.zeros((2, 0)), np.zeros(0))
        scores = fitted._statistics(_copies(val, _VALIDATION_COPIES, rng))
        ordered = np.sort(scores, axis=1)
        products = np.prod([_p_values(*each) for each in zip(ordered, scores, strict=True)], axis=0)
        return cls(classifier, mean, axes, fitted.places, ordered, np.sort(products))

    def p_values(self, seen: Floats) -> Floats:
        """(n,) how often a simulated spectrum is as unusual as each of (n, d) spectra in the view `aligned`."""
        each = [_p_values(*pair) for pair in zip(self.scores, self._statistics(seen), strict=True)]
        return _p_values(-self.products[::-1], -np.prod(each, axis=0))

    def _statistics(self, seen: Floats) -> Floats:
        """(2, n) output of the classifier, and mean distance to the nearest training spectra."""
        from scipy.spatial import cKDTree

        distances, _ = cKDTree(self.places).query((seen - self.mean) @ self.axes, k=min(_NEIGHBOURS, len(self.places)))
        return np.stack([self.classifier.predict(seen)[0][:, 0], distances.mean(axis=1)])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays by name, to be stored."""
        own = {name: getattr(self, name) for name in ("mean", "axes", "places", "scores", "products")}
        return own | {f"classifier.{name}": value for name, value in self.classifier.arrays().items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Domain:
        """Read it back.

        Raises:
            KeyError: an array is missing.
        """
        trees = {n.removeprefix("classifier."): v for n, v in arrays.items() if n.startswith("classifier.")}
        return cls(
            Forest.from_arrays(trees), *(arrays[name] for name in ("mean", "axes", "places", "scores", "products"))
        )


def _copies(spectra: Floats, number: int, rng: np.random.Generator) -> Floats:
    """The view `aligned` of spectra, and of distorted copies of them."""
    return np.concatenate(
        [see(spectra, "aligned"), *(see(distort(spectra, MEASURED, rng), "aligned") for _ in range(number))]
    )


def foreign_spectra(spectra: Floats, rng: np.random.Generator) -> Floats:
    """(n, 141) spectra that no simulated site has: steps with hardly a white line, half of them in two parts.

    Each keeps at most 30 % of the features of a simulated spectrum, and gets a slow oscillation after the edge.
    """
    energy = STEP_EV * np.arange(N_POINTS, dtype=np.float64)
    shape = (len(spectra), 1)
    divided = spectra / spectra[:, -60:].mean(axis=1, keepdims=True)
    edge = rng.uniform(6, 14, shape)
    first = _step(energy, edge, rng.uniform(0.5, 3.0, shape))
    second = _step(energy, edge + rng.uniform(4, 9, shape), rng.uniform(0.8, 3.0, shape))
    height = np.where(rng.random(shape) < 0.5, rng.uniform(0.3, 0.65, shape), 1.0)
    features = rng.uniform(-0.3, 0.3, shape) * (divided - 1) * (energy > edge - 4)
    phase = 2 * np.pi * (energy / rng.uniform(8, 30, shape) + rng.random(shape))
    waves = rng.uniform(0, 0.12, shape) * np.sin(phase) * (energy > edge)
    return np.asarray((height * first + (1 - height) * second) * (1 + features + waves))


def _step(energy: Floats, edge: Floats, width: Floats) -> Floats:
    return np.asarray(0.5 + np.arctan((energy - edge) / width) / np.pi)


def _p_values(ordered: Floats, scores: Floats) -> Floats:
    """(n,) share of the ascending scores that are at least as large, with the spectrum itself among them."""
    above = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return np.asarray((1 + above) / (1 + len(ordered)))
