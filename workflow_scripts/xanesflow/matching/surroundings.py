"""Oxidation state and coordination of a candidate's absorbers, which likely candidates may have in common."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pymatgen.core import Element, Structure

from xanesflow.core.files import write_text
from xanesflow.core.foreign_json import parse_object
from xanesflow.interpretation.describe_structure import oxidation_states
from xanesflow.matching.candidates import Candidate
from xanesflow.matching.spectrum_store import structure_hash

_VERSION = 2
_GAP = 1.25
"""Neighbours lie within this multiple of the shortest distance."""
_REACH = 4.0  # Å
_IN_METALS = ("B", "C", "Si", "Ge")


@dataclass(frozen=True)
class Surroundings:
    """Of the absorbers of a material, averaged over its sites."""

    oxidation_state: float | None  # None if it is not known
    coordination: float | None  # number of nearest neighbours


_KEPT = tuple(each.name for each in fields(Surroundings))


def is_metallic(structure: Structure) -> bool:
    """Whether it is a metal, an alloy, or a metal's boride, carbide or silicide with more metal than the other."""
    amounts = {Element(symbol): amount for symbol, amount in structure.composition.get_el_amt_dict().items()}
    others = {element: amount for element, amount in amounts.items() if not element.is_metal}
    return all(element.symbol in _IN_METALS for element in others) and 2 * sum(others.values()) < sum(amounts.values())


def is_carbonate(structure: Structure) -> bool:
    """Whether each carbon has three oxygens around it."""
    carbons = [site for site in structure if site.specie.symbol == "C"]
    return bool(carbons) and all(
        [near.specie.symbol for near in structure.get_neighbors(site, 1.5)].count("O") == 3 for site in carbons
    )


def describe_surroundings(candidate: Candidate, folder: Path | None = None) -> Surroundings:
    """Oxidation state (bond valences, else the balance of charges) and coordination (neighbours before the gap).

    Args:
        candidate: with its sites.
        folder: where answers are kept, as bond valences take a second for large cells; None: nowhere.
    """
    name = f"{structure_hash(candidate.material.structure)[:32]}_{candidate.element}.json"
    path = folder / "surroundings" / f"v{_VERSION}" / name if folder else None
    if path is not None:
        try:
            kept = parse_object(path.read_text(encoding="utf-8"))
            return Surroundings(*(None if kept[name] is None else float(kept[name]) for name in _KEPT))
        except (OSError, ValueError, TypeError, KeyError):
            pass
    structure = candidate.structure()
    atoms = sum(multiplicity for _, multiplicity in candidate.sites)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        states = [0.0] * len(structure) if is_metallic(structure) else oxidation_states(structure)[0]
    state = sum(states[i] * number for i, number in candidate.sites) / atoms if states else None
    coordination = sum(_neighbours(structure, i) * number for i, number in candidate.sites) / atoms
    found = Surroundings(None if state is None else round(state, 3), round(coordination, 3))
    if path is not None:
        write_text(path, json.dumps(asdict(found)))
    return found


def _neighbours(structure: Structure, index: int) -> int:
    distances = sorted(near.nn_distance for near in structure.get_neighbors(structure[index], _REACH))
    return sum(distance <= _GAP * distances[0] for distance in distances) if distances else 0
