"""What a CIF states about its symmetry: operations, Hall and Hermann-Mauguin symbols, number, crystal system."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from xanesflow.core.errors import UnusableStructure
from xanesflow.structures.check_structure import Claims
from xanesflow.structures.cif_atoms import Table
from xanesflow.structures.space_groups import (
    Operations,
    crystal_system,
    from_hall,
    from_name,
    from_number,
    parse_operations,
)

_LISTED = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_MAGNETIC = ("_space_group_symop_magn_operation_xyz", "_space_group_symop_magn_centering_xyz")
_HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_NAME = ("_symmetry_space_group_name_h-m", "_space_group_name_h-m_alt", "_space_group_name_h-m_full",
         "_space_group_name_h-m")  # fmt: skip
_NUMBER = ("_space_group_it_number", "_symmetry_int_tables_number")
_SYSTEM = ("_space_group_crystal_system", "_symmetry_cell_setting")


@dataclass(frozen=True)
class StatedSymmetry:
    """What a file states about its symmetry; empty or None if it states nothing."""

    listed: Operations | None  # the group of the operations that it lists
    hall: Operations | None  # the group of its Hall symbol
    settings: list[Operations]  # all settings that its Hermann-Mauguin symbol may mean
    name: str  # that symbol as written
    tag: str  # the item that holds the name
    number: int | None  # of the space group

    @property
    def number_named(self) -> int | None:
        """Number of the space group that the file names by symbol or number, not by operations."""
        groups = [self.hall] if self.hall else self.settings
        return self.number or (groups[0].number if groups else None)


def read_symmetry(table: Table) -> StatedSymmetry:
    """Read all that a file states about its symmetry.

    Raises:
        UnusableStructure: its statements contradict each other.
    """
    listed = _listed(table)
    tag, name = table.one(_NAME)
    settings = from_name(name) if name else []
    code = table.text("_space_group_it_coordinate_system_code").upper()
    if code in ("1", "2", "H", "R") and len(settings) > 1:
        settings = [each for each in settings if each.name.upper().endswith(f":{code}")] or settings
    _, written = table.one(_HALL)
    hall = from_hall(written) if written else None
    _, digits = table.one(_NUMBER)
    number = None
    if digits and digits.strip("0"):
        number = int(digits) if digits.isdecimal() and len(digits) < 4 else None
        if number is None or not 1 <= number <= 230:
            raise UnusableStructure(f"gives the space group number {digits[:20]}, and there are 1 to 230")
    # Symbol, Hall symbol and number must name the same group.
    named = [(f"names {name[:30]} (number {settings[0].number})", settings[0].number)] if settings else []
    named += [(f"gives the Hall symbol {written[:30]} (number {hall.number})", hall.number)] if hall else []
    named += [(f"gives the space group number {number}", number)] if number else []
    for one, other in pairwise(named):
        if one[1] != other[1]:
            raise UnusableStructure(f"contradicts itself: it {one[0]} and {other[0]}")
    _, system = table.one(_SYSTEM)
    if named and system and not _same_system(system, named[0][1]):
        raise UnusableStructure(
            f"contradicts itself: it calls its crystal system {system[:20]} and {named[0][0]}, which is "
            f"{crystal_system(named[0][1])}"
        )
    return StatedSymmetry(listed, hall, settings, name, tag, number)


def _same_system(given: str, number: int) -> bool:
    name = given.strip().lower()
    known = {"triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "rhombohedral", "hexagonal", "cubic"}
    system = crystal_system(number)
    lax = {"trigonal": {"trigonal", "rhombohedral", "hexagonal"}, "hexagonal": {"hexagonal"}}
    return name not in known or name in lax.get(system, {system})


def _listed(table: Table) -> Operations | None:
    """The group of the operations that a file lists, without time reversal."""
    magnetic = table.column(_MAGNETIC[0])
    if magnetic:
        plain = [re.sub(r",\s*[+-]?1\s*$", "", text) for text in magnetic]
        centring = [re.sub(r",\s*[+-]?1\s*$", "", text) for text in table.column(_MAGNETIC[1])]
        shifts = [re.sub(r"[xyzXYZ]", "", text) for text in centring]
        shifted = [
            ",".join(f"{part}{_signed(move)}" for part, move in zip(text.split(","), shift.split(","), strict=True))
            for shift in shifts
            for text in plain
            if text.count(",") == shift.count(",") == 2
        ]
        return parse_operations((*plain, *shifted))
    columns = [column for column in map(table.column, _LISTED) if column and column != ["?"]]
    groups = [parse_operations(tuple(column)) for column in columns]
    if len(groups) == 2 and groups[0].members != groups[1].members:
        raise UnusableStructure(f"lists two different sets of symmetry operations, below {_LISTED[0]} and {_LISTED[1]}")
    return groups[0] if groups else None


def _signed(move: str) -> str:
    move = move.strip().strip("+")
    return "" if not move else move if move[0] in "+-" else f"+{move}"


def candidates(said: StatedSymmetry, claims: Claims) -> tuple[list[Operations], str]:
    """The groups that a file may mean, the likeliest first, and a remark for the user if one of them is used.

    Raises:
        UnusableStructure: the file leaves its symmetry open.
    """
    named = [said.hall] if said.hall else said.settings
    first = said.listed or said.hall
    if first is not None:
        if said.name and not named:
            return [first], f"its space group '{said.name[:30]}' is not known, so its operations are taken alone"
        by_hall = said.hall is None or said.hall.members == first.members
        by_name = not said.settings or any(each.members == first.members for each in said.settings)
        others = [*([] if by_hall else named), *([] if by_name else said.settings)]
        # If another statement gives the same group in another setting, that setting may be meant.
        return list({each.members: each for each in [first, *others] if each.number == first.number}.values()), ""
    if said.settings:
        return said.settings, f"Spacegroup from {_as_written(said.tag)} used"
    unknown = f"its space group '{said.name[:30]}' is not known" if said.name else ""
    if said.number:
        return from_number(said.number), "; ".join(filter(None, (unknown, f"Spacegroup number {said.number} used")))
    if claims.counts_atoms:
        return from_name(
            "P 1"
        ), f"{unknown or 'it gives no symmetry'}, and its atoms are all of the cell by what it says"
    problem = f"names its space group '{said.name[:30]}', which is not known," if said.name else "gives no symmetry"
    raise UnusableStructure(
        f"{problem} and lists no operations, so which atoms the cell holds is open; write the operations "
        "(_space_group_symop_operation_xyz) or a name of the tables (_space_group_name_H-M_alt), 'P 1' if all atoms "
        "are listed"
    )


def _as_written(tag: str) -> str:
    return tag.replace("_h-m", "_H-M")
