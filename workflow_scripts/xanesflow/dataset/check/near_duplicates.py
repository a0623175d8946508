"""Find materials that are almost the same but in different parts of a split: leakage that ids do not reveal.

Comparing all pairs of 30,000 structures would take days. So a pair is compared only if its materials are in different
parts, have the same reduced formula and volumes per atom within `VOLUME`, and, if the file has M3GNet features, two
absorbers whose features are within `FEATURES` of each other. Then pymatgen's StructureMatcher decides, with its default
tolerances. Among the published Cu materials, it finds 20 of the 763 pairs with the same formula to be equal. All 20 are
among the 291 pairs that are compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import reduce
from itertools import combinations
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xanesflow.core.sites import PARTS
from xanesflow.core.text import first_of, plural
from xanesflow.dataset.check.contents import Cell, FileContents, SubsetContents
from xanesflow.dataset.check.findings import Finding

if TYPE_CHECKING:
    from pymatgen.core import Structure

VOLUME = 0.15
"""Two structures are compared if their volumes per atom differ by at most this share."""

FEATURES = 0.15
"""Two structures are compared if the features of two absorbers (M3GNet's last block) differ by at most this share."""


def near_duplicates(contents: FileContents) -> Iterator[Finding]:
    """Yield a remark for each subset and pair of parts that hold almost equal materials."""
    primitive: dict[str, Structure | None] = {}
    for name, subset in contents.subsets.items():
        pairs = [pair for pair in _candidates(contents, subset) if _same(contents, name, pair, primitive)]
        parts = {material: min(found, key=_order) for material, found in subset.parts_of_material().items()}
        for one, other in combinations(PARTS, 2):
            twins: dict[str, str] = {}
            for pair in pairs:
                of = {parts[m]: m for m in pair}
                if of.keys() == {one, other}:
                    twins.setdefault(of[other], of[one])
            if twins:
                total = sum(part == other for part in parts.values())
                sites = sum(material in twins for material, _ in subset.sites)
                yield Finding(
                    "near duplicates",
                    name,
                    f"{len(twins)} of {plural(total, 'material')} in {other} ({plural(sites, 'site')}) are almost "
                    f"equal to one in {one}: " + first_of([f"{m} to {twin}" for m, twin in twins.items()]),
                    fault=False,
                )


def _order(part: str) -> int:
    return PARTS.index(part) if part in PARTS else len(PARTS)


def _candidates(contents: FileContents, subset: SubsetContents) -> Iterator[tuple[str, str]]:
    """Pairs of materials in different parts that might be the same."""
    parts = subset.parts_of_material()
    rows: dict[str, list[int]] = {}
    for row, (material, _) in enumerate(subset.sites):
        rows.setdefault(material, []).append(row)
    features = subset.arrays.get("features/m3gnet")
    groups: dict[tuple[tuple[str, int], ...], list[tuple[float, str]]] = {}
    for material in rows:
        cell = contents.structures.get(contents.structure_of(subset.name, material) or "")
        if cell is not None:
            groups.setdefault(_formula(cell), []).append((cell.volume / len(cell.elements), material))
    for group in groups.values():
        group.sort()
        for (small, one), (large, other) in combinations(group, 2):
            if large > small * (1 + VOLUME) or parts.get(one, {""}) & parts.get(other, {""}):
                continue
            if features is None or _distance(features[rows[one]], features[rows[other]]) <= FEATURES:
                yield one, other


def _formula(cell: Cell) -> tuple[tuple[str, int], ...]:
    counts = Counter(cell.elements)
    divisor = reduce(gcd, counts.values())
    return tuple(sorted((element, number // divisor) for element, number in counts.items()))


def _distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Distance of the two most similar sites, one of each material, relative to the length of their features."""
    apart = np.linalg.norm(first[:, None, :].astype(np.float64) - second[None, :, :], axis=2)
    length = 0.5 * (np.linalg.norm(first, axis=1)[:, None] + np.linalg.norm(second, axis=1)[None, :])
    return float(np.min(apart / np.maximum(length, 1e-12)))


def _same(contents: FileContents, subset: str, pair: tuple[str, str], primitive: dict[str, Structure | None]) -> bool:
    """Whether pymatgen considers two materials to be the same structure."""
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure

    cells: list[Any] = []
    for material in pair:
        key = contents.structure_of(subset, material) or ""
        if key not in primitive:
            try:
                primitive[key] = Structure.from_dict(contents.structures[key].data).get_primitive_structure()
            except Exception:  # pymatgen may raise anything; such a pair is not compared
                primitive[key] = None
        cells.append(primitive[key])
    if None in cells or len(cells[0]) != len(cells[1]):
        return False
    return bool(StructureMatcher(primitive_cell=False).fit(*cells))
