"""A structure of a campaign with its symmetry and the cost of its sites, or the reason why it cannot be used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from xanesflow.core.damage import what_is_wrong
from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import WHOLE_MATERIAL, parent_of
from xanesflow.core.text import plural

if TYPE_CHECKING:  # planning needs the records of this module, and pymatgen takes half a second
    from pymatgen.core import Structure


@dataclass(frozen=True)
class Material:
    """A structure that could be read, with its symmetry."""

    material_id: str  # its name, such as `mp-390`
    structure: str  # pymatgen's JSON; a string, because it is passed between processes and stored in files
    formula: str  # reduced formula
    elements: tuple[str, ...]  # symbol of each atom, in the structure's order
    equivalent: tuple[int, ...]  # for each atom the index of its first symmetry-equivalent atom
    note: str = ""  # remarks for the user; empty if there are none
    name: str = ""  # of the mineral or compound; empty if there is none
    reference: str = ""  # the publication of the structure; empty if it is not known

    @property
    def parent(self) -> str:
        """The disordered crystal that this cell represents; empty for other materials."""
        parent = parent_of(self.material_id)
        return "" if parent == self.material_id else parent

    def inequivalent(self, *elements: str) -> list[int]:
        """The first atom of each set of equivalent ones of some elements, in the structure's order."""
        return [first for first in sorted(set(self.equivalent)) if self.elements[first] in elements]

    def multiplicity(self, site_index: int) -> int:
        """How many symmetry-equivalent atoms of the cell a site stands for, itself included."""
        return self.equivalent.count(self.equivalent[site_index])


@dataclass(frozen=True)
class BadStructure:
    """A structure that cannot be used, or is not wanted."""

    material_id: str  # the name that it would have
    detail: str  # why, in one sentence
    reason: str = "no_structure"  # one of `xanesflow.core.reasons.REASONS`

    def rejected(self) -> Rejected:
        """The row of the rejected table."""
        return Rejected(self.material_id, WHOLE_MATERIAL, self.reason, self.detail)


class SiteCost(NamedTuple):
    """What a site's simulation is expected to cost."""

    cluster_atoms: int  # atoms within 9 Å of the absorber, itself included
    core_hours: float  # expected core hours; NaN where no run times are known


def describe(material_id: str, structure: Structure, *, symprec: float) -> Material | BadStructure:
    """Take what the workflow needs from a pymatgen structure: JSON, formula, equivalent atoms.

    Args:
        material_id: name to give it.
        structure: an ordered structure.
        symprec: spglib's distance tolerance in Å.
    """
    from pymatgen.core import Element
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    if not structure.is_ordered:
        return BadStructure(material_id, "the structure has partially occupied sites", "disordered")
    unknown = {site.specie.symbol for site in structure if not Element.is_valid_symbol(site.specie.symbol)}
    if unknown:
        return BadStructure(material_id, f"the structure holds {', '.join(sorted(unknown))}, which is no element")
    note = ""
    try:
        equivalent = SpacegroupAnalyzer(structure, symprec=symprec).get_symmetry_dataset().equivalent_atoms.tolist()
    except Exception as error:  # spglib fails on near-degenerate cells; their spectra are still good
        equivalent = list(range(len(structure)))
        note = f"symmetry not found ({what_is_wrong(error, quote=True)}), so each atom counts as its own site"
    elements = tuple(site.specie.symbol for site in structure)
    as_json = json.dumps(structure.as_dict(verbosity=0), sort_keys=True)
    return Material(material_id, as_json, structure.composition.reduced_formula, elements, tuple(equivalent), note)


def not_the_absorber(elements: Sequence[str], site_index: int, element: str) -> str:
    """Why a site cannot be the absorber of a run, in words; empty if it can.

    Args:
        elements: symbol of each site of the material's POSCAR.
        site_index: 0-based index of the site.
        element: symbol of the absorber.
    """
    if site_index >= len(elements):
        return f"site {site_index} lies outside the structure, which has {plural(len(elements), 'atom')}"
    if elements[site_index] != element:
        return f"site {site_index} of POSCAR is {elements[site_index]}, not {element}"
    return ""
