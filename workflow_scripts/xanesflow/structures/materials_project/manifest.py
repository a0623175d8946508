"""The manifest of a query to Materials Project: the query, its answer, and what changed since the answer before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from xanesflow.core.files import write_text
from xanesflow.core.text import first_few
from xanesflow.structures.material import BadStructure
from xanesflow.structures.materials_project.material_ids import one_id

SCHEMA = 1


@dataclass(frozen=True)
class Query:
    """The query for one element."""

    element: str  # symbol of the absorber
    systems: tuple[str, ...]  # chemical systems such as `Cu-O-*`, where * is any other element; not used with `ids`
    theoretical: bool | None = None  # None: all; False: only materials known from experiment; True: only the others
    energy_above_hull: float | None = None  # largest energy above the hull in eV/atom; None: any
    max_atoms: int | None = None  # largest number of atoms in the cell; None: any
    include: tuple[str, ...] = ()  # ids to add whatever the filters say
    exclude: tuple[str, ...] = ()  # ids to leave out
    ids: tuple[str, ...] | None = None  # take exactly these ids instead of systems and filters; None: systems

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
        """Make a query that does not depend on the order of its ids."""
        return cls(
            element=element,
            systems=tuple(systems) if ids is None else (),
            include=tuple(sorted({one_id(each) for each in include})),
            exclude=tuple(sorted({one_id(each) for each in exclude})),
            ids=None if ids is None else tuple(sorted({one_id(each) for each in ids})),
            **(filters if ids is None else {}),
        )

    def as_json(self) -> dict[str, Any]:
        """The query in the form that a manifest records."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values


@dataclass(frozen=True)
class Manifest:
    """The answer to a query."""

    element: str  # symbol of the absorber
    request: str  # name of the request that this answers (`request_of`)
    asked: str  # time of the request, ISO 8601 in UTC
    endpoint: str  # address of the server
    database_version: str  # Materials Project's own
    query: dict[str, Any]  # `Query.as_json`
    found: int  # number of materials that the query found
    structures_sha256: str  # hash of the Parquet file of structures
    materials: dict[str, dict[str, str]]  # id -> `last_updated`, `structure_sha256`
    moved: dict[str, str]  # requested id -> current id of the material
    left_out: list[BadStructure]  # materials that are not among the structures, with the reasons
    changes: dict[str, Any] | None  # `differences` to the manifest before; None: there was none
    versions: dict[str, str] = field(default_factory=dict)  # of the software

    def write(self, path: str | Path) -> None:
        """Write the manifest as JSON, in the order of the attributes."""
        values = {"schema": SCHEMA, **asdict(self)}
        write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def read_manifest(path: str | Path) -> Manifest | None:
    """Read a manifest; None if it does not exist or has another version's form."""
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        if values.pop("schema") != SCHEMA:
            return None
        values["left_out"] = [BadStructure(**each) for each in values["left_out"]]
        return Manifest(**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def request_of(path: str | Path, *, refresh: bool) -> str:
    """Name the current request, so that a rule sees whether it is a new one.

    Without `refresh`, it is the name that the manifest already holds, so nothing is requested again. With `refresh`, it
    is a new name, which the next manifest holds. The name depends only on the file, as Snakemake evaluates it in
    several processes.

    Args:
        path: the manifest, which may not exist yet.
        refresh: make a new request although there is a manifest.
    """
    manifest = read_manifest(path)
    if manifest is None:
        return "first"
    return f"refresh of {manifest.asked}" if refresh else manifest.request


def differences(
    before: Manifest, materials: Mapping[str, Mapping[str, str]], moved: Mapping[str, str]
) -> dict[str, Any]:
    """Find what changed between two answers.

    Args:
        before: the earlier answer.
        materials: those of the later answer.
        moved: old id -> current id.

    Returns:
        `since` and `database_version` of the earlier answer, `added` and `withdrawn` (ids), `moved` (old -> new id),
        `changed_structure` (ids), `changed_record` (ids of documents whose date changed, but not the structure).
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


def describe_differences(changes: Mapping[str, Any]) -> str:
    """Describe the changes: `2 added (mp-1, mp-2), 1 withdrawn (mp-3)`, or `nothing changed`."""
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
            parts.append(f"{len(found)} {word} ({first_few(found, 5)})")
    return ", ".join(parts) or "nothing changed"
