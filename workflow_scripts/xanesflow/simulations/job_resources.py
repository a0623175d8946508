"""What a chunk is expected to need, from the cost in the site table: seconds of a site, minutes of a job.

Snakemake asks for the minutes when it plans; it has loaded pyarrow itself by then.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from xanesflow.codes.registry import theory_of

if TYPE_CHECKING:
    import pandas as pd

    from xanesflow.core.sites import Site

MINUTES_UNKNOWN = 12 * 60
"""Of a chunk whose cost is not known, or not yet, as its site table is still to be made."""

MINUTES_LEAST = 30
"""Of any chunk: a node is slow now and then, and reading, checking and packing take their time."""

MARGIN = 1.5
"""On the expected cost, which was fitted on another machine (structures/cost.py)."""


def expected_seconds(table: pd.DataFrame) -> dict[Site, float]:
    """Seconds that a site is expected to take on one core; where no cost is known, the same number for all.

    Args:
        table: a subset's sites with `core_hours`.
    """
    hours = table["core_hours"].tolist() if "core_hours" in table else [math.nan] * len(table)
    sites = zip(table["material_id"], table["site_index"], hours, strict=True)
    return {(str(m), int(i)): 3600.0 * each if each and each > 0 else 1.0 for m, i, each in sites}


def chunk_memory(theory: str, *, cores: int, attempt: int) -> int:
    """MB to ask for a chunk's job; each attempt asks for once more of the first one's.

    Args:
        theory: level of theory.
        cores: sites that are computed at a time.
        attempt: 1 at first.
    """
    return theory_of(theory).memory_mb * cores * attempt


def chunk_minutes(site_table: str | Path, chunk: int, *, cores: int, attempt: int, longest: float) -> int:
    """Minutes to ask for a chunk's job.

    Each attempt asks for once more of the first one's, as a chunk whose time is over goes on where it was. Sites that
    are finished already are not subtracted.

    Args:
        site_table: the subset's, which may not be there yet.
        chunk: its number.
        cores: sites that are computed at a time.
        attempt: 1 at first.
        longest: hours that a job may ask for.
    """
    try:
        minutes = _expected(str(site_table), Path(site_table).stat().st_mtime_ns, cores).get(chunk, 0.0)
    except (OSError, ValueError):  # not there yet, or damaged, as the job will tell
        minutes = math.nan
    first = MINUTES_UNKNOWN if math.isnan(minutes) else max(MINUTES_LEAST, math.ceil(MARGIN * minutes))
    return min(first * attempt, math.floor(60 * longest))


@lru_cache(maxsize=64)
def _expected(site_table: str, changed: int, cores: int) -> dict[int, float]:
    """Expected minutes of each chunk; NaN where a site has no cost.

    The cores share its sites, and at the end wait for one of them, at worst the longest.
    """
    from pyarrow import parquet

    file = parquet.ParquetFile(site_table)
    if "core_hours" not in file.schema_arrow.names:
        chunks = file.read(["chunk"]).column("chunk").to_pylist()
        return dict.fromkeys(chunks, math.nan)
    table = file.read(["chunk", "core_hours"])
    totals: dict[int, float] = {}
    most: dict[int, float] = {}
    for chunk, hours in zip(table["chunk"].to_pylist(), table["core_hours"].to_pylist(), strict=True):
        each = math.nan if hours is None else float(hours)
        totals[chunk] = totals.get(chunk, 0.0) + each
        most[chunk] = max(most.get(chunk, 0.0), each)
    return {chunk: 60 * (total / cores + (most[chunk] if cores > 1 else 0.0)) for chunk, total in totals.items()}
