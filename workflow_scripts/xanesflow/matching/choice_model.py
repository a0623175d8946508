"""How sure a match is: the probability of each candidate, learned from measured spectra of known compounds.

A conditional logit model: the probability of a candidate is proportional to the exponential of a weighted sum of its
measures of likeness. The weights were fitted to known standards (studies/study_matching.py), so that the probabilities
agree with the share of cases in which such a candidate was the right one. They hold if the right structure is among
the candidates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter
from scipy.special import log_softmax, softmax

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import write_text
from xanesflow.matching.likeness import Bounds, Likeness, SpectrumCorrection

CALIBRATIONS = Path(__file__).parent / "calibrations"
"""Folder of the calibrations that come with the package, one for each kind of candidates."""

MEASURED = "measured"
"""Takes the place of a level of theory where the candidates are measured spectra."""

MEASURES = ("log_rms", "log_slope_mismatch", "log_rank_mismatch", "shift_deviation", "width_deviation")

PIVOT, HIGHEST = 3.0, 3.5
"""Oxidation state at which a compound's expected shift is the element's own, and from which on it stays the same."""

_WIDTH_SD_EV = 1.0

_LEAST = 1e-3
RIDGE = 0.02


@dataclass(frozen=True)
class Expected:
    """What a right candidate should need: a shift, with its standard deviation, and a width, all in eV."""

    mean_ev: float
    sd_ev: float
    width_ev: float = 2.5


@dataclass(frozen=True)
class MatchCalibration:
    """What was learned from the known standards for one kind of candidates.

    Attributes:
        theory: level of theory of the candidates, or `MEASURED`.
        weights: of the measures, by name.
        expected: by class of material (`metal`, `compound`) and element; `other` stands for further elements.
        slope_ev: by how much the shift of a compound rises for one more in its oxidation state, as computed edges
            move too little with it.
        widths_ev: smallest and largest broadening.
        correction: of all candidates' spectra.
        rms_of_right: largest RMS of nine in ten right candidates; a larger one calls for a warning.
        known: what was measured with it, for the documentation: shares and numbers.
    """

    theory: str
    weights: Mapping[str, float]
    expected: Mapping[str, Mapping[str, Expected]]
    slope_ev: float
    widths_ev: tuple[float, float]
    correction: SpectrumCorrection
    rms_of_right: float
    known: Mapping[str, Any] = field(default_factory=dict)

    @property
    def computed(self) -> bool:
        """Whether the candidates are computed; else they are measured."""
        return self.theory != MEASURED

    def expects(self, element: str, *, metal: bool, oxidation_state: float | None) -> Expected:
        """What a candidate should need."""
        of_class = self.expected["metal" if metal else "compound"]
        known = of_class.get(element, of_class["other"])
        if metal or not self.slope_ev:
            return known
        if oxidation_state is None:
            return replace(known, sd_ev=known.sd_ev + self.slope_ev)
        return replace(known, mean_ev=known.mean_ev + self.slope_ev * (min(oxidation_state, HIGHEST) - PIVOT))

    def bounds(self, expected: Expected) -> Bounds:
        """Where shift and width of a candidate are searched: within three standard deviations of the expected shift."""
        reach = 3 * expected.sd_ev
        lowest, highest = expected.mean_ev - reach, expected.mean_ev + reach
        return Bounds((lowest, highest), self.widths_ev, (expected.mean_ev, expected.sd_ev))

    def probabilities(self, likenesses: Sequence[Likeness], expected: Sequence[Expected]) -> Floats:
        """(n,) probability that each of n candidates is the right one; they add up to 1."""
        rows = np.array([measures(each, shift) for each, shift in zip(likenesses, expected, strict=True)])
        weights = np.array([self.weights[name] for name in MEASURES])
        return np.asarray(softmax(-rows @ weights))

    def write(self, path: Path) -> None:
        """Write as JSON."""
        write_text(path, json.dumps(asdict(self), indent=1) + "\n")


def measures(likeness: Likeness, expected: Expected) -> list[float]:
    """The numbers that the model weighs, named as `MEASURES`; each is smaller for a better candidate."""
    return [
        float(np.log(max(likeness.rms, _LEAST))),
        float(np.log(max(1 - likeness.derivative_correlation, _LEAST))),
        float(np.log(max(1 - likeness.spearman, _LEAST))),
        ((likeness.shift_ev - expected.mean_ev) / expected.sd_ev) ** 2 / 2,
        ((likeness.width_ev - expected.width_ev) / _WIDTH_SD_EV) ** 2 / 2,
    ]


def fit_weights(cases: Sequence[tuple[Floats, int, float]], *, ridge: float = RIDGE) -> Floats:
    """Fit the weights of the measures by maximum likelihood; none is negative.

    Args:
        cases: for each known spectrum the (n, m) measures of its candidates, the row of the right one, and how much
            the case counts.
        ridge: penalty on the squares of all weights but the first.

    Returns:
        (m,)
    """
    from scipy.optimize import minimize

    total = sum(weight for *_, weight in cases)

    def cost(weights: Floats) -> float:
        value = 0.0
        for rows, right, weight in cases:
            value -= weight * log_softmax(-rows @ weights)[right]
        return float(value / total + ridge * np.sum(weights[1:] ** 2) / 2)

    size = cases[0][0].shape[1]
    found = minimize(cost, np.full(size, 1.0), method="L-BFGS-B", bounds=[(0.0, None)] * size)
    return np.asarray(found.x, dtype=np.float64)


def read_match_calibration(theory: str, folder: Path = CALIBRATIONS) -> MatchCalibration:
    """The calibration of a level of theory.

    Raises:
        XanesflowError: there is none for this theory.
    """
    path = folder / f"{theory}.json"
    try:
        content = path.read_bytes()
    except OSError:
        have = sorted(each.stem for each in folder.glob("*.json") if each.stem != MEASURED)
        raise XanesflowError(
            f"Matches against {theory} were never checked on known standards, so nothing can be said about how sure "
            f"they are; use {' or '.join([*have, '--measured'])}, or make a calibration with studies/study_matching.py."
        ) from None
    return TypeAdapter(MatchCalibration).validate_json(content)
