"""How similar two computed spectra are, whatever their absolute energies and scales.

Codes differ in their energy zero by several eV, so the two spectra are aligned first. As in arXiv 2303.17089, only the
35 eV from where each spectrum passes 2 % of its maximum are compared. The shift is the one with the largest cosine
between the two spectra as vectors. Spearman's rank correlation is taken at this shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.stats import spearmanr

from xanesflow.core.array_types import Floats

RANGE_EV = 35.0
"""Range that is compared, from where a spectrum passes `ONSET` of its maximum."""

ONSET = 0.02
REACH_EV = 12.0
"""The shift is searched within this distance of the difference between the two onsets."""

LEAST_OVERLAP = 0.5
"""Share of the shorter compared part that must overlap with the other one; shifts that leave less are ignored."""

_POINTS = 300
_COARSE_EV, _FINE_EV = 0.24, 0.02


@dataclass(frozen=True)
class Similarity:
    """How similar two spectra are."""

    shift_ev: float  # to be added to the energies of the second spectrum
    cosine: float  # between the two at this shift; 1 for the same shape
    spearman: float  # their rank correlation at this shift
    rms: float  # root mean square of their difference at this shift, each scaled to a mean of 1


def compared_part(energy_ev: Floats, values: Floats) -> slice:
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


def compare_spectra(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> Similarity:
    """Align the second spectrum to the first and compare them.

    Args:
        one: energies in eV, rising, and values.
        other: the same for the second spectrum; its energies and units may differ.

    Raises:
        ValueError: one of them has no part to compare; see `compared_part`.
    """
    (x, y), (u, v) = ((s[0][compared_part(*s)], s[1][compared_part(*s)]) for s in (one, other))
    first, second = CubicSpline(x, y), CubicSpline(u, v)
    share = np.linspace(0, 1, _POINTS)

    def pairs(shifts: Floats) -> tuple[Floats, Floats]:
        begin = np.maximum(x[0], u[0] + shifts)[:, None]
        end = np.minimum(x[-1], u[-1] + shifts)[:, None]
        grid = begin + (end - begin) * share
        return first(grid), second(grid - shifts[:, None])

    def best(shifts: Floats) -> tuple[float, float]:
        overlap = np.minimum(x[-1], u[-1] + shifts) - np.maximum(x[0], u[0] + shifts)
        shifts = shifts[overlap >= LEAST_OVERLAP * min(np.ptp(x), np.ptp(u))]
        a, b = pairs(shifts)
        cosines = (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
        return float(shifts[cosines.argmax()]), float(cosines.max())

    coarse, _ = best(x[0] - u[0] + np.arange(-REACH_EV, REACH_EV + _COARSE_EV / 2, _COARSE_EV))
    # The coarse step is narrower than any feature of a spectrum, so the best shift is close to the coarse one.
    shift, cosine = best(coarse + np.arange(-_COARSE_EV, _COARSE_EV + _FINE_EV / 2, _FINE_EV))
    a, b = pairs(np.array([shift]))
    difference = a[0] / a[0].mean() - b[0] / b[0].mean()
    return Similarity(shift, cosine, float(spearmanr(a[0], b[0]).statistic), float(np.sqrt(np.mean(difference**2))))
