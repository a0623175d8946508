"""Make Lightshow's supercell, which keeps a core hole away from its periodic images."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from pymatgen.core import Lattice, Structure

from xanesflow.codes.lightshow_bridge import import_lightshow, without_local_folders
from xanesflow.core.array_types import Floats
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
    return supercell, {site: find_absorber(supercell, structure, site) for site in sites}


def repeat_by_matrix(structure: Structure, matrix: Sequence[Sequence[int]]) -> Structure:
    """Repeat a cell by a matrix of integers, whose rows are the new vectors.

    Raises:
        XanesflowError: the rows span no cell.
    """
    rows = np.array(matrix)
    if rows.shape != (3, 3) or round(abs(float(np.linalg.det(rows)))) == 0:
        raise XanesflowError(f"The supercell {rows.tolist()} spans no cell; give three independent rows of integers.")
    repeated = structure.copy()
    repeated.make_supercell(rows, to_unit_cell=True)
    return repeated


def distance_of_images(cell: Floats) -> float:
    """The distance in Å from an atom to its nearest image; in a skewed cell it is less than each edge.

    Args:
        cell: its vectors in Å, in rows (3, 3).
    """
    reduced = Lattice(cell).get_lll_reduced_lattice().matrix
    steps = np.array([step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)])
    return float(np.linalg.norm(steps @ reduced, axis=1).min())


def find_absorber(supercell: Structure, structure: Structure, site: int) -> int:
    """Return the index in a supercell of the atom at the position of a site of its cell.

    Raises:
        XanesflowError: there is none.
    """
    fractions = supercell.lattice.get_fractional_coords(structure[site].coords)
    distances = supercell.lattice.get_all_distances(fractions, supercell.frac_coords)[0]
    nearest = int(np.argmin(distances))
    if distances[nearest] > _SAME_ATOM_A or supercell[nearest].specie != structure[site].specie:
        raise XanesflowError(f"The supercell does not hold the absorber {site}; please report the structure.")
    return nearest
