"""Read the one crystal of a CIF, and refuse the file where it contradicts itself or leaves its symmetry open.

gemmi parses the file and knows the space groups; this module decides what is meant. Symmetry is taken from the listed
operations, else the Hall symbol, else the Hermann-Mauguin symbol, else the number. Where the file leaves several
settings open, each is built; physics and the file's other statements must then leave one crystal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import gemmi
import spglib
from pymatgen.core import Lattice, Structure

from xanesflow.core import limits
from xanesflow.core.errors import UnusableStructure
from xanesflow.core.text import plural
from xanesflow.structures.check_structure import Claims, checked
from xanesflow.structures.cif_atoms import Table, read_atoms, read_lattice
from xanesflow.structures.cif_symmetry import StatedSymmetry, candidates, read_symmetry
from xanesflow.structures.place_atoms import ListedAtom, place_atoms
from xanesflow.structures.same_crystal import same_crystal
from xanesflow.structures.space_groups import Operations

_MOST_REMARKS = 12
_MANY = 400  # atoms, up to which two readings of a file are compared as crystals


@dataclass(frozen=True)
class Listed:
    """The atoms and the cell that a file lists, and what it states about the crystal."""

    atoms: list[ListedAtom]
    lattice: Lattice
    claims: Claims


def read_cif(text: str, *, partly_occupied: bool = False) -> tuple[Structure, str]:
    """Read a CIF; its sites may be partly occupied only if `partly_occupied`.

    Returns:
        The structure, and a remark for the user on how it was read; empty if there is none.

    Raises:
        UnusableStructure: the file cannot be used; the message says why.
    """
    table = _the_structure(text)
    atoms, notes = read_atoms(table, partly_occupied=partly_occupied)
    lattice = read_lattice(table)
    claims = _claims(table)
    if table.has("_cell_modulation_dimension") or table.has("_space_group_ssg_name"):
        raise UnusableStructure("is a modulated structure, of which a cell holds only a part")
    said = read_symmetry(table)
    groups, why = candidates(said, claims)
    structure, more = _choose(groups, said, Listed(atoms, lattice, claims))
    remarks = list(dict.fromkeys([*notes, *([why] if why else []), *more]))
    further = [f"and {plural(len(remarks) - _MOST_REMARKS, 'more remark')}"] if len(remarks) > _MOST_REMARKS else []
    return structure, "; ".join([*remarks[:_MOST_REMARKS], *further])


def _the_structure(text: str) -> Table:
    """The one block of a file that holds atoms."""
    # The name of a block matters to nobody, and gemmi reads only ASCII there.
    text = re.sub(r"(?im)^[ \t]*data_\S+", lambda name: name[0].encode("ascii", "replace").decode(), text)
    try:
        document = gemmi.cif.read_string(text, 0)  # two blocks may have the same name
    except (ValueError, RuntimeError) as error:
        raise UnusableStructure(_no_cif(text, str(error))) from error
    tables = [Table.of(block) for block in document]
    found = [table for table in tables if table.has("_atom_site_fract_x")]
    if len(found) > 1:
        raise UnusableStructure(f"holds {len(found)} structures; write each to a file of its own")
    if found:
        if (listed := len(found[0].column("_atom_site_fract_x"))) > limits.ATOMS:
            raise UnusableStructure(f"lists {listed:,} atoms, and the limit is {limits.ATOMS:,}")
        if found[0].twice:
            raise UnusableStructure(f"gives {found[0].twice} twice in one data_ block; leave one of them")
        return found[0]
    if any(table.has("_atom_site_cartn_x") for table in tables):
        raise UnusableStructure("gives its atoms in Å (_atom_site_Cartn_x); write fractions, _atom_site_fract_x")
    raise UnusableStructure("holds no structure: there is no _atom_site_fract_x below a data_ line")


def _no_cif(text: str, problem: str) -> str:
    """Turn gemmi's error, such as `string:12:0(99): Wrong number of values in loop`, into a sentence."""
    version = (
        " (it calls itself CIF 2.0, of which lists and triple quotes are not read)" if "CIF_2" in text[:40] else ""
    )
    match = re.match(r"string(?::(\d+)\b)?[^ ]* (.*)", problem.replace("\n", " "))
    line, what = (match[1], match[2]) if match else (None, problem)
    if "expected block header" in what:
        return "holds no structure: there is no data_ line before its first item"
    if "Wrong number of values" in what:
        # gemmi names the line in which the loop begins.
        return f"is cut off or lacks a value: the rows of the loop_ at line {line} are not complete{version}"
    where = f" at line {line}" if line else ""
    return f"is no CIF: {what[:100]}{where}{version}; rows of values need a loop_ above the names of their columns"


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
    """Convert to g/cm³: `_exptl_crystal_density_diffrn` is in kg/m³ or Mg/m³, as the dictionary's version has it."""
    density = _positive(density)
    return density / 1000 if density is not None and density > 100 else density


def _choose(groups: list[Operations], said: StatedSymmetry, listed: Listed) -> tuple[Structure, list[str]]:
    """Build the crystal in each possible group and return the only one that fits, with remarks.

    A crystal fits if it agrees with physics and with the file's other statements.

    Raises:
        UnusableStructure: no crystal fits, or several different ones do.
    """
    # Keep the groups whose operations fit the cell.
    fitting = [each for each in groups if each.fits(listed.lattice.matrix)]
    if not fitting:
        a, b, c = listed.lattice.abc
        raise UnusableStructure(
            f"contradicts itself: its cell (a, b, c = {a:.4g}, {b:.4g}, {c:.4g} Å; angles "
            f"{', '.join(f'{angle:.5g}' for angle in listed.lattice.angles)}°) has not the symmetry of {groups[0].name}"
        )
    if 3 <= fitting[0].number <= 15 and said.listed is None and said.hall is None and said.settings:
        fitting = fitting[:1]  # P 21/c in a cell of right angles means the unique axis b
    # Build and check the crystal in each of them.
    built: list[tuple[Operations, Structure, list[str]]] = []
    failed: list[tuple[Operations, UnusableStructure]] = []
    for each in fitting:
        try:
            structure, notes = place_atoms(listed.atoms, listed.lattice, each)
            plain, note = checked(structure, listed.claims, partly_occupied=True)  # the atoms were chosen before
            built.append((each, plain, [*notes, *([note] if note else [])]))
        except UnusableStructure as error:
            failed.append((each, error))
    if not built:
        raise _none_left(failed, said)
    # Several groups may give the same crystal; different crystals leave the file ambiguous.
    different = [built[0]]
    for other in built[1:]:
        if not any(len(other[1]) <= _MANY and same_crystal(other[1], kept[1]) for kept in different):
            different.append(other)
    if len(different) > 1:
        raise UnusableStructure(_ambiguous(different, said))
    chosen, structure, notes = built[0]
    _check_named(chosen, structure, said)
    remarks = []
    if len(fitting) > 1:
        remarks.append(_chosen(chosen, failed, said))
    return structure, [*remarks, *notes]


def _none_left(failed: list[tuple[Operations, UnusableStructure]], said: StatedSymmetry) -> UnusableStructure:
    first = failed[0][1]
    tried = failed[0][0]
    if said.listed is tried and said.number_named not in (None, tried.number):
        return UnusableStructure(f"{first}; {_other_group(tried, said)}", first.reason)
    if len(failed) == 1:
        return first
    message = f"{first} (in the setting {failed[0][0].name}; the other settings do not fit either)"
    return UnusableStructure(message, first.reason)


def _chosen(
    chosen: Operations,
    failed: list[tuple[Operations, UnusableStructure]],
    said: StatedSymmetry,
) -> str:
    if said.listed is not None and chosen.members != said.listed.members:
        return f"its operations do not fit its atoms and {chosen.name}, which it names, does"
    if not failed:
        return f"all settings that it may mean give one crystal; {chosen.name} is taken"
    error = str(failed[0][1])
    return f"the setting {chosen.name} is taken, as in {failed[0][0].name} it {error}"


def _ambiguous(different: list[tuple[Operations, Structure, list[str]]], said: StatedSymmetry) -> str:
    several = " or ".join(
        f"{structure.composition.reduced_formula} with {plural(len(structure), 'atom')} a cell and "
        f"{float(structure.density):.2f} g/cm³ in {operations.name}"
        for operations, structure, _ in different[:3]
    )
    if said.listed is not None:
        named = f"its operations and its space group '{said.name[:30]}'"
        return f"contradicts itself: {named} give different crystals, {several}"
    return (
        f"does not say in which setting its space group is: it may be {several}; list the operations or write the "
        "setting behind the name, as in 'F d -3 m:2'"
    )


def _check_named(chosen: Operations, structure: Structure, said: StatedSymmetry) -> None:
    """Refuse operations of another group than the file names, unless spglib finds the named one in the crystal."""
    number = said.number_named
    if number is None or number == chosen.number:
        return
    found = _found_number(structure)
    if found != number:
        raise UnusableStructure(
            f"contradicts itself: {_other_group(chosen, said)}; with these its atoms make a crystal of number {found}"
        )


def _other_group(chosen: Operations, said: StatedSymmetry) -> str:
    number = said.number_named
    name = f"{said.name[:30]} (number {number})" if said.name else f"number {number}"
    listed = f"{len(chosen.order)} operation{'s' * (len(chosen.order) > 1)}"
    return f"it names the space group {name} and lists the {listed} of {chosen.name} (number {chosen.number})"


def _found_number(structure: Structure) -> int:
    kinds = list(dict.fromkeys(site.species for site in structure))
    numbers = [1 + kinds.index(site.species) for site in structure]
    cell = (structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), numbers)
    found = spglib.get_symmetry_dataset(cell, symprec=0.02)
    return 1 if found is None else int(found.number)
