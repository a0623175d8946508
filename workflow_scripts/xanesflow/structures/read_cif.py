"""Read the one crystal of a CIF, and refuse the file where it contradicts itself or leaves its symmetry open.

gemmi parses the file and knows the space groups; this module decides what is meant. Symmetry is taken from the listed
operations, else the Hall symbol, else the Hermann-Mauguin symbol, else the number. Where the file leaves several
settings open, each is built, and what else the file says, and physics, must leave one crystal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import gemmi
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from xanesflow.structures.check_structure import Claims, checked
from xanesflow.structures.cif_atoms import Table, read_atoms, read_lattice
from xanesflow.structures.place_atoms import ListedAtom, place_atoms
from xanesflow.structures.space_groups import (
    Operations,
    crystal_system,
    from_hall,
    from_name,
    from_number,
    parse_operations,
)
from xanesflow.structures.unusable import UnusableStructure

_LISTED = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_MAGNETIC = ("_space_group_symop_magn_operation_xyz", "_space_group_symop_magn_centering_xyz")
_HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_NAME = ("_symmetry_space_group_name_h-m", "_space_group_name_h-m_alt", "_space_group_name_h-m_full",
         "_space_group_name_h-m")  # fmt: skip
_NUMBER = ("_space_group_it_number", "_symmetry_int_tables_number")
_SYSTEM = ("_space_group_crystal_system", "_symmetry_cell_setting")
_MANY = 400  # rows up to which two readings of a file are compared as crystals


@dataclass(frozen=True)
class Said:
    """What a file says of its symmetry; empty or None where it says nothing.

    Attributes:
        listed: the group of the operations that it lists.
        hall: the group of its Hall symbol.
        settings: all settings that its Hermann-Mauguin symbol may mean.
        name: that symbol as written.
        tag: where it was found.
        number: of the space group.
    """

    listed: Operations | None
    hall: Operations | None
    settings: list[Operations]
    name: str
    tag: str
    number: int | None


def read_cif(text: str) -> tuple[Structure, str]:
    """Read a CIF.

    Returns:
        The structure, and what its reader should know of how it was read; empty if nothing.

    Raises:
        UnusableStructure: what is wrong with the file.
    """
    table = _the_structure(text)
    atoms, notes = read_atoms(table)
    lattice = read_lattice(table)
    claims = _claims(table)
    if table.has("_cell_modulation_dimension") or table.has("_space_group_ssg_name"):
        raise UnusableStructure("is a modulated structure, of which a cell holds only a part")
    said = _said(table)
    candidates, why = _candidates(said, claims)
    structure, more = _choose(candidates, why, said, atoms, lattice, claims)
    return structure, "; ".join(dict.fromkeys([*notes, *more]))


def _the_structure(text: str) -> Table:
    """The one block of a file that holds atoms."""
    try:
        document = gemmi.cif.read_string(text, 0)  # two blocks of one name do not matter
    except (ValueError, RuntimeError) as error:
        raise UnusableStructure(_no_cif(text, str(error))) from error
    tables = [Table.of(block) for block in document]
    found = [table for table in tables if table.has("_atom_site_fract_x")]
    if len(found) > 1:
        raise UnusableStructure(f"holds {len(found)} structures; write each to a file of its own")
    if found:
        if found[0].twice:
            raise UnusableStructure(f"gives {found[0].twice} twice in one data_ block; leave one of them")
        return found[0]
    if any(table.has("_atom_site_cartn_x") for table in tables):
        raise UnusableStructure("gives its atoms in Å (_atom_site_Cartn_x); write fractions, _atom_site_fract_x")
    raise UnusableStructure("holds no structure: there is no _atom_site_fract_x below a data_ line")


def _no_cif(text: str, said: str) -> str:
    """What gemmi says of a file, `string:12:0(99): Wrong number of values in loop`, as a sentence."""
    version = " (it calls itself CIF 2.0, of which lists and triple quotes are not read)" if "CIF_2" in text[:40] else ""
    match = re.match(r"string(?::(\d+))?[^ ]*:? (.*)", said.replace("\n", " "))
    line, what = (match[1], match[2]) if match else (None, said)
    if "expected block header" in what:
        return "holds no structure: there is no data_ line before its first item"
    if "Wrong number of values" in what:
        # gemmi names the line in which the loop begins.
        return f"is cut off or lacks a value: the rows of the loop_ at line {line} are not complete{version}"
    where = f" at line {line}" if line else ""
    return f"is no CIF: {what[:100]}{where}{version}"


def _claims(table: Table) -> Claims:
    density = table.number("_exptl_crystal_density_diffrn")
    measured = table.number("_exptl_crystal_density_meas")
    return Claims(
        formula=table.text("_chemical_formula_sum") or None,
        units=_positive(table.number("_cell_formula_units_z")),
        density=_in_g_per_cm3(density),
        measured_density=_in_g_per_cm3(measured),
        volume=_positive(table.number("_cell_volume")),
    )


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None


def _in_g_per_cm3(density: float | None) -> float | None:
    """The dictionary wants kg/m³ of `_exptl_crystal_density_diffrn` in one version and Mg/m³ in another."""
    density = _positive(density)
    return density / 1000 if density is not None and density > 100 else density


def _said(table: Table) -> Said:
    """What a file says of its symmetry, each thing once.

    Raises:
        UnusableStructure: it says two things.
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
    # What only names a group must name the same one.
    named = [(f"names {name[:30]} (number {settings[0].number})", settings[0].number)] if settings else []
    named += [(f"gives the Hall symbol {written[:30]} (number {hall.number})", hall.number)] if hall else []
    named += [(f"gives the space group number {number}", number)] if number else []
    for one, other in zip(named, named[1:], strict=False):
        if one[1] != other[1]:
            raise UnusableStructure(f"contradicts itself: it {one[0]} and {other[0]}")
    _, system = table.one(_SYSTEM)
    if named and system and not _same_system(system, named[0][1]):
        raise UnusableStructure(
            f"contradicts itself: it calls its crystal system {system[:20]} and {named[0][0]}, which is "
            f"{crystal_system(named[0][1])}"
        )
    return Said(listed, hall, settings, name, tag, number)


def _same_system(given: str, number: int) -> bool:
    told = given.strip().lower()
    known = {"triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "rhombohedral", "hexagonal", "cubic"}
    system = crystal_system(number)
    lax = {"trigonal": {"trigonal", "rhombohedral", "hexagonal"}, "hexagonal": {"hexagonal"}}
    return told not in known or told in lax.get(system, {system})


def _listed(table: Table) -> Operations | None:
    """The group of the operations that a file lists, time reversal left out."""
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
        return parse_operations([*plain, *shifted])
    columns = [column for column in map(table.column, _LISTED) if column and column != ["?"]]
    groups = [parse_operations(column) for column in columns]
    if len(groups) == 2 and groups[0].members != groups[1].members:
        raise UnusableStructure(f"lists two different sets of symmetry operations, below {_LISTED[0]} and {_LISTED[1]}")
    return groups[0] if groups else None


def _signed(move: str) -> str:
    move = move.strip().strip("+")
    return "" if not move else move if move[0] in "+-" else f"+{move}"


def _candidates(said: Said, claims: Claims) -> tuple[list[Operations], str]:
    """The groups that a file may mean, the likeliest first, and what is to be known if one of them is taken.

    Raises:
        UnusableStructure: it does not say.
    """
    named = [said.hall] if said.hall else said.settings
    if said.listed is not None:
        if said.name and not named:
            return [said.listed], f"its space group '{said.name[:30]}' is not known, so its operations are taken alone"
        if not named or any(said.listed.members == each.members for each in named):
            return [said.listed], ""
        return [said.listed, *(each for each in named if each.number == said.listed.number)], ""
    if said.hall:
        others = [each for each in said.settings if each.members != said.hall.members]
        conflicts = len(others) == len(said.settings)
        return [said.hall, *(others if conflicts else [])], ""
    if said.settings:
        return said.settings, f"Spacegroup from {_as_written(said.tag)} used"
    if said.name:
        if said.number:  # the number alone says it, as far as it does
            return from_number(said.number), (
                f"its space group '{said.name[:30]}' is not known, so its number {said.number} is taken"
            )
        whole = f"its space group '{said.name[:30]}' is not known, and its atoms are all of the cell by its formula"
        told = f"names its space group '{said.name[:30]}', which is not known,"
    elif said.number:
        return from_number(said.number), f"Spacegroup from its number {said.number} used"
    else:
        whole = "it gives no symmetry, and its atoms are all of the cell by its formula"
        told = "gives no symmetry"
    if claims.counts_atoms:
        return from_name("P 1"), whole
    raise UnusableStructure(
        f"{told} and lists no operations, so which atoms the cell holds is open; write the operations "
        "(_space_group_symop_operation_xyz) or a name of the tables (_space_group_name_H-M_alt), 'P 1' if all atoms "
        "are listed"
    )


def _as_written(tag: str) -> str:
    return tag.replace("_h-m", "_H-M")


def _choose(
    candidates: list[Operations],
    why: str,
    said: Said,
    atoms: list[ListedAtom],
    lattice: Lattice,
    claims: Claims,
) -> tuple[Structure, list[str]]:
    """The one crystal that candidates, claims and physics leave, with remarks.

    Raises:
        UnusableStructure: none is left, or several.
    """
    fitting = [each for each in candidates if each.fits(lattice.matrix)]
    if not fitting:
        a, b, c = lattice.abc
        raise UnusableStructure(
            f"contradicts itself: its cell (a, b, c = {a:.4g}, {b:.4g}, {c:.4g} Å; angles "
            f"{', '.join(f'{angle:.5g}' for angle in lattice.angles)}°) has not the symmetry of {candidates[0].name}"
        )
    if 3 <= fitting[0].number <= 15 and said.listed is None and said.hall is None and said.settings:
        fitting = fitting[:1]  # P 21/c in a cell of right angles means the axis b
    built: list[tuple[Operations, Structure, list[str]]] = []
    failed: list[tuple[Operations, UnusableStructure]] = []
    for each in fitting:
        try:
            structure, notes = place_atoms(atoms, lattice, each)
            plain, note = checked(structure, claims)
            built.append((each, plain, [*notes, *([note] if note else [])]))
        except UnusableStructure as error:
            failed.append((each, error))
    if not built:
        raise _none_left(failed)
    different = [built[0]]
    for other in built[1:]:
        if not any(_same_crystal(other[1], kept[1]) for kept in different):
            different.append(other)
    if len(different) > 1:
        raise UnusableStructure(_ambiguous(different, said))
    chosen, structure, notes = built[0]
    _check_named(chosen, structure, said)
    remarks = [why] if why else []
    if len(fitting) > 1:
        remarks.append(_chosen(chosen, built, failed, said))
    return structure, [*remarks, *notes]


def _none_left(failed: list[tuple[Operations, UnusableStructure]]) -> UnusableStructure:
    first = failed[0][1]
    if len(failed) == 1:
        return first
    told = f"{first} (in the setting {failed[0][0].name}; the other settings do not fit either)"
    return UnusableStructure(told, first.reason)


def _chosen(
    chosen: Operations,
    built: list[tuple[Operations, Structure, list[str]]],
    failed: list[tuple[Operations, UnusableStructure]],
    said: Said,
) -> str:
    if said.listed is not None and chosen.members != said.listed.members:
        return f"its operations do not fit its atoms and {chosen.name}, which it names, does"
    if not failed:
        return f"all settings that it may mean give one crystal; {chosen.name} is taken"
    error = str(failed[0][1])
    return f"the setting {chosen.name} is taken, as in {failed[0][0].name} it {error}"


def _ambiguous(different: list[tuple[Operations, Structure, list[str]]], said: Said) -> str:
    several = " or ".join(
        f"{structure.composition.reduced_formula} with {len(structure)} atoms a cell and "
        f"{float(structure.density):.2f} g/cm³ in {operations.name}"
        for operations, structure, _ in different[:3]
    )
    if said.listed is not None:
        return f"contradicts itself: its operations and its space group '{said.name[:30]}' give different crystals, {several}"
    return (
        f"does not say in which setting its space group is: it may be {several}; list the operations or write the "
        "setting behind the name, as in 'F d -3 m:2'"
    )


def _same_crystal(one: Structure, other: Structure) -> bool:
    if one.composition != other.composition:
        return False
    if len(one) > _MANY:
        return False
    matcher = StructureMatcher(ltol=0.01, stol=0.02, angle_tol=0.5, primitive_cell=False, scale=False)
    return bool(matcher.fit(one, other))


def _check_named(chosen: Operations, structure: Structure, said: Said) -> None:
    """Refuse operations of another group than the file names, unless spglib finds the named one in the crystal."""
    number = said.number or (said.hall.number if said.hall else said.settings[0].number if said.settings else None)
    if number is None or number == chosen.number:
        return
    found = _found_number(structure)
    if found != number:
        name = f"{said.name[:30]} (number {number})" if said.name else f"number {number}"
        raise UnusableStructure(
            f"contradicts itself: it names the space group {name}, and lists the {len(chosen.order)} operation"
            f"{'s' * (len(chosen.order) > 1)} of {chosen.name} (number {chosen.number}), with which its atoms make a "
            f"crystal of number {found}; list all operations, or none"
        )


def _found_number(structure: Structure) -> int:
    import spglib

    numbers = [site.specie.Z for site in structure]
    found = spglib.get_symmetry_dataset((structure.lattice.matrix, structure.frac_coords, numbers), symprec=0.02)
    return 1 if found is None else int(found.number)
