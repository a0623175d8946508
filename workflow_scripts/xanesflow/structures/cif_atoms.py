"""Read and check the items of a CIF block, its cell and its rows of atoms."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import gemmi
import numpy as np
from pymatgen.core import Element, Lattice

from xanesflow.core.errors import UnusableStructure
from xanesflow.core.text import plural
from xanesflow.structures.check_structure import FILLED_BY, MAX_EDGE_A
from xanesflow.structures.place_atoms import FULL, MOST_SHARED, ListedAtom

_NUMBER = re.compile(r"([+-]?(?:\d+(?:\.(\d*))?|\.(\d+))(?:[eE][+-]?\d+)?)(?:\((\d+)\))?")
_FRACTION = re.compile(r"([+-]?\d{1,4})/(\d{1,4})")
_NOTHING = ("", "?", ".")
HEAVIEST = 103
"""Largest atomic number that is accepted: lawrencium, beyond all known crystals."""
_AXES = "xyz"
_NEGLIGIBLE = 5e-4  # occupancy; no cell holds so few atoms


@dataclass(frozen=True)
class Table:
    """A block of a CIF: the values of each item, by its name in lower case with `_` instead of CIF 2's `.`."""

    values: dict[str, list[str]]
    in_loops: frozenset[str]
    twice: str = ""
    """The first item that the block gives twice; empty if there is none."""

    @classmethod
    def of(cls, block: gemmi.cif.Block) -> Table:
        """All items of a block."""
        values: dict[str, list[str]] = {}
        in_loops: set[str] = set()
        twice = ""
        for item in block:
            if item.pair is not None:
                tag, value = item.pair[0], item.pair[1]  # type: ignore[index]  # a pair of texts
                twice = twice or (tag if _plain(tag) in values else "")
                values[_plain(tag)] = [_value(value)]
            elif item.loop is not None:
                tags = [_plain(tag) for tag in item.loop.tags]
                cells = [_value(value) for value in item.loop.values]
                for k, tag in enumerate(tags):
                    twice = twice or (tag if tag in values else "")
                    values[tag] = cells[k :: len(tags)]
                in_loops |= set(tags)
        return cls(values, frozenset(in_loops), twice)

    def has(self, tag: str) -> bool:
        """Whether the block has an item, whatever its value."""
        return tag in self.values

    def column(self, tag: str) -> list[str]:
        """All values of an item, `?` and `.` among them."""
        return self.values.get(tag, [])

    def text(self, tag: str) -> str:
        """The first value of an item; empty if it is missing, `?` or `.`."""
        value = next(iter(self.column(tag)), "").strip()
        return "" if value in _NOTHING else " ".join(value.split())

    def number(self, tag: str) -> float | None:
        """The number of an item without its uncertainty; None if it has no number."""
        return number_of(self.text(tag))

    def one(self, tags: Sequence[str]) -> tuple[str, str]:
        """The first of several items of one meaning that has a value, and the value; both empty if none has one.

        Raises:
            UnusableStructure: they have different values.
        """
        found = [(tag, self.text(tag)) for tag in tags if self.text(tag)]
        if len({re.sub(r"[\s_]", "", value).lower() for _, value in found}) > 1:
            (one, first), (two, second) = found[0], next(each for each in found[1:] if each[1] != found[0][1])
            raise UnusableStructure(f"contradicts itself: {one} is '{first[:30]}' and {two} is '{second[:30]}'")
        return found[0] if found else ("", "")


def number_of(text: str) -> float | None:
    """A number as CIF writes it, such as `0.3331(2)`; None if the text is not a number."""
    match = _NUMBER.fullmatch(text)
    return float(match[1]) if match else None


def _plain(tag: str) -> str:
    return tag.lower().replace(".", "_")


def _value(raw: str) -> str:
    return str(gemmi.cif.as_string(raw)) if raw[:1] in ("'", '"', ";") else raw


def read_lattice(table: Table) -> Lattice:
    """Read the cell.

    Raises:
        UnusableStructure: a length or an angle is missing or impossible.
    """
    numbers = []
    for tag in [f"_cell_length_{axis}" for axis in "abc"] + [f"_cell_angle_{x}" for x in ("alpha", "beta", "gamma")]:
        value = table.number(tag)
        if value is None:
            problem = f"gives '{table.text(tag)[:20]}' as {tag}" if table.text(tag) else f"gives no {tag}"
            raise UnusableStructure(f"{problem}; write all three lengths in Å and all three angles in degrees")
        numbers.append(value)
    lengths, angles = numbers[:3], numbers[3:]
    if min(lengths) <= 0 or not all(0 < angle < 180 for angle in angles):
        raise UnusableStructure("has a cell without volume")
    if max(lengths) > MAX_EDGE_A:
        raise UnusableStructure(f"has a cell of {max(lengths):.4g} Å, and the largest allowed is {MAX_EDGE_A:g} Å")
    cosines = np.cos(np.radians(angles))
    if 1 - (cosines**2).sum() + 2 * cosines.prod() < 1e-6 or math.prod(lengths) < 1e-3:
        raise UnusableStructure("has a cell without volume")
    return Lattice.from_parameters(*lengths, *angles)


def read_atoms(table: Table, *, partly_occupied: bool = False) -> tuple[list[ListedAtom], list[str]]:
    """Read the rows of atoms, with remarks for the user.

    Args:
        table: of the CIF.
        partly_occupied: whether rows with an occupancy below 1 are taken.

    Raises:
        UnusableStructure: a row cannot be an atom of a crystal, or of an ordered one.
    """
    # Find the columns; all of them must belong to one loop.
    columns = [table.column(f"_atom_site_fract_{axis}") for axis in _AXES]
    symbols = table.column("_atom_site_type_symbol")
    labels = table.column("_atom_site_label") or symbols
    if "_atom_site_fract_x" not in table.in_loops or not labels or len({len(labels), *map(len, columns)}) > 1:
        if "_atom_site_fract_x" in table.in_loops and not columns[0]:
            raise UnusableStructure("has no atoms: the loop_ of _atom_site_fract_x has no rows")
        raise UnusableStructure(
            "cannot be read: its atoms are no loop_ of _atom_site_label and _atom_site_fract_x, y, z"
        )
    if not symbols or set(symbols) <= set(_NOTHING):
        symbols, is_label = labels, True
    else:
        is_label = False
    occupancies = table.column("_atom_site_occupancy") or ["1"] * len(labels)
    flags = table.column("_atom_site_calc_flag") or [""] * len(labels)
    multiplicities = _multiplicities(table, len(labels))
    together = _full_together([_letters(symbol) for symbol in symbols], columns, occupancies, flags)
    # Read each row: element, occupancy and position. Rows without an atom are left out with a remark.
    notes = ["rows of one element that fill a place together, as Fe2+ and Fe3+ do, are one atom"] if together else []
    changed: list[str] = []
    atoms: list[ListedAtom] = []
    for row, (label, symbol, occupancy) in enumerate(zip(labels, symbols, occupancies, strict=True)):
        if flags[row].lower() == "dum":
            notes.append(f"{label[:20]} is a dummy (_atom_site_calc_flag dum) and is left out")
            continue
        place = [column[row] for column in columns]
        element, note = read_element(symbol, label, is_label=is_label)
        notes += [note] if note else []
        filled = together.get(row, _occupancy(occupancy, label))
        if filled < _NEGLIGIBLE:
            notes += [] if row in together else [f"{label[:20]} has occupancy {occupancy} and is left out"]
            continue
        values, last_digits = zip(*(_coordinate(text, label) for text in place), strict=True)
        if filled < FULL and not partly_occupied:
            raise UnusableStructure(
                f"has partially occupied sites, such as {label[:20]} with {element}:{filled:g}; {FILLED_BY} "
                "fills them; an ordered crystal has 1 everywhere",
                "disordered",
            )
        thirds = [_third(text) for text in place]
        ideal = [_rounded_third(value) if third is None else third for value, third in zip(values, thirds, strict=True)]
        changed += [f"{text} of {label} as {third:.6f}" for text, third in zip(place, thirds, strict=True) if third]
        filled = filled if filled < FULL else 1.0
        atoms.append(ListedAtom(label, element, np.array(ideal), np.array(last_digits), multiplicities[row], filled))
    # Check the rows together, and remark on what the structure leaves out.
    _check_alternatives(table, labels)
    if not atoms:
        raise UnusableStructure("has no atoms")
    if changed:
        notes.append(f"{plural(len(changed), 'coordinate')} taken as thirds, such as {changed[0]}")
    if any(value not in (*_NOTHING, "0") for value in table.column("_atom_site_attached_hydrogens")):
        notes.append("hydrogen that it attaches to other atoms has no places and is left out")
    if table.has("_atom_site_moment_label") or table.has("_atom_site_moment_crystalaxis_x"):
        notes.append("its magnetic moments are left out")
    return atoms, notes


def _multiplicities(table: Table, rows: int) -> list[float | None]:
    for tag in ("_atom_site_site_symmetry_multiplicity", "_atom_site_symmetry_multiplicity"):
        if table.has(tag):
            return [number_of(value) for value in table.column(tag)]
    return [None] * rows


def _full_together(
    names: list[str], columns: list[list[str]], occupancies: list[str], flags: list[str]
) -> dict[int, float]:
    """The occupancy of rows that fill a place with one element, such as Fe2+ and Fe3+: 1 for the first, else 0."""
    rows: dict[tuple[str | float, ...], list[int]] = {}
    for row, (name, flag, *place) in enumerate(zip(names, flags, *columns, strict=True)):
        numbers = [text if (number := number_of(text)) is None else number for text in place]
        rows.setdefault((name, flag, *numbers), []).append(row)
    found: dict[int, float] = {}
    for same in rows.values():
        shares = [number_of(occupancies[row]) for row in same]
        known = [1.0 if share is None else share for share in shares]
        if max(known) < FULL <= sum(known) <= MOST_SHARED:
            found |= {row: float(row == same[0]) for row in same}
    return found


def _occupancy(text: str, label: str) -> float:
    if text == ".":
        raise UnusableStructure(f"gives '.' as position or occupancy of its atom {label[:20]}")
    if text == "?":
        return 1.0
    value = number_of(text)
    if value is None or not 0 <= value <= 1.05:
        raise UnusableStructure(f"gives '{text[:20]}' as occupancy of its atom {label[:20]}, which is none from 0 to 1")
    return value


def _coordinate(text: str, label: str) -> tuple[float, float]:
    """A coordinate and its `ListedAtom.last_digit`."""
    if text == "?":
        raise UnusableStructure(
            f"gives no place of its atom {label[:20]} ('?' as coordinate), so the crystal is not complete; write where "
            "it is, or take the row out if the spectrum without that atom will do"
        )
    if text == ".":
        raise UnusableStructure(f"gives '.' as position or occupancy of its atom {label[:20]}")
    if (match := _FRACTION.fullmatch(text)) and int(match[2]):
        return int(match[1]) / int(match[2]), 0.0
    match = _NUMBER.fullmatch(text)
    if match is None:
        if re.match(r"[+-]?(nan|inf)", text.lower()):
            raise UnusableStructure(f"has coordinates that are not finite, at its atom {label[:20]}")
        raise UnusableStructure(f"gives '{text[:20]}' as coordinate of its atom {label[:20]}, which is no number")
    value = float(match[1])
    if not math.isfinite(value):
        raise UnusableStructure(f"has coordinates that are not finite, at its atom {label[:20]}")
    # Trailing zeros mostly come from the number format, not from the measurement.
    digits = match[2] or match[3] or ""
    uncertainty = 6.0 * int(match[4]) * 10.0 ** -len(digits) if match[4] and len(match[4]) < 5 else 0.0
    return value, max(uncertainty, 10.0 ** -len(digits.rstrip("0")) if digits.strip("0") else 0.0)


def _third(text: str) -> float | None:
    """1/3 or 2/3 if a coordinate is within 0.01 % of it but is not its rounded value, such as 0.33335; else None."""
    digits = text.partition("(")[0].strip()
    number = number_of(digits)
    if number is None:
        return None
    last = 10.0 ** -len(digits.partition(".")[2].rstrip("0"))
    thirds = [third for third in (1 / 3, 2 / 3) if last < abs(number - third) <= 1e-4 * third]
    return thirds[0] if thirds else None


def _rounded_third(value: float) -> float:
    """Take 0.3333 as 1/3, for which its digits stand."""
    return next((third for third in (1 / 3, 2 / 3) if abs(value - third) <= 1e-4 * third), value)


def _check_alternatives(table: Table, labels: list[str]) -> None:
    """Refuse groups of atoms that are alternatives to each other."""
    groups = table.column("_atom_site_disorder_group")
    assemblies = table.column("_atom_site_disorder_assembly") or ["."] * len(groups)
    found: dict[str, dict[str, str]] = {}
    for label, assembly, group in zip(labels, assemblies, groups, strict=False):
        if group in (*_NOTHING, "0"):
            continue
        others = found.setdefault(assembly, {})
        others.setdefault(group, label)
        if group.startswith("-"):
            raise UnusableStructure(
                f"is disordered: its atom {label[:20]} (disorder group {group[:10]}) shares its place with its own "
                "image; keep one of the two and write the crystal without symmetry",
                "disordered",
            )
        if len(others) > 1:
            (one, first), (two, second) = list(others.items())[:2]
            raise UnusableStructure(
                f"is disordered: {first[:20]} (disorder group {one[:10]}) and {second[:20]} (group {two[:10]}) are "
                "alternatives of which only one is there; keep the atoms of one group and remove the others",
                "disordered",
            )


def _letters(symbol: str) -> str:
    return (re.match(r"[A-Za-z]*", symbol) or [""])[0]


def read_element(symbol: str, label: str, *, is_label: bool) -> tuple[str, str]:
    """The element of a row, and a remark if the text could be read otherwise.

    Args:
        symbol: the file's text for the element: `Cu`, `Cu2+`, `Ow`, or a label such as `FeA`.
        label: the row's label, for messages.
        is_label: whether `symbol` is a label, in which more text may follow the element.

    Raises:
        UnusableStructure: the text names no element, such as `Vac` or `OH`.
    """
    if " + " in symbol + label:  # as Pauling File writes several elements in one row
        raise UnusableStructure(f"has partially occupied sites, such as {label[:40]} ({symbol[:40]})", "disordered")
    name = _letters(symbol)
    names = [name.title()]
    if name in ("Ow", "Hw"):
        names.append(name[0])
    if is_label:  # more text may follow the element's symbol: FeA, OW1
        names += [name[:n] for n in (2, 1) if name[:n].istitle() and name[n : n + 1].isupper()]
    # NH and CN are groups of atoms, not nihonium and copernicium.
    found = next((each for each in names if Element.is_valid_symbol(each) and Element(each).Z <= HEAVIEST), "")
    if name.startswith(("OH", "NO")) or not found:
        raise UnusableStructure(
            f"has an atom '{label[:20]}' whose element is not clear from '{symbol[:20]}'; name it in"
            " _atom_site_type_symbol"
        )
    note = f"{symbol[:20]} parsed as {found}" if is_label and len(name) > 1 and name != found == name.title() else ""
    return found, note
