"""Turn a pymatgen Structure into the arrays that a graph network reads: atoms, and the bonds within a cutoff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from xanesflow.core.errors import NotFeaturizableError

_SAME_PLACE = 1e-8
"""Å; points closer than this are the same point, as an atom is not its own neighbour."""


@dataclass(frozen=True)
class BondGraph:
    """Atoms and directed bonds of one structure; every bond appears in both directions; bonds are sorted by source."""

    atomic_numbers: NDArray[np.int64]  # (atoms,) int64, in the structure's order
    source: NDArray[np.int64]  # (bonds,) int64, the atom i where a bond starts
    destination: NDArray[np.int64]  # (bonds,) int64, the atom j where it ends
    image: NDArray[np.int64]  # (bonds, 3) int64, the lattice translation of atom j
    distance: NDArray[np.float64]  # (bonds,) float64, r_ij in Å
    direction: NDArray[np.float64]  # (bonds, 3) float64, the unit vector from i to j
    isolated: NDArray[np.int64]  # int64, the atoms without a bond

    @property
    def size(self) -> int:
        """What the network's memory grows with: the number of bonds."""
        return len(self.distance)


def bond_graph(structure: Structure, cutoff: float, known_elements: frozenset[int]) -> BondGraph:
    """Find all bonds up to `cutoff` in a crystal.

    Args:
        structure: an ordered crystal; all three directions count as periodic.
        cutoff: the longest bond, Å.
        known_elements: the atomic numbers that the network knows.

    Raises:
        NotFeaturizableError: disordered sites, an unknown element, two atoms in one place, no bonds at all.
    """
    from pymatgen.optimization.neighbors import find_points_in_spheres  # compiled, only needed here

    numbers = atomic_numbers(structure, known_elements)
    positions = np.ascontiguousarray(structure.cart_coords, dtype=np.float64)
    lattice = np.array(
        structure.lattice.matrix, dtype=np.float64, order="C"
    )  # that of a strained cell is not contiguous
    if not np.isfinite(positions).all():
        raise NotFeaturizableError("a position is not a finite number")
    source, destination, image, distance = find_points_in_spheres(
        positions, positions, r=cutoff, pbc=np.ones(3, dtype=np.int64), lattice=lattice, tol=_SAME_PLACE
    )
    itself = (source == destination) & (distance <= _SAME_PLACE)
    bonds = ~itself
    source, destination, distance = source[bonds], destination[bonds], distance[bonds]
    image = image[bonds]
    if len(distance) and distance.min() < 1e-3:  # Å; the directions below would be noise
        first = int(np.argmin(distance))
        raise NotFeaturizableError(f"atoms {source[first]} and {destination[first]} are in one place")
    vector = positions[destination] + image @ lattice - positions[source]
    return BondGraph(
        atomic_numbers=numbers,
        source=source.astype(np.int64, copy=False),
        destination=destination.astype(np.int64, copy=False),
        image=image.astype(np.int64),
        distance=distance,
        direction=vector / distance[:, None],
        isolated=isolated_atoms(len(structure), source, cutoff),
    )


def atomic_numbers(structure: Structure, known_elements: frozenset[int]) -> NDArray[np.int64]:
    """(atoms,) atomic numbers of an ordered structure.

    Raises:
        NotFeaturizableError: no atoms, partial occupation, or an element that is not among `known_elements`.
    """
    if not len(structure):
        raise NotFeaturizableError("the structure has no atoms")
    if not structure.is_ordered:
        raise NotFeaturizableError("a site is occupied partially, but the model only knows whole atoms")
    numbers = np.array([int(site.specie.Z) for site in structure], dtype=np.int64)
    unknown = sorted(
        {site.specie.symbol for site, z in zip(structure, numbers, strict=True) if z not in known_elements}
    )
    if unknown:
        raise NotFeaturizableError(f"the model does not know the element {', '.join(unknown)}")
    return numbers


def isolated_atoms(n_atoms: int, source: NDArray[np.int64], cutoff: float) -> NDArray[np.int64]:
    """The atoms where no bond starts.

    Raises:
        NotFeaturizableError: all atoms are.
    """
    isolated = np.flatnonzero(np.bincount(source, minlength=n_atoms) == 0)
    if len(isolated) == n_atoms:
        raise NotFeaturizableError(f"no atom has a neighbour within {cutoff:g} Å")
    return isolated


def first_bond_of_atoms(atoms_of_bonds: NDArray[np.int64], n_atoms: int) -> NDArray[np.int64]:
    """(atoms,) where each atom's run of bonds begins in a list of bonds that is sorted by atom."""
    return np.concatenate([[0], np.cumsum(np.bincount(atoms_of_bonds, minlength=n_atoms))[:-1]])


def concatenate(parts: Sequence[NDArray], offsets: NDArray[np.int64]) -> NDArray:
    """Join index arrays of several graphs, each raised by its graph's offset."""
    return np.concatenate([part + offset for part, offset in zip(parts, offsets, strict=True)])
