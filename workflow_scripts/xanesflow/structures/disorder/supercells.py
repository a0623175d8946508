"""Choose a supercell in which whole atoms make up the occupancies of a disordered crystal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from xanesflow.core.errors import UnusableStructure

TOLERANCE = 0.02
"""Largest difference between an occupancy and the share of whole atoms that stands for it."""

SYMPREC = 0.01  # Å

EMPTY = ""
"""Stands for a place without an atom."""


@dataclass(frozen=True)
class Orbit:
    """Symmetry-equivalent places of the primitive cell.

    Attributes:
        places: their indices.
        shares: occupancy by element, `EMPTY` among them; the sum is 1.
    """

    places: tuple[int, ...]
    shares: dict[str, float]

    @property
    def partly_occupied(self) -> bool:
        """Whether a place may hold different atoms, or none."""
        return len(self.shares) > 1


@dataclass(frozen=True)
class Supercell:
    """A supercell with the number of whole atoms on each orbit.

    Attributes:
        times: how often the primitive cell's three vectors are repeated.
        counts: for each orbit, the number of atoms of each element in the supercell, `EMPTY` among them.
        off: largest difference between an occupancy and its share of whole atoms.
        width: length in Å of the shortest vector between two images of an atom.
    """

    times: tuple[int, int, int]
    counts: tuple[dict[str, int], ...]
    off: float
    width: float

    @property
    def n_atoms(self) -> int:
        """Number of atoms, without empty places."""
        return sum(number for of_orbit in self.counts for kind, number in of_orbit.items() if kind != EMPTY)


def primitive_cell(structure: Structure) -> tuple[Structure, list[Orbit]]:
    """The primitive cell of a disordered crystal, and its places by symmetry.

    Raises:
        UnusableStructure: its symmetry cannot be found.
    """
    try:
        cell = SpacegroupAnalyzer(structure, symprec=SYMPREC).find_primitive() or structure
        first = SpacegroupAnalyzer(cell, symprec=SYMPREC).get_symmetry_dataset().equivalent_atoms
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
    """Choose among the supercells with up to `max_atoms` atoms that hold the occupancies within `TOLERANCE`.

    Args:
        cell: the primitive cell.
        orbits: its places.
        max_atoms: largest number of atoms.
        smallest: take the one with the fewest atoms, else the one whose images are farthest apart.

    Raises:
        UnusableStructure: none holds the occupancies.
    """
    found = list(_supercells(cell, orbits, max_atoms))
    good = [each for each in found if each.off <= TOLERANCE]
    if good and smallest:
        return min(good, key=lambda each: (each.n_atoms, -round(each.width, 3), each.off))
    if good:
        return max(good, key=lambda each: (round(each.width, 1), -each.off, -each.n_atoms))
    key = "structures.disorder_cells.max_atoms"
    if not found:
        raise UnusableStructure(
            f"is disordered, and its primitive cell alone has more than the {max_atoms} atoms that {key} allows",
            "disordered",
        )
    best = min(found, key=lambda each: each.off)
    worst = max((o for o in orbits if o.partly_occupied), key=lambda o: deviation(o, best.counts[orbits.index(o)]))
    raise UnusableStructure(
        f"is disordered, and no cell of up to {max_atoms} atoms holds its occupancies, such as "
        f"{describe_shares(worst.shares)}, within {TOLERANCE:g} (the best of them is off by {best.off:.2f}); a larger "
        f"{key} may",
        "disordered",
    )


def _supercells(cell: Structure, orbits: list[Orbit], max_atoms: int) -> Iterator[Supercell]:
    """All multiples of the cell's vectors that hold at most so many atoms."""
    per_cell = sum(len(orbit.places) * (1.0 - orbit.shares.get(EMPTY, 0.0)) for orbit in orbits)
    most = int((max_atoms + 0.5) / max(per_cell, 0.1))
    by_size: dict[int, tuple[tuple[dict[str, int], ...], float]] = {}
    for a in range(1, most + 1):
        for b in range(1, most // a + 1):
            for c in range(1, most // (a * b) + 1):
                size = a * b * c
                if size not in by_size:
                    counts = tuple(whole_numbers(orbit.shares, size * len(orbit.places)) for orbit in orbits)
                    by_size[size] = counts, max(map(deviation, orbits, counts))
                counts, off = by_size[size]
                matrix = np.diag([a, b, c]) @ cell.lattice.matrix
                width = min(Lattice(matrix).get_lll_reduced_lattice().abc)
                made = Supercell((a, b, c), counts, off, float(width))
                if made.n_atoms <= max_atoms:
                    yield made


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
