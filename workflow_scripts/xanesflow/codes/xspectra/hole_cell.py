"""The cell of a core-hole calculation: how often the crystal is repeated, and the grids of k-points."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure

from xanesflow.codes.polarisations import point_group, site_rotations
from xanesflow.codes.supercell import distance_of_images, find_absorber, make_supercell, repeat_by_matrix
from xanesflow.codes.xspectra.lanczos import keeps_grid
from xanesflow.core.array_types import Floats
from xanesflow.core.errors import XanesflowError

Matrix = Sequence[Sequence[int]]

_LARGEST = 64  # repetitions tried before a cell is given up
_STAND_IN = "Xe"  # for the absorber, when the symmetry with the hole is looked for


@dataclass(frozen=True)
class HoleCell:
    """A cell with one absorber, in the orientation of the crystal."""

    structure: Structure  # its atoms; the absorber comes first
    rotations: list[Floats]  # Cartesian rotations of the cell that leave the absorber where it is
    distance_a: float  # from the hole to its nearest image, in Å

    def grid(self, length_a: float) -> tuple[int, int, int]:
        """Return the number of k-points along each vector that repeat the cell to a crystal of a size in Å."""
        spacings = np.linalg.norm(np.linalg.inv(self.structure.lattice.matrix), axis=0)
        first, second, third = (max(1, int(np.ceil(length_a * each - 1e-6))) for each in spacings)
        return first, second, third

    def shift(self, grid: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return 1 for each vector along which a grid is moved by half a step: the even ones, if symmetry allows.

        A moved grid has fewer points that differ, so it is finer at the same cost.
        """
        first, second, third = (1 - n % 2 for n in grid)
        moved = first, second, third
        return moved if keeps_grid(grid, moved, self.structure.lattice.matrix, self.rotations) else (0, 0, 0)


def hole_cell(
    structure: Structure, site_index: int, *, supercell: float | Matrix | None, distance_a: float
) -> HoleCell:
    """Make the cell of a hole.

    Args:
        structure: the crystal.
        site_index: 0-based index of the absorber.
        supercell: a matrix of repetitions (new vectors in rows), or the least length of each edge in Å; None: the
            smallest cell that keeps the symmetry of the crystal, and holes at least `distance_a` apart.
        distance_a: for None.

    Raises:
        XanesflowError: the matrix spans no cell, or no cell of up to 64 repetitions keeps the holes apart.
    """
    if isinstance(supercell, int | float):
        repeated, places = make_supercell(structure, [site_index], float(supercell))
        return _as_cell(repeated, places[site_index])
    matrix = _remembered_matrix(json.dumps(structure.as_dict()), distance_a) if supercell is None else supercell
    repeated = repeat_by_matrix(structure, matrix)
    return _as_cell(repeated, find_absorber(repeated, structure, site_index))


@lru_cache(maxsize=8)  # the sites of a material come one after another
def _remembered_matrix(structure: str, distance_a: float) -> list[list[int]]:
    found: list[list[int]] = smallest_matrix(Structure.from_dict(json.loads(structure)), distance_a).tolist()
    return found


def smallest_matrix(structure: Structure, distance_a: float) -> NDArray[np.int64]:
    """Find the smallest cell that keeps the point group of a crystal and whose images of a site are far enough apart.

    So all sites of a material share one cell, and one ground state.

    Raises:
        XanesflowError: there is none of up to 64 repetitions.
    """
    rotations = point_group(structure)
    lattice = structure.lattice.matrix
    for repetitions in range(1, _LARGEST + 1):
        if np.sqrt(2) * structure.volume * repetitions < distance_a**3:
            continue  # no lattice keeps its points further apart than close packing
        found: list[tuple[float, float, NDArray[np.int64]]] = []
        for matrix in _sublattices(repetitions):
            cell = matrix @ lattice
            shortest = distance_of_images(cell)
            if shortest >= distance_a - 1e-6 and all(_keeps(cell, rotation) for rotation in rotations):
                edges = Lattice(cell).get_lll_reduced_lattice().lengths
                found.append((round(shortest, 4), -round(sum(edges), 4), matrix))
        if found:
            best = max(found, key=lambda each: each[:2])[2]  # of cells that keep holes equally far, the most compact
            reduced = Lattice(best @ lattice).get_lll_reduced_lattice().matrix
            return np.asarray(np.round(reduced @ np.linalg.inv(lattice)).astype(np.int64))
    raise XanesflowError(
        f"no cell of up to {_LARGEST} repetitions keeps the holes {distance_a:g} Å apart; give a smaller "
        "simulations.xspectra.hole_distance, or a matrix in inputs.xspectra.supercell"
    )


def _sublattices(index: int) -> Iterator[NDArray[np.int64]]:
    """Yield the sublattices of an index, each once, by their Hermite normal form."""
    for a in (n for n in range(1, index + 1) if index % n == 0):
        for b in (n for n in range(1, index // a + 1) if (index // a) % n == 0):
            c = index // a // b
            for x, y, z in itertools.product(range(b), range(c), range(c)):
                yield np.array([[a, x, y], [0, b, z], [0, 0, c]])


def _keeps(cell: Floats, rotation: Floats) -> bool:
    """Whether a rotation maps a lattice onto itself."""
    turned = cell @ rotation.T @ np.linalg.inv(cell)
    return bool(np.abs(turned - np.round(turned)).max() < 1e-4)


def _as_cell(repeated: Structure, absorber: int) -> HoleCell:
    order = [absorber, *(k for k in range(len(repeated)) if k != absorber)]
    structure = Structure(
        repeated.lattice, [repeated[k].specie.symbol for k in order], [repeated[k].frac_coords for k in order]
    )
    marked = structure.copy()
    marked[0] = _STAND_IN
    return HoleCell(structure, site_rotations(marked, 0), distance_of_images(structure.lattice.matrix))
