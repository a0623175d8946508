"""What writers of inputs have in common: the plain structure they start from, and the sites they cannot write for."""

from __future__ import annotations

from pymatgen.core import Structure

from xanesflow.core.errors import NoInputError


def plain(structure: Structure) -> Structure:
    """Elements, positions and cell, without the charges, moments and other properties that a source may give.

    Raises:
        NoInputError: disordered.
    """
    if not structure.is_ordered:
        raise NoInputError("disordered", "the structure has partially occupied sites")
    return Structure(structure.lattice.matrix, [site.specie.symbol for site in structure], structure.frac_coords)
