"""Space groups as files name them: by operations, Hall or Hermann-Mauguin symbol, or number; gemmi knows the tables.

A name may leave the setting open: `F d -3 m` has two origins, `R -3 m` two sets of axes, a number up to 18 choices. All
possible settings are returned then, and `read_cif` decides by the file's other statements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

import gemmi
import numpy as np
import spglib

from xanesflow.core.errors import UnusableStructure

GRID = gemmi.Op.DEN
"""Translations of operations are multiples of 1/24 of the axes."""

MOST_OPERATIONS = 192

_PART = re.compile(r"[+-]?(?:[xyz]|\d+/\d+|\d*\.\d+|\d)(?:[+-](?:[xyz]|\d+/\d+|\d*\.\d+|\d))*")
_ORIGIN = re.compile(r"(?<![\s(,])[\s(,]*\borigin ?(?:choice ?|no\.? ?)?([12])\)?$", re.IGNORECASE)
_EXTENSION = re.compile(r" ?[:;] ?([12hr])$| ([hr])$| ?([zs])$", re.IGNORECASE)


@dataclass(frozen=True)
class Operations:
    """A group of symmetry operations in one setting."""

    name: str  # for messages, such as `F d -3 m:2`; the tables' name if a file lists the operations
    number: int  # of the space group, 1 to 230
    # rotation, row by row, and translation in 24ths of the axes (below 24), of each operation
    members: frozenset[tuple[int, ...]]
    order: tuple[tuple[int, ...], ...]  # the same operations in the order of the file or the tables

    @property
    def rotations(self) -> np.ndarray:
        """In fractional coordinates (m, 3, 3)."""
        return np.array(self.order, dtype=float)[:, :9].reshape(-1, 3, 3)

    @property
    def translations(self) -> np.ndarray:
        """In fractions of the axes (m, 3)."""
        return np.array(self.order, dtype=float)[:, 9:] / GRID

    def fits(self, matrix: np.ndarray, tolerance: float = 0.01) -> bool:
        """Whether the operations leave a cell's lengths and angles as they are.

        Args:
            matrix: the cell's vectors in Å (3, 3).
            tolerance: of lengths and cosines, relative.
        """
        metric = matrix @ matrix.T
        size = np.sqrt(np.diag(metric))
        rotations = self.rotations
        turned = np.einsum("mji,jk,mkl->mil", rotations, metric, rotations)
        return bool((np.abs(turned - metric) <= 2 * tolerance * np.outer(size, size)).all())


@lru_cache(512)  # many entries of a database list the same operations
def parse_operations(listed: tuple[str, ...]) -> Operations:
    """The group of the operations that a file lists, `x,y,z` and so on.

    Raises:
        UnusableStructure: one is not an operation, or some of the group are missing.
    """
    if len(dict.fromkeys(listed)) > 4 * MOST_OPERATIONS:  # an operation may be written in some ways
        raise UnusableStructure(f"lists {len(listed):,} symmetry operations, more than any space group has")
    found = dict.fromkeys(parse_operation(text) for text in dict.fromkeys(listed))
    order = tuple(found)
    if len(order) > MOST_OPERATIONS:
        raise UnusableStructure(f"lists {len(order)} symmetry operations, more than any space group has")
    rotations = np.array(order)[:, :9].reshape(-1, 3, 3)
    shifts = np.array(order)[:, 9:]
    products = (rotations[:, None] @ rotations[None]).reshape(-1, 9)
    moved = (np.einsum("aij,bj->abi", rotations, shifts) + shifts[:, None]).reshape(-1, 3) % GRID
    if not {tuple(each) for each in np.hstack([products, moved]).tolist()} <= found.keys():
        raise UnusableStructure(
            f"lists {len(order)} symmetry operations, which are no whole group, as their products are not among them; "
            "list all of them"
        )
    known = gemmi.find_spacegroup_by_ops(gemmi.GroupOps([_op(each) for each in order]))
    if known is not None:
        return Operations(known.xhm(), known.number, frozenset(order), order)
    kind = spglib.get_spacegroup_type_from_symmetry(rotations, shifts / GRID)
    if kind is None:
        raise UnusableStructure(f"lists {len(order)} symmetry operations, which are those of no space group")
    return Operations(f"{kind.international_short} in other axes", kind.number, frozenset(order), order)


def parse_operation(text: str) -> tuple[int, ...]:
    """Parse rotation and translation of one operation as a file writes it, without evaluating any expression.

    Raises:
        UnusableStructure: it is not a symmetry operation.
    """
    plain = re.sub(r"\s+", "", text).lower()
    parts = plain.split(",")
    message = f"lists '{text.strip()[:40]}', which is no symmetry operation such as 'x,-y,z+1/2'"
    if len(parts) != 3 or len(plain) > 80 or not all(_PART.fullmatch(part) for part in parts):
        raise UnusableStructure(message)
    rows, shifts = [], []
    for part in parts:
        row, shift = [0, 0, 0], 0.0
        for sign, letter, above, below, decimal in re.findall(
            r"([+-]?)(?:([xyz])|(\d+)/(\d+)|(\d*\.?\d+))", part
        ):  # the terms that _PART accepts
            factor = -1 if sign == "-" else 1
            if letter:
                row["xyz".index(letter)] += factor
            elif below and not int(below):
                raise UnusableStructure(message)
            else:
                shift += factor * (int(above) / int(below) if below else float(decimal))
        rows.append(row)
        shifts.append(shift * GRID)
    steps = np.round(shifts)
    # 0.33 stands for 1/3; a shift further from a multiple of 1/24 is a mistake.
    if np.abs(np.array(shifts) - steps).max() > 0.1 or abs(round(np.linalg.det(rows))) != 1:
        raise UnusableStructure(message)
    return (*(value for row in rows for value in row), *(int(step) % GRID for step in steps))


def from_hall(symbol: str) -> Operations | None:
    """The group of a Hall symbol; None if the symbol is not known."""
    symbol = " ".join(symbol.replace("_", " ").split())
    try:
        group = gemmi.symops_from_hall(symbol)
    except (RuntimeError, ValueError):
        return None
    if not 0 < len(group) <= MOST_OPERATIONS:
        return None
    known = gemmi.find_spacegroup_by_ops(group)
    if known is not None:
        return _operations(known)
    order = tuple(_members(group))
    rotations = np.array(order)[:, :9].reshape(-1, 3, 3)
    kind = spglib.get_spacegroup_type_from_symmetry(rotations, np.array(order)[:, 9:] / GRID)
    return None if kind is None else Operations(f"Hall {symbol}", kind.number, frozenset(order), order)


def from_name(name: str) -> list[Operations]:
    """The settings that a Hermann-Mauguin symbol may mean; none if it is not known.

    Args:
        name: in short, full or old form, with or without blanks, `_` and the setting (`:2`, `:H`, `Z`, `origin 2`).
    """
    text, extension = re.sub(r"\((\d)\)", r"\1", name.replace("_", "")).strip(), ""
    for pattern in (_ORIGIN, _EXTENSION):
        if match := pattern.search(text):
            extension = next(filter(None, match.groups())).upper()
            text = text[: match.start()]
            break
    extension = {"Z": "2", "S": "1"}.get(extension, extension)  # as ICSD calls the two origins
    found = _table().get(_key(text), ())
    if not found and (known := gemmi.find_spacegroup_by_name(text)) is not None:  # `A e m 2`, `H 3 2`
        found = tuple(group for group in gemmi.spacegroup_table() if group.hm == known.hm)
    return [_operations(group) for group in found if not extension or _open(group) in ("", extension)]


def from_number(number: int) -> list[Operations]:
    """All settings of a space group."""
    return [_operations(group) for group in gemmi.spacegroup_table() if group.number == number]


def crystal_system(number: int) -> str:
    """Crystal system of a space group, such as `cubic`."""
    group = gemmi.find_spacegroup_by_number(number)
    return str(group.crystal_system_str())


def _op(member: tuple[int, ...]) -> gemmi.Op:
    op = gemmi.Op()
    op.rot = [[value * GRID for value in member[row : row + 3]] for row in (0, 3, 6)]
    op.tran = list(member[9:])
    return op


def _open(group: gemmi.SpaceGroup) -> str:
    return str(group.ext).strip("\x00 ").upper()


def _members(group: gemmi.GroupOps) -> list[tuple[int, ...]]:
    return [(*(value // GRID for row in op.rot for value in row), *(value % GRID for value in op.tran)) for op in group]


def _operations(group: gemmi.SpaceGroup) -> Operations:
    return _kept_operations(group.xhm(), group.number, group.hall)


@cache
def _kept_operations(name: str, number: int, hall: str) -> Operations:
    order = tuple(_members(gemmi.symops_from_hall(hall)))
    return Operations(name, number, frozenset(order), order)


def _key(name: str) -> str:
    return re.sub(r"[\s_]+", "", name).lower()


@cache
def _table() -> dict[str, tuple[gemmi.SpaceGroup, ...]]:
    """All settings by name; names are in lower case, without blanks."""
    full = {}
    for hall_number in range(1, 531):
        kind = spglib.get_spacegroup_type(hall_number)
        if kind is not None:
            full[kind.hall_symbol] = kind.international_full
    groups = list(gemmi.spacegroup_table())
    table: dict[str, dict[str, gemmi.SpaceGroup]] = {}
    for group in groups:
        names = {_key(group.hm)}
        if group.hall in full:
            names.add(_key(full[group.hall]))
        if "-3" in group.hm and group.number >= 200:  # F m 3 m, as the tables had it before 1983
            names |= {name.replace("-3", "3") for name in names}
        for name in names:
            table.setdefault(name, {}).setdefault(group.xhm(), group)
    for unique in ("b", "c", "a"):  # P 21/c means the unique axis b, unless the cell says otherwise
        for group in groups:
            parts = group.hm.split()
            if 3 <= group.number <= 15 and group.monoclinic_unique_axis() == unique and parts.count("1") == 2:
                same = table.setdefault(_key("".join(part for part in parts if part != "1")), {})
                if all(each.number == group.number for each in same.values()):  # C 1 1 2 is not C 2
                    same.setdefault(group.xhm(), group)
    return {name: tuple(found.values()) for name, found in table.items()}
