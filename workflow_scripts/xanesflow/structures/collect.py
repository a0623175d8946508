"""The structures of a subset and the sites in them, where no finished runs bring them along."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from xanesflow.errors import XanesflowError
from xanesflow.reasons import Rejected
from xanesflow.sites import Subset
from xanesflow.structures.cost import cost_of_sites, describe_cost, summarise_cost
from xanesflow.structures.directory import read_directory
from xanesflow.structures.examples import load_examples
from xanesflow.structures.sites import BadStructure, Material, describe, write_site_table, write_structures
from xanesflow.tables import count_reasons, write_rejected

log = logging.getLogger(__name__)


def collect_structures(
    *,
    source: Literal["directory", "examples"],
    directory: Path | None,
    subset: str,
    structures: Path,
    site_table: Path,
    rejected: Path,
    chunks: int,
    only: Sequence[str] | None = None,
    symprec: float = 0.01,
    workers: int = 1,
) -> None:
    """Take the structures with the subset's element, and of each one atom of every symmetry-inequivalent absorber.

    Args:
        source: `directory`: a folder of the user's files; `examples`: the built-in library.
        directory: that folder; None with `examples`.
        subset: such as `Cu_FEFF`.
        structures: Parquet to write, one row a material with the element.
        site_table: Parquet to write, one row a site: the first atom of each kind, with its multiplicity and its cost.
        rejected: Parquet to write, the materials that cannot be used or hold no absorber.
        chunks: number of chunks that the subset is divided into.
        only: take only the structures of these ids; None: all.
        symprec: spglib's distance tolerance in Å.
        workers: processes that read structures.

    Raises:
        XanesflowError: the folder is missing or holds no structure, an id is not there, or there is not a single site.
    """
    parsed = Subset.parse(subset)
    element = parsed.element
    read = _read(source, directory, symprec=symprec, workers=workers)
    if only is not None:
        if missing := sorted(set(only) - {material.material_id for material in read}):
            raise XanesflowError(
                f"structures.only names {', '.join(missing)}, which is not among the {len(read)} structures that were "
                "read; mend the id, or take it out."
            )
        read = [material for material in read if material.material_id in only]
    left_out: list[Rejected] = []
    sites: list[tuple[Material, int]] = []
    for material in read:
        if isinstance(material, BadStructure):
            left_out.append(Rejected(material.material_id, -1, material.reason, material.detail))
        elif element not in material.elements:
            detail = f"{material.formula} holds no {element}"
            left_out.append(Rejected(material.material_id, -1, "no_absorber", detail))
        else:
            kinds = sorted(
                {k for k, symbol in zip(material.equivalent, material.elements, strict=True) if symbol == element}
            )
            sites += [(material, kind) for kind in kinds]
    counts = ", ".join(f"{number} {reason}" for reason, number in count_reasons(left_out).items())
    if not sites:
        where = f"the folder {directory}" if source == "directory" else "the example library"
        bad = [each for each in left_out if each.reason != "no_absorber"]
        raise XanesflowError(
            f"{subset}: no site of {element} in {where}, where {len(read)} structures were read ({counts})"
            + (f", the first that cannot be used being {bad[0].material_id}: {bad[0].detail}" if bad else "")
            + f"; add a structure with {element} or take {subset} out of `subsets`."
        )
    materials = {material.material_id: material for material, _ in sites}
    write_structures(structures, materials.values())
    costs = cost_of_sites(sites, parsed.theory, workers=workers)
    table = write_site_table(site_table, sites, chunks=chunks, costs=costs)
    write_rejected(rejected, left_out)
    for material in materials.values():
        if material.note:
            log.warning("%s: %s", material.material_id, material.note)
    log.info("%s", describe_cost(summarise_cost(subset, table)))
    told = f"{len(left_out)} left out: {counts}" if left_out else "none left out"
    log.info("%s: %d sites in %d structures, %s", subset, len(sites), len(materials), told)


def _read(
    source: Literal["directory", "examples"], directory: Path | None, *, symprec: float, workers: int
) -> list[Material | BadStructure]:
    if source == "examples":
        return [describe(example.id, example.structure(), symprec=symprec) for example in load_examples()]
    if directory is None:
        raise XanesflowError("structures.source is directory, and structures.directory names none; set it.")
    return read_directory(directory, symprec=symprec, workers=workers)
