"""Make Lightshow's supercell, which keeps a core hole away from its periodic images."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Structure

from xanesflow.codes.lightshow_bridge import import_lightshow, without_local_folders
from xanesflow.core.errors import XanesflowError

_SAME_ATOM_A = 1e-3


def make_supercell(structure: Structure, sites: list[int], length_a: float) -> tuple[Structure, dict[int, int]]:
    """Repeat a cell until each edge is at least `length_a` long, and find the absorbers in it.

    Lightshow finds them by comparing distances to neighbours out to 20 Å. That takes minutes for large cells and fails
    for some. Here, an absorber is the atom at the same position.

    Args:
        structure: the cell.
        sites: 0-based indices of the absorbers.
        length_a: in Å.

    Returns:
        The supercell, with atoms sorted by electronegativity, and the index of each absorber in it.

    Raises:
        XanesflowError: an absorber is not found.
    """
    lightshow = import_lightshow("pymatgen_utils")
    with without_local_folders():
        supercell: Structure = lightshow.make_supercell(structure.copy(), length_a).get_sorted_structure()
    supercell.remove_site_property("magmom")
    found = {}
    for site in sites:
        fractions = supercell.lattice.get_fractional_coords(structure[site].coords)
        distances = supercell.lattice.get_all_distances(fractions, supercell.frac_coords)[0]
        nearest = int(np.argmin(distances))
        if distances[nearest] > _SAME_ATOM_A or supercell[nearest].specie != structure[site].specie:
            raise XanesflowError(f"The supercell does not hold the absorber {site}; please report the structure.")
        found[site] = nearest
    return supercell, found
