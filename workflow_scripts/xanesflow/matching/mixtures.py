"""Linear combinations of standards: which few of them make up a spectrum, in which fractions, and how surely.

Fractions are never negative, and each standard may be shifted a little. Combinations are ranked by the Bayesian
information criterion, so that a further standard must earn its parameters. Points of a spectrum that lie closer than
the natural width of its features say the same, so the criterion and the intervals count one point for each
`INDEPENDENT_EV`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

import numpy as np
from scipy.optimize import least_squares, nnls
from scipy.stats import t as student

from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import even_energies
from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import first_of, listing, plural, printable
from xanesflow.matching.ranking import without_itself
from xanesflow.measured import MeasuredSpectrum

BEFORE_EV, AFTER_EV, STEP_EV = 20.0, 60.0, 0.5
"""Energies that are fitted, relative to the half step, and their distance."""

INDEPENDENT_EV = 2.0
"""Distance of independent points: about the lifetime width of a 3d metal's 1s level plus the monochromator's."""

MAX_SHIFT_EV = 1.0
"""How far a standard may be shifted by default; beamlines differ by about as much."""

MOST_TRIED = 500_000
"""Most combinations of standards that are tried for a spectrum."""

_REFINED = 15
_HEAVY = 1e4
_LEAST_AFTER_EV = 20.0
_LEVEL = 0.95
_AT_LIMIT_EV = 0.005


@dataclass(frozen=True, eq=False)
class Standard:
    """A spectrum of a known sample."""

    name: str  # of the standard
    energy_ev: Floats  # (n,) rising, absolute photon energies
    values: Floats  # (n,) normalised
    shift_ev: tuple[float, float] = (-MAX_SHIFT_EV, MAX_SHIFT_EV)  # lowest and highest shift
    scan: frozenset[str] | None = None  # of a measured spectrum (`MeasuredSpectrum.scan`)

    @property
    def id(self) -> str:
        """Its name."""
        return self.name


@dataclass(frozen=True, eq=False)
class Mixture:
    """A fitted combination of k standards."""

    rank: int  # from 1 on
    standards: tuple[str, ...]  # k names
    fractions: Floats  # (k,)
    low: Floats  # (k,) lower ends of the 95 % intervals
    high: Floats  # (k,) their upper ends
    shifts_ev: Floats  # (k,) of the standards
    rms: float  # root of the mean squared difference, in units of the edge step
    criterion: float  # Bayesian information criterion; smaller is better, and a difference of 6 is strong evidence
    fitted: Floats  # (n,) at the energies fitted
    at_limit: tuple[str, ...] = ()  # standards whose shift ends where it may go no farther

    @property
    def cells(self) -> list[str]:
        """What tables show of it: standards, fractions (95 %) and shifts (eV), a line each; RMS and criterion."""
        parts = zip(self.fractions, self.low, self.high, strict=True)
        return [
            "\n".join(printable(name, 40) for name in self.standards),
            "\n".join(f"{fraction:.3f} ({low:.3f} to {high:.3f})" for fraction, low, high in parts),
            "\n".join(f"{shift:+.2f}" for shift in self.shifts_ev),
            f"{self.rms:.4f}",
            f"{self.criterion:.1f}",
        ]


@dataclass(frozen=True, eq=False)
class MixtureFit:
    """All combinations tried for a spectrum."""

    spectrum: MeasuredSpectrum  # the measured one
    energy_ev: Floats  # (n,) energies fitted
    values: Floats  # (n,) the normalised spectrum there
    mixtures: tuple[Mixture, ...]  # the best first
    left_out: tuple[str, ...]  # sentences on standards that were not used
    cut_short: str = ""  # a sentence if a standard ends before the energies that are fitted else


def fit_mixtures(
    spectrum: MeasuredSpectrum,
    standards: Sequence[Standard],
    *,
    most: int = 3,
    sum_to_one: bool = False,
) -> MixtureFit:
    """Fit all combinations of up to `most` standards and rank them.

    Each combination is fitted without shifts first; the best ones of each size are then fitted with shifts. A spectrum
    is no standard of itself.

    Args:
        spectrum: the measured spectrum.
        standards: what it may consist of, each with a name of its own.
        most: largest number of standards in a combination.
        sum_to_one: whether the fractions must add up to 1.

    Raises:
        XanesflowError: the spectrum ends too soon, there are too many standards, or fewer than two that cover the edge.
    """
    standards, itself = without_itself(spectrum, standards)
    standards, short = _long_enough(spectrum, standards)
    left_out = [*itself, *short]
    if len(standards) < 2:
        why = f" ({'; '.join(each.rstrip('.') for each in left_out)})" if left_out else ""
        raise XanesflowError(f"A mixture needs at least two standards{why}; name more files, or a folder of them.")
    tries = sum(comb(len(standards), size) for size in range(1, most + 1))
    if tries > MOST_TRIED:
        raise XanesflowError(
            f"{plural(len(standards), 'standard')} have {tries} combinations of up to {most}, more than the "
            f"{MOST_TRIED} that are tried; name fewer standards, or allow fewer in a combination (--max)."
        )
    energy, values = _common_range(spectrum, standards)
    points = max((energy[-1] - energy[0]) / INDEPENDENT_EV, 4.0)
    unshifted = [_laid(each, energy, float(np.clip(0.0, *each.shift_ev))) for each in standards]

    # Screen all combinations without shifts, then refine the best of each size.
    chosen: list[tuple[int, ...]] = []
    for size in range(1, min(most, len(standards)) + 1):
        tried = []
        for members in combinations(range(len(standards)), size):
            matrix = np.array([unshifted[i] for i in members]).T
            _, misfit = _solve(matrix, values, sum_to_one=sum_to_one)
            tried.append((misfit, members))
        chosen += [members for _, members in sorted(tried)[:_REFINED]]
    found = []
    for members in chosen:
        found.append(_refine([standards[i] for i in members], energy, values, points=points, sum_to_one=sum_to_one))
    best = sorted((each for each in found if np.all(each.fractions > 0)), key=lambda each: each.criterion)
    ranked = tuple(replace(each, rank=rank) for rank, each in enumerate(best, 1))
    if not ranked:
        raise XanesflowError(f"No combination of the {plural(len(standards), 'standard')} resembles {spectrum.source}.")
    return MixtureFit(spectrum, energy, values, ranked, tuple(left_out), _cut_short(spectrum, standards, energy[-1]))


def cautions(fits: Sequence[MixtureFit], more: str = "") -> list[str]:
    """Sentences on what limits the fits; `more`: what else to do if standards would be shifted farther."""
    return [*dict.fromkeys(fit.cut_short for fit in fits if fit.cut_short), *_shifted_farther(fits, more)]


def _shifted_farther(fits: Sequence[MixtureFit], more: str) -> list[str]:
    """A sentence if standards of the best combinations are shifted as far as they may be."""
    names = list(dict.fromkeys(name for fit in fits for name in fit.mixtures[0].at_limit))
    if not names:
        return []
    return [
        f"In the best combination {listing([printable(name, 40) for name in names])} would be shifted farther than "
        "allowed, so energy scales differ, or this is not what the sample holds; calibrate the files with a foil"
        f"{more}."
    ]


def _long_enough(spectrum: MeasuredSpectrum, standards: Sequence[Standard]) -> tuple[list[Standard], list[str]]:
    """The standards that reach far enough after the edge, and a sentence on each other one.

    Raises:
        XanesflowError: the spectrum itself does not.
    """
    half = spectrum.half_step_ev
    if spectrum.energy_ev[-1] < half + _LEAST_AFTER_EV:
        raise XanesflowError(
            f"{spectrum.source} ends at {spectrum.energy_ev[-1]:.0f} eV, less than {_LEAST_AFTER_EV:g} eV after its "
            f"edge at {half:.0f} eV, too soon for a mixture; give a longer scan."
        )
    short = [each for each in standards if _ends(each) < half + _LEAST_AFTER_EV]
    return [each for each in standards if each not in short], [
        f"{printable(each.name, 40)} ends at {each.energy_ev[-1]:.0f} eV, less than {_LEAST_AFTER_EV:g} eV after the "
        f"edge at {half:.0f} eV and the shift that is allowed."
        for each in short
    ]


def _ends(standard: Standard) -> float:
    """The last energy that a standard covers at every shift."""
    return float(standard.energy_ev[-1] + min(standard.shift_ev[0], 0.0))


def _common_range(spectrum: MeasuredSpectrum, standards: Sequence[Standard]) -> tuple[Floats, Floats]:
    """Even energies near the edge that all spectra cover at every shift, and the spectrum there."""
    half = spectrum.half_step_ev
    last = min(half + AFTER_EV, spectrum.energy_ev[-1], *map(_ends, standards))
    first = max(half - BEFORE_EV, spectrum.energy_ev[0])
    energy = even_energies(first, last, STEP_EV)
    return energy, np.interp(energy, spectrum.energy_ev, spectrum.flattened)


def _cut_short(spectrum: MeasuredSpectrum, standards: Sequence[Standard], last: float) -> str:
    """A sentence if standards end well before the energies that would be fitted without them."""
    half = spectrum.half_step_ev
    whole = min(half + AFTER_EV, spectrum.energy_ev[-1])
    short = sorted((each for each in standards if each.energy_ev[-1] < whole - INDEPENDENT_EV), key=_ends)
    if not short:
        return ""
    names = first_of([f"{printable(each.name, 40)} (to {each.energy_ev[-1]:.0f} eV)" for each in short], 3)
    return (
        f"All combinations are fitted only up to {last:.0f} eV, {last - half:.0f} eV after the edge instead of "
        f"{whole - half:.0f} eV, because of {names}; leave out what is short, or give longer spectra."
    )


def _laid(standard: Standard, energy: Floats, shift: float) -> Floats:
    return np.asarray(np.interp(energy - shift, standard.energy_ev, standard.values))


def _solve(matrix: Floats, values: Floats, *, sum_to_one: bool) -> tuple[Floats, float]:
    """Fractions that are not negative, and the sum of squared differences."""
    if sum_to_one:
        fractions, _ = nnls(np.vstack([matrix, _HEAVY * np.ones(matrix.shape[1])]), np.append(values, _HEAVY))
    else:
        fractions, _ = nnls(matrix, values)
    return fractions, float(np.sum((matrix @ fractions - values) ** 2))


def _refine(members: Sequence[Standard], energy: Floats, values: Floats, *, points: float, sum_to_one: bool) -> Mixture:
    """Fit fractions and shifts; the fractions follow from the shifts, so only these are searched."""

    def matrix_of(shifts: Floats) -> Floats:
        return np.array([_laid(each, energy, shift) for each, shift in zip(members, shifts, strict=True)]).T

    def misfit(shifts: Floats) -> Floats:
        matrix = matrix_of(shifts)
        fractions, _ = _solve(matrix, values, sum_to_one=sum_to_one)
        return np.asarray(matrix @ fractions - values)

    low = np.array([each.shift_ev[0] for each in members])
    high = np.array([each.shift_ev[1] for each in members])
    movable = high > low
    shifts = np.clip(np.zeros(len(members)), low, high)
    if movable.all():
        inside = np.minimum(1e-3, (high - low) / 4)
        begin = np.clip(shifts, low + inside, high - inside)
        shifts = least_squares(misfit, begin, bounds=(low, high), diff_step=0.02, x_scale=0.1, max_nfev=40).x
    at_limit = movable & (np.minimum(shifts - low, high - shifts) < _AT_LIMIT_EV)
    matrix = matrix_of(shifts)
    fractions, squares = _solve(matrix, values, sum_to_one=sum_to_one)
    free = len(members) * (2 if movable.all() else 1) - (1 if sum_to_one else 0)
    rms = float(np.sqrt(squares / len(values)))
    criterion = points * np.log(max(squares / len(values), 1e-12)) + free * np.log(points)
    # The intervals come from the linearised problem, in which shifts that are searched are free too.
    slopes = np.gradient(matrix, energy, axis=0) * fractions if movable.all() else np.zeros((len(energy), 0))
    jacobian = np.hstack([matrix, slopes])
    if sum_to_one:
        jacobian = np.vstack([jacobian, _HEAVY * (np.arange(jacobian.shape[1]) < len(members))])
    spread = _spread(jacobian, squares, len(energy), points=points, free=free)[: len(members)]
    return Mixture(
        0,
        tuple(each.name for each in members),
        fractions,
        np.maximum(fractions - spread, 0.0),
        np.minimum(fractions + spread, 1.0) if sum_to_one else fractions + spread,
        shifts,
        rms,
        float(criterion),
        np.asarray(matrix @ fractions),
        tuple(each.name for each, ends in zip(members, at_limit, strict=True) if ends),
    )


def _spread(jacobian: Floats, squares: float, number: int, *, points: float, free: int) -> Floats:
    """(k,) half widths of the 95 % intervals of k parameters, from (n, k) derivatives of a fit at `number` energies."""
    degrees = max(points - free, 1.0)
    share = points / number
    variance = squares * share / degrees
    covariance = variance * np.linalg.pinv(jacobian.T @ jacobian * share)
    half: Floats = student.ppf(0.5 + _LEVEL / 2, degrees) * np.sqrt(np.diag(covariance))
    return half
