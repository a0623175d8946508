"""Finds the structure, the element and the atoms that a call of `xanesflow xanes` names."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pymatgen.core import Element, Structure

from xanesflow.core.errors import UnusableStructure, WrongCallError, XanesflowError
from xanesflow.core.sites import ELEMENTS
from xanesflow.core.text import first_few, listing, plural, printable, quoted
from xanesflow.structures.amcsd.find_mineral import find_mineral
from xanesflow.structures.disorder.represent import REFUSE, Disorder, describe_or_fill
from xanesflow.structures.examples import load_examples
from xanesflow.structures.material import BadStructure, Material
from xanesflow.structures.one_file import name_of, read_structure_file

LIGHTEST, HEAVIEST = 11, 92
"""Atomic numbers of the first and last absorber whose K edge is computed."""

_LIST = "`xanesflow structures search` lists the examples, and with a word minerals too"


@dataclass(frozen=True)
class Absorber:
    """An atom whose spectrum is computed."""

    element: str  # its symbol
    index: int  # 0-based index into the structure
    multiplicity: int  # number of symmetry-equivalent atoms of the cell that it stands for, itself included
    # number of the cell among those that represent a disordered crystal, from 1; 0: the crystal is ordered
    cell: int = 0

    @property
    def label(self) -> str:
        """Name of a column, as `Cu_000 (x4)` or `cell2 Cu_000 (x4)`."""
        return f"{self._cell}{self.element}_{self.index:03d} (x{self.multiplicity})"

    @property
    def folder(self) -> str:
        """Name of a folder, as `Cu_000` or `cell2_Cu_000`."""
        return f"{self._cell}{self.element}_{self.index:03d}".replace(" ", "_")

    @property
    def name(self) -> str:
        """Name for people, as `Cu 0 (×4)` or `cell2 Cu 0 (×4)`."""
        return f"{self._cell}{self.element} {self.index} (×{self.multiplicity})"

    @property
    def _cell(self) -> str:
        return f"cell{self.cell} " if self.cell else ""


@dataclass(frozen=True)
class Given:
    """A structure as it was read, before its symmetry is known."""

    given: str  # what the user named
    name: str  # of the structure, fit for a file's name
    source: str  # where it comes from, for the header of the table
    structure: Structure  # the crystal
    note: str  # how it was read; empty if there is nothing to say


@dataclass(frozen=True)
class Request:
    """A structure and its atoms whose spectra are computed."""

    name: str  # of the structure, fit for a file's name
    source: str  # where the structure comes from, for the header of the table
    materials: tuple[Material, ...]  # the structure with its symmetry, or the cells that represent a disordered crystal
    structures: Mapping[int, Structure]  # the same as pymatgen Structures, by `Absorber.cell`
    element: str  # the absorber's symbol
    sites: tuple[Absorber, ...]  # the atoms, in the structure's order
    # whether the sites stand for all atoms of the element, so that their average is the material's spectrum
    whole: bool
    notes: tuple[str, ...]  # what the user should know about structure and element, one sentence each
    symprec: float  # tolerance in Å with which the symmetry was found

    @property
    def material(self) -> Material:
        """The structure, or the first of the cells."""
        return self.materials[0]


def make_request(
    given: str | Given, element: str | None, site: int | None, *, symprec: float, disorder: Disorder = REFUSE
) -> Request:
    """Find structure, element and atoms.

    Args:
        given: a structure file, the id of an example, or a name that `find_mineral` knows; or what was read of it.
        element: symbol of the absorber; None: the element of `site`, else the structure's only 3d metal.
        site: 0-based index of the atom; None: all inequivalent atoms of the element.
        symprec: spglib's distance tolerance in Å.
        disorder: what becomes of a disordered crystal.

    Raises:
        WrongCallError: the structure, element or atom does not exist.
        XanesflowError: the structure's file cannot be used.
    """
    found = read_given(given, partly_occupied=not disorder.refused) if isinstance(given, str) else given
    materials, structure = describe_given(found, symprec=symprec, disorder=disorder), found.structure
    if not structure.is_ordered and site is not None:
        raise WrongCallError("Leave --site out: the atoms of filled cells have other numbers than those of the file.")
    first = 0 if structure.is_ordered else 1
    if element is not None and not structure.is_ordered:
        _check_kept(structure, materials[0], read_element(element), disorder)
    chosen = _element(materials[0], element, site)
    sites: list[Absorber] = []
    for cell, material in enumerate(materials, first):
        firsts = material.inequivalent(chosen) if site is None else [site]
        sites += [Absorber(chosen, i, material.multiplicity(i), cell) for i in firsts]
    notes = [sentence for sentence in (found.note, *(material.note for material in materials)) if sentence]
    return Request(
        found.name,
        found.source,
        materials,
        {cell: Structure.from_dict(json.loads(each.structure)) for cell, each in enumerate(materials, first)},
        chosen,
        tuple(sites),
        site is None,
        tuple(f"{each}." for each in notes),
        symprec,
    )


def describe_given(found: Given, *, symprec: float, disorder: Disorder = REFUSE) -> tuple[Material, ...]:
    """The structure with its symmetry, or the cells that represent a disordered crystal.

    Raises:
        XanesflowError: the structure cannot be used.
    """
    described = describe_or_fill(found.name, found.structure, symprec=symprec, disorder=disorder)
    bad = next((each for each in described if isinstance(each, BadStructure)), None)
    if bad is not None:
        raise XanesflowError(f"{printable(found.given, 200)} cannot be used: {bad.detail}.")
    return tuple(each for each in described if isinstance(each, Material))


def read_element(given: str) -> str:
    """The symbol of an element, written in upper or lower case.

    Raises:
        WrongCallError: the text is not an element.
    """
    symbol = given.strip().capitalize()
    if not Element.is_valid_symbol(symbol) or symbol in ("D", "T"):
        raise WrongCallError(f"{quoted(given)} is not an element; write a symbol, such as Cu.")
    return symbol


def read_given(given: str, *, partly_occupied: bool = False) -> Given:
    """Read a structure file, an example or a mineral.

    Raises:
        WrongCallError: there is none of that name.
        XanesflowError: the file cannot be used.
    """
    if not given.strip():
        raise WrongCallError("The name of the structure is empty; write a file, an example or a mineral.")
    path = Path(given)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise WrongCallError(f"{printable(given, 200)} cannot be read: {error.strerror}.") from None
        return read_named(given, partly_occupied=partly_occupied)
    if stat.S_ISDIR(status.st_mode):
        raise WrongCallError(
            f"{printable(given, 200)} is a folder; name a POSCAR, CIF, JSON, xyz or vasprun.xml file, or an example."
        )
    try:
        structure, note = read_structure_file(path, partly_occupied=partly_occupied)
    except UnusableStructure as error:
        raise XanesflowError(f"{printable(given, 200)} {error}.") from None
    return Given(given, name_of(path), path.name, structure, note)


def read_named(given: str, *, partly_occupied: bool = False) -> Given:
    """Read an example or a mineral; opens no file of the user's, whatever the name.

    Raises:
        WrongCallError: there is none of that name.
        XanesflowError: the mineral cannot be used.
    """
    examples = {example.id: example for example in load_examples()}
    if given not in examples:
        mineral = find_mineral(given, partly_occupied=partly_occupied)
        if mineral is not None:
            return Given(given, mineral.entry.id, mineral.source, mineral.structure, mineral.note)
    if given not in examples:
        close = get_close_matches(given.lower(), examples, n=3, cutoff=0.65)
        close = close or [name for name in examples if name.split("-")[0] == given.lower()][:3]
        hint = f"did you mean {' or '.join(close)}? {_LIST}" if close else _LIST
        raise WrongCallError(
            f"There is no file {printable(given, 200)}, and no example or mineral with that name; {hint}."
        )
    example = examples[given]
    reference = " ".join(example.reference.split()).rstrip(".")
    return Given(given, example.id, f"{example.name}, example library: {reference}", example.structure(), "")


def _check_kept(structure: Structure, cell: Material, element: str, disorder: Disorder) -> None:
    """Refuse an element of a disordered crystal that is so rare that the filled cell has no atom of it."""
    shares = [share for site in structure for kind, share in site.species.items() if kind.symbol == element]
    if element in cell.elements or not shares:
        return
    filled = Structure.from_dict(json.loads(cell.structure))
    places = round(len(shares) * filled.volume / structure.volume)
    raise WrongCallError(
        f"{element} {max(shares):.3g} became 0 of {plural(places, 'place')} in a cell of at most "
        f"{plural(disorder.max_atoms, 'atom')}, so there is no {element} to compute; give a file of a larger cell with "
        f"whole atoms, one of which is {element}."
    )


def _element(material: Material, given: str | None, site: int | None) -> str:
    """The absorber's element, checked against structure and atom."""
    present = sorted(set(material.elements), key=lambda symbol: Element(symbol).Z)
    atoms = material.elements
    if site is not None and site >= len(atoms):
        raise WrongCallError(
            f"There is no site {site}: {material.formula} has {plural(len(atoms), 'atom')}, counted 0 to "
            f"{len(atoms) - 1}."
            if len(atoms) > 1 else f"There is no site {site}: the cell of {material.formula} has one atom, site 0."
        )  # fmt: skip

    # A named element must be in the structure, and at the named site. Without a name, the site decides, else the only
    # 3d metal of the structure.
    if given is not None:
        chosen = read_element(given)
        if chosen not in present:
            raise WrongCallError(f"{material.formula} holds no {chosen}, only {listing(present)}.")
        if site is not None and atoms[site] != chosen:
            own = [str(i) for i, symbol in enumerate(atoms) if symbol == chosen]
            some = listing(own) if len(own) <= 12 else first_few(own, 12)
            raise WrongCallError(
                f"Site {site} of {material.formula} is {atoms[site]}, not {chosen}; {chosen} is at {some}."
            )
    elif site is not None:
        chosen = atoms[site]
    else:
        metals = [symbol for symbol in present if symbol in ELEMENTS]
        if len(metals) != 1:
            holds = (
                f"{listing(metals)} are in it" if metals else f"it has no 3d metal (Ti to Cu), only {listing(present)}"
            )
            raise WrongCallError(f"Name the absorber of {material.formula} with --element: {holds}.")
        chosen = metals[0]
    if not LIGHTEST <= Element(chosen).Z <= HEAVIEST:
        raise WrongCallError(f"K edges are computed from Na to U, but not that of {chosen}.")
    return chosen
