"""The trap of matgl 4: into which atom a bond's message is summed.

Up to version 3, M3GNet in matgl summed the message of a bond i→j into its destination j; since its change #761 it
sums into the source i. The published weights were trained with the former. Summed into the source, they give wrong
energies for every compound and features unrelated to the published ones. (Elements stay right, as their atoms are
alike.)

    energy, eV/atom           destination    source
    NaCl, rock salt              -3.39        -2.77
    TiO2, rutile                 -9.02        -4.79

So our own forward pass (`m3gnet_network`) sums into the destination, and is only used if it gives the known energy of
NaCl. Tests and a benchmark compare it with matgl's own model, in which that one step is replaced.
"""

from __future__ import annotations

from pymatgen.core import Structure

from xanesflow.core.errors import XanesflowError

NACL_ENERGY = -3.3884
"""eV/atom of rock salt NaCl at a = 5.69 Å by M3GNet-MP-2021.2.8-PES."""

TOLERANCE = 0.001
"""eV/atom; a wrong sum is off by 0.6."""

ENERGY_SCALE = 0.389599794401098
"""eV per unit of the atomic outputs (`data_std` of the published model.json)."""

REFERENCE_ENERGIES = {8: -7.38535712, 11: -2.5281101, 17: -3.0376327, 22: -11.44988214}
"""Atomic number → the model's energy of an atom of this element, eV (`element_refs` of model.json), for the checks."""


def rock_salt() -> Structure:
    """NaCl, two atoms, a = 5.69 Å."""
    half = 5.69 / 2
    return Structure(
        [[0, half, half], [half, 0, half], [half, half, 0]], ["Na", "Cl"], [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]
    )


def check_energy(energy: float, of: str) -> None:
    """Raise XanesflowError unless `energy` (eV/atom) is the published model's for rock salt; `of` names the model."""
    if not abs(energy - NACL_ENERGY) < TOLERANCE:
        raise XanesflowError(
            f"{of} gives {energy:.4f} eV/atom for rock salt instead of {NACL_ENERGY:.4f}, so its features would be "
            "wrong too: a library has changed how it calculates (see features/graph_networks/matgl_sum.py); "
            "install the pinned version of torch."
        )
