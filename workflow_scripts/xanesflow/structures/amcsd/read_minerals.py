"""Read the entries of one element that a campaign asks for, with a manifest of what was taken and left out."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from xanesflow.core.errors import UnusableStructure, XanesflowError
from xanesflow.core.files import sha256_file, sha256_text
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.provenance import versions
from xanesflow.core.sites import cell_id, parent_of
from xanesflow.core.tables import list_reasons
from xanesflow.core.text import plural
from xanesflow.structures.amcsd.choose_entries import Filters, choose_entries
from xanesflow.structures.amcsd.database import FILE_NAME, Entry, database_hash, load_entries
from xanesflow.structures.amcsd.read_entry import read_entry
from xanesflow.structures.disorder.represent import REFUSE, Disorder, fill
from xanesflow.structures.material import BadStructure
from xanesflow.structures.materials_project.manifest import Manifest
from xanesflow.structures.site_table import StructureRow, structure_row, write_structure_rows

log = logging.getLogger(__name__)

PACKAGES = ("larixite", "gemmi", "pymatgen", "pymatgen-core")


def read_minerals(
    *,
    element: str,
    systems: Sequence[str],
    filters: Filters,
    structures: Path,
    manifest: Path,
    workers: int = 1,
    disorder: Disorder = REFUSE,
) -> Manifest:
    """Read the entries of some chemical systems and write their structures and a manifest.

    Args:
        element: symbol of the absorber.
        systems: such as `Cu-O-*`, where * is any other element.
        filters: what else an entry must fulfil.
        structures: Parquet to write, one row with pymatgen's JSON for each structure, in the order of ids.
        manifest: JSON to write, in the form of Materials Project's; each material has mineral, conditions, reference
            and the hash of its structure, and a cell of a disordered entry the entry's id (`parent`).
        workers: number of processes that read entries.
        disorder: what becomes of disordered entries.

    Returns:
        The manifest.

    Raises:
        XanesflowError: larixite is missing, or no entry can be used.
    """
    chosen = choose_entries(load_entries(), systems)
    left_out = [BadStructure(entry.id, why, "excluded") for entry in chosen if (why := filters.refuse(entry))]
    refused = {each.material_id for each in left_out}
    entries = [entry for entry in chosen if entry.id not in refused]
    # Read them, and leave out what is disordered, incomplete, contradicts itself or is too large.
    rows: list[StructureRow] = []
    materials: dict[str, dict[str, str]] = {}
    by_id = {entry.id: entry for entry in entries}
    read = partial(_read_one, max_atoms=filters.max_atoms, disorder=disorder)
    for outcome in map_in_processes(read, entries, workers):
        for row in outcome:
            if isinstance(row, BadStructure):
                left_out.append(row)
            else:
                rows.append(row)
                parent = parent_of(row[0])
                materials[row[0]] = _about(by_id[parent], row[1]) | ({} if parent == row[0] else {"parent": parent})
    names = list_reasons(each.rejected() for each in left_out) or "none"
    if not rows:
        raise XanesflowError(
            f"The American Mineralogist Crystal Structure Database has no usable structure for {element} in "
            f"{', '.join(systems)} ({len(chosen)} found, left out: {names}); correct structures.amcsd."
        )
    # Write structures and manifest.
    write_structure_rows(structures, rows)
    answer = Manifest(
        element=element,
        request="",
        asked=datetime.now(UTC).isoformat(timespec="seconds"),
        endpoint=f"{FILE_NAME} of the package larixite",
        database_version=f"sha256:{database_hash()}",
        query={
            "element": element,
            "systems": list(systems),
            **json.loads(json.dumps(asdict(filters))),
            "include": [],
            "disorder": asdict(disorder),
        },
        found=len(chosen),
        structures_sha256=sha256_file(structures),
        materials=materials,
        moved={},
        left_out=sorted(left_out, key=lambda each: each.material_id),
        changes=None,
        versions=versions(PACKAGES),
    )
    answer.write(manifest)
    of = plural(len(chosen), "entry", "entries")
    log.info("%s: %s of %s found; left out: %s", element, plural(len(rows), "structure"), of, names)
    return answer


def _about(entry: Entry, structure: str) -> dict[str, str]:
    return {
        "mineral": entry.mineral,
        "conditions": str(entry.conditions),
        "reference": entry.reference,
        "structure_sha256": sha256_text(structure),
    }


def _read_one(entry: Entry, *, max_atoms: int | None, disorder: Disorder) -> list[StructureRow] | list[BadStructure]:
    """The rows of an entry: its structure, or the cells that represent it; or why there is none."""
    try:
        structure, _ = read_entry(entry, partly_occupied=not disorder.refused)
        if max_atoms is not None and len(structure) > max_atoms:
            detail = f"its cell has {plural(len(structure), 'atom')}, more than structures.amcsd.max_atoms"
            return [BadStructure(entry.id, detail, "excluded")]
        if structure.is_ordered:
            return [structure_row(entry.id, structure)]
        return [
            structure_row(cell_id(entry.id, number), cell)
            for number, (cell, _) in enumerate(fill(structure, disorder), 1)
        ]
    except UnusableStructure as error:
        return [BadStructure(entry.id, f"the entry {error}", error.reason)]
