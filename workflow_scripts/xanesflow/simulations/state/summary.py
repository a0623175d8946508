"""What the runs of a campaign cost and how they ended, chunk by chunk, from their run.json."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from xanesflow.codes.run_zip import read_records
from xanesflow.config import result_paths as paths
from xanesflow.config.result_paths import fill
from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import Subset, chunk_name, site_id
from xanesflow.simulations.state.campaign_sites import read_site_table, recorded_list, site_tables
from xanesflow.simulations.state.failures import FailedSite, attempts_of, failed_site
from xanesflow.simulations.state.progress import outcome_of


@dataclass
class ChunkSummary:
    """The finished runs of one chunk.

    Attributes:
        subset: such as `Cu_FEFF8L`.
        chunk: its number.
        sites: planned sites of the chunk.
        good: runs that succeeded.
        failed: reason -> number of sites.
        core_hours: of all these runs, as far as they are recorded.
        expected_hours: core hours expected from the structures; None: not known.
        seconds: how long each run took, and the name of its site, where the time is recorded.
        untimed: runs without a recorded time, such as imported ones.
        tried_again: runs that took more than one attempt.
        corrected: runs whose inputs were changed before they succeeded.
        codes: simulation code -> number of runs.
        versions: `package version` of the process that made the run -> number of runs.
        hosts: machine -> number of runs.
        first, last: when the first run began and the last one ended; None: not known.
        failures: the failed sites.
        note: why the chunk could not be read; empty if it was.
    """

    subset: str
    chunk: int
    sites: int
    good: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    core_hours: float = 0.0
    expected_hours: float | None = None
    seconds: list[tuple[float, str]] = field(default_factory=list)
    untimed: int = 0
    tried_again: int = 0
    corrected: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    failures: list[FailedSite] = field(default_factory=list)
    note: str = ""

    @property
    def runs(self) -> int:
        """Finished runs, good and failed."""
        return self.good + sum(self.failed.values())


@dataclass
class SubsetSummary(ChunkSummary):
    """The finished runs of a whole subset; `chunk` is the number of its chunks."""

    imported: bool = False

    @property
    def median_seconds(self) -> float | None:
        """Median time of a run; None: no time is recorded."""
        return statistics.median(taken for taken, _ in self.seconds) if self.seconds else None

    @property
    def slowest(self) -> tuple[float, str] | None:
        """Seconds and site of the longest run."""
        return max(self.seconds, default=None)


def summarize_runs(directory: Path, subsets: Sequence[str]) -> dict[str, tuple[SubsetSummary, list[ChunkSummary]]]:
    """Summarize the finished runs of subsets, each as a whole and chunk by chunk.

    Args:
        directory: the working directory, which holds `results`.
        subsets: names; those without a site table are left out.
    """
    found = {}
    for name in subsets:
        folder = directory / fill(paths.SIMULATIONS, subset=name)
        imported = (folder / "rejected.parquet").exists()
        try:
            table = site_tables(directory, [name])[name]
            given = read_site_table(table, None if imported else recorded_list(folder))
        except XanesflowError:
            continue
        chunks = [_of_chunk(name, folder, given.chunks, given.core_hours, chunk) for chunk in sorted(given.chunks)]
        found[name] = (_joined(name, chunks, imported=imported), chunks)
    return found


def _of_chunk(
    subset: str, folder: Path, sites: Mapping[int, Sequence[Any]], hours: Mapping[int, float], chunk: int
) -> ChunkSummary:
    expected = hours[chunk]
    summary = ChunkSummary(subset, chunk, len(sites[chunk]), expected_hours=None if math.isnan(expected) else expected)
    path = folder / f"{chunk_name(chunk)}.zip"
    if not path.exists():
        summary.note = "not finished"
        return summary
    try:
        for site, record in read_records(path, Subset.parse(subset).theory):
            add_record(summary, *site, record)
    except (XanesflowError, json.JSONDecodeError) as error:
        summary.note = str(error)
    return summary


def add_record(summary: ChunkSummary, material_id: str, site_index: int, record: Mapping[str, Any]) -> None:
    """Count a run by its run.json."""
    outcome = outcome_of(record)
    if outcome.reason:
        summary.failed[outcome.reason] += 1
    else:
        summary.good += 1
    summary.core_hours += outcome.core_seconds / 3600
    summary.tried_again += attempts_of(record) > 1
    summary.corrected += bool(record.get("corrections"))
    summary.codes[str(record.get("code", "not recorded"))] += 1
    if "host" in record:
        summary.hosts[str(record["host"])] += 1
    versions = record.get("versions")
    for package, version in sorted(versions.items()) if isinstance(versions, Mapping) else ():
        summary.versions[f"{package} {version}"] += 1
    _add_times(summary, site_id(material_id, site_index), record)
    if (failed := failed_site(material_id, site_index, record)) is not None:
        summary.failures.append(failed)


def _add_times(summary: ChunkSummary, site: str, record: Mapping[str, Any]) -> None:
    try:
        seconds = float(record["seconds"])
    except (KeyError, TypeError, ValueError):
        summary.untimed += 1
        return
    summary.seconds.append((seconds, site))
    try:
        began = datetime.fromisoformat(str(record["started"]))
        ended = began + timedelta(seconds=seconds)
        summary.first = min(filter(None, (summary.first, began)))
        summary.last = max(filter(None, (summary.last, ended)))
    except (KeyError, TypeError, ValueError):
        return


def _joined(name: str, chunks: Iterable[ChunkSummary], *, imported: bool) -> SubsetSummary:
    whole = SubsetSummary(name, 0, 0, expected_hours=0.0, imported=imported)
    for each in chunks:
        whole.chunk += 1
        for number in ("sites", "good", "core_hours", "untimed", "tried_again", "corrected"):
            setattr(whole, number, getattr(whole, number) + getattr(each, number))
        for counts in ("failed", "codes", "versions", "hosts"):
            getattr(whole, counts).update(getattr(each, counts))
        whole.seconds += each.seconds
        whole.failures += each.failures
        known = whole.expected_hours is not None and each.expected_hours is not None
        whole.expected_hours = (whole.expected_hours or 0.0) + (each.expected_hours or 0.0) if known else None
        whole.first = min(filter(None, (whole.first, each.first)), default=None)
        whole.last = max(filter(None, (whole.last, each.last)), default=None)
    return whole
