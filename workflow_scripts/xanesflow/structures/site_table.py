"""Write the structures of a subset and its site table, which alone defines the subset's sites."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from xanesflow.core.files import atomic_path
from xanesflow.core.sites import Site, chunk_of
from xanesflow.structures.material import Material, SiteCost

if TYPE_CHECKING:
    import pandas as pd
    from pymatgen.core import Structure

STRUCTURE_COLUMNS = ["material_id", "structure", "formula", "n_atoms"]
ABOUT_COLUMNS = ["name", "reference"]
"""What is known of a structure besides, empty if nothing is; files with a database's answer do not have them."""

SITE_COLUMNS = [
    "material_id", "site_index", "multiplicity", "formula", "n_atoms", "chunk", "cluster_atoms", "core_hours", "parent",
]  # fmt: skip

StructureRow = tuple[str, str, str, int]
"""A structure with the `STRUCTURE_COLUMNS`."""


def structure_row(material_id: str, structure: Structure) -> StructureRow:
    """A structure as `write_structure_rows` writes it."""
    as_json = json.dumps(structure.as_dict(verbosity=0), sort_keys=True)
    return material_id, as_json, structure.composition.reduced_formula, len(structure)


def write_structures(path: str | Path, materials: Iterable[Material]) -> None:
    """Write structures as Parquet, one row for each material, in the order of their ids, with `ABOUT_COLUMNS`."""
    rows = [(m.material_id, m.structure, m.formula, len(m.elements), m.name, m.reference) for m in materials]
    write_structure_rows(path, rows, [*STRUCTURE_COLUMNS, *ABOUT_COLUMNS])


def write_structure_rows(
    path: str | Path, rows: Iterable[tuple[str | int, ...]], columns: list[str] = STRUCTURE_COLUMNS
) -> None:
    """Write structures as Parquet, from rows with these columns."""
    import pandas as pd  # slow to import, and reading a structure does not need it

    table = pd.DataFrame(sorted(rows), columns=columns)
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")


def write_site_table(
    path: str | Path,
    sites: Iterable[tuple[Material, int]],
    *,
    chunks: int,
    costs: Mapping[Site, SiteCost] | None = None,
) -> pd.DataFrame:
    """Write the site table as Parquet, in the order of material id and site index.

    Args:
        path: the file.
        sites: materials, each with a 0-based site index.
        chunks: number of chunks into which the subset is divided.
        costs: expected cost of each site's simulation. None leaves `cluster_atoms` and `core_hours` null, as for
            finished runs, which cost nothing more.

    Returns:
        The table, with `SITE_COLUMNS`.
    """
    import pandas as pd

    nothing = (None, None)
    rows = [
        (
            *(m.material_id, i, m.multiplicity(i), m.formula, len(m.elements), chunk_of(m.material_id, chunks)),
            *(costs[m.material_id, i] if costs is not None else nothing),
            m.parent,
        )
        for m, i in sorted(sites, key=lambda site: (site[0].material_id, site[1]))
    ]
    table = pd.DataFrame(rows, columns=SITE_COLUMNS).astype({"cluster_atoms": "Int64", "core_hours": "float64"})
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)
    return table
