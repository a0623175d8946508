"""Turn the two steps of VASP into an absorption cross section at absolute energies (arXiv 2409.19552).

The order is that of the published spectra. Compute the cross section on VASP's own fine grid of energies relative to
the core level, broaden it there, and shift it to absolute energies. Then it goes onto the grid of the dataset like all
other spectra.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xanesflow.codes.vasp.broadening import broaden_lorentzian
from xanesflow.codes.vasp.constants import Processing
from xanesflow.codes.vasp.read_steps import CoreHole
from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import RANGE_EV
from xanesflow.core.errors import BadRunError
from xanesflow.core.units import BOHR_ANGSTROM, INVERSE_FINE_STRUCTURE, RYDBERG_EV

_EVEN = 0.01  # steps that an energy may be off an even grid; VASP prints them with few digits
_ONSET = 1e-3  # share of the largest ε₂ that is absorption, not the tail of VASP's own smearing
_BEFORE_EV = 10.0  # how far an edge may lie before the grid
_FILLED_EV = 1.0  # absorption further than this below the Fermi level cannot be real


@dataclass(frozen=True)
class VaspSpectrum:
    """A broadened spectrum on VASP's grid, up to the end of its bands."""

    energy_ev: Floats  # (n,) absolute photon energies
    cross_section: Floats  # (n,) absorption cross section of the absorber in bohr²
    edge_ev: float  # the first energy with absorption before the broadening


def cross_section(energies_ev: Floats, epsilon2: Floats, volume_a3: float) -> Floats:
    """Compute the absorption cross section E ε₂ V / (2 Ry · α⁻¹) of the one absorber in a cell.

    Args:
        energies_ev: (n,) relative to the core level, at which VASP computes ε₂.
        epsilon2: (n,) imaginary part of the dielectric function.
        volume_a3: of the cell in Å³.

    Returns:
        (n,) in bohr².
    """
    return energies_ev / (2 * RYDBERG_EV) * epsilon2 * (volume_a3 / BOHR_ANGSTROM**3) / INVERSE_FINE_STRUCTURE


def shift_of(hole: CoreHole, processing: Processing) -> float:
    """Return the eV that turn an energy relative to the core level into an absolute one.

    It is (ε_core - ε_cbm) + (E_corehole - E_groundstate) plus the empirical shift.
    """
    return processing.core_level_ev - hole.fermi_ev + hole.delta_scf_ev + processing.shift_ev


def make_spectrum(hole: CoreHole, processing: Processing) -> VaspSpectrum:
    """Compute the cross section, broaden it and shift it.

    ε₂ is zero above the last band. The spectrum ends there too, although its broadening goes on.

    Raises:
        BadRunError: unreadable, negative or edge_elsewhere.
    """
    # Check that the grid is even, because the broadening needs that, and that ε₂ is positive.
    energies, number = hole.energies_ev, len(hole.energies_ev)
    if number < 2 or energies[-1] <= energies[0]:
        raise BadRunError("unreadable", "the energies of the dielectric function do not increase")
    step = float(energies[-1] - energies[0]) / (number - 1)
    if np.abs(energies - (energies[0] + step * np.arange(number))).max() > max(_EVEN * step, 1e-5):
        raise BadRunError("unreadable", "the energies of the dielectric function are not evenly spaced")
    if hole.epsilon2.min() < -_ONSET * hole.epsilon2.max():
        at = energies[hole.epsilon2.argmin()] + shift_of(hole, processing)
        raise BadRunError("negative", f"the dielectric function is negative at {at:.2f} eV")

    # Find the edge, and check that the constants and total energies place it where it can be.
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

    # Broaden, and cut off the energies above the last band.
    broadened = broaden_lorentzian(
        cross_section(energies, hole.epsilon2, hole.volume_a3), step_ev=step, width_ev=processing.broadening_ev
    )
    computed = slice(0, int(np.flatnonzero(hole.epsilon2)[-1]) + 1)
    return VaspSpectrum(absolute[computed], broadened[computed], edge)
