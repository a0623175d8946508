"""Turn an entry of the database into a structure, through the reader of CIFs and its checks."""

from __future__ import annotations

import json
import re
from functools import cache

import gemmi
from pymatgen.core import Composition, Structure

from xanesflow.core.errors import UnusableStructure
from xanesflow.core.text import plural
from xanesflow.structures.amcsd.database import Entry, load_entries
from xanesflow.structures.read_cif import read_cif

_CELL = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")


def read_entry(entry: Entry, *, partly_occupied: bool = False) -> tuple[Structure, str]:
    """Build the crystal of an entry and compare it with the entry's formula, volume, density and space group.

    Its sites may be partly occupied only if `partly_occupied`.

    Returns:
        The structure in the cell that the database gives, and a remark for the user; empty if there is none.

    Raises:
        UnusableStructure: the entry is disordered, lacks the places of its hydrogen, or contradicts itself.
    """
    _check_hydrogen(entry)
    return read_cif(cif_text(entry), partly_occupied=partly_occupied)


def cif_text(entry: Entry) -> str:
    """Write an entry as a CIF with all that `read_cif` compares."""
    values = dict(zip(_CELL, map(_plain_number, entry.cell), strict=True))
    lines = ["data_entry", f"_chemical_formula_sum {gemmi.cif.quote(sum_formula(entry.formula))}"]
    lines += [f"_cell_{name} {value}" for name, value in values.items()]
    lines += [
        f"_cell_volume {_plain_number(entry.volume)}",
        f"_exptl_crystal_density_diffrn {_plain_number(entry.density)}",
        f"_symmetry_space_group_name_H-M {gemmi.cif.quote(entry.space_group)}",
        "loop_",
        "_space_group_symop_operation_xyz",
        *(f"'{operation}'" for operation in json.loads(entry.operations)),
        "loop_",
        "_atom_site_label",
        "_atom_site_type_symbol",
        *(f"_atom_site_fract_{axis}" for axis in "xyz"),
    ]
    *places, occupancies = entry.columns
    rows = [[gemmi.cif.quote(label), gemmi.cif.quote(symbol_of(label, entry))] for label in entry.labels]
    columns = [*places, occupancies] if occupancies else places
    lines += ["_atom_site_occupancy"] if occupancies else []
    if any(len(column) != len(rows) for column in columns):
        raise UnusableStructure(
            f"lists {plural(len(rows), 'atom')} and {plural(min(map(len, columns)), 'place')} or occupancies"
        )
    lines += [" ".join([*row, *values]) for row, *values in zip(rows, *columns, strict=True)]
    return "\n".join(lines) + "\n"


def sum_formula(formula: str) -> str:
    """Multiply out the brackets of a formula: `Ca Mg (C O3)2` is `Ca1 Mg1 C2 O6`."""
    if "(" not in formula:
        return formula
    try:
        composition = Composition(formula.replace(" ", ""))
    except (ValueError, KeyError):
        return formula
    return " ".join(f"{element.symbol}{amount:.6g}" for element, amount in composition.items())


def symbol_of(label: str, entry: Entry) -> str:
    """The element of a label such as `FeT`, `CO` or `Wat1`: the longest beginning that is in the entry's formula."""
    if label.startswith("Wat"):  # the oxygen of water
        return "O"
    known = entry.elements | ({"D"} if "H" in entry.elements else set())
    return next((label[:n] for n in (2, 1) if label[:n] in known), label)


def reduced_formula(formula: str) -> str | None:
    """The reduced formula without hydrogen, such as FeO2 for goethite; None if it cannot be read."""
    try:
        amounts = Composition(sum_formula(formula).replace(" ", "")).get_el_amt_dict()
        return str(Composition({k: n for k, n in amounts.items() if k not in ("H", "D")}).reduced_formula)
    except (ValueError, KeyError):
        return None


@cache
def _with_hydrogen(mineral: str) -> frozenset[str | None]:
    """The formulas without hydrogen of the entries of a mineral that have hydrogen."""
    return frozenset(reduced_formula(formula) for formula in _formulas_with_hydrogen().get(mineral, ()))


@cache
def _formulas_with_hydrogen() -> dict[str, set[str]]:
    """The formulas with hydrogen of each mineral that has some."""
    found: dict[str, set[str]] = {}
    for entry in load_entries():
        if "H" in entry.elements:
            found.setdefault(entry.mineral, set()).add(entry.formula)
    return found


def _check_hydrogen(entry: Entry) -> None:
    """Refuse an entry of a crystal with hydrogen whose atoms have none, or none with a place.

    Old entries list the other atoms alone, and their formula then lacks the hydrogen too: goethite as FeO2. Other
    entries of the mineral show it.
    """
    labels = entry.labels
    hydrogen = [k for k, label in enumerate(labels) if symbol_of(label, entry) in ("H", "D")]
    groups = [label for label in labels if re.match(r"Wat|NH\d", label)]
    if not hydrogen and ("H" in entry.elements or groups):
        where = f", such as that of {groups[0][:20]}" if groups else ""
        raise UnusableStructure(
            f"has hydrogen, by its formula '{entry.formula[:60]}' or its labels, whose places are not known{where}",
            "hydrogen_unknown",
        )
    if not hydrogen and entry.mineral and reduced_formula(entry.formula) in _with_hydrogen(entry.mineral):
        raise UnusableStructure(
            f"lists no hydrogen ('{entry.formula[:60]}'), which other entries of {entry.mineral} have, so it is not "
            "complete",
            "hydrogen_unknown",
        )
    for column in entry.columns[:3]:
        for k in hydrogen:
            if k < len(column) and column[k] in ("?", "."):
                raise UnusableStructure(f"gives no place of its hydrogen {labels[k][:20]}", "hydrogen_unknown")


def _plain_number(text: str) -> str:
    """A number of the database, of which a few have a comma: `3,2518`, `6.4235,`."""
    return re.sub(r",(?=\d)", ".", text).rstrip(",") or "?"
