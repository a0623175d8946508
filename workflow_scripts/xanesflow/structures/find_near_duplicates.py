"""Find structures that are one crystal but for small differences, such as measurements at ten pressures."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import WHOLE_MATERIAL
from xanesflow.core.tables import write_csv
from xanesflow.structures.material import Material

LENGTH, PLACE, ANGLE_DEGREES = 0.1, 0.15, 3.0
"""Tolerances of the matching: of lengths, as a fraction; of places, in (V / atoms)^(1/3); of angles.

They are half of pymatgen's. Volumes are scaled, so that pressure and temperature alone make no other crystal.
"""

COLUMNS = ["material_id", "same_as", "places_differ", "why", "left_out"]


@dataclass(frozen=True)
class NearDuplicate:
    """A material that is the crystal of another one."""

    material_id: str  # its id
    same_as: str  # the material that stands for it, or could
    apart: float  # root mean square difference of the places, in (V / atoms)^(1/3)
    why: str  # the other one stands for it, such as `its id comes first`

    def rejected(self) -> Rejected:
        """The row of the rejected table."""
        detail = f"it is the crystal of {self.same_as} (places differ by {self.apart:.3f}), and {self.why}"
        return Rejected(self.material_id, WHOLE_MATERIAL, "near_duplicate", detail)


def find_near_duplicates(
    materials: Sequence[Material], rank: Callable[[Material], Any], why: str
) -> list[NearDuplicate]:
    """Find for each group of near-duplicates the one that can stand for all.

    Cells that represent one disordered crystal are not compared with each other.

    Args:
        materials: to compare.
        rank: sorts near-duplicates; the first one stands for the others.
        why: the first one does, such as `its id comes first`.

    Returns:
        The others, in the order of their ids.
    """
    matcher = StructureMatcher(ltol=LENGTH, stol=PLACE, angle_tol=ANGLE_DEGREES, primitive_cell=False, scale=True)
    by_formula: dict[str, list[Material]] = defaultdict(list)
    for material in materials:
        by_formula[material.formula].append(material)
    found: list[NearDuplicate] = []
    for same in by_formula.values():
        if len(same) == 1:
            continue
        first: list[tuple[Material, Structure]] = []
        for material in sorted(same, key=lambda each: (rank(each), each.material_id)):
            structure = Structure.from_dict(json.loads(material.structure)).get_primitive_structure()
            for other, of_other in first:
                siblings = material.parent and material.parent == other.parent
                if siblings or len(structure) != len(of_other):
                    continue
                apart = matcher.get_rms_dist(structure, of_other)
                if apart is not None:
                    found.append(NearDuplicate(material.material_id, other.material_id, float(apart[0]), why))
                    break
            else:
                first.append((material, structure))
    return sorted(found, key=lambda each: each.material_id)


def write_near_duplicates(path: Path, found: Iterable[NearDuplicate], *, left_out: bool) -> None:
    """Write near-duplicates as CSV, and whether they were left out."""
    import pandas as pd  # slow to import

    rows = [(each.material_id, each.same_as, each.apart, each.why, left_out) for each in found]
    write_csv(path, pd.DataFrame(rows, columns=COLUMNS), "%.4f")
