"""Sites without a good run: which, why, and whether there are too many to go on."""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from xanesflow.codes.run_zip import read_records
from xanesflow.core.errors import XanesflowError
from xanesflow.core.reasons import REASONS
from xanesflow.core.sites import Subset, site_id
from xanesflow.core.tables import write_rows
from xanesflow.core.text import plural

log = logging.getLogger(__name__)

FEW = 5
"""Up to this many failed sites never stop a campaign, whatever their share: 1 of a subset of 3 sites is 33 %."""

_MOST_FREQUENT = 3


@dataclass(frozen=True)
class FailedSite:
    """A row of failed.csv; the attributes are its columns."""

    material_id: str  # its material
    site_index: int  # 0-based index of the absorber into the structure
    site: str  # both in one name, such as `mp-390_000`
    reason: str  # one of `xanesflow.core.reasons.REASONS`
    detail: str  # one sentence on this site
    attempts: int  # how often the last run tried, with corrected inputs
    log_tail: str  # last lines of its log, separated by ` | `
    host: str  # machine of the run
    seconds: float  # how long it took
    started: str  # when it began, as ISO 8601


def failed_site(material_id: str, site_index: int, record: Mapping[str, Any]) -> FailedSite | None:
    """The row of a run, made from its run.json; None if it did not fail."""
    if record.get("outcome") != "failed":
        return None
    return FailedSite(
        material_id, site_index, site_id(material_id, site_index), str(record.get("reason", "")),
        str(record.get("detail", "")), attempts_of(record), " | ".join(record.get("log_tail", [])),
        str(record.get("host", "")), float(record.get("seconds", 0.0)), str(record.get("started", "")),
    )  # fmt: skip


def attempts_of(record: Mapping[str, Any]) -> int:
    """How often a run tried, from its run.json, which holds a number or a list of the attempts."""
    tried = record.get("attempts", 1)
    return len(tried) if isinstance(tried, list) else tried if isinstance(tried, int) else 1


def read_failures(chunks: Iterable[Path], theory: str) -> Iterator[FailedSite]:
    """Yield the failed sites of packed chunks.

    Args:
        chunks: zips of finished runs.
        theory: level of theory of the runs.

    Raises:
        XanesflowError: a file is not a whole zip; names it.
    """
    for path in chunks:
        for site, record in read_records(path, theory):
            if failed := failed_site(*site, record):
                yield failed


def list_failures(chunks: list[Path], output: Path, *, subset: str) -> None:
    """Write the table of a subset's failed sites.

    Args:
        chunks: zips of all its runs.
        output: CSV to write, sorted by material and site; its columns are the attributes of `FailedSite`.
        subset: such as `Cu_FEFF8L`.

    Raises:
        XanesflowError: a chunk is not a whole zip; names it.
    """
    failed = sorted(
        read_failures(chunks, Subset.parse(subset).theory), key=lambda row: (row.material_id, row.site_index)
    )
    write_rows(output, [column.name for column in fields(FailedSite)], map(astuple, failed))
    log.info("%s: %s", subset, f"{plural(len(failed), 'site')} failed: {describe(row.reason for row in failed)}"
             if failed else "no site failed")  # fmt: skip


def describe(reasons: Iterable[str], most: int | None = None) -> str:
    """`30 timed_out, 10 killed`, the most frequent first.

    Args:
        reasons: one for each site.
        most: how many reasons to name; the others are added up; None: all.
    """
    counts = Counter(reasons)
    listed = sorted(counts, key=lambda reason: (-counts[reason], [*REASONS, reason].index(reason)))
    parts = [f"{counts[reason]} {reason}" for reason in listed[:most]]
    if others := sum(counts[reason] for reason in listed[len(parts) :]):
        parts.append(f"{others} for other reasons")
    return ", ".join(parts)


def how_to_retry(tables: Iterable[Path], *, subset: str) -> str:
    """A sentence on how failed sites are computed again, for an error that stops the campaign; empty if none failed.

    Args:
        tables: failed.csv of the subset, in a list; empty for imported runs.
        subset: such as `Cu_FEFF8L`.
    """
    failed = [(table, len(reasons)) for table in tables if (reasons := _reasons_in(table))]
    if not failed:
        return ""
    table, number = failed[0]
    return (
        f" {plural(number, 'site')} failed, listed in {table}: fix the cause, call `xanesflow retry {subset}`, and run "
        "again; otherwise the same runs are taken again."
    )


def _reasons_in(table: Path) -> list[str]:
    """The reasons of the sites in a failed.csv."""
    with table.open(newline="", encoding="utf-8") as opened:
        return [row["reason"] for row in csv.DictReader(opened)]


def check_failures(table: Path, *, subset: str, sites: int, max_failed: float | None) -> None:
    """Raise an error if too many sites of a subset have failed to go on without them.

    Args:
        table: failed.csv of the subset.
        subset: such as `Cu_FEFF8L`.
        sites: how many it has.
        max_failed: largest share of them that may have failed; None: any. Up to `FEW` failed sites are always accepted.

    Raises:
        XanesflowError: too many failed; the error says how many, why, and what you can do.
    """
    reasons = _reasons_in(table)
    if max_failed is None or len(reasons) <= max(FEW, max_failed * sites):
        return
    raise XanesflowError(
        f"{subset}: {len(reasons)} of {plural(sites, 'site')} failed, which is {len(reasons) / sites:.1%} and more "
        f"than the {max_failed:.1%} of simulations.max_failed: {describe(reasons, _MOST_FREQUENT)}; {table} lists "
        f"them; fix the cause, call `xanesflow retry {subset}` and run again, or raise the limit to go on without them."
    )
