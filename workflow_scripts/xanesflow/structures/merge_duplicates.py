"""Find structures that are one crystal but for small differences, such as measurements at ten pressures."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import WHOLE_MATERIAL
from xanesflow.structures.material import Material

LENGTH, PLACE, ANGLE_DEGREES = 0.1, 0.15, 3.0
"""Tolerances of the matching: of lengths, as a fraction; of places, in (V / atoms)^(1/3); of angles.

They are half of pymatgen's. Volumes are scaled, so that pressure and temperature alone make no other crystal.
"""


def merge_duplicates(
    materials: Sequence[Material], rank: Callable[[Material], Any], why: str
) -> tuple[list[Material], list[Rejected]]:
    """Let one of several near-duplicates stand for all.

    Args:
        materials: to compare.
        rank: sorts near-duplicates; the first one stays.
        why: the first one stays, such as `its id comes first`.

    Returns:
        The materials that stay, in their order, and those that another one stands for.
    """
    matcher = StructureMatcher(ltol=LENGTH, stol=PLACE, angle_tol=ANGLE_DEGREES, primitive_cell=True, scale=True)
    by_formula: dict[str, list[Material]] = defaultdict(list)
    for material in materials:
        by_formula[material.formula].append(material)
    merged: dict[str, Rejected] = {}
    for same in by_formula.values():
        if len(same) == 1:
            continue
        staying: list[tuple[Material, Structure]] = []
        for material in sorted(same, key=lambda each: (rank(each), each.material_id)):
            structure = Structure.from_dict(json.loads(material.structure)).get_primitive_structure()
            for kept, other in staying:
                apart = matcher.get_rms_dist(structure, other)
                if apart is not None:
                    detail = f"it is the crystal of {kept.material_id} (places differ by {apart[0]:.3f}), and {why}"
                    merged[material.material_id] = Rejected(
                        material.material_id, WHOLE_MATERIAL, "near_duplicate", detail
                    )
                    break
            else:
                staying.append((material, structure))
    stay = [material for material in materials if material.material_id not in merged]
    return stay, [merged[each] for each in sorted(merged)]
