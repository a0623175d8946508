"""Average over the polarisations of light: which directions stand for all, by the symmetry of the absorber's site.

The dipole spectrum is a symmetric tensor that the operations of the site's point group leave unchanged. A spectrum of
polarisation ε is its component along ε. Weights w_i make the average if Σ w_i R ε_i ε_iᵀ Rᵀ, averaged over the
operations R, is a third of the unit matrix.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer
from scipy.optimize import nnls

from xanesflow.core.array_types import Floats
from xanesflow.core.sites import SYMPREC_A

_EXACT = 1e-3


def site_rotations(structure: Structure, site_index: int) -> list[Floats]:
    """Return the Cartesian (3, 3) rotations of the operations that leave a site where it is.

    Args:
        structure: the crystal.
        site_index: 0-based index of the site.
    """
    found = SpacegroupAnalyzer(structure, symprec=SYMPREC_A).get_symmetry_operations(cartesian=False)
    place, lattice = structure[site_index].frac_coords, structure.lattice
    rotations: list[Floats] = []
    for operation in found:
        moved = operation.operate(place) - place
        moved -= np.round(moved)
        if np.linalg.norm(lattice.get_cartesian_coords(moved)) < 10 * SYMPREC_A:
            rotations.append(_cartesian(lattice.matrix, operation.rotation_matrix))
    return _distinct(rotations)


def point_group(structure: Structure) -> list[Floats]:
    """Return the Cartesian (3, 3) rotations of a crystal's point group."""
    found = SpacegroupAnalyzer(structure, symprec=SYMPREC_A).get_symmetry_operations(cartesian=False)
    return _distinct([_cartesian(structure.lattice.matrix, each.rotation_matrix) for each in found])


def inequivalent_atoms(structure: Structure, element: str) -> int:
    """Return how many atoms of an element no symmetry operation maps onto each other."""
    kind_of = first_equivalents(structure)
    return len({kind_of[k] for k in structure.indices_from_symbol(element)})


def first_equivalents(structure: Structure) -> list[int]:
    """Return for each atom the index of the first that a symmetry operation maps onto it."""
    equivalent: list[int] = (
        SpacegroupAnalyzer(structure, symprec=SYMPREC_A).get_symmetry_dataset().equivalent_atoms.tolist()
    )
    return equivalent


def _cartesian(cell: Floats, rotation: Floats) -> Floats:
    """Turn the rotation of fractional coordinates into one of Cartesian ones."""
    return np.asarray(cell.T @ rotation @ np.linalg.inv(cell.T))


def _distinct(rotations: list[Floats]) -> list[Floats]:
    kept: list[Floats] = []
    for rotation in rotations:
        if not any(np.allclose(rotation, each, atol=1e-6) for each in kept):
            kept.append(rotation)
    return kept


def weights_of(directions: Sequence[Sequence[float]], rotations: Sequence[Floats]) -> Floats | None:
    """Return the weights (n,) with which spectra along directions give the average; None if they cannot.

    Args:
        directions: n Cartesian vectors, of any length.
        rotations: of the site, see `site_rotations`.
    """
    columns = []
    for direction in directions:
        unit = np.asarray(direction, dtype=float) / np.linalg.norm(direction)
        columns.append(np.mean([np.outer(r @ unit, r @ unit) for r in rotations], axis=0).ravel())
    weights, rest = nnls(np.array(columns).T, np.eye(3).ravel() / 3)
    return np.asarray(weights) if rest < _EXACT else None
