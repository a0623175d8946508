"""How similar two computed spectra are, whatever their absolute energies and scales.

Codes differ in their energy zero by several eV, so two spectra are aligned first. As in arXiv 2303.17089 only the 35 eV
from where each passes 2 % of its maximum are compared, the shift is the one at which the cosine of the two, seen as
vectors, is largest, and at that shift Spearman's rank correlation is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.stats import spearmanr

Array = NDArray[np.float64]

RANGE_EV = 35.0
"""That is compared, from where a spectrum passes `ONSET` of its maximum."""

ONSET = 0.02
REACH_EV = 12.0
"""How far from the difference of the two onsets a shift is searched."""

LEAST_OVERLAP = 0.5
"""Of the shorter of the two compared parts; a shift that leaves less is no alignment."""

_POINTS = 300
_COARSE_EV, _FINE_EV = 0.24, 0.02


@dataclass(frozen=True)
class Similarity:
    """How similar two spectra are.

    Attributes:
        shift_ev: to be added to the energies of the second.
        cosine: of the two at this shift, 1 for the same shape.
        spearman: their rank correlation at this shift.
    """

    shift_ev: float
    cosine: float
    spearman: float


def compared_part(energy_ev: Array, values: Array) -> slice:
    """The part of a spectrum that is compared; energies (n,) rising.

    Raises:
        ValueError: the spectrum is nowhere positive, or its compared part has fewer than four points.
    """
    above = np.flatnonzero(values > ONSET * values.max())
    if not values.max() > 0:
        raise ValueError("the spectrum is nowhere positive")
    part = slice(int(above[0]), int(np.searchsorted(energy_ev, energy_ev[above[0]] + RANGE_EV)))
    if part.stop - part.start < 4:
        raise ValueError("the spectrum ends right after its onset")
    return part


def compare_spectra(one: tuple[Array, Array], other: tuple[Array, Array]) -> Similarity:
    """Align the second spectrum to the first and compare them.

    Args:
        one: energies in eV, rising, and values.
        other: the same of the second; neither their energies nor their units need to agree.

    Raises:
        ValueError: one of them is no spectrum, see `compared_part`.
    """
    (x, y), (u, v) = ((s[0][compared_part(*s)], s[1][compared_part(*s)]) for s in (one, other))
    first, second = CubicSpline(x, y), CubicSpline(u, v)
    share = np.linspace(0, 1, _POINTS)

    def pairs(shifts: Array) -> tuple[Array, Array]:
        begin = np.maximum(x[0], u[0] + shifts)[:, None]
        end = np.minimum(x[-1], u[-1] + shifts)[:, None]
        grid = begin + (end - begin) * share
        return first(grid), second(grid - shifts[:, None])

    def best(shifts: Array) -> tuple[float, float]:
        overlap = np.minimum(x[-1], u[-1] + shifts) - np.maximum(x[0], u[0] + shifts)
        shifts = shifts[overlap >= LEAST_OVERLAP * min(np.ptp(x), np.ptp(u))]
        a, b = pairs(shifts)
        cosines = (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
        return float(shifts[cosines.argmax()]), float(cosines.max())

    coarse, _ = best(x[0] - u[0] + np.arange(-REACH_EV, REACH_EV + _COARSE_EV / 2, _COARSE_EV))
    # No spectrum has features so narrow that a step of the first search could jump over its best shift.
    shift, cosine = best(coarse + np.arange(-_COARSE_EV, _COARSE_EV + _FINE_EV / 2, _FINE_EV))
    a, b = pairs(np.array([shift]))
    return Similarity(shift, cosine, float(spearmanr(a[0], b[0]).statistic))
