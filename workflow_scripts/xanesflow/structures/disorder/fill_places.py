"""Fill the places of a supercell with whole atoms: at random, or with the lowest electrostatic energy."""

from __future__ import annotations

import warnings
from math import comb, prod

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Composition, Species, Structure

from xanesflow.core.errors import UnusableStructure
from xanesflow.core.text import plural
from xanesflow.structures.balance_charges import balancing_charges
from xanesflow.structures.check_structure import FILLED_BY, shortest_distance
from xanesflow.structures.disorder.supercells import EMPTY, Counts, Orbit, Supercell

ATTEMPTS = 200
"""Random fillings that are tried until no two atoms are too close to each other."""

MOST_ORDERINGS = 1_000_000
"""Most orderings whose electrostatic energies are compared; a million take a quarter of a minute or so."""


def expand(cell: Structure, supercell: Supercell) -> tuple[Structure, NDArray[np.int64]]:
    """Repeat the primitive cell.

    Returns:
        All places of the supercell (n), and for each the index of its place in the primitive cell (n,).
    """
    marked = cell.copy(site_properties={"place": list(range(len(cell)))})
    repeated = marked.make_supercell(supercell.matrix, in_place=False)
    owner = np.array(repeated.site_properties["place"], dtype=np.int64)
    lattice = repeated.lattice.get_lll_reduced_lattice()
    places = Structure(
        lattice, repeated.species_and_occu, repeated.cart_coords, coords_are_cartesian=True, to_unit_cell=True
    )
    return places, owner


def fill_at_random(
    places: Structure, owner: NDArray[np.int64], orbits: list[Orbit], counts: Counts, seed: list[int]
) -> Structure:
    """Distribute the whole atoms over the places of their orbits at random, with no two atoms too close to each other.

    Args:
        places: of the supercell.
        owner: (n,) index of each place in the primitive cell.
        orbits: of the primitive cell.
        counts: atoms of each element on each orbit.
        seed: of the random numbers.

    Raises:
        UnusableStructure: the places are so close to each other that no filling was found.
    """
    random = np.random.default_rng(seed)
    apart = places.distance_matrix
    fixed: dict[int, str] = {}
    free: list[tuple[Orbit, list[int], dict[str, int]]] = []
    for orbit, of_orbit in zip(orbits, counts, strict=True):
        members = np.flatnonzero(np.isin(owner, orbit.places)).tolist()
        if orbit.partly_occupied:
            free.append((orbit, members, of_orbit))
        else:
            fixed |= dict.fromkeys(members, next(iter(orbit.shares)))
    for _ in range(ATTEMPTS):
        filled = dict(fixed)
        if all(_place(filled, members, of_orbit, apart, random) for _, members, of_orbit in free):
            kept = sorted(filled)
            fractions = places.frac_coords[kept]
            return Structure(places.lattice, [filled[k] for k in kept], fractions).get_sorted_structure()
    raise UnusableStructure(
        f"is disordered, and in none of {ATTEMPTS} random fillings of {plural(len(places), 'place')} are all atoms "
        "far enough from each other, so its occupancies are not independent",
        "disordered",
    )


def _place(
    filled: dict[int, str],
    members: list[int],
    counts: dict[str, int],
    apart: NDArray[np.float64],
    random: np.random.Generator,
) -> bool:
    """Put atoms on the places of an orbit; False if one finds no place that is far enough from the others."""
    kinds = [kind for kind, number in counts.items() if kind != EMPTY for _ in range(number)]
    empty = random.permutation(members).tolist()
    for kind in random.permutation(np.array(kinds, dtype=object)).tolist():
        for place in empty:
            others = np.flatnonzero((apart[place] < 2.5) & (np.arange(len(apart)) != place)).tolist()
            if all(apart[place, k] >= shortest_distance(kind, filled[k]) for k in others if k in filled):
                filled[place] = kind
                empty.remove(place)
                break
        else:
            return False
    return True


def fill_by_energy(
    places: Structure, owner: NDArray[np.int64], orbits: list[Orbit], counts: Counts
) -> tuple[Structure, str]:
    """Order the whole atoms so that the electrostatic energy of their charges is the lowest (Ewald sum).

    Args:
        places: of the supercell.
        owner: (n,) index of each place in the primitive cell.
        orbits: of the primitive cell.
        counts: atoms of each element on each orbit.

    Returns:
        The structure, and the charges as `Fe 3, Mg 2, O -2`.

    Raises:
        UnusableStructure: no charges add up to zero, they do not decide, or there are too many orderings.
    """
    # Charges that add up to zero, as pymatgen guesses them from the composition.
    total: dict[str, int] = {}
    for of_orbit in counts:
        for kind, number in of_orbit.items():
            if kind != EMPTY:
                total[kind] = total.get(kind, 0) + number
    charges = balancing_charges(Composition(total))
    if not charges:
        raise UnusableStructure(
            "is disordered, and its elements have no usual charges that add up to zero, so `ordered` cannot compare "
            f"electrostatic energies; {FILLED_BY} fills it",
            "disordered",
        )
    parts = [{kind: n for kind, n in of_orbit.items() if n} for of_orbit in counts]
    for part in parts:
        alike = {charges.get(kind, 0.0) for kind in part}
        if len(part) > 1 and len(alike) == 1:
            raise UnusableStructure(
                f"is disordered, and {' and '.join(part)} have the same charge ({alike.pop():+g}, guessed "
                "from the composition; charges in the file are not read), so the electrostatic energy does not order "
                f"them; {FILLED_BY} fills it",
                "disordered",
            )
    orderings = prod(map(_orderings, parts))
    if orderings > MOST_ORDERINGS:
        raise UnusableStructure(
            f"is disordered, and its smallest cell has {orderings:.1e} orderings, more than the {MOST_ORDERINGS:.0e} "
            f"that `ordered` compares; {FILLED_BY} fills it",
            "disordered",
        )
    # pymatgen takes the lowest of all orderings, if there is anything to order.
    of_place = {place: part for orbit, part in zip(orbits, parts, strict=True) for place in orbit.places}
    there = [k for k, place in enumerate(owner.tolist()) if set(of_place[place]) != {EMPTY}]
    species = []
    for k in there:
        part = of_place[int(owner[k])]
        whole = sum(part.values())
        species.append({Species(kind, charges[kind]): n / whole for kind, n in part.items() if kind != EMPTY})
    ordered = Structure(places.lattice, species, places.frac_coords[there])
    if not ordered.is_ordered:
        # It loads sympy, which takes two seconds, and few crystals are disordered.
        from pymatgen.transformations.standard_transformations import OrderDisorderedStructureTransformation

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lowest = OrderDisorderedStructureTransformation(occ_tol=0.01).apply_transformation(ordered)
        assert isinstance(lowest, Structure)  # a list only if it is asked for
        ordered = lowest
    ordered.remove_oxidation_states()
    text = ", ".join(f"{kind} {charge:+.3g}" for kind, charge in sorted(charges.items()))
    return ordered.get_sorted_structure(), text


def _orderings(counts: dict[str, int]) -> int:
    """Number of ways to distribute the atoms of an orbit."""
    left, ways = sum(counts.values()), 1
    for number in counts.values():
        ways *= comb(left, number)
        left -= number
    return ways
