"""A cell as it is drawn in three dimensions, and the nearest neighbours of its atoms in words."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from xanesflow.core.array_types import Floats

MOST_ATOMS = 400
"""Atoms that are drawn, those of the next cells on its faces included; of a larger cell only its own."""

_ON_FACE, _LONGER = 0.02, 1.15  # fraction of a cell; bonds are at most so much longer than the radii together


@dataclass(frozen=True, eq=False)
class CellPicture:
    """What to draw."""

    symbols: tuple[str, ...]  # of the n atoms
    indices: NDArray[np.int64]  # (n,) 0-based atom of the structure that each is, or is an image of
    positions: Floats  # (n, 3) Cartesian, in Å
    bonds: NDArray[np.int64]  # (m, 2) numbers of drawn atoms
    edges: Floats  # (12, 2, 3) ends of the cell's edges, in Å


def picture_of(structure: Structure) -> CellPicture:
    """Draw an ordered structure: its atoms, images of those on faces, edges and corners, and bonds.

    Atoms are bonded if they are no farther apart than 1.15 times the sum of their covalent radii (Cordero et al.,
    Dalton Trans. 2008, 2832, as ASE has them). In a compound, two metals are never bonded.
    """
    from ase.data import atomic_numbers, covalent_radii

    fractions = np.mod(structure.frac_coords, 1.0) % 1.0
    places, indices = [fractions], [np.arange(len(structure))]
    for shift in itertools.product((0, 1), repeat=3):
        if any(shift):
            there = np.all((fractions < _ON_FACE) | (np.array(shift) == 0), axis=1)
            places.append(fractions[there] + shift)
            indices.append(np.flatnonzero(there))
    if sum(map(len, indices)) > MOST_ATOMS:
        places, indices = places[:1], indices[:1]
    index = np.concatenate(indices)
    position = np.asarray(structure.lattice.get_cartesian_coords(np.concatenate(places)), dtype=np.float64)
    radii = np.array([covalent_radii[atomic_numbers[site.specie.symbol]] for site in structure])[index]
    bonds = np.zeros((0, 2), dtype=np.int64)
    if len(index) <= 4 * MOST_ATOMS:
        apart = np.linalg.norm(position[:, None] - position[None], axis=2)
        near = np.triu(apart < _LONGER * (radii[:, None] + radii[None]), 1)
        metal = np.array([bool(site.specie.is_metal) for site in structure])[index]
        if not metal.all():
            near &= ~(metal[:, None] & metal[None])
        bonds = np.argwhere(near)
    corners = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
    pairs = [(a, b) for a, b in itertools.combinations(corners, 2) if np.abs(a - b).sum() == 1]
    edges = np.array([structure.lattice.get_cartesian_coords(pair) for pair in pairs])
    return CellPicture(tuple(structure[i].specie.symbol for i in index), index, position, bonds, edges)


def nearest_neighbours(structure: Structure, index: int) -> str:
    """The nearest neighbours (CrystalNN) of an atom, as `2 O at 1.85 Å`; empty if none are found."""
    from pymatgen.analysis.local_env import CrystalNN

    try:
        found = CrystalNN().get_nn_info(structure, index)
    except Exception:  # no Voronoi cell, no neighbour within the cutoff, ...
        return ""
    distances: dict[str, list[float]] = defaultdict(list)
    for each in found:
        apart = np.linalg.norm(each["site"].coords - structure[index].coords)
        distances[each["site"].specie.symbol].append(float(apart))
    words = []
    for symbol, those in sorted(distances.items()):
        first, last = f"{min(those):.2f}", f"{max(those):.2f}"
        words.append(f"{len(those)} {symbol} at {first if first == last else f'{first} to {last}'} Å")
    return ", ".join(words)
