"""Well-known crystal structures of the eight elements, for campaigns without other structures.

The tables in this folder hold space group, lattice and free parameters as published, each with its reference.
`load_examples` reads them. `Example.structure` builds the primitive cell and checks that each orbit has as many atoms
as its Wyckoff symbol says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Composition, Element, Lattice, Structure

from xanesflow.core.errors import BadTextError, XanesflowError
from xanesflow.core.foreign_yaml import parse_yaml
from xanesflow.core.sites import ELEMENTS
from xanesflow.core.text import one_line, plural
from xanesflow.structures.examples.expand_symmetry import PRIMITIVE, distinct, find_setting, operations

FOLDER = Path(__file__).parent
KEYS = {"id", "formula", "name", "space_group", "lattice", "sites", "inequivalent", "nearest", "reference"}

LATTICE_KEYS = {
    "cubic": ("a",),
    "hexagonal": ("a", "c"),
    "trigonal": ("a", "c"),
    "tetragonal": ("a", "c"),
    "orthorhombic": ("a", "b", "c"),
    "monoclinic": ("a", "b", "c", "beta"),
    "triclinic": ("a", "b", "c", "alpha", "beta", "gamma"),
}


@dataclass(frozen=True)
class OccupiedSite:
    """An orbit of atoms: its element, Wyckoff position such as `16d`, and the fractional coordinates of one atom."""

    element: str
    wyckoff: str
    coordinates: tuple[float, float, float]


@dataclass(frozen=True)
class Example:
    """A structure from the literature."""

    id: str  # name for file names, such as `tio2-rutile`
    formula: str  # chemical formula
    name: str  # of the mineral or compound
    space_group: str  # Hermann-Mauguin symbol that names setting and origin choice, such as `Fd-3m:2`
    # a, b, c in Å and the angles in degrees of the conventional cell
    lattice: tuple[float, float, float, float, float, float]
    sites: tuple[OccupiedSite, ...]  # the atoms of the asymmetric unit
    inequivalent: Mapping[str, int]  # number of symmetry-inequivalent sites of each 3d metal
    # for each 3d metal, its partner element and the range in Å of the distance to the nearest such atom
    nearest: Mapping[str, tuple[str, float, float]]
    reference: str  # source of the numbers

    def structure(self) -> Structure:
        """Build the primitive cell, the same to the last digit on each call.

        PRIMITIVE combines the conventional vectors into the primitive ones; the origin is the table's. Atoms follow the
        order of the table's sites and, within a site, of their fractional coordinates, which lie in [0, 1).
        Coordinates are rounded to 8 decimals, and the vectors' components in Å to 10.

        Raises:
            XanesflowError: lattice, Wyckoff positions or formula do not match space group and coordinates.
        """
        lattice = Lattice.from_parameters(*self.lattice)
        rotations, translations = operations(self.space_group)
        metric = lattice.matrix @ lattice.matrix.T
        if not np.allclose(np.einsum("nji,jk,nkl->nil", rotations, metric, rotations), metric, atol=1e-6):
            raise _mistake(self.id, "lattice", f"it does not have the symmetry {self.space_group}")
        vectors = PRIMITIVE[self.space_group[0]]
        to_primitive = np.linalg.inv(vectors)
        species, coordinates = [], []
        for row, site in enumerate(self.sites, 1):
            images = rotations @ np.array(site.coordinates) + translations
            if (atoms := len(distinct(images))) != int(site.wyckoff[:-1]):
                raise _mistake(
                    self.id,
                    f"sites, row {row}",
                    f"{site.element} at {site.wyckoff} makes {plural(atoms, 'atom')} per cell",
                )
            primitive = distinct(images @ to_primitive)
            species += [site.element] * len(primitive)
            coordinates += primitive.tolist()
        structure = Structure(Lattice(np.round(vectors @ lattice.matrix, 10)), species, coordinates)
        if structure.composition.reduced_formula != Composition(self.formula).reduced_formula:
            raise _mistake(self.id, "formula", f"the sites make {structure.composition.reduced_formula}")
        return structure


def load_examples(folder: Path = FOLDER) -> list[Example]:
    """Read the tables, in the order of the ids.

    Args:
        folder: holds the tables.

    Raises:
        XanesflowError: an entry has a mistake; the message names entry and field.
    """
    examples: dict[str, Example] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            entries = parse_yaml(path.read_text(encoding="utf-8"))
        except BadTextError as error:
            raise XanesflowError(f"{path.name} {error}; correct the table") from None
        if not isinstance(entries, list):
            raise XanesflowError(f"{path.name} is not a list of example structures: begin each entry with '- id:'")
        for number, given in enumerate(entries, 1):
            example = _read_entry(given, f"number {number} of {path.name}")
            if example.id in examples:
                raise _mistake(example.id, "id", f"it is there twice, again in {path.name}")
            examples[example.id] = example
    return [examples[name] for name in sorted(examples)]


def _mistake(entry: str, field: str, what: str) -> XanesflowError:
    return XanesflowError(f"example structure {entry}, {field}: {what}; correct the table")


def _read_entry(given: Any, place: str) -> Example:
    if not isinstance(given, dict) or not isinstance(given.get("id"), str):
        raise _mistake(place, "id", "an entry is a mapping that begins with its id")
    entry = given["id"]
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry):
        raise _mistake(entry, "id", "it may hold a-z, 0-9 and single hyphens only")
    if wrong := sorted(KEYS ^ set(given), key=str):
        raise _mistake(entry, str(wrong[0]), "this key is " + ("missing" if wrong[0] in KEYS else "not known"))
    field = ""
    try:
        field = "formula"
        metals = {e.symbol for e in Composition(given[field])} & set(ELEMENTS)
        field = "space_group"
        symbol, system = find_setting(given[field])
        field = "lattice"
        lattice = _lattice(given[field], system)
        field = "sites"
        sites = tuple(_site(row) for row in given[field])
        field = "inequivalent"
        inequivalent = {str(e): int(n) for e, n in given[field].items()}
        counted = [s.element for s in sites if s.element in ELEMENTS]
        if inequivalent != {e: counted.count(e) for e in counted}:
            raise ValueError(f"the table has {', '.join(f'{counted.count(e)} of {e}' for e in sorted(set(counted)))}")
        field = "nearest"
        nearest = {}
        for pair, (shortest, longest) in given[field].items():
            metal, partner = str(pair).split("-")
            nearest[metal] = (Element(partner).symbol, float(shortest), float(longest))
        if set(nearest) != metals:
            raise ValueError(f"it must have one range for each of {', '.join(sorted(metals))}")
        field = "reference"
        if not re.search(r"\(1[89]\d\d\)|\(20\d\d\)|\(\d{4}[-–]\d{2,4}\)", str(given[field])):
            raise ValueError("it has no year in parentheses")
    except (ValueError, TypeError, AttributeError, KeyError, ZeroDivisionError) as error:
        raise _mistake(entry, field, one_line(error)) from None
    return Example(
        entry, given["formula"], str(given["name"]), symbol, lattice, sites, inequivalent, nearest, given["reference"]
    )


def _lattice(given: dict[str, float], system: str) -> tuple[float, float, float, float, float, float]:
    if tuple(given) != LATTICE_KEYS[system]:
        raise ValueError(f"a {system} cell is given by {', '.join(LATTICE_KEYS[system])}")
    a = float(given["a"])
    right = {"alpha": 90.0, "beta": 90.0, "gamma": 120.0 if system in ("hexagonal", "trigonal") else 90.0}
    alpha, beta, gamma = (float(given.get(angle, usual)) for angle, usual in right.items())
    return a, float(given.get("b", a)), float(given.get("c", a)), alpha, beta, gamma


def _site(row: Any) -> OccupiedSite:
    element, wyckoff, (x, y, z) = row
    if not re.fullmatch(r"\d+[a-zA-Z]", str(wyckoff)):
        raise ValueError(f"{wyckoff!r} is not a Wyckoff position such as 4a")
    return OccupiedSite(Element(element).symbol, wyckoff, (float(Fraction(x)), float(Fraction(y)), float(Fraction(z))))
