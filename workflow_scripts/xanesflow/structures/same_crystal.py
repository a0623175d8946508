"""Compare structures: the same atoms in the same order, or one crystal however it is written."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Structure

_TOLERANCE_A = 1e-3  # files round differently


def same_structure(one: Structure, other: Structure) -> bool:
    """Whether two structures have the same cell and the same atoms at the same places in the same order.

    A cell may be rotated, because a CIF does not store the cell's orientation.
    """
    if [site.specie for site in one] != [site.specie for site in other]:
        return False
    if not np.allclose(one.lattice.abc, other.lattice.abc, rtol=0, atol=_TOLERANCE_A):
        return False
    if not np.allclose(one.lattice.angles, other.lattice.angles, rtol=0, atol=1e-2):
        return False
    apart = one.frac_coords - other.frac_coords
    apart -= np.round(apart)
    return bool((np.linalg.norm(apart @ one.lattice.matrix, axis=1) < _TOLERANCE_A).all())


def same_crystal(one: Structure, other: Structure) -> bool:
    """Whether two structures are one crystal, whatever the order of their atoms, their cells and their origins."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    if one.composition.reduced_composition != other.composition.reduced_composition:
        return False
    matcher = StructureMatcher(ltol=0.01, stol=0.02, angle_tol=0.5, primitive_cell=True, scale=False)
    return bool(matcher.fit(one, other))
