"""Describe the sites of one structure: oxidation state, neighbours, their distances and coordination, bond valences."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from xanesflow.core.damage import what_is_wrong
from xanesflow.core.sites import SYMPREC_A

METHOD = (
    "oxidation state: bond valence (BVAnalyzer), else composition; neighbours: CrystalNN 1, those of equivalent atoms "
    "once; bond-valence sum: O'Keeffe and Brese within 4 A"
)
"""Change this text when the same structure would get other answers; stored answers are then computed again."""

MAX_PERMUTATIONS = 2_000
"""Most assignments of valences that are tried for a structure, of which the most likely counts. Few need so many."""

BOND_VALENCE, COMPOSITION, ELEMENT = "bond valence", "composition", "element"

_BOND_VALENCE_RADIUS = 4.0  # Å


@dataclass(frozen=True)
class SiteDescription:
    """What a structure says about one absorber; a number is None if it is not known."""

    formula: str = ""  # reduced formula of the material; empty if its structure is not known
    oxidation_state: float | None = None  # a fraction if it comes from the composition of a mixed-valence material
    oxidation_from: str = ""  # `bond valence`, `composition` (balance of charges), `element` (a pure element), or empty
    cn: int | None = None  # number of nearest neighbours (CrystalNN)
    oxygens: int | None = None  # how many of these are oxygen
    ocn: float | None = None  # mean number of nearest neighbours of the nearest neighbours
    nn_mean: float | None = None  # mean distance of the nearest neighbours in Å
    nn_std: float | None = None  # population standard deviation of these distances in Å
    # smallest distance between two nearest neighbours in Å; None also for a single neighbour
    min_nn_nn: float | None = None
    bond_valence_sum: float | None = None  # of all atoms within 4 Å, in e
    detail: str = ""  # sentences that say why something is not known; empty if all is known


DESCRIBED = tuple(each.name for each in fields(SiteDescription))
"""Names of what is said about a site."""


@cache
def method() -> str:
    """What the answers depend on, besides the structure: the method, what is asked, and the version of pymatgen."""
    return f"{METHOD}; {', '.join(DESCRIBED)}; pymatgen-core {version('pymatgen-core')}"


def describe_structure(structure: Any, indices: Iterable[int]) -> dict[int, SiteDescription]:
    """Describe some atoms of a pymatgen structure.

    The oxidation state comes from bond valences (pymatgen's BVAnalyzer). Where these cannot be assigned, it is the
    average that balances the composition's charges. What cannot be found stays empty, with the reason.
    """
    formula = structure.composition.reduced_formula
    valences, source, no_valence = oxidation_states(structure)
    neighbours = _Neighbours(structure)
    found = {}
    for index in indices:
        known = index < len(valences)
        around, no_neighbours = _surroundings(structure, neighbours, index)
        found[index] = SiteDescription(
            formula=formula,
            oxidation_state=valences[index] if known else None,
            oxidation_from=source if known else "",
            detail=" ".join(filter(None, [no_valence, no_neighbours])),
            **around,
        )
    return found


def oxidation_states(structure: Any) -> tuple[list[float], str, str]:
    """Oxidation state of each atom of a pymatgen structure (none if they are not known), their source, and why not."""
    from pymatgen.core.bond_valence import BVAnalyzer

    from xanesflow.structures.balance_charges import balancing_charges

    if len(structure.composition) == 1:
        return [0.0] * len(structure), ELEMENT, ""
    try:
        found = BVAnalyzer(max_permutations=MAX_PERMUTATIONS).get_valences(structure)
        return [float(value) for value in found], BOND_VALENCE, ""
    except Exception as error:  # elements without parameters, no assignment that balances, ...
        why = what_is_wrong(error, quote=True)
    charges = balancing_charges(structure.composition)
    if not charges:
        return [], "", f"No oxidation state: bond valences failed ({why}), and no charges balance the composition."
    return [charges[site.specie.symbol] for site in structure], COMPOSITION, ""


@dataclass
class _Neighbours:
    """CrystalNN's neighbours of a structure's atoms; equivalent atoms have equally many and are asked once."""

    structure: Any
    _numbers: dict[int, int] = field(default_factory=dict)
    _same_as: list[int] | None = None

    def of(self, index: int) -> list[tuple[str, Any, int]]:
        """Symbol, Cartesian position in Å and atom of each nearest neighbour."""
        from pymatgen.analysis.local_env import CrystalNN

        entries = CrystalNN().get_nn_info(self.structure, index)
        return [(entry["site"].specie.symbol, entry["site"].coords, int(entry["site_index"])) for entry in entries]

    def number_of(self, index: int) -> int:
        """How many nearest neighbours an atom has."""
        if self._same_as is None:
            self._same_as = self._equivalent()
        first = self._same_as[index]
        if first not in self._numbers:
            self._numbers[first] = len(self.of(first))
        return self._numbers[first]

    def _equivalent(self) -> list[int]:
        """For each atom the first one that is equivalent by symmetry."""
        from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

        try:
            data = SpacegroupAnalyzer(self.structure, symprec=SYMPREC_A).get_symmetry_dataset()
            return [int(first) for first in data.equivalent_atoms]
        except Exception:  # spglib finds no symmetry: then each atom stands for itself
            return list(range(len(self.structure)))


def _surroundings(structure: Any, neighbours: _Neighbours, index: int) -> tuple[dict[str, Any], str]:
    """What the neighbours of an atom say, and the reason why something is not known."""
    try:
        around = neighbours.of(index)
        centre = structure[index].coords
    except Exception as error:  # no Voronoi cell, no neighbour within the cutoff, ...
        return {}, f"No coordination number: CrystalNN failed ({what_is_wrong(error, quote=True)})."
    if not around:
        return {"cn": 0, "oxygens": 0}, "No distances: CrystalNN finds no neighbour."
    places = np.array([place for _, place, _ in around])
    distances = np.linalg.norm(places - centre, axis=1)
    between = np.linalg.norm(places[:, None] - places[None], axis=2)[np.triu_indices(len(places), 1)]
    found: dict[str, Any] = {
        "cn": len(around),
        "oxygens": sum(symbol == "O" for symbol, _, _ in around),
        "nn_mean": float(distances.mean()),
        "nn_std": float(distances.std()),
        "min_nn_nn": float(between.min()) if len(between) else None,
    }
    failed = [] if len(between) else ["No distance between neighbours: there is one neighbour."]
    try:
        found["ocn"] = float(np.mean([neighbours.number_of(atom) for _, _, atom in around]))
    except Exception as error:
        failed.append(f"No coordination of the neighbours: CrystalNN failed ({what_is_wrong(error, quote=True)}).")
    try:
        found["bond_valence_sum"] = _bond_valence_sum(structure, index)
    except Exception as error:  # an element without parameters
        failed.append(f"No bond-valence sum ({what_is_wrong(error, quote=True)}).")
    return found, " ".join(failed)


def _bond_valence_sum(structure: Any, index: int) -> float:
    from pymatgen.core.bond_valence import calculate_bv_sum

    atom = structure[index]
    found = float(calculate_bv_sum(atom, structure.get_neighbors(atom, _BOND_VALENCE_RADIUS)))
    if not math.isfinite(found):
        raise ValueError("it is not finite")
    return found
