"""Find an entry by its id, by a mineral's name or by a formula, and the entries that hold some words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pymatgen.core import Composition, Element, Structure

from xanesflow.core.errors import UnusableStructure, XanesflowError
from xanesflow.core.text import first_of, plural, printable
from xanesflow.structures.amcsd.choose_entries import rank
from xanesflow.structures.amcsd.database import ID, TITLE, Entry, database_path, load_entries
from xanesflow.structures.amcsd.read_entry import read_entry, sum_formula
from xanesflow.structures.examples import load_examples

_LONGEST = 80  # letters of a formula that is looked for
_FORMULA = re.compile(r"(?:(?:[A-Z][a-z]?|[()])(?:\d+(?:\.\d*)?|\.\d+)?)+")


@dataclass(frozen=True)
class FoundMineral:
    """An entry that a name stands for."""

    entry: Entry  # the entry
    structure: Structure  # its crystal
    note: str  # which of how many entries it is, and how it was read; empty if there is nothing to say

    @property
    def source(self) -> str:
        """Where the structure comes from, for the header of a table."""
        name = self.entry.mineral or self.entry.formula
        return f"{name}, {TITLE}, {self.entry.id}: {self.entry.reference}"


def find_mineral(given: str, *, partly_occupied: bool = False) -> FoundMineral | None:
    """Find the entry that an id, a mineral's name or a formula stands for.

    Its sites may be partly occupied only if `partly_occupied`.

    A name or formula stands for the first usable entry of `choose_entries.rank`: ordered, at ambient conditions,
    newest; among those of the mineral and formula that have the most such entries. So TiO2 is no high-pressure form,
    and bunsenite is NiO, although one of its entries is Ni6MnO8. Between formulas with as many entries, one that is an
    example of this name comes first: delafossite is CuFeO2, although a newer entry is CuAlO2.

    Returns:
        The entry; None if no entry has this name or formula, or without larixite.

    Raises:
        XanesflowError: there are such entries and none can be used, or there is no entry of the id.
    """
    by_id = ID.fullmatch(given)
    if by_id is None and not _has_database():
        return None
    entries = load_entries()
    if by_id is not None:
        found = [entry for entry in entries if entry.number == int(by_id[1])]
        if not found:
            raise XanesflowError(f"The {TITLE} has no entry {given}; `xanesflow structures search` lists entries.")
    else:
        name = given.strip().lower()
        found = [entry for entry in entries if name and entry.mineral.lower() == name]
        found = _best_first(found or _of_formula(entries, given), name)
    if not found:
        return None
    failed: list[str] = []
    for entry in found:
        try:
            structure, note = read_entry(entry, partly_occupied=partly_occupied)
        except UnusableStructure as error:
            failed.append(f"{entry.id} {error}")
            continue
        notes = [_which(printable(given, 60), entry, found, len(failed)) if len(found) > 1 else "", note]
        return FoundMineral(entry, structure, "; ".join(filter(None, notes)))
    which = "the entry" if len(found) == 1 else f"none of the {plural(len(found), 'entry', 'entries')}"
    cannot = "cannot be used" if len(found) == 1 else "can be used"
    raise XanesflowError(f"{printable(given, 60)}: {which} of the {TITLE} {cannot}: {failed[0]}.")


def search(words: Iterable[str]) -> list[Entry]:
    """The entries that hold all words in id, mineral, formula or reference, whatever their case; by name and rank."""
    wanted = [word.lower() for word in words]

    def holds(entry: Entry) -> bool:
        text = f"{entry.id} {entry.mineral} {entry.formula} {entry.reference}".lower()
        whole = {entry.formula.lower().replace(" ", "")}
        return all(word in text or word in whole for word in wanted)

    return sorted(filter(holds, load_entries()), key=lambda entry: (entry.mineral, rank(entry)))


def _has_database() -> bool:
    try:
        database_path()
    except XanesflowError:
        return False
    return True


def _of_formula(entries: Iterable[Entry], given: str) -> list[Entry]:
    """The entries of a formula, such as TiO2; an element alone counts too."""
    text = given.replace(" ", "")
    symbols = re.findall(r"[A-Z][a-z]?", text)
    if len(text) > _LONGEST or not _FORMULA.fullmatch(text) or not all(map(Element.is_valid_symbol, symbols)):
        return []
    wanted = reduced_formula(text)
    elements = frozenset("H" if symbol == "D" else symbol for symbol in symbols)
    same = [entry for entry in entries if entry.elements == elements]
    return [entry for entry in same if wanted is not None and reduced_formula(sum_formula(entry.formula)) == wanted]


def _best_first(entries: list[Entry], name: str) -> list[Entry]:
    """Sort entries: the mineral and formula with the most ordered entries at ambient conditions first.

    Of formulas with as many, that of the example that is called `name` comes first.
    """
    kind = {entry.id: (entry.mineral, _formula_of(entry)) for entry in entries}
    usual = Counter(kind[entry.id] for entry in entries if _is_usual(entry))
    known = {reduced_formula(each.formula) for each in load_examples() if each.name.lower() == name}
    return sorted(entries, key=lambda entry: (-usual[kind[entry.id]], kind[entry.id][1] not in known, rank(entry)))


def _formula_of(entry: Entry) -> str | None:
    return reduced_formula(sum_formula(entry.formula))


def _is_usual(entry: Entry) -> bool:
    """Whether an entry is ordered and certainly at ambient conditions."""
    return not any(rank(entry)[:3])


def reduced_formula(formula: str) -> str | None:
    """A formula such as `Cu4 O2` reduced, Cu2O; None if it is none."""
    try:
        return str(Composition(formula.replace(" ", "")).reduced_formula)
    except (ValueError, KeyError, ArithmeticError):
        return None


def _which(given: str, entry: Entry, found: list[Entry], failed: int) -> str:
    conditions = f" at {entry.conditions}" if str(entry.conditions) else ""
    skipped = f", after {failed} that cannot be used" if failed else ""
    name = f" ({entry.mineral})" if entry.mineral and entry.mineral.lower() != given.lower() else ""
    formula = _formula_of(entry)
    others: dict[str | None, str] = {}
    for each in filter(_is_usual, found):
        others.setdefault(_formula_of(each), each.id)
    unlike = [f"{other} ({first})" for other, first in others.items() if other != formula]
    kind = f"; it is {formula}, and others are {first_of(unlike, 3)}" if unlike else ""
    return (
        f"{given} has {len(found)} entries in the {TITLE}, and ordered, ambient and newer ones come first; "
        f"{entry.id}{name}, published in {entry.year}{conditions}, is taken{skipped}{kind}; "
        f"`xanesflow structures search {given}` lists them"
    )
