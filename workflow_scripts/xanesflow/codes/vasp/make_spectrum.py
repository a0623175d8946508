"""From the two steps of VASP to an absorption cross section at absolute energies (arXiv 2409.19552).

The order is that of the published spectra: the cross section on VASP's own fine grid of energies, relative to the core
level; broadened there; shifted to absolute energies; and then put on the grid of the dataset like all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xanesflow.codes.vasp.broadening import broaden_lorentzian
from xanesflow.codes.vasp.constants import Processing
from xanesflow.codes.vasp.read_steps import CoreHole
from xanesflow.core.energy_grid import RANGE_EV, Array
from xanesflow.core.errors import BadRunError
from xanesflow.core.units import BOHR_ANGSTROM, INVERSE_FINE_STRUCTURE, RYDBERG_EV

_EVEN = 0.01  # steps that an energy may be off an even grid; VASP prints them with few digits
_ONSET = 1e-3  # share of the largest ε₂ that is absorption, not the tail of VASP's own smearing
_BEFORE_EV = 10.0  # that an edge may lie before the grid
_FILLED_EV = 1.0  # below the Fermi level, where absorption can only seem to be


@dataclass(frozen=True)
class VaspSpectrum:
    """A broadened spectrum on VASP's grid, as far as its bands reach.

    Attributes:
        energy_ev: (n,) absolute photon energies.
        cross_section: (n,) absorption cross section of the absorber in bohr².
        edge_ev: the first energy with absorption before the broadening.
    """

    energy_ev: Array
    cross_section: Array
    edge_ev: float


def cross_section(energies_ev: Array, epsilon2: Array, volume_a3: float) -> Array:
    """Absorption cross section E ε₂ V / (2 Ry · α⁻¹) of the one absorber in a cell.

    Args:
        energies_ev: (n,) relative to the core level, as VASP computes ε₂ of them.
        epsilon2: (n,) imaginary part of the dielectric function.
        volume_a3: of the cell in Å³.

    Returns:
        (n,) in bohr².
    """
    return energies_ev / (2 * RYDBERG_EV) * epsilon2 * (volume_a3 / BOHR_ANGSTROM**3) / INVERSE_FINE_STRUCTURE


def shift_of(hole: CoreHole, processing: Processing) -> float:
    """What is added to an energy relative to the core level to make it absolute, in eV.

    (ε_core - ε_cbm) + (E_corehole - E_groundstate) and the empirical shift.
    """
    return processing.core_level_ev - hole.fermi_ev + hole.delta_scf_ev + processing.shift_ev


def make_spectrum(hole: CoreHole, processing: Processing) -> VaspSpectrum:
    """Cross section, broadening, shift.

    Bands end somewhere, and from there on ε₂ is zero: the spectrum ends with them, though their broadening does not.

    Raises:
        BadRunError: unreadable, negative or edge_elsewhere.
    """
    energies, number = hole.energies_ev, len(hole.energies_ev)
    if number < 2 or energies[-1] <= energies[0]:
        raise BadRunError("unreadable", "the energies of the dielectric function do not increase")
    step = float(energies[-1] - energies[0]) / (number - 1)
    if np.abs(energies - (energies[0] + step * np.arange(number))).max() > max(_EVEN * step, 1e-5):
        raise BadRunError("unreadable", "the energies of the dielectric function are not evenly spaced")
    if hole.epsilon2.min() < -_ONSET * hole.epsilon2.max():
        at = energies[hole.epsilon2.argmin()] + shift_of(hole, processing)
        raise BadRunError("negative", f"the dielectric function is negative at {at:.2f} eV")
    absolute = energies + shift_of(hole, processing)
    absorbing = np.flatnonzero(hole.epsilon2 > _ONSET * hole.epsilon2.max())
    edge = float(absolute[absorbing[0]])
    if (early := float(energies[absorbing[0]]) - (hole.fermi_ev - processing.core_level_ev)) < -_FILLED_EV:
        raise BadRunError(
            "edge_elsewhere",
            f"absorption begins {-early:.1f} eV below the Fermi level, in filled states, so curation.vasp.core_level, "
            f"{processing.core_level_ev:g} eV, is not that of its POTCAR",
        )
    first, last = processing.start_ev - _BEFORE_EV, processing.start_ev + RANGE_EV
    if not first <= edge <= last:
        raise BadRunError(
            "edge_elsewhere",
            f"the edge lies at {edge:.1f} eV by a difference of total energies of {hole.delta_scf_ev:.1f} eV, and the "
            f"grid goes from {processing.start_ev:.1f} to {last:.1f} eV",
        )
    broadened = broaden_lorentzian(
        cross_section(energies, hole.epsilon2, hole.volume_a3), step_ev=step, width_ev=processing.broadening_ev
    )
    computed = slice(0, int(np.flatnonzero(hole.epsilon2)[-1]) + 1)
    return VaspSpectrum(absolute[computed], broadened[computed], edge)
