"""Read one structure file of a user: POSCAR, CIF or pymatgen's JSON, trusting none of them.

What comes out holds elements, positions and a cell and nothing else, so that the same crystal is the same whatever
file it came from, and nothing that stands in a file beside them is ever built or called.
"""

from __future__ import annotations

import json
import re
import warnings
from itertools import product
from typing import Any

import numpy as np
from pymatgen.core import Element, Lattice, Structure
from pymatgen.io.cif import CifBlock, CifParser, str2float
from scipy.spatial import cKDTree

from xanesflow.core.errors import UnusableStructure
from xanesflow.core.text import one_line
from xanesflow.structures.poscar import parse_poscar

MIN_DISTANCE_A = 0.5
"""Two atoms that are closer are a mistake: the shortest bond there is, H-H, has 0.74 Å."""

MAX_EDGE_A = 1000.0
MIN_VOLUME_A3 = 1e-3
MAX_FRACTION = 1000.0

_STRUCTURES = re.compile(r"^\s*_atom_site_fract_x\b", re.MULTILINE | re.IGNORECASE)
_SILENT = ("A 1-line symmetry op P1",
           "Keys changed to match", "Skipping relative stoichiometry", "Possible issue in CIF file at line",
           "Cannot determine chemical composition")  # fmt: skip
"""Starts of pymatgen's warnings on CIFs that do not tell of another structure than the file means."""


def read_structure(content: bytes, form: str) -> tuple[Structure, str]:
    """Read a structure file.

    Args:
        content: its bytes.
        form: `poscar`, `cif` or `json`.

    Returns:
        The structure, and what its reader should know of how it was read; empty if nothing.

    Raises:
        UnusableStructure: what is wrong with the file, whatever it is.
    """
    text = _text(content)
    note = ""
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            if form == "cif":
                structure, note = _from_cif(text, said)
            elif form == "json":
                structure = _from_json(text)
            else:
                _check_counts(text)
                structure = parse_poscar(text)
        return _checked(structure), note
    except UnusableStructure:
        raise
    except Exception as error:  # a user's file may hold anything, and pymatgen raises whatever it ran into
        raise UnusableStructure(f"cannot be read: {one_line(error, 160)}") from error


def same_structure(one: Structure, other: Structure, tolerance_a: float = 1e-3) -> bool:
    """Whether two structures have the same cell and the same atoms at the same places in the same order.

    Args:
        one: a structure.
        other: another one; its cell may be turned in space, as a CIF does not keep the cell's orientation.
        tolerance_a: in Å, as files round differently.
    """
    if [site.specie for site in one] != [site.specie for site in other]:
        return False
    if not np.allclose(one.lattice.abc, other.lattice.abc, rtol=0, atol=tolerance_a):
        return False
    if not np.allclose(one.lattice.angles, other.lattice.angles, rtol=0, atol=1e-2):
        return False
    apart = one.frac_coords - other.frac_coords
    apart -= np.round(apart)
    return bool((np.linalg.norm(apart @ one.lattice.matrix, axis=1) < tolerance_a).all())


def _text(content: bytes) -> str:
    if not content.strip():
        raise UnusableStructure("is empty")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # a name in a comment; all that matters is ASCII
    if any(ord(sign) < 32 and not sign.isspace() for sign in set(text) - {"\x1a"}):
        raise UnusableStructure("is a binary file, not text")
    return text


def _check_counts(text: str) -> None:
    """Refuse numbers of atoms that the file cannot hold, for which pymatgen would take all memory there is."""
    lines = text.splitlines()
    numbers = 0
    for line in lines[5:]:
        tokens = line.split()
        if tokens and all(token.isdecimal() for token in tokens):
            numbers += sum(int(token[:12]) for token in tokens)
        elif numbers:
            break
    if numbers > len(lines):
        raise UnusableStructure(f"cannot be read: it announces {numbers:,} atoms and has {len(lines):,} lines")


def _from_json(text: str) -> Structure:
    """Build a structure from the few numbers and names that make one; pymatgen's own reader calls what a file names."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableStructure(f"is no JSON: {one_line(error, 160)}") from error
    kind = content.get("@class", "object without @class") if isinstance(content, dict) else _json_name(content)
    if kind != "Structure":
        raise UnusableStructure(f"holds a {one_line(kind, 60)}, not a pymatgen Structure")
    try:
        matrix = np.array(content["lattice"]["matrix"], dtype=float).reshape(3, 3)
        species = [{_element(part): float(part["occu"]) for part in site["species"]} for site in content["sites"]]
        fractions = np.array([site["abc"] for site in content["sites"]], dtype=float).reshape(-1, 3)
    except UnusableStructure:
        raise
    except Exception as error:
        problem = f"{type(error).__name__} {one_line(error, 160)}"
        raise UnusableStructure(f"is not what Structure.as_dict writes ({problem})") from error
    _check_numbers(matrix, fractions)
    return Structure(Lattice(matrix), species, fractions)


def _json_name(content: Any) -> str:
    return "list" if isinstance(content, list) else "text" if isinstance(content, str) else "number"


def _element(part: dict[str, Any]) -> Element:
    symbol = part["element"]
    if not isinstance(symbol, str) or not Element.is_valid_symbol(symbol):
        raise UnusableStructure(f"holds {one_line(symbol, 20)}, which is no element")
    return Element(symbol)


def _from_cif(text: str, said: list[warnings.WarningMessage]) -> tuple[Structure, str]:
    """Read the one structure of a CIF, and what pymatgen changed in it."""
    # Blocks as pymatgen cuts them. Other blocks hold no structure; of two with one name it would keep the last one.
    blocks = re.split(r"^\s*data_", f"x\n{text}", flags=re.MULTILINE)[1:]
    found = sum(len(_STRUCTURES.findall(block)) for block in blocks)
    if found != 1:
        none = "holds no structure: there is no _atom_site_fract_x below a data_ line"
        raise UnusableStructure(f"holds {found} structures; write each to a file of its own" if found else none)
    ours = "data_" + next(block for block in blocks if _STRUCTURES.search(block))
    try:
        block = CifBlock.from_str(ours)
    except ZeroDivisionError as error:
        raise UnusableStructure("has no atoms, or another loop_ without rows") from error
    notes = _check_rows(block)
    parser = CifParser.from_str(ours)
    try:
        structures = parser.parse_structures(primitive=False, on_error="raise")
    except ValueError as error:
        detail = str(error).partition("\n")[2] or str(error)
        if "exceeded tolerance" in detail:
            problem = f"has several atoms at one place: {one_line(detail, 160)}"
            raise UnusableStructure(problem, "disordered") from error
        if detail.startswith("thickness"):
            raise UnusableStructure("has a cell without volume") from error
        raise UnusableStructure(f"cannot be read: {one_line(detail, 160)}") from error
    changes: list[str] = parser.warnings  # type: ignore[attr-defined]  # made in its from_str
    changes = [*changes, *(str(w.message) for w in said if w.category is UserWarning)]
    # Rounding 0.3333 to 1/3 keeps what the file says; `_check_rows` tells where it does not.
    notes += [" ".join(w.split()) for w in changes if "rounded to ideal values" not in w and not w.startswith(_SILENT)]
    return structures[0], "; ".join(dict.fromkeys(notes))


def _check_rows(block: CifBlock) -> list[str]:
    """Refuse the rows of atoms that pymatgen would drop or misread without a word, and note what it changes."""
    data = block.data
    labels, *fractions = (data.get(f"_atom_site_{key}") for key in ("label", "fract_x", "fract_y", "fract_z"))
    symbols = data.get("_atom_site_type_symbol")
    if not isinstance(labels, list) or not all(isinstance(column, list) for column in fractions):
        raise UnusableStructure(
            "cannot be read: its atoms are no loop_ of _atom_site_label and _atom_site_fract_x, y, z"
        )
    notes: list[str] = []
    changed: list[str] = []
    place: list[str]
    occupancies = data.get("_atom_site_occupancy") or ["1"] * len(labels)
    for label, symbol, occupancy, *place in zip(labels, symbols or labels, occupancies, *fractions, strict=True):
        if " + " not in symbol + label:  # Pauling File: several elements in a row, of which pymatgen makes rows
            _check_symbol(symbol, label, is_label=not symbols)
        if "." in (occupancy, *place):
            raise UnusableStructure(f"gives '.' as position or occupancy of its atom {label[:20]}")
        if any(not np.isfinite(str2float(value)) for value in place if value != "?"):
            raise UnusableStructure(f"has coordinates that are not finite, at its atom {label[:20]}")
        if occupancy != "?" and str2float(occupancy) <= 0:
            notes.append(f"{label} has occupancy {occupancy} and is left out")
        changed += [f"{value} of {label} as {third:.6f}" for value in place if (third := _third(value))]
    if changed:
        notes.append(f"{len(changed)} coordinates are taken as thirds, such as {changed[0]}")
    return notes


def _check_symbol(symbol: str, label: str, *, is_label: bool) -> None:
    """Refuse what pymatgen takes for the element that it begins with, as `Vac` for V, or passes over, as `OH`."""
    name = (re.match(r"[A-Za-z]*", symbol) or [""])[0]
    names = {name.title(), *(["O"] if name == "Ow" else ["H"] if name == "Hw" else [])}
    if is_label:  # it may go on behind the element's symbol: FeA, OW1
        names |= {name[:n] for n in (1, 2) if name[:n].istitle() and name[n : n + 1].isupper()}
    if name.startswith(("OH", "NO")) or not any(Element.is_valid_symbol(each) for each in names):
        raise UnusableStructure(
            f"has an atom '{label[:20]}' whose element cannot be told from '{symbol[:20]}'; name it in"
            " _atom_site_type_symbol"
        )


def _third(value: str) -> float | None:
    """The third or two thirds that pymatgen takes for a coordinate which is another one in all its digits."""
    digits = value.partition("(")[0].strip()
    try:
        number = float(digits)
    except ValueError:
        return None  # told when the structure is built
    last = 10.0 ** -len(digits.partition(".")[2].rstrip("0"))  # zeros are mostly a format's, not a measurement's
    thirds = [third for third in (1 / 3, 2 / 3) if last < abs(number - third) <= 1e-4 * third]
    return thirds[0] if thirds else None


def _check_numbers(matrix: np.ndarray, fractions: np.ndarray) -> None:
    """Refuse a cell or positions with which no computation would come to a sensible end.

    Args:
        matrix: the cell's vectors in Å (3, 3).
        fractions: fractional coordinates (n, 3).
    """
    if not len(fractions):
        raise UnusableStructure("has no atoms")
    if not np.isfinite(matrix).all():
        raise UnusableStructure("has a cell that is not finite")
    edge = float(np.abs(matrix).max())
    if edge > MAX_EDGE_A:
        raise UnusableStructure(f"has a cell of {edge:.4g} Å, and the largest allowed is {MAX_EDGE_A:g} Å")
    if abs(np.linalg.det(matrix)) < MIN_VOLUME_A3:
        raise UnusableStructure("has a cell without volume")
    if not np.isfinite(fractions).all() or np.abs(fractions).max() > MAX_FRACTION:
        raise UnusableStructure("has coordinates that are not finite or far outside its cell")


def _checked(structure: Structure) -> Structure:
    """The structure with elements, positions and cell alone, if it is one that a spectrum can be computed of."""
    matrix, fractions = structure.lattice.matrix, structure.frac_coords
    _check_numbers(matrix, fractions)
    kinds = {kind for site in structure for kind in site.species}
    for kind in sorted(kinds, key=str):
        element = getattr(kind, "element", kind)  # of a species, which has a charge too
        if not isinstance(element, Element):
            raise UnusableStructure(f"holds {str(kind)[:20]}, which is no element")
        if element.name in ("D", "T"):
            raise UnusableStructure(f"holds {element.name}, an isotope; write H")
    if not structure.is_ordered:
        site = next(site for site in structure if not site.is_ordered)
        raise UnusableStructure(f"has partially occupied sites, such as {site.species_string[:60]}", "disordered")
    plain = Structure(Lattice(matrix), [site.specie.symbol for site in structure], fractions)
    _check_distances(plain)
    return plain


def _check_distances(structure: Structure) -> None:
    """Refuse atoms that are closer to each other, or to their own images, than `MIN_DISTANCE_A`."""
    cell = structure.lattice.get_lll_reduced_lattice()
    shifts = np.array(list(product(range(-2, 3), repeat=3)))
    own = np.linalg.norm(shifts[shifts.any(axis=1)] @ cell.matrix, axis=1).min()
    if own < MIN_DISTANCE_A:
        raise UnusableStructure(
            f"has a cell so thin that each atom, such as {structure[0].specie} 0, is {own:.2f} Å from its own image",
            "atoms_too_close",
        )
    inside = cell.get_fractional_coords(structure.cart_coords) % 1.0
    margin = MIN_DISTANCE_A / np.array([cell.d_hkl(plane) for plane in np.eye(3)])
    # Which atoms come near the cell when they are moved by -2 .. 2 cells along each axis, and then along all of them.
    steps = np.arange(-2, 3)
    moved = inside.T[:, None, :] + steps[:, None]
    along = (moved > -margin[:, None, None]) & (moved < 1 + margin[:, None, None])  # (axis, step, atom)
    near = along[0][:, None, None] & along[1][:, None] & along[2]
    near[2, 2, 2] = False  # where they are
    *moves, owner = np.nonzero(near)
    images = inside[owner] + steps[np.array(moves)].T
    cartesian = cell.get_cartesian_coords(np.concatenate([inside, images]))
    owner = np.concatenate([np.arange(len(inside)), owner])
    # Of the two nearest points of an atom one is the atom itself, unless there are three at one place.
    apart, nearest = cKDTree(cartesian).query(cartesian[: len(inside)], k=2, distance_upper_bound=MIN_DISTANCE_A)
    closest = int(apart[:, 1].argmin())
    distance = float(apart[closest, 1])
    if distance >= MIN_DISTANCE_A:
        return
    partner = next(int(owner[n]) for n in nearest[closest] if n != closest)
    first, second = (f"{structure[i].specie} {i}" for i in sorted((closest, partner)))
    raise UnusableStructure(
        f"has two atoms that are {distance:.2f} Å apart: {first} and {second}, counted from 0", "atoms_too_close"
    )
