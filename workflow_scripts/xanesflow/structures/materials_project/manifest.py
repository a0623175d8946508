"""The frozen manifest of a query to Materials Project: what was asked, what came, and what changed since."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from xanesflow.core.files import write_text
from xanesflow.core.text import first_few
from xanesflow.structures.materials_project.material_ids import one_id

SCHEMA = 1


@dataclass(frozen=True)
class Query:
    """What is asked for one element.

    Attributes:
        element: symbol of the absorber.
        systems: chemical systems, the absorber's element for E and * for any other: `Cu-O-*`; not used with `ids`.
        theoretical: None: all; False: only materials known from experiment; True: only the others.
        energy_above_hull: largest energy above the hull in eV/atom; None: any.
        max_atoms: largest number of atoms in the cell; None: any.
        include: ids to add whatever the filters say.
        exclude: ids to leave out.
        ids: take exactly these ids instead of systems and filters; None: systems.
    """

    element: str
    systems: tuple[str, ...]
    theoretical: bool | None = None
    energy_above_hull: float | None = None
    max_atoms: int | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    ids: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        *,
        element: str,
        systems: Iterable[str],
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        ids: Iterable[str] | None = None,
        **filters: Any,
    ) -> Query:
        """A query that is equal to another one of the same values in another order."""
        return cls(
            element=element,
            systems=tuple(systems) if ids is None else (),
            include=tuple(sorted({one_id(each) for each in include})),
            exclude=tuple(sorted({one_id(each) for each in exclude})),
            ids=None if ids is None else tuple(sorted({one_id(each) for each in ids})),
            **(filters if ids is None else {}),
        )

    def as_json(self) -> dict[str, Any]:
        """The query as it stands in a manifest."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values


@dataclass(frozen=True)
class LeftOut:
    """A material that was asked for and is not among the structures; `reason` is one of `core.reasons.REASONS`."""

    material_id: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Manifest:
    """What a query found.

    Attributes:
        element: symbol of the absorber.
        request: what the query was the answer to (`request_of`).
        asked: when, ISO 8601 in UTC.
        endpoint: address that was asked.
        database_version: Materials Project's own.
        query: `Query.as_json`.
        found: number of materials that the query found.
        structures_sha256: hash of the Parquet file of structures.
        materials: id -> `last_updated`, `structure_sha256`.
        moved: id that was asked for -> id that the material has now.
        left_out: what is not among the structures, with its reason.
        changes: `differences` to the manifest before; None: there was none.
        versions: software.
    """

    element: str
    request: str
    asked: str
    endpoint: str
    database_version: str
    query: dict[str, Any]
    found: int
    structures_sha256: str
    materials: dict[str, dict[str, str]]
    moved: dict[str, str]
    left_out: list[LeftOut]
    changes: dict[str, Any] | None
    versions: dict[str, str] = field(default_factory=dict)

    def write(self, path: str | Path) -> None:
        """Write the manifest as JSON, in the order of the attributes."""
        values = {"schema": SCHEMA, **asdict(self)}
        write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def read_manifest(path: str | Path) -> Manifest | None:
    """Read a manifest; None if there is none, or none that this version wrote."""
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        if values.pop("schema") != SCHEMA:
            return None
        values["left_out"] = [LeftOut(**each) for each in values["left_out"]]
        return Manifest(**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def request_of(path: str | Path, *, refresh: bool) -> str:
    """A name for the question that is put now, by which a rule can tell whether it is another one.

    Without `refresh` it is the name of the question that the manifest answers, so nothing is asked again; with it the
    name is a new one, which the manifest then holds. It depends on the file alone, as Snakemake evaluates it in
    several processes.

    Args:
        path: the manifest, if there is one yet.
        refresh: ask again although there is one.
    """
    manifest = read_manifest(path)
    if manifest is None:
        return "first"
    return f"refresh of {manifest.asked}" if refresh else manifest.request


def differences(
    before: Manifest, materials: Mapping[str, Mapping[str, str]], moved: Mapping[str, str]
) -> dict[str, Any]:
    """What changed between two answers.

    Args:
        before: the earlier answer.
        materials: the later one's materials.
        moved: ids that have become others since.

    Returns:
        `since`, `database_version` (the earlier ones), `added`, `withdrawn` (ids), `moved` (old -> new id),
        `changed_structure`, `changed_record` (ids; of the latter only the date of the document is another).
    """
    both = sorted(before.materials.keys() & materials.keys())
    other = {
        k: [i for i in both if before.materials[i][k] != materials[i][k]] for k in ("structure_sha256", "last_updated")
    }
    gone = before.materials.keys() - materials.keys()
    now_moved = {old: moved[old] for old in sorted(gone & moved.keys()) if moved[old] in materials}
    return {
        "since": before.asked,
        "database_version": before.database_version,
        "added": sorted(materials.keys() - before.materials.keys() - set(now_moved.values())),
        "withdrawn": sorted(gone - now_moved.keys()),
        "moved": now_moved,
        "changed_structure": other["structure_sha256"],
        "changed_record": sorted(set(other["last_updated"]) - set(other["structure_sha256"])),
    }


def describe_differences(changes: Mapping[str, Any], *, named: int = 5) -> str:
    """`2 added (mp-1, mp-2), 1 withdrawn (mp-3)`, or `nothing changed`."""
    words = {
        "added": "added",
        "withdrawn": "withdrawn",
        "moved": "moved to another id",
        "changed_structure": "with a changed structure",
        "changed_record": "with a newer date and the same structure",
    }
    parts = []
    for key, word in words.items():
        found = [f"{old} to {new}" for old, new in changes[key].items()] if key == "moved" else changes[key]
        if found:
            some = first_few(found, named)
            parts.append(f"{len(found)} {word} ({some})")
    return ", ".join(parts) or "nothing changed"
