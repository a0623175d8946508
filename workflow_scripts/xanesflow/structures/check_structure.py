"""Check a structure against physics and against the other statements of its file.

A file that is wrong, or read wrongly, mostly gives another crystal without any error: ignoring the setting doubles the
atoms, reading only the first operation leaves most of them out. The structure is therefore compared with everything
else that the file states, and atoms must not be closer to each other than their elements allow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import product

import gemmi
import numpy as np
from pymatgen.core import Composition, Element, Lattice, Structure
from scipy.spatial import cKDTree

from xanesflow.core import limits
from xanesflow.core.errors import UnusableStructure
from xanesflow.core.text import plural

MIN_DISTANCE_A = 0.5
"""Atoms closer than this are a mistake, whatever their elements: the shortest bond, H-H, has 0.74 Å."""

SHORTEST_BONDS = {"metals": 0.55, "hydrogen": 0.6, "metal and non-metal": 0.63, "non-metals": 0.68}
"""Smallest distance as a fraction of the sum of two covalent radii.

The shortest known bonds: Cr-Cr fivefold 0.62, U=O 0.67, V=O 0.72, C#C 0.79, O2 0.92.
"""

FILLED_BY = "--disorder random (structures.disorder in a campaign)"
"""How a user gets a disordered crystal filled, for sentences."""

MAX_EDGE_A = 1000.0
MIN_VOLUME_A3 = 1e-3
MAX_FRACTION = 1000.0
MAX_ATOMS = limits.ATOMS

DENSITY_TOLERANCE = 0.03
MEASURED_DENSITY_TOLERANCE = 0.25
VOLUME_TOLERANCE = 0.01
COUNT_TOLERANCE = 0.01


@dataclass(frozen=True)
class Claims:
    """What a file states about its crystal besides cell, symmetry and atoms; None if it states nothing."""

    formula: str | None = None  # its sum formula as written
    units: float | None = None  # formula units in the cell, Z
    density: float | None = None  # as computed, in g/cm³
    measured_density: float | None = None  # in g/cm³
    volume: float | None = None  # of the cell, in Å³
    atoms: int | None = None  # number of atoms in the cell

    @property
    def counts_atoms(self) -> bool:
        """Whether they show if atoms of the cell are missing."""
        counted = self.formula is not None and self.units is not None
        return counted or self.density is not None or self.atoms is not None


def check_claims(structure: Structure, claims: Claims) -> str:
    """Compare a structure with the claims of its file.

    Returns:
        A remark for the user; empty if there is none.

    Raises:
        UnusableStructure: they contradict each other; the message gives both values.
    """
    if claims.volume is not None and abs(structure.volume - claims.volume) > VOLUME_TOLERANCE * claims.volume:
        raise UnusableStructure(
            f"contradicts itself: it gives a cell volume of {claims.volume:.5g} Å³, and its cell has "
            f"{structure.volume:.5g} Å³"
        )
    if claims.atoms is not None and claims.atoms != len(structure):
        raise UnusableStructure(
            f"contradicts itself: it gives {plural(claims.atoms, 'atom')} a cell, and what it lists makes "
            f"{len(structure)}"
        )
    note, missing_mass = "", 0.0
    if claims.formula is not None:
        stated = read_formula(claims.formula)
        if stated is None:
            note = f"its formula '{claims.formula[:40]}' is no sum formula and was not checked"
        else:
            note, missing_mass = _check_formula(structure, claims, stated)
    mass = float(structure.composition.weight) + missing_mass
    density = mass * 1.66053907 / structure.volume
    for given, tolerance in (
        (claims.density, DENSITY_TOLERANCE),
        (claims.measured_density, MEASURED_DENSITY_TOLERANCE),
    ):
        if given is not None and abs(density - given) > tolerance * given:
            raise UnusableStructure(
                f"contradicts itself: it gives a density of {given:.4g} g/cm³, and its cell, symmetry and atoms make "
                f"{density:.4g} g/cm³"
            )
    return note


def read_formula(text: str) -> Composition | None:
    """Read a sum formula, deuterium as hydrogen; None if the text is not a sum formula."""
    plain = re.sub(r" \d*[+-]$", "", text.strip())
    parts = plain.replace(",", " ").split()
    if not parts or len(plain) > 500:
        return None
    amounts: dict[str, float] = {}
    for part in parts:
        # Element symbols with a number each; NiO and Ni1O1 too.
        if not re.fullmatch(r"(?:[A-Z][a-z]?(?:\d+(?:\.\d*)?|\.\d+)?)+", part):
            return None
        for symbol, amount in re.findall(r"([A-Z][a-z]?)(\d+\.?\d*|\.\d+)?", part):
            if not Element.is_valid_symbol(symbol):
                return None
            name = "H" if symbol in ("D", "T") else symbol
            amounts[name] = amounts.get(name, 0.0) + float(amount or 1)
    amounts = {symbol: amount for symbol, amount in amounts.items() if amount > 0}
    return Composition(amounts) if amounts else None


def _check_formula(structure: Structure, claims: Claims, stated: Composition) -> tuple[str, float]:
    """A remark, and the mass (u) of the cell's hydrogen that the formula has but the list of atoms lacks."""
    built = structure.composition
    note = ""
    wanted = {element.symbol: amount for element, amount in stated.items()}
    found = {element.symbol: amount for element, amount in built.items()}
    hydrogen = 0.0
    if "H" in wanted and "H" not in found and len(wanted) > 1:
        hydrogen = wanted.pop("H")
        note = f"Missing elements H: its formula '{claims.formula}' has hydrogen, of which it lists no atom"
    if wanted.keys() != found.keys():
        raise UnusableStructure(_other_formula(structure, claims))
    ratios = np.array([found[symbol] / wanted[symbol] for symbol in wanted])
    if ratios.max() - ratios.min() > COUNT_TOLERANCE * ratios.max():
        raise UnusableStructure(_other_formula(structure, claims))
    units = float(ratios.mean())
    if claims.units is not None:
        # Some programs write the whole cell as the formula and its formula units besides.
        cell_units = stated.get_reduced_composition_and_factor()[1]
        whole = abs(units - 1) <= COUNT_TOLERANCE and abs(claims.units - cell_units) <= COUNT_TOLERANCE * cell_units
        if abs(units - claims.units) > COUNT_TOLERANCE * claims.units and not whole:
            atoms = sum(wanted.values()) * claims.units
            raise UnusableStructure(
                f"contradicts itself: '{claims.formula}' with Z = {claims.units:g} makes {atoms:g} atoms a cell, and "
                f"its symmetry and atoms make {len(structure)}"
            )
    return note, units * hydrogen * float(Element("H").atomic_mass)


def _other_formula(structure: Structure, claims: Claims) -> str:
    made = structure.composition.reduced_composition.formula
    return f"contradicts itself: it gives the formula '{str(claims.formula)[:80]}', and its atoms make '{made[:80]}'"


def check_numbers(matrix: np.ndarray, fractions: np.ndarray) -> None:
    """Refuse a cell or positions that no computation can use.

    Args:
        matrix: the cell's vectors in Å (3, 3).
        fractions: fractional coordinates (n, 3).

    Raises:
        UnusableStructure: there are no or too many atoms, the cell is impossible, or a number is not finite.
    """
    if not len(fractions):
        raise UnusableStructure("has no atoms")
    if len(fractions) > MAX_ATOMS:
        raise UnusableStructure(f"has {len(fractions):,} atoms, and the limit is {MAX_ATOMS:,}")
    if not np.isfinite(matrix).all():
        raise UnusableStructure("has a cell that is not finite")
    edge = float(np.abs(matrix).max())
    if edge > MAX_EDGE_A:
        raise UnusableStructure(f"has a cell of {edge:.4g} Å, and the largest allowed is {MAX_EDGE_A:g} Å")
    if abs(np.linalg.det(matrix)) < MIN_VOLUME_A3:
        raise UnusableStructure("has a cell without volume")
    if not np.isfinite(fractions).all() or np.abs(fractions).max() > MAX_FRACTION:
        raise UnusableStructure("has coordinates that are not finite or far outside its cell")


@cache
def shortest_distance(one: str, other: str) -> float:
    """The smallest distance in Å that atoms of two elements can have."""
    radii = gemmi.Element(one).covalent_r + gemmi.Element(other).covalent_r
    metals = [Element(symbol).is_metal or Element(symbol).is_metalloid for symbol in (one, other)]
    if "H" in (one, other):
        kind = "hydrogen"
    else:
        kind = "metals" if all(metals) else "metal and non-metal" if any(metals) else "non-metals"
    return max(MIN_DISTANCE_A, SHORTEST_BONDS[kind] * float(radii))


def check_distances(structure: Structure) -> None:
    """Refuse atoms that are closer to each other, or to their own images, than their elements allow.

    Raises:
        UnusableStructure: two atoms are too close.
    """
    # Find the smallest distance allowed for each pair of elements.
    symbols = [site.specie.symbol for site in structure]
    kinds = sorted(set(symbols))
    kind_of = np.array([kinds.index(symbol) for symbol in symbols])
    limits = np.array([[shortest_distance(one, other) for other in kinds] for one in kinds])
    # Compare each atom with its own images, in a reduced cell, where the nearest images are at most two cells away.
    cell = structure.lattice.get_lll_reduced_lattice()
    shifts = np.array(list(product(range(-2, 3), repeat=3)))
    own = np.linalg.norm(shifts[shifts.any(axis=1)] @ cell.matrix, axis=1).min()
    own_limits = np.diag(limits)[kind_of]
    if (own < own_limits).any():
        atom = int(np.argmax(own < own_limits))
        raise UnusableStructure(
            f"has a cell so thin that each atom, such as {symbols[atom]} {atom}, is {own:.2f} Å from its own image",
            "atoms_too_close",
        )
    # Find all pairs within the largest limit, in the cell and across its borders.
    reach = float(limits.max())
    inside = cell.get_fractional_coords(structure.cart_coords) % 1.0
    margin = reach / np.array([cell.d_hkl(plane) for plane in np.eye(3)])
    steps = np.arange(-3, 4)
    moved = inside.T[:, None, :] + steps[:, None]
    along = (moved > -margin[:, None, None]) & (moved < 1 + margin[:, None, None])  # (axis, step, atom)
    near = along[0][:, None, None] & along[1][:, None] & along[2]
    near[3, 3, 3] = False  # the atoms themselves, not images
    *moves, owner = np.nonzero(near)
    images = inside[owner] + steps[np.array(moves)].T
    cartesian = cell.get_cartesian_coords(np.concatenate([inside, images]))
    owner = np.concatenate([np.arange(len(inside)), owner])
    centres = cKDTree(cartesian[: len(inside)])
    pairs = centres.sparse_distance_matrix(cKDTree(cartesian), reach, output_type="ndarray")
    first, second, apart = pairs["i"], owner[pairs["j"]], pairs["v"]
    other = pairs["i"] != pairs["j"]
    first, second, apart = first[other], second[other], apart[other]
    allowed = limits[kind_of[first], kind_of[second]]
    if not (apart < allowed).any():
        return
    # Report the pair that is closest for its elements.
    worst = int(np.argmin(apart / allowed))
    one, two = sorted((int(first[worst]), int(second[worst])))
    a, b = symbols[one], symbols[two]
    if apart[worst] < 0.005:
        crowd = int((apart < 0.005).sum())
        message = f"has several atoms at one place: {a} {one} and {b} {two}, counted from 0, are 0.00 Å apart"
        more = f", and {crowd // 2 - 1} further pairs" if crowd > 2 else ""
        raise UnusableStructure(f"{message}{more}; remove the doubled ones", "atoms_too_close")
    raise UnusableStructure(
        f"has two atoms that are {apart[worst]:.2f} Å apart: {a} {one} and {b} {two}, counted from 0; no {a} and {b} "
        f"are closer than {allowed[worst]:.2f} Å, so its cell, symmetry or places are wrong, or it is disordered",
        "atoms_too_close",
    )


def checked(
    structure: Structure, claims: Claims | None = None, *, partly_occupied: bool = False
) -> tuple[Structure, str]:
    """Check that a spectrum can be computed for a structure, and reduce it to elements, positions and cell.

    Args:
        structure: as a file gives it.
        claims: what the file states besides.
        partly_occupied: whether sites may be partly occupied, or by several elements. Distances are then compared
            between the places that are occupied more often than not.

    Returns:
        The structure, and a remark for the user; empty if there is none.

    Raises:
        UnusableStructure: the structure cannot be used, or contradicts its claims.
    """
    matrix, fractions = structure.lattice.matrix, structure.frac_coords
    check_numbers(matrix, fractions)
    kinds = {kind for site in structure for kind in site.species}
    for kind in sorted(kinds, key=str):
        element = getattr(kind, "element", kind)  # a species is an element with a charge
        if not isinstance(element, Element):
            raise UnusableStructure(f"holds {str(kind)[:20]}, which is no element")
    if not structure.is_ordered and not partly_occupied:
        site = next(site for site in structure if not site.is_ordered)
        raise UnusableStructure(
            f"has partially occupied sites, such as {site.species_string[:60]}; {FILLED_BY} fills them", "disordered"
        )
    named = [{getattr(kind, "element", kind).name: n for kind, n in site.species.items()} for site in structure]
    heavy = sorted({name for shares in named for name in shares if name in ("D", "T")})
    plain = Structure(Lattice(matrix), [_with_hydrogen(shares) for shares in named], fractions)
    note = check_claims(plain, claims) if claims is not None else ""
    together = plain if plain.is_ordered else _mostly_there(plain)
    if len(together):
        check_distances(together)
    isotopes = f"{' and '.join(heavy)} is taken as H, as an isotope scatters alike" if heavy else ""
    return plain, "; ".join(filter(None, (isotopes, note)))


def _with_hydrogen(shares: dict[str, float]) -> dict[str, float]:
    """The occupancies of a place, isotopes of hydrogen as hydrogen."""
    found: dict[str, float] = {}
    for name, share in shares.items():
        symbol = "H" if name in ("D", "T") else name
        found[symbol] = found.get(symbol, 0.0) + share
    return found


def _mostly_there(structure: Structure) -> Structure:
    """The places occupied more often than not, with their commonest element: any two of them occur together."""
    often = [site for site in structure if site.species.num_atoms > 0.5 + 1e-6]
    kinds = [max(site.species.items(), key=lambda pair: pair[1])[0] for site in often]
    return Structure(structure.lattice, kinds, np.reshape([site.frac_coords for site in often], (-1, 3)))
