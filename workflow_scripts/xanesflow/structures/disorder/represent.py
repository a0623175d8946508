"""Represent a disordered crystal by cells with whole atoms, each of which is a material of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pymatgen.core import Structure

from xanesflow.core.errors import UnusableStructure
from xanesflow.core.sites import cell_id
from xanesflow.core.text import listing, plural
from xanesflow.structures.check_structure import checked
from xanesflow.structures.disorder.fill_places import expand, fill_at_random, fill_by_energy
from xanesflow.structures.disorder.supercells import (
    EMPTY,
    Orbit,
    Supercell,
    choose_supercell,
    describe_shares,
    primitive_cell,
)
from xanesflow.structures.material import BadStructure, Material, describe


@dataclass(frozen=True)
class Disorder:
    """What becomes of disordered structures.

    Attributes:
        kind: `refuse`; `ordered`: one cell, of the lowest electrostatic energy; `random`: several cells.
        number: of random cells.
        max_atoms: largest number of atoms in a cell.
        seed: of the random cells.
    """

    kind: Literal["refuse", "ordered", "random"] = "refuse"
    number: int = 4
    max_atoms: int = 80
    seed: int = 0

    @property
    def refused(self) -> bool:
        """Whether disordered structures are left out."""
        return self.kind == "refuse"


REFUSE = Disorder()


def describe_or_fill(
    material_id: str, structure: Structure, note: str = "", *, symprec: float, disorder: Disorder = REFUSE
) -> list[Material | BadStructure]:
    """Describe an ordered structure, or the cells that represent a disordered one.

    Args:
        material_id: name of the material.
        structure: as `read_structure` returned it.
        note: on how it was read; it goes before the notes of each material.
        symprec: spglib's distance tolerance in Å.
        disorder: what becomes of a disordered one.

    Returns:
        One material, or several cells whose ids name the material, or the reason why it cannot be used.
    """
    if structure.is_ordered or disorder.refused:
        return [_noted(describe(material_id, structure, symprec=symprec), note)]
    try:
        cells = fill(structure, disorder)
    except UnusableStructure as error:
        return [BadStructure(material_id, f"the structure {error}", error.reason)]
    made: list[Material | BadStructure] = []
    for number, (cell, filled) in enumerate(cells, 1):
        each = describe(cell_id(material_id, number), cell, symprec=symprec)
        made.append(_noted(each, note, f"cell {number} of {len(cells)} of a disordered crystal: {filled}"))
    return made


def _noted(material: Material | BadStructure, *notes: str) -> Material | BadStructure:
    """The material with notes before its own."""
    if isinstance(material, BadStructure) or not any(notes):
        return material
    return replace(material, note="; ".join(filter(None, (*notes, material.note))))


def fill(structure: Structure, disorder: Disorder) -> list[tuple[Structure, str]]:
    """Cells with whole atoms for a disordered crystal.

    `ordered` takes the smallest cell that holds the occupancies, `random` the one within `max_atoms` whose images are
    farthest apart. Equal random cells are made only once.

    Returns:
        The cells, and of each what was done.

    Raises:
        UnusableStructure: no cell within the limit holds the occupancies, or the atoms of a cell are too close.
    """
    cell, orbits = primitive_cell(structure)
    chosen = choose_supercell(cell, orbits, disorder.max_atoms, smallest=disorder.kind == "ordered")
    places, owner = expand(cell, chosen)
    note = _describe(chosen, orbits)
    if disorder.kind == "ordered":
        ordered, charges = fill_by_energy(places, owner, orbits, chosen.counts)
        return [(checked(ordered)[0], f"the lowest electrostatic energy (charges guessed: {charges}) in {note}")]
    cells: list[Structure] = []
    for k in range(disorder.number):
        made, _ = checked(fill_at_random(places, owner, orbits, chosen.counts, [disorder.seed, k]))
        if made not in cells:
            cells.append(made)
    return [(each, f"random, seed {disorder.seed}, in {note}") for each in cells]


def _describe(supercell: Supercell, orbits: list[Orbit]) -> str:
    """`4 primitive cells with 28 atoms; Fe 0.87, Mg 0.13 as 7 and 1 of 8`."""
    rounded = []
    for orbit, counts in zip(orbits, supercell.counts, strict=True):
        if orbit.partly_occupied:
            atoms = [f"{number}" for kind, number in counts.items() if kind != EMPTY]
            rounded.append(f"{describe_shares(orbit.shares)} as {listing(atoms)} of {sum(counts.values())}")
    some = "; ".join(rounded[:4]) + ("; ..." if len(rounded) > 4 else "")
    return f"{plural(supercell.size, 'primitive cell')} with {plural(supercell.n_atoms, 'atom')}; {some}"
