"""Generate all atoms of the cell from the atoms that a file lists and the symmetry operations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymatgen.core import Lattice, Structure

from xanesflow.core.errors import UnusableStructure
from xanesflow.core.text import first_of
from xanesflow.structures.check_structure import MAX_ATOMS, MIN_DISTANCE_A, shortest_distance
from xanesflow.structures.space_groups import Operations

SNAP_A = 0.02
"""An atom this close to a special position counts as on it, however many digits its coordinates have."""

MOST_SNAP_A = 0.1
SAME_A = 0.01
SHARED_A = 0.05
"""Partly occupied rows this close to each other share one place."""

FULL = 0.9995
"""From this occupancy on, a place counts as full."""

MOST_OF_A_PAIR = 0.525
"""Largest occupancy of two places of which only one may be filled, because they are too close to each other."""

MOST_SHARED = 1.05
"""Occupancies that share a place may add up to this much, and are then scaled down to 1."""


@dataclass(frozen=True)
class ListedAtom:
    """A row of a file's atoms."""

    label: str  # as the file gives it
    symbol: str  # of its element
    place: np.ndarray  # fractional coordinates (3,)
    # what one unit of the last digit of each coordinate is worth, or six standard uncertainties if that is more (3,);
    # 0 where it is exact
    last_digit: np.ndarray
    multiplicity: float | None = None  # of its position as the file gives it, None if it does not
    occupancy: float = 1.0  # up to 1


def place_atoms(atoms: list[ListedAtom], lattice: Lattice, operations: Operations) -> tuple[Structure, list[str]]:
    """Generate all atoms of a cell.

    Coordinates that lack digits, such as 0.333 for 1/3, are moved onto the special position that they stand for;
    otherwise symmetry would make several atoms of one. Partly occupied rows at one place share it.

    Returns:
        The structure, in the order of pymatgen's own reader (by electronegativity, then by rows), and remarks.

    Raises:
        UnusableStructure: an atom is too close to its own image, or two rows give the same position.
    """
    rotations, translations = operations.rotations, operations.translations
    symbols: list[str] = []
    places: list[np.ndarray] = []
    owners: list[int] = []
    put: list[str] = []
    for row, atom in enumerate(atoms):
        place = _on_special_position(atom, lattice, rotations, translations)
        if place is not atom.place and np.abs(_nearest(place - atom.place)).max() > 1.5e-5:
            moved = float(np.linalg.norm(_nearest(place - atom.place) @ lattice.matrix))
            to = ", ".join(f"{value:.6g}" for value in np.round(place, 6) + 0.0)
            put.append(f"{atom.label} onto {to} ({moved:.3f} Å away)")
        orbit = _orbit(atom, place, lattice, rotations, translations)
        _check_multiplicity(atom, len(orbit), operations)
        places.append(orbit)
        symbols += [atom.symbol] * len(orbit)
        owners += [row] * len(orbit)
        if len(owners) > MAX_ATOMS:
            raise UnusableStructure(f"has more than {MAX_ATOMS:,} atoms a cell, which is the limit")
    if any(atom.occupancy < 1 for atom in atoms):
        structure = _share_places(atoms, places, lattice)
    else:
        structure = Structure(lattice, symbols, np.concatenate(places))
        _check_rows_apart(structure, owners, atoms)
    notes = []
    if put:
        notes.append(f"coordinates with few digits are put onto the special position: {first_of(put, 3)}")
    return structure.get_sorted_structure(), notes


def _nearest(apart: np.ndarray) -> np.ndarray:
    """The shortest of all periodic copies of differences in fractions."""
    near: np.ndarray = apart - np.round(apart)
    return near


def _on_special_position(
    atom: ListedAtom, lattice: Lattice, rotations: np.ndarray, translations: np.ndarray
) -> np.ndarray:
    """The place of an atom, or the special position that its digits stand for (3,)."""
    if len(rotations) == 1:
        return atom.place
    place = atom.place
    reach = min(float(np.linalg.norm(atom.last_digit * lattice.abc)) + SNAP_A, MOST_SNAP_A)
    apart = _nearest(rotations @ place + translations - place)
    near = np.linalg.norm(apart @ lattice.matrix, axis=1) < 2 * reach
    # The mean over the operations that leave it where it is lies on the special position itself.
    for _ in range(3):
        place = place + _nearest(rotations[near] @ place + translations[near] - place).mean(axis=0)
    left = _nearest(rotations[near] @ place + translations[near] - place)
    shift = _nearest(place - atom.place)
    # 0.67 and 0.66 stand for 2/3, rounded or cut; 0.68 does not.
    rounded = np.abs(shift) <= 0.501 * atom.last_digit + 1e-9
    cut = (shift * np.sign(atom.place) > 0) & (np.abs(shift) <= 1.001 * atom.last_digit)
    by_digits = bool((rounded | cut).all())
    small = float(np.linalg.norm(shift @ lattice.matrix)) <= SNAP_A
    settled = float(np.abs(left).max()) < 1e-6
    return place if settled and (by_digits or small) else atom.place


def _orbit(
    atom: ListedAtom, place: np.ndarray, lattice: Lattice, rotations: np.ndarray, translations: np.ndarray
) -> np.ndarray:
    """All images of a place in the cell (n, 3), each once, in the order of the operations."""
    images = (rotations @ place + translations) % 1.0
    images[images > 1 - 1e-9] = 0.0
    if len(images) == 1:
        return images
    apart = _nearest(images[:, None] - images[None]).reshape(-1, 3) @ lattice.matrix
    distances = np.sqrt(np.einsum("ij,ij->i", apart, apart)).reshape(len(images), -1)
    first = np.flatnonzero((distances < SAME_A).argmax(axis=1) == np.arange(len(images)))
    between = distances[0, first[1:]]
    limit = shortest_distance(atom.symbol, atom.symbol)
    if len(between) and between.min() < limit and atom.occupancy > MOST_OF_A_PAIR:
        raise UnusableStructure(
            f"puts its atom {atom.label[:20]} {between.min():.2f} Å from an image of its own by symmetry, which is too "
            "close for two atoms: its coordinates, its symmetry or its setting are wrong, or it is disordered",
            "disordered" if between.min() < MIN_DISTANCE_A else "atoms_too_close",
        )
    return images[first]


def _check_multiplicity(atom: ListedAtom, made: int, operations: Operations) -> None:
    """Compare the number of an atom's images with the file's; some programs write the order of the site instead."""
    given = atom.multiplicity
    if given is not None and given not in (made, len(operations.order) / made):
        raise UnusableStructure(
            f"contradicts itself: it gives {given:g} atoms {atom.label[:20]} a cell, and {operations.name} makes {made}"
        )


def _share_places(atoms: list[ListedAtom], orbits: list[np.ndarray], lattice: Lattice) -> Structure:
    """Build a disordered structure: rows whose images lie at the same places share them.

    Raises:
        UnusableStructure: more than one atom in all would be at a place.
    """
    merged: list[tuple[np.ndarray, dict[str, float], str]] = []  # places, occupancy by element, label of the first row
    for atom, orbit in zip(atoms, orbits, strict=True):
        for places, shares, label in merged:
            near = np.linalg.norm(_nearest(places - orbit[0]) @ lattice.matrix, axis=1).min()
            if len(places) == len(orbit) and near < SHARED_A:
                shares[atom.symbol] = shares.get(atom.symbol, 0.0) + atom.occupancy
                if sum(shares.values()) > MOST_SHARED:
                    raise UnusableStructure(
                        f"contradicts itself: {label[:20]} and {atom.label[:20]} are at one place, and their "
                        f"occupancies add up to {sum(shares.values()):.3g}",
                        "disordered",
                    )
                break
        else:
            merged.append((orbit, {atom.symbol: atom.occupancy}, atom.label))
    species = []
    for places, shares, _ in merged:
        total = sum(shares.values())
        scale = total if total > FULL else 1.0
        species += [{symbol: share / scale for symbol, share in shares.items()}] * len(places)
    return Structure(lattice, species, np.concatenate([places for places, *_ in merged]))


def _check_rows_apart(structure: Structure, owners: list[int], atoms: list[ListedAtom]) -> None:
    """Refuse two rows for the same position; `check_distances` finds other atoms that are too close."""
    where: dict[tuple[int, ...], int] = {}
    for owner, place in zip(owners, (np.round(structure.frac_coords * 2000).astype(int) % 2000).tolist(), strict=True):
        other = where.setdefault(tuple(place), owner)
        if other != owner:
            one, two = atoms[other], atoms[owner]
            if one.symbol == two.symbol:
                problem = f"{one.label[:20]} and {two.label[:20]} are one atom by its symmetry; leave one of them"
            else:
                problem = f"{one.label[:20]} and {two.label[:20]}, so it is disordered"
            raise UnusableStructure(f"has several atoms at one place: {problem}", "disordered")
