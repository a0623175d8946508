"""The structures that a measured spectrum is compared with: chosen, counted, and named."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pymatgen.core import Element, Structure

from xanesflow.core.errors import UnusableStructure, WrongCallError, XanesflowError
from xanesflow.core.sites import SYMPREC_A
from xanesflow.core.text import first_few, plural, quoted
from xanesflow.prediction.input_structures import read_structures
from xanesflow.structures.amcsd.choose_entries import rank
from xanesflow.structures.amcsd.database import Entry, load_entries
from xanesflow.structures.amcsd.find_mineral import reduced_formula
from xanesflow.structures.amcsd.read_entry import read_entry
from xanesflow.structures.examples import load_examples
from xanesflow.structures.material import Material, describe

EXAMPLES, MINERALS = "examples", "minerals"
"""Words that stand for whole libraries."""


@dataclass(frozen=True)
class Candidate:
    """A structure that may be the sample's."""

    id: str  # of the structure, as `nio-rocksalt` or `amcsd-0000143`
    name: str  # of the mineral or compound; empty if it is not known
    element: str  # symbol of the absorber
    material: Material  # the structure and its symmetry
    # 0-based index of each inequivalent absorber and the number of atoms that it stands for
    sites: tuple[tuple[int, int], ...]

    @property
    def formula(self) -> str:
        """Reduced formula."""
        return self.material.formula

    def structure(self) -> Structure:
        """The structure as an object."""
        return Structure.from_dict(json.loads(self.material.structure))


@dataclass(frozen=True)
class Narrowing:
    """Which candidates are kept."""

    contains: frozenset[str] = frozenset()  # symbols that each must hold
    max_atoms: int | None = None  # largest number of atoms in the cell; None: any

    def keeps(self, material: Material) -> bool:
        """Whether a material is kept."""
        small = self.max_atoms is None or len(material.elements) <= self.max_atoms
        return small and self.contains <= set(material.elements)


def read_symbols(text: str) -> frozenset[str]:
    """Symbols from `Fe,O` or `Fe O`.

    Raises:
        WrongCallError: one of them is no element.
    """
    symbols = [part.capitalize() for part in text.replace(",", " ").split()]
    wrong = [symbol for symbol in symbols if not Element.is_valid_symbol(symbol)]
    if wrong or not symbols:
        raise WrongCallError(f"--contains {quoted(text)} does not name elements; write symbols, as Fe,O.")
    return frozenset(symbols)


def find_candidates(
    given: Sequence[str], element: str, narrowing: Narrowing | None = None
) -> tuple[list[Candidate], list[str]]:
    """Find the candidates that hold an element.

    Args:
        given: `examples`, `minerals`, or what `input_structures.read_structures` takes: files, folders, ids and names.
        element: symbol of the absorber.
        narrowing: which are kept.

    Returns:
        The candidates in the order of their ids, and a sentence for each structure that cannot be used.

    Raises:
        XanesflowError: nothing holds the element, or a structure does not exist.
    """
    narrowing = narrowing or Narrowing()
    found: dict[str, Candidate] = {}
    refused: list[str] = []
    others = [each for each in given if each not in (EXAMPLES, MINERALS)]
    materials: list[tuple[str, Material]] = []
    if EXAMPLES in given:
        materials += _examples(element)
    if MINERALS in given:
        materials += _minerals(element, narrowing, refused)
    if others:
        read, rejected = read_structures(others)
        names = {example.id: example.name for example in load_examples()}
        materials += [(names.get(material.material_id, ""), material) for material in read]
        refused += [f"{each.material_id}: {each.detail}" for each in rejected]
    unwanted = 0  # without the element, or left out by the narrowing
    for name, material in materials:
        if element not in material.elements or not narrowing.keeps(material):
            unwanted += 1
            continue
        candidate = candidate_of(material, element, name)
        before = found.setdefault(candidate.id, candidate)
        if before.material.structure != material.structure:
            refused.append(f"{candidate.id} ({candidate.formula}): another structure has this id; rename one.")
    if not found:
        raise XanesflowError(_nothing(given, element, narrowing, unwanted, refused))
    return [found[key] for key in sorted(found)], refused


def _examples(element: str) -> Iterable[tuple[str, Material]]:
    for example in load_examples():
        if element in example.inequivalent:
            material = describe(example.id, example.structure(), symprec=SYMPREC_A)
            if isinstance(material, Material):
                yield example.name, material


def _minerals(element: str, narrowing: Narrowing, refused: list[str]) -> list[tuple[str, Material]]:
    """One structure for each mineral and formula: ordered and at ambient conditions, the newest that can be read."""
    wanted = {element, *narrowing.contains}
    kinds: dict[tuple[str, str], list[Entry]] = {}
    for entry in load_entries():
        conditions = entry.conditions
        if wanted <= entry.elements and not entry.partly_occupied and conditions.ambient and not conditions.uncertain:
            formula = reduced_formula(entry.formula) or entry.formula
            kinds.setdefault((entry.mineral or entry.formula, formula), []).append(entry)
    found = []
    for (name, _), entries in sorted(kinds.items()):
        why = ""
        for entry in sorted(entries, key=rank):
            try:
                structure, _ = read_entry(entry)
            except UnusableStructure as error:
                why = why or f"{entry.id} ({name}) {error}"
                continue
            material = describe(entry.id, structure, symprec=SYMPREC_A)
            if isinstance(material, Material):
                found.append((name, material))
                break
        else:
            refused.append(f"{why}.")
    return found


def candidate_of(material: Material, element: str, name: str = "") -> Candidate:
    """A structure with the inequivalent atoms of an element; `name` is that of the mineral or compound."""
    sites = tuple((index, material.multiplicity(index)) for index in material.inequivalent(element))
    return Candidate(material.material_id, name, element, material, sites)


def _nothing(given: Sequence[str], element: str, narrowing: Narrowing, unwanted: int, refused: Sequence[str]) -> str:
    what = first_few([str(each) for each in given])
    if refused and not unwanted:
        return f"None of the structures of {what} can be used ({first_few([each.rstrip('.') for each in refused])})."
    limits = []
    if narrowing.contains:
        limits.append(f"with {', '.join(sorted(narrowing.contains))}")
    if narrowing.max_atoms is not None:
        limits.append(f"of at most {plural(narrowing.max_atoms, 'atom')}")
    hold = "hold" if len(given) > 1 else "holds"
    return f"{what} {hold} no structure of {element}{' '.join(['', *limits])}; name others."
