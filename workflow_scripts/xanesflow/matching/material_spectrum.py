"""The spectrum of a material from those of its sites, normalised by its own background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import even_energies
from xanesflow.core.errors import XanesflowError
from xanesflow.matching.spectrum_store import StoredSpectrum

STEP_EV = 0.25

_FROM_EV, _DEGREE = 12.0, 1
"""Where above the background's half step the curve begins that its step is read from, and the curve's degree."""


@dataclass(frozen=True, eq=False)
class NormalisedSpectrum:
    """A computed spectrum in units of its own edge step."""

    energy_ev: Floats  # (n,) absolute photon energies, `STEP_EV` apart
    values: Floats  # (n,) zero far below the edge, about one far above it
    cross_section: Floats  # (n,) in bohr²
    background: Floats  # (n,) the same without scattering by the neighbours
    edge_ev: float  # where the background reaches half of its largest value


def average_sites(spectra: Sequence[StoredSpectrum], multiplicities: Sequence[int]) -> NormalisedSpectrum:
    """The spectrum of a powder: the mean of the sites, each weighted with the atoms that it stands for.

    Below its first energy a site's spectrum continues with its first value. The mean ends where the first site ends.

    Args:
        spectra: of all inequivalent absorbers.
        multiplicities: of the sites.

    Raises:
        XanesflowError: a site has no spectrum.
    """
    if lacking := [spectrum.failure for spectrum in spectra if not len(spectrum.energy_ev)]:
        raise XanesflowError(lacking[0])
    first = min(each.energy_ev[0] for each in spectra)
    last = min(each.energy_ev[-1] for each in spectra)
    energy = even_energies(first, last, STEP_EV)
    weights = np.array(multiplicities, dtype=np.float64) / sum(multiplicities)
    cross_section = weights @ np.array([np.interp(energy, each.energy_ev, each.cross_section) for each in spectra])
    background = weights @ np.array([np.interp(energy, each.energy_ev, each.background) for each in spectra])
    values = np.asarray(cross_section / edge_step(energy, background)(energy), dtype=np.float64)
    return NormalisedSpectrum(energy, values, cross_section, background, half_height(energy, background))


def edge_step(energy_ev: Floats, background: Floats) -> Callable[[Floats], Floats]:
    """The edge step at each energy, as measured spectra are divided by theirs.

    Far above the edge the background falls slowly, in a nearly straight line. This line, level below the edge, is the
    divisor, so that the background becomes a step from 0 to 1.

    Args:
        energy_ev: (n,) rising.
        background: (n,) the cross section without scattering by the neighbours.

    Returns:
        A function of absolute energies that returns the step in the background's unit.
    """
    half = half_height(energy_ev, background)
    above = energy_ev >= min(half + _FROM_EV, energy_ev[-1] - _FROM_EV)
    line = np.polynomial.Polynomial.fit(energy_ev[above], background[above], _DEGREE)
    return lambda energies: np.asarray(line(np.maximum(energies, half)), dtype=np.float64)


def half_height(energy_ev: Floats, background: Floats) -> float:
    """The energy at which a background first reaches half of its largest value, in eV."""
    return float(energy_ev[int(np.argmax(background >= background.max() / 2))])
