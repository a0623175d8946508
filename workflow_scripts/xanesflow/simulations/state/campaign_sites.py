"""The sites of a working directory, read without pandas, which takes a second to import."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from xanesflow.config import result_paths as paths
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import write_text
from xanesflow.core.site_list import read_site_list
from xanesflow.core.sites import Site
from xanesflow.core.tables import read_columns

_SITES = "_sites.parquet"
_PLANNED = "planned.csv"  # beside a subset's runs: a copy of the list of the sites that they are of


@dataclass(frozen=True)
class SubsetSites:
    """The planned sites of a subset."""

    chunks: dict[int, list[Site]]  # sites by the number of their chunk; empty chunks are left out
    core_hours: dict[int, float]  # expected core hours of each chunk; NaN: not known
    longest: dict[int, float]  # expected core hours of the longest site of each chunk; NaN: not known
    not_planned: int  # number of the other sites


def site_tables(directory: Path, subsets: Iterable[str] | None = None) -> dict[str, Path]:
    """Paths of the site tables of a working directory, by subset.

    Args:
        directory: the working directory, which holds `results`.
        subsets: only these, in this order; None: all, in the order of their names.

    Raises:
        XanesflowError: there is no campaign, or it has no such subset.
    """
    if not directory.is_dir():
        raise XanesflowError(f"{directory} is not a folder; name the working directory of a campaign.")
    folder = (directory / paths.SITES).parent
    tables = {path.name.removesuffix(_SITES): path for path in sorted(folder.glob(f"*{_SITES}"))}
    if not tables:
        raise XanesflowError(
            f"{directory.resolve()} holds no campaign yet: there is no results/structures/<subset>{_SITES}; name the "
            "working directory of a campaign, or make its structures with `snakemake structures`."
        )
    wanted = list(tables if subsets is None else dict.fromkeys(subsets))
    if unknown := [name for name in wanted if name not in tables]:
        raise XanesflowError(f"{unknown[0]} has no site table in {folder}; there are {', '.join(tables)}.")
    return {name: tables[name] for name in wanted}


def record_source(folder: Path, only: Path | None) -> None:
    """Record which sites the runs of a subset are of, before the first of them is computed.

    Args:
        folder: of the subset, `results/simulations/<subset>`.
        only: list of the planned sites; None: all.
    """
    if only is None:
        (folder / _PLANNED).unlink(missing_ok=True)
    else:
        write_text(folder / _PLANNED, only.read_text(encoding="utf-8-sig"))
    # Of an import: the subset's runs are computed from now on.
    (folder / Path(paths.REJECTED_RUNS).name).unlink(missing_ok=True)


def recorded_list(folder: Path) -> Path | None:
    """The list that `record_source` recorded; None: all sites are planned."""
    path = folder / _PLANNED
    return path if path.exists() else None


def read_site_table(path: Path, only: str | Path | None = None) -> SubsetSites:
    """Read which sites of a subset are planned.

    Args:
        path: the subset's site table.
        only: list of the planned sites; None: all.

    Raises:
        XanesflowError: the table or the list is damaged or cannot be read.
    """
    table = read_columns(path, ["material_id", "site_index", "chunk", "core_hours"])
    try:
        columns = [table[column].to_pylist() for column in ("material_id", "site_index", "chunk")]
    except KeyError as error:
        raise XanesflowError(f"{path} has no column {error}; delete it and run `snakemake structures`.") from None
    # Tables of an earlier version have no hours.
    expected = table["core_hours"].to_pylist() if "core_hours" in table.column_names else [None] * table.num_rows
    planned = None if only is None else read_site_list(only)
    chunks: dict[int, list[Site]] = defaultdict(list)
    hours: dict[int, list[float]] = defaultdict(list)
    for material, site_index, chunk, hour in zip(*columns, expected, strict=True):
        if planned is None or (material, site_index) in planned:
            chunks[chunk].append((material, site_index))
            hours[chunk].append(math.nan if hour is None else hour)
    return SubsetSites(
        dict(chunks),
        {chunk: sum(each) for chunk, each in hours.items()},
        {chunk: max(each) for chunk, each in hours.items()},
        table.num_rows - sum(map(len, chunks.values())),
    )
