"""Downloads the structures of one element from Materials Project once, with a manifest, and again on demand."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xanesflow.core.errors import UnusableStructure, XanesflowError
from xanesflow.core.files import sha256_file, sha256_text, write_text
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.provenance import versions
from xanesflow.core.tables import list_reasons
from xanesflow.core.text import plural
from xanesflow.structures.material import BadStructure
from xanesflow.structures.materials_project.manifest import (
    Manifest,
    Query,
    describe_differences,
    differences,
    read_manifest,
)
from xanesflow.structures.materials_project.retrying_http import RetrySettings
from xanesflow.structures.read_structure import read_structure
from xanesflow.structures.site_table import StructureRow, structure_row, write_structure_rows

if TYPE_CHECKING:
    from xanesflow.structures.materials_project.client import MaterialsProjectClient

log = logging.getLogger(__name__)

PACKAGES = ("mp-api", "emmet-core", "pymatgen", "pymatgen-core")


@dataclass(frozen=True)
class QueryResult:
    """What a query found, before the structures are downloaded."""

    query: dict[str, Any]  # `Query.as_json`
    endpoint: str  # address of the server
    database_version: str  # Materials Project's own
    found: int  # number of materials that the query found
    ids: list[str]  # the materials whose structures to download
    moved: dict[str, str]  # requested id -> current id of the material
    left_out: list[BadStructure]  # materials that are excluded or do not exist


def query_materials_project(
    *,
    query: Query,
    structures: Path,
    manifest: Path,
    request: str = "first",
    refresh: bool = False,
    endpoint: str | None = None,
    retries: RetrySettings | None = None,
    page_size: int = 200,
    workers: int = 1,
) -> Manifest:
    """Download the structures of an element from Materials Project, unless a manifest already holds the answer.

    Pages stay next to the output until all are there, so that a killed download continues where it stopped.

    Args:
        query: selects the materials.
        structures: Parquet to write, one row with pymatgen's JSON for each material, in the order of ids.
        manifest: JSON to write (`Manifest`).
        request: name of the request, from `request_of`.
        refresh: download although the manifest holds an answer to the same query.
        endpoint: address of the server; None: mp-api's own.
        retries: how long to wait for the server.
        page_size: structures in one request.
        workers: number of processes that read the structures.

    Returns:
        The manifest.

    Raises:
        XanesflowError: there is no key, no answer or no material, or an id of `include` does not exist.
    """
    # Keep an answer to the same query.
    before = read_manifest(manifest)
    if before is not None and not refresh and _answers(before, query, structures):
        log.info(
            "%s: the answer of %s is kept (database %s, %s); structures.refresh asks again",
            query.element, before.asked, before.database_version, plural(len(before.materials), "structure"),
        )  # fmt: skip
        for saved in (structures, manifest):  # makes them newer than the list of ids that they answer
            os.utime(saved)
        return before

    # Find the materials, download their documents page by page, and read the structures.
    from xanesflow.structures.materials_project.client import (
        MaterialsProjectClient,
    )  # takes seconds to import, so only when it is needed

    source = MaterialsProjectClient(endpoint, retries)
    asked = datetime.now(UTC).isoformat(timespec="seconds")
    pages = structures.with_name(f".{query.element}.pages")
    listing = _listing(source, query, before, pages)
    documents = _documents(source, listing, pages, query.element, page_size)
    rows, materials, unusable = _read(documents, listing.ids, workers)
    left_out = sorted([*listing.left_out, *unusable], key=lambda each: each.material_id)
    if left_out:
        counts = list_reasons(each.rejected() for each in left_out)
        log.warning("%s: %s left out: %s", query.element, plural(len(left_out), "material"), counts)
    if not rows:
        raise XanesflowError(
            f"Materials Project has no usable structure for {query.element} that {_asked_for(query)} asks for "
            f"({listing.found} found); correct structures.materials_project."
        )
    # Write structures and manifest, then remove the pages.
    write_structure_rows(structures, rows)
    changes = differences(before, materials, listing.moved) if before is not None else None
    answer = Manifest(
        element=query.element,
        request=request,
        asked=asked,
        endpoint=source.endpoint,
        database_version=source.database_version,
        query=query.as_json(),
        found=listing.found,
        structures_sha256=sha256_file(structures),
        materials=materials,
        moved=listing.moved,
        left_out=left_out,
        changes=changes,
        versions=versions(PACKAGES),
    )
    answer.write(manifest)
    shutil.rmtree(pages, ignore_errors=True)
    log.info(
        "%s: %s of %s found, database %s",
        query.element, plural(len(rows), "structure"), plural(listing.found, "material"), source.database_version,
    )  # fmt: skip
    if changes is not None:
        log.info("%s: since %s %s", query.element, changes["since"], describe_differences(changes))
    return answer


def _answers(manifest: Manifest, query: Query, structures: Path) -> bool:
    """Whether a manifest and its file of structures answer a query."""
    if manifest.query != query.as_json() or not structures.is_file():
        return False
    return sha256_file(structures) == manifest.structures_sha256


def _listing(source: MaterialsProjectClient, query: Query, before: Manifest | None, pages: Path) -> QueryResult:
    """Run the query, or reuse the result that a killed download of the same query and database left."""
    path = pages / "listing.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        saved = QueryResult(**{**values, "left_out": [BadStructure(**each) for each in values["left_out"]]})
        same = (saved.query, saved.endpoint, saved.database_version)
        if same == (query.as_json(), source.endpoint, source.database_version):
            log.info("%s: continuing an interrupted download", query.element)
            return saved
    except (OSError, ValueError, KeyError, TypeError):
        pass
    shutil.rmtree(pages, ignore_errors=True)
    listing = _ask(source, query, before)
    write_text(path, json.dumps(asdict(listing)))
    return listing


def _ask(source: MaterialsProjectClient, query: Query, before: Manifest | None) -> QueryResult:
    # The materials by id or by system, and those to add.
    moved: dict[str, str] = {}
    left_out: list[BadStructure] = []
    if query.ids is None:
        ids = source.list_systems(query)
    else:
        ids, moved, left_out = source.list_ids(query.ids)
    if extra := sorted(set(query.include) - set(ids)):
        there, extra_moved, missing = source.list_ids(extra)
        if missing:
            names = ", ".join(f"{each.material_id} ({each.detail})" for each in missing)
            raise XanesflowError(f"structures.materials_project.include names {names}; correct the id, or remove it.")
        ids, moved = sorted({*ids, *there}), moved | extra_moved
    found = len(ids) + len(left_out)
    # Materials of the answer before, and excluded ones, may have another id now.
    gone = (set(before.materials) if before is not None else set()) | set(query.exclude)
    if elsewhere := sorted(gone - set(ids) - moved.keys() - {each.material_id for each in left_out}):
        moved |= source.list_ids(elsewhere)[1]
    unwanted = {moved.get(each, each): each for each in query.exclude}
    for now, named in unwanted.items():
        if now in ids:
            detail = "structures.materials_project.exclude names it" + (f" as {named}" if named != now else "")
            left_out.append(BadStructure(now, detail, "excluded"))
    for old, now in sorted(moved.items()):
        log.info("%s: %s is %s now", query.element, old, now)
    return QueryResult(
        query=query.as_json(),
        endpoint=source.endpoint,
        database_version=source.database_version,
        found=found,
        ids=[each for each in ids if each not in unwanted],
        moved=dict(sorted(moved.items())),
        left_out=left_out,
    )


def _documents(
    source: MaterialsProjectClient, listing: QueryResult, pages: Path, element: str, page_size: int
) -> dict[str, dict[str, Any]]:
    """Download the documents of the listed materials, by id; pages that are already there are reused."""
    documents: dict[str, dict[str, Any]] = {}
    starts = range(0, len(listing.ids), page_size)
    for number, start in enumerate(starts, start=1):
        ids = listing.ids[start : start + page_size]
        path = pages / f"{sha256_text(' '.join(ids))[:16]}.json"
        page = _saved_page(path, partial(source.structures, ids))
        documents |= {str(each["material_id"]): each for each in page}
        done = min(start + page_size, len(listing.ids))
        log.info("%s: page %d of %d, %d of %d structures", element, number, len(starts), done, len(listing.ids))
    return documents


def _saved_page(path: Path, ask: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    try:
        page: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        page = ask()
        write_text(path, json.dumps(page))
    return page


def _read(
    documents: dict[str, dict[str, Any]], ids: Sequence[str], workers: int
) -> tuple[list[StructureRow], dict[str, dict[str, str]], list[BadStructure]]:
    """Rows of the file of structures, the manifest's materials, and the materials that cannot be used."""
    rows: list[StructureRow] = []
    materials: dict[str, dict[str, str]] = {}
    left_out = [
        BadStructure(each, "Materials Project lists it but has no document of it", "not_found")
        for each in ids
        if each not in documents
    ]
    served = [(each, documents[each].get("structure")) for each in ids if each in documents]
    for row in map_in_processes(_read_document, served, workers):
        if isinstance(row, BadStructure):
            left_out.append(row)
        else:
            rows.append(row)
            updated = documents[row[0]].get("last_updated")
            if isinstance(updated, dict):  # a date in the form of MongoDB's JSON
                updated = updated.get("$date")
            materials[row[0]] = {"last_updated": str(updated or ""), "structure_sha256": sha256_text(row[1])}
    return rows, materials, left_out


def _read_document(document: tuple[str, Any]) -> StructureRow | BadStructure:
    """Make a row of the file of structures: only elements, positions and cell of the served structure."""
    material_id, served = document
    if not served:
        return BadStructure(material_id, "its document at Materials Project has no structure")
    try:
        structure, _ = read_structure(json.dumps(served).encode(), "json")
    except UnusableStructure as error:
        return BadStructure(material_id, f"its structure at Materials Project {error}", error.reason)
    return structure_row(material_id, structure)


def _asked_for(query: Query) -> str:
    return f"the list of {plural(len(query.ids), 'id')}" if query.ids is not None else ", ".join(query.systems)
