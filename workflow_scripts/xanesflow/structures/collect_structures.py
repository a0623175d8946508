"""Collects the structures of a subset and the sites in them, unless finished runs bring them along."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pymatgen.core import Structure

from xanesflow.config.campaign import Campaign
from xanesflow.config.model import Config
from xanesflow.core.errors import XanesflowError
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import SYMPREC_A, Subset, parent_of
from xanesflow.core.tables import list_reasons, read_parquet, write_rejected
from xanesflow.core.text import first_of, plural
from xanesflow.structures.amcsd.choose_entries import rank
from xanesflow.structures.amcsd.database import load_entries
from xanesflow.structures.cost import cost_of_sites, describe_cost, summarise_cost
from xanesflow.structures.disorder.represent import REFUSE, Disorder
from xanesflow.structures.examples import Example, load_examples
from xanesflow.structures.find_near_duplicates import NearDuplicate, find_near_duplicates, write_near_duplicates
from xanesflow.structures.folder import read_directory
from xanesflow.structures.material import BadStructure, Material, describe
from xanesflow.structures.materials_project.manifest import read_manifest
from xanesflow.structures.materials_project.material_ids import read_ids
from xanesflow.structures.site_table import write_site_table, write_structures

log = logging.getLogger(__name__)

Source = Literal["directory", "examples", "materials_project", "amcsd"]


def collect_structures(
    *,
    source: Source,
    directory: Path | None,
    subset: str,
    structures: Path,
    site_table: Path,
    rejected: Path,
    chunks: int,
    queried: tuple[Path, Path] | None = None,
    id_files: Sequence[str | Path] = (),
    only: Sequence[str] | None = None,
    duplicates: Literal["keep", "merge"] = "keep",
    near_duplicates: Path | None = None,
    disorder: Disorder = REFUSE,
    symprec: float = SYMPREC_A,
    cost_options: Mapping[str, Any] | None = None,
    workers: int = 1,
) -> None:
    """Take the structures with the subset's element, and from each one atom of every symmetry-inequivalent absorber.

    Args:
        source: `directory`: a folder of the user's files; `examples`: the built-in library; `materials_project` and
            `amcsd`: the files of `query_materials_project` and `read_minerals`.
        directory: the user's folder; None with other sources.
        subset: such as `Cu_FEFF`.
        structures: Parquet to write, one row for each material with the element.
        site_table: Parquet to write, one row for each site: the first atom of each kind, its multiplicity and cost.
        rejected: Parquet to write, the materials that cannot be used or hold no absorber.
        chunks: number of chunks into which the subset is divided.
        queried: with `materials_project` and `amcsd`, the file of structures and the manifest.
        id_files: with `materials_project`, files of material ids; only these materials belong to the subset.
        only: take only the structures with these ids, or the cells that represent them; None: all.
        duplicates: `merge` lets one of several near-duplicates stand for all; `keep` only lists them.
        near_duplicates: CSV to write, the near-duplicates among the materials with the element; None: not written.
        disorder: with `directory`, what becomes of disordered crystals; `amcsd` decided it before.
        symprec: spglib's distance tolerance in Å.
        cost_options: what of the engine's options the cost depends on (`Campaign.cost_options`); None: as without a
            configuration of one's own.
        workers: number of processes that read structures.

    Raises:
        XanesflowError: the folder is missing or holds no structure, an id of `only` is unknown, or there is no site.
    """
    # Read the structures of the source.
    parsed = Subset.parse(subset)
    element = parsed.element
    if queried is not None:
        read = _read_queried(*queried, id_files=id_files, symprec=symprec, workers=workers)
    else:
        read = _read(source, directory, symprec=symprec, workers=workers, disorder=disorder)
    if only is not None:
        read = _only(read, only, source, element)
    # List near-duplicates among the materials with the element, and let one stand for all if that is wanted.
    twins = _near_duplicates(source, read, element)
    merge = duplicates == "merge"
    left_out = [twin.rejected() for twin in twins] if merge else []
    gone = {each.material_id for each in left_out}
    read = [each for each in read if each.material_id not in gone]
    # Choose the sites, and record why the other materials are left out.
    sites: list[tuple[Material, int]] = []
    for material in read:
        if isinstance(material, BadStructure):
            left_out.append(material.rejected())
        elif element not in material.elements:
            detail = f"{material.formula} holds no {element}"
            left_out.append(Rejected(material.material_id, -1, "no_absorber", detail))
        else:
            sites += [(material, first) for first in material.inequivalent(element)]
    counts = list_reasons(left_out)
    if not sites:
        where = {
            "examples": "the example library",
            "materials_project": "the answer of Materials Project",
            "amcsd": "the database of minerals",
        }.get(source, f"the folder {directory}")
        bad = [each for each in left_out if each.reason != "no_absorber"]
        raise XanesflowError(
            f"{subset}: no site of {element} in {where}, where "
            f"{plural(len(read), 'structure was', 'structures were')} read ({counts})"
            + (f", and the first that cannot be used is {bad[0].material_id}: {bad[0].detail}" if bad else "")
            + f"; add a structure with {element}, or remove {subset} from `subsets`."
        )
    # Write the three tables, and log notes, cost and counts.
    materials = {material.material_id: material for material, _ in sites}
    write_structures(structures, materials.values())
    options = Campaign(Config()).cost_options(subset) if cost_options is None else cost_options
    costs = cost_of_sites(sites, parsed.theory, options, workers=workers)
    table = write_site_table(site_table, sites, chunks=chunks, costs=costs)
    write_rejected(rejected, left_out)
    if near_duplicates is not None:
        write_near_duplicates(near_duplicates, twins, left_out=merge)
    for material in materials.values():
        if material.note:
            log.warning("%s: %s", material.material_id, material.note)
    if twins:
        which = first_of([f"{twin.material_id} is {twin.same_as}" for twin in twins], 3)
        done = "left out" if merge else "kept; structures.duplicates: merge leaves them out"
        log.info("%s: %d near-duplicates of other structures (%s) are %s", subset, len(twins), which, done)
    log.info("%s", describe_cost(summarise_cost(subset, table)))
    left = f"{len(left_out)} left out: {counts}" if left_out else "none left out"
    number = f"{plural(len(sites), 'site')} in {plural(len(materials), 'structure')}"
    log.info("%s: %s, %s", subset, number, left)


def _read_queried(
    structures: Path, manifest: Path, *, id_files: Sequence[str | Path], symprec: float, workers: int
) -> list[Material | BadStructure]:
    """The structures of a database, and the materials that it could not provide."""
    answer = read_manifest(manifest)
    if answer is None:
        raise XanesflowError(
            f"{manifest} is not a manifest of this version; remove it and its .parquet, and run again."
        )
    table = read_parquet(structures)
    rows = list(zip(table["material_id"], table["structure"], strict=True))
    left_out = answer.left_out
    if id_files:
        asked = {answer.moved.get(each, each) for each in read_ids(id_files)} | set(answer.query["include"])
        rows = [row for row in rows if row[0] in asked]
        left_out = [each for each in left_out if each.material_id in asked]
    described = map_in_processes(partial(_describe, symprec=symprec), rows, workers)
    found: list[Material | BadStructure] = [_named(each, answer.materials) for each in described]
    return sorted([*found, *left_out], key=lambda each: each.material_id)


def _near_duplicates(source: Source, read: list[Material | BadStructure], element: str) -> list[NearDuplicate]:
    """Near-duplicates among the materials that hold the element; of minerals the best entry stands for the others."""
    with_element = [each for each in read if isinstance(each, Material) and element in each.elements]
    if source != "amcsd":
        return find_near_duplicates(with_element, lambda each: each.material_id, "that id comes first")
    ranks = {entry.id: rank(entry) for entry in load_entries()}
    why = "that entry comes first: ordered, at room conditions, newest"
    return find_near_duplicates(with_element, lambda each: ranks[parent_of(each.material_id)], why)


def _named(material: Material | BadStructure, known: Mapping[str, Mapping[str, str]]) -> Material | BadStructure:
    """The material with name, reference and conditions from the manifest, as far as it has them."""
    about = known.get(material.material_id, {})
    if isinstance(material, BadStructure) or "reference" not in about:
        return material
    conditions = f", measured at {about['conditions']}" if about.get("conditions") else ""
    return replace(material, name=about.get("mineral", ""), reference=f"{about['reference']}{conditions}")


def _only(
    read: list[Material | BadStructure], only: Sequence[str], source: Source, element: str
) -> list[Material | BadStructure]:
    """The structures with these ids.

    Raises:
        XanesflowError: an id is not among them.
    """
    missing = sorted(set(only) - {name for each in read for name in (each.material_id, parent_of(each.material_id))})
    if source == "amcsd":  # the entries of the element were read, and other subsets take the others
        missing = [each for each in missing if not _is_of_another_element(each, element)]
    if missing:
        raise XanesflowError(
            f"structures.only names {', '.join(missing)}, which is not among the {plural(len(read), 'structure')} "
            "that were read; correct the id, or remove it."
        )
    return [each for each in read if {each.material_id, parent_of(each.material_id)} & set(only)]


def _is_of_another_element(material_id: str, element: str) -> bool:
    """Whether an id is of an entry of the database of minerals that does not hold the element."""
    return any(entry.id == material_id and element not in entry.elements for entry in load_entries())


def _describe(row: tuple[str, str], *, symprec: float) -> Material | BadStructure:
    material_id, text = row
    return describe(material_id, Structure.from_dict(json.loads(text)), symprec=symprec)


def _read(
    source: Source, directory: Path | None, *, symprec: float, workers: int, disorder: Disorder
) -> list[Material | BadStructure]:
    if source == "examples":
        return [_example(each, symprec=symprec) for each in load_examples()]
    if directory is None:
        raise XanesflowError("structures.source is directory, but structures.directory names none; set it.")
    return read_directory(directory, symprec=symprec, workers=workers, disorder=disorder)


def _example(example: Example, *, symprec: float) -> Material | BadStructure:
    material = describe(example.id, example.structure(), symprec=symprec)
    if isinstance(material, BadStructure):
        return material
    return replace(material, name=example.name, reference=" ".join(example.reference.split()))
