"""What a chunk's job needs, estimated from the cost in the site table: seconds of a site, minutes and memory of a job.

Snakemake calls `chunk_minutes` while it plans, so this module only loads pyarrow, which Snakemake has loaded by then.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from xanesflow.codes.registry import theory_of
from xanesflow.core.errors import XanesflowError
from xanesflow.simulations.state.campaign_sites import read_site_table

if TYPE_CHECKING:
    import pandas as pd

    from xanesflow.core.sites import Site

MINUTES_UNKNOWN = 12 * 60
"""For a chunk whose cost is unknown, perhaps because its site table does not exist yet."""

MINUTES_LEAST = 30
"""For any chunk: a node may be slow, and reading, checking and packing take time."""

MARGIN = 1.5
"""Factor on the expected cost, which was fitted on another machine (`structures.cost`)."""


def expected_seconds(table: pd.DataFrame) -> dict[Site, float]:
    """Seconds that each site should take on one core; 1 where its cost is unknown.

    Args:
        table: a subset's sites with `core_hours`.
    """
    hours = table["core_hours"].tolist() if "core_hours" in table else [math.nan] * len(table)
    sites = zip(table["material_id"], table["site_index"], hours, strict=True)
    return {(str(m), int(i)): 3600.0 * each if each and each > 0 else 1.0 for m, i, each in sites}


def chunk_memory(theory: str, *, cores: int, attempt: int) -> int:
    """MB to request for a chunk's job; attempt n requests n times the memory of the first.

    Args:
        theory: level of theory.
        cores: sites computed at a time.
        attempt: number of the attempt, from 1.
    """
    return theory_of(theory).memory_mb * cores * attempt


def chunk_minutes(
    site_table: str | Path,
    chunk: int,
    *,
    only: str | Path | None = None,
    cores: int,
    attempt: int,
    longest: float,
) -> int:
    """Minutes to request for a chunk's job.

    Attempt n requests n times the minutes of the first: a chunk that ran out of time continues where it stopped.
    Finished sites are not subtracted.

    Args:
        site_table: the subset's; it may not exist yet.
        chunk: its number.
        only: list of the sites to compute; None: all.
        cores: sites computed at a time.
        attempt: number of the attempt, from 1.
        longest: hours that a job may request at most.
    """
    try:
        changed = [Path(path).stat().st_mtime_ns for path in (site_table, only) if path is not None]
        minutes = _expected(Path(site_table), only, tuple(changed), cores).get(chunk, 0.0)
    except (OSError, XanesflowError):  # a file does not exist yet, or is damaged, which the job will report
        minutes = math.nan
    first = MINUTES_UNKNOWN if math.isnan(minutes) else max(MINUTES_LEAST, math.ceil(MARGIN * minutes))
    return min(first * attempt, math.floor(60 * longest))


@lru_cache(maxsize=64)
def _expected(site_table: Path, only: str | Path | None, changed: tuple[int, ...], cores: int) -> dict[int, float]:
    """Expected minutes of each chunk; NaN if one of its sites has no cost.

    The cores share the sites. At the end they wait for the last one, in the worst case the longest.
    """
    sites = read_site_table(site_table, only)
    return {
        chunk: 60 * (hours / cores + (sites.longest[chunk] if cores > 1 else 0.0))
        for chunk, hours in sites.core_hours.items()
    }
