"""The shared part of input writers: the plain structure that they start from."""

from __future__ import annotations

from pymatgen.core import Structure

from xanesflow.core.errors import NoInputError


def plain(structure: Structure) -> Structure:
    """Keep only elements, positions and cell of a structure; drop charges, moments and other properties.

    Raises:
        NoInputError: disordered.
    """
    if not structure.is_ordered:
        raise NoInputError("disordered", "the structure has partially occupied sites")
    return Structure(structure.lattice.matrix, [site.specie.symbol for site in structure], structure.frac_coords)
