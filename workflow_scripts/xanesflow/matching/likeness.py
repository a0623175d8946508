"""How alike a measured and a computed spectrum are, at the best shift and broadening within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import rankdata

from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import even_energies
from xanesflow.core.errors import XanesflowError
from xanesflow.measured import MeasuredSpectrum

BEFORE_EV, AFTER_EV = 15.0, 30.0
"""Energies compared, relative to where the measured spectrum last crosses half its step."""

STEP_EV = 0.5
"""Between the energies compared."""

_LEAST_AFTER_EV = 15.0
_FINE_EV = 0.25
_GRID = np.arange(-40.0, 50.0, _FINE_EV)
"""Energies relative to the edge at which curves are broadened, so that all share the same matrices."""


@dataclass(frozen=True, eq=False)
class Target:
    """What candidates are compared with."""

    energy_ev: Floats  # (n,) absolute photon energies, `STEP_EV` apart
    values: Floats  # (n,) the normalised, flattened spectrum
    half_step_ev: float  # where it last crosses one half


@dataclass(frozen=True, eq=False)
class Curve:
    """A candidate's normalised spectrum."""

    energy_ev: Floats  # (m,) rising, absolute photon energies
    values: Floats  # (m,) without unit
    edge_ev: float  # the edge on the same energies, from which widths and the stretch are counted


@dataclass(frozen=True)
class SpectrumCorrection:
    """What makes all computed spectra more like measured ones."""

    stretch: float = 1.0  # factor of energies relative to the edge; computed features lie too close together
    width_at_edge: float = 1.0  # factor of the width up to the edge
    width_far: float = 1.0  # factor of the width far above it
    rise_ev: float = 15.0  # energy above the edge over which the factor rises by 1


@dataclass(frozen=True)
class Bounds:
    """Where shift and width are searched.

    Attributes:
        shift_ev: lowest and highest, added to a candidate's energies.
        width_ev: smallest and largest standard deviation of the Gaussian, before the correction's factor.
        expected_ev: shift that is expected, and its standard deviation; farther shifts cost as much as a worse fit.
        strength: how many independent points the fit counts for, against the expectation of the shift.
    """

    shift_ev: tuple[float, float]
    width_ev: tuple[float, float] = (0.0, 4.0)
    expected_ev: tuple[float, float] | None = None
    strength: float = 12.0


@dataclass(frozen=True, eq=False)
class Likeness:
    """A candidate's spectrum laid over a measured one."""

    shift_ev: float  # added to the candidate's energies
    width_ev: float  # standard deviation of the Gaussian that it was broadened with, before the correction's factor
    rms: float  # root of the mean squared difference, in units of the edge step
    spearman: float  # rank correlation
    derivative_correlation: float  # Pearson's correlation of the derivatives
    fitted: Floats  # (n,) the candidate's spectrum at the target's energies; NaN where it does not reach


def target_of(spectrum: MeasuredSpectrum) -> Target:
    """The part of a measured spectrum near the edge, at even energies."""
    half = spectrum.half_step_ev
    first = max(half - BEFORE_EV, spectrum.energy_ev[0])
    last = min(half + AFTER_EV, spectrum.energy_ev[-1])
    energy = even_energies(first, last, STEP_EV)
    # Averages over a step, where the scan has several points in it, lower its noise.
    fine = np.arange(energy[0] - STEP_EV / 2, energy[-1] + STEP_EV, STEP_EV / 8)
    integral = np.concatenate(
        [[0.0], np.cumsum(np.interp(fine[:-1] + STEP_EV / 16, spectrum.energy_ev, spectrum.flattened))]
    )
    edges = np.interp(energy + STEP_EV / 2, fine, integral) - np.interp(energy - STEP_EV / 2, fine, integral)
    return Target(energy, np.asarray(edges / 8), half)


def fit_candidate(
    target: Target, curve: Curve, bounds: Bounds, correction: SpectrumCorrection | None = None
) -> Likeness:
    """Find the shift and the width with which a candidate fits best; no scale is free.

    Args:
        target: the measured spectrum.
        curve: the candidate.
        bounds: of shift and width.
        correction: of all computed spectra; None: none.

    Raises:
        XanesflowError: the candidate ends too soon after the edge.
    """
    correction = correction or SpectrumCorrection()
    shifts = np.arange(bounds.shift_ev[0], bounds.shift_ev[1] + _FINE_EV / 2, _FINE_EV)
    # Energies compared are those that the candidate reaches at the middle shift, so that every shift has the same ones.
    ends = curve.edge_ev + correction.stretch * (curve.energy_ev[-1] - curve.edge_ev) + float(np.mean(shifts))
    reach = target.energy_ev <= ends
    if not np.any(target.energy_ev[reach] >= target.half_step_ev + _LEAST_AFTER_EV):
        raise XanesflowError(
            f"its spectrum ends at {curve.energy_ev[-1]:.0f} eV, too soon for the measured edge at "
            f"{target.half_step_ev:.0f} eV"
        )
    energy, measured = target.energy_ev[reach], target.values[reach]

    # Try all widths, and all shifts at each. Beyond its ends the candidate continues level.
    penalty = np.zeros(len(shifts))
    if bounds.expected_ev is not None:
        penalty = ((shifts - bounds.expected_ev[0]) / bounds.expected_ev[1]) ** 2 / bounds.strength
    even = np.interp(_GRID, curve.energy_ev - curve.edge_ev, curve.values)
    at = (energy[None, :] - shifts[:, None] - curve.edge_ev) / correction.stretch
    best = (np.inf, 0.0, 0.0, measured)
    for width in np.arange(bounds.width_ev[0], bounds.width_ev[1] + _FINE_EV / 2, _FINE_EV):
        laid = np.interp(at, _GRID, _gaussians(float(width), correction) @ even)
        cost = np.log(np.mean((laid - measured) ** 2, axis=1)) + penalty
        least = int(np.argmin(cost))
        if cost[least] < best[0]:
            best = (float(cost[least]), float(shifts[least]), float(width), laid[least])
    _, shift, width, laid = best
    fitted = np.full(len(target.energy_ev), np.nan)
    fitted[reach] = laid
    rms = float(np.sqrt(np.mean((laid - measured) ** 2)))
    ranks = np.corrcoef(rankdata(laid), rankdata(measured))[0, 1]
    slopes = np.corrcoef(np.gradient(laid), np.gradient(measured))[0, 1]
    return Likeness(shift, width, rms, float(ranks), float(slopes), fitted)


def correct(curve: Curve, width_ev: float, correction: SpectrumCorrection) -> tuple[Floats, Floats]:
    """Broaden and stretch a candidate's spectrum, without a shift.

    Args:
        curve: the candidate.
        width_ev: of the Gaussian, before the correction's factor.
        correction: of all computed spectra.

    Returns:
        (k,) absolute energies as far as the candidate reaches, and (k,) values.
    """
    even = np.interp(_GRID, curve.energy_ev - curve.edge_ev, curve.values)
    inside = curve.energy_ev[-1] - curve.edge_ev >= _GRID
    energy = curve.edge_ev + correction.stretch * _GRID[inside]
    return energy, np.asarray((_gaussians(width_ev, correction) @ even)[inside])


@lru_cache(maxsize=128)
def _gaussians(width: float, correction: SpectrumCorrection) -> Floats:
    """(k, k) matrix that broadens a spectrum on `_GRID`; each row adds up to 1."""
    factor = np.clip(
        correction.width_at_edge + np.maximum(_GRID, 0.0) / correction.rise_ev,
        correction.width_at_edge,
        correction.width_far,
    )
    sigma = np.maximum(width * factor, _FINE_EV / 4)
    weights = np.exp(-(((_GRID[:, None] - _GRID[None, :]) / sigma[:, None]) ** 2) / 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
