"""Choose a supercell in which whole atoms make up the occupancies of a disordered crystal."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from xanesflow.core import limits
from xanesflow.core.errors import UnusableStructure
from xanesflow.core.sites import SYMPREC_A
from xanesflow.core.text import plural

TOLERANCE = 0.02
"""Largest difference between an occupancy and the share of whole atoms that stands for it."""

CLOSE = 0.005
"""Occupancies are held within this, where a supercell can do that."""

SIZES = 6
"""Number of sizes, the largest ones, among which the widest random cell is looked for."""

_AT_ONCE = 2000  # supercells whose images are looked for at once

EMPTY = ""
"""Stands for a place without an atom."""

Counts = tuple[dict[str, int], ...]
"""For each orbit, the number of atoms of each element, `EMPTY` among them."""


@dataclass(frozen=True)
class Orbit:
    """Symmetry-equivalent places of the primitive cell."""

    places: tuple[int, ...]  # their indices
    shares: dict[str, float]  # occupancy by element, `EMPTY` among them; the sum is 1

    @property
    def partly_occupied(self) -> bool:
        """Whether a place may hold different atoms, or none."""
        return len(self.shares) > 1


@dataclass(frozen=True)
class Supercell:
    """A supercell with the number of whole atoms on each orbit."""

    matrix: tuple[tuple[int, ...], ...]  # its vectors in terms of the primitive cell's, three rows of integers
    # for each orbit, the number of atoms of each element in the supercell, `EMPTY` among them
    counts: tuple[dict[str, int], ...]
    off: float  # largest difference between an occupancy and its share of whole atoms
    width: float  # length in Å of the shortest vector between two images of an atom

    @property
    def size(self) -> int:
        """How many primitive cells it holds."""
        return round(float(np.linalg.det(self.matrix)))

    @property
    def n_atoms(self) -> int:
        """Number of atoms, without empty places."""
        return n_atoms(self.counts)


def n_atoms(counts: Counts) -> int:
    """Number of atoms on all orbits, without empty places."""
    return sum(number for of_orbit in counts for kind, number in of_orbit.items() if kind != EMPTY)


def primitive_cell(structure: Structure) -> tuple[Structure, list[Orbit]]:
    """The primitive cell of a disordered crystal, and its places by symmetry.

    Raises:
        UnusableStructure: its symmetry cannot be found, or it has more than `limits.PLACES` places.
    """
    if len(structure) > limits.PLACES:
        raise UnusableStructure(
            f"is disordered and has {len(structure):,} places, and the limit is {limits.PLACES:,}", "disordered"
        )
    try:
        cell = SpacegroupAnalyzer(structure, symprec=SYMPREC_A).find_primitive() or structure
        first = SpacegroupAnalyzer(cell, symprec=SYMPREC_A).get_symmetry_dataset().equivalent_atoms
    except Exception as error:  # spglib fails on near-degenerate cells
        raise UnusableStructure("is disordered, and its symmetry cannot be found", "disordered") from error
    orbits = []
    for start in sorted(set(first.tolist())):
        places = tuple(np.flatnonzero(first == start).tolist())
        shares = {kind.symbol: float(share) for kind, share in cell[places[0]].species.items()}
        empty = 1.0 - sum(shares.values())
        if empty > 5e-4:
            shares[EMPTY] = empty
        orbits.append(Orbit(places, dict(sorted(shares.items()))))
    return cell, orbits


def choose_supercell(cell: Structure, orbits: list[Orbit], max_atoms: int, *, smallest: bool) -> Supercell:
    """Choose a supercell with up to `max_atoms` atoms that holds the occupancies: within `CLOSE`, else `TOLERANCE`.

    Args:
        cell: the primitive cell.
        orbits: its places.
        max_atoms: largest number of atoms.
        smallest: take the smallest, else that of the `SIZES` largest whose images are farthest apart.

    Raises:
        UnusableStructure: none holds the occupancies.
    """
    per_cell = sum(len(orbit.places) * (1.0 - orbit.shares.get(EMPTY, 0.0)) for orbit in orbits)
    found: dict[int, tuple[Counts, float]] = {}
    most = min(int((max_atoms + 0.5) / max(per_cell, 0.1)), max_atoms, limits.PLACES // len(cell))
    for size in range(1, most + 1):
        counts = tuple(whole_numbers(orbit.shares, size * len(orbit.places)) for orbit in orbits)
        if 0 < n_atoms(counts) <= max_atoms:
            found[size] = counts, max(map(deviation, orbits, counts))
    key = "structures.disorder_cells.max_atoms"
    if not found:
        why = (
            f"its primitive cell alone has more than {limits.PLACES:,} places, or than the "
            f"{plural(max_atoms, 'atom')} that {key} allows"
            if most < 1 or per_cell > max_atoms
            else f"its occupancies are so low that not even {plural(most, 'primitive cell')} hold an atom"
        )
        raise UnusableStructure(f"is disordered, and {why}", "disordered")
    least = min(off for _, off in found.values())
    if least > TOLERANCE:
        counts = next(counts for counts, off in found.values() if off == least)
        worst, _ = max(zip(orbits, counts, strict=True), key=lambda pair: deviation(*pair))
        raise UnusableStructure(
            f"is disordered, and no cell of up to {plural(max_atoms, 'atom')} holds its occupancies, such as "
            f"{describe_shares(worst.shares)}, within {TOLERANCE:g} (the best of them is off by {least:.2f}); a larger "
            f"{key} may",
            "disordered",
        )
    sizes = [size for size, (_, off) in found.items() if off <= (CLOSE if least <= CLOSE else TOLERANCE)]
    made = []
    for size in sizes[:1] if smallest else sizes[-SIZES:]:
        matrix, width = widest(cell.lattice, size)
        made.append(Supercell(matrix, *found[size], width))
    return max(made, key=lambda each: (round(each.width, 1), -each.n_atoms))


def widest(lattice: Lattice, size: int) -> tuple[tuple[tuple[int, ...], ...], float]:
    """Of all supercells of a size, the one whose images are farthest apart.

    Every supercell is one of the matrices in Hermite normal form. A vector of the lattice leads to an image if it is a
    sum of whole rows of the matrix. The shortest such vector is at most 2^(1/6) times the edge of a cube of the
    supercell's volume (Hermite's constant).

    Returns:
        The matrix, and the length of the shortest vector between images, Å.
    """
    matrices = _hermite(size)
    reach = 1.123 * (size * lattice.volume) ** (1 / 3) + 1e-6
    planes = np.array(lattice.reciprocal_lattice_crystallographic.abc)  # 1 / distance of the lattice planes
    most = np.ceil(reach * planes).astype(int)
    steps = np.array(list(product(*(range(-number, number + 1) for number in most))))
    lengths = np.linalg.norm(steps @ lattice.matrix, axis=1)
    order = np.argsort(lengths, kind="stable")
    order = order[(lengths[order] > 1e-6) & (lengths[order] <= reach)]
    steps, lengths = steps[order], lengths[order]
    shortest = np.zeros(len(matrices))
    for start in range(0, len(matrices), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        adjugates = np.rint(size * np.linalg.inv(matrices[some])).astype(np.int64)
        inside = (np.einsum("vi,kij->kvj", steps, adjugates) % size == 0).all(axis=2)
        shortest[some] = np.where(inside.any(axis=1), lengths[inside.argmax(axis=1)], 0.0)
    best = int(np.argmax(np.round(shortest, 6)))
    return tuple(tuple(row) for row in matrices[best].tolist()), float(shortest[best])


def _hermite(size: int) -> NDArray[np.int64]:
    """All integer matrices of a determinant in Hermite normal form (k, 3, 3)."""
    found = []
    for a, b in product(range(1, size + 1), repeat=2):
        if size % (a * b):
            continue
        c = size // (a * b)
        for d, e, f in product(range(b), range(c), range(c)):
            found.append([[a, d, e], [0, b, f], [0, 0, c]])
    return np.array(found, dtype=np.int64)


def whole_numbers(shares: dict[str, float], places: int) -> dict[str, int]:
    """Divide places among the kinds of atoms, nearest to their shares; the numbers add up to the places."""
    exact = {kind: share * places for kind, share in shares.items()}
    counts = {kind: int(value + 1e-6) for kind, value in exact.items()}
    left = places - sum(counts.values())
    for kind in sorted(exact, key=lambda kind: (counts[kind] - exact[kind], kind))[:left]:
        counts[kind] += 1
    return counts


def deviation(orbit: Orbit, counts: dict[str, int]) -> float:
    """Largest difference between the orbit's occupancies and those that the numbers of atoms make."""
    places = sum(counts.values())
    return max(abs(counts[kind] / places - share) for kind, share in orbit.shares.items())


def describe_shares(shares: dict[str, float]) -> str:
    """`Fe 0.87, Mg 0.13`; empty places are not named."""
    return ", ".join(f"{kind} {share:.3g}" for kind, share in shares.items() if kind != EMPTY)
