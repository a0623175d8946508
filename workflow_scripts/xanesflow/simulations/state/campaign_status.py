"""How a campaign stands, read from its working directory alone: no Snakemake, no engine, no structure is looked at.

Sites come from the site tables, what is done and at work from the chunks' own small files (`progress`), and only where
such a file is missing or damaged from the packed runs themselves. The forecast takes the sites that are at work now to
be all that will be at work, and the core hours that the sites still to be done should cost: their expected ones
(`structures.cost`) times what the ended ones took for each hour that they were expected to take; where none are
expected, the mean of the ended ones.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from xanesflow.codes.run_zip import read_records
from xanesflow.config import result_paths as paths
from xanesflow.config.result_paths import fill, in_results
from xanesflow.core.errors import XanesflowError
from xanesflow.core.reasons import REASONS
from xanesflow.core.sites import Site, Subset, chunk_name
from xanesflow.core.text import first_of, one_line
from xanesflow.simulations.state.campaign_sites import read_columns, read_site_table, site_tables
from xanesflow.simulations.state.finished_runs import zips_of
from xanesflow.simulations.state.progress import (
    ChunkState,
    RunOutcome,
    hash_sites,
    outcome_of,
    progress_path,
    read_progress,
)
from xanesflow.simulations.state.retry_requests import open_request

DONE, OUTDATED, MISSING = "done", "outdated", "missing"
"""How the file of a stage stands: outdated is what is older than what it is made from."""

_LISTED = 5  # chunks that a remark names


@dataclass
class SubsetStatus:
    """How a subset stands; counts are of sites.

    Attributes:
        subset: such as `Cu_FEFF`.
        sites: in its site table.
        done: with a good run.
        running: at work now.
        failed: by reason, in the order of the documented list.
        rejected: what was left out before, by reason: sites, or whole materials.
        imported: whether its runs were imported from an archive, so that nothing is computed.
        chunks: that hold sites.
        packed: chunks whose zip is there.
        core_hours_used: by all runs that have ended, good and failed, as far as it is known.
        core_hours_expected: for all sites; None: not known.
        core_hours_left: for the sites still to be done; None: not known.
        ends: when it is done if all goes on as now, seconds since 1970; None: nothing is at work, or it is not known.
        stages: how the files of each stage stand.
        notes: a sentence on each thing that is not as it should be.
    """

    subset: str
    sites: int = 0
    done: int = 0
    running: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    imported: bool = False
    chunks: int = 0
    packed: int = 0
    core_hours_used: float = 0.0
    core_hours_expected: float | None = None
    core_hours_left: float | None = None
    ends: float | None = None
    stages: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def n_failed(self) -> int:
        """Failed sites, of all reasons."""
        return sum(self.failed.values())

    @property
    def waiting(self) -> int:
        """Sites that nothing has been done for yet."""
        return max(self.sites - self.done - self.n_failed - self.running, 0)


@dataclass
class CampaignStatus:
    """How a campaign stands.

    Attributes:
        subsets: in the order of their names.
        ends: when all simulations are done if all goes on as now, seconds since 1970; None: not known.
        stages: how the files of the stages stand that are of no single subset.
        notes: as of a subset.
        now: when this was read.
    """

    subsets: list[SubsetStatus]
    ends: float | None
    stages: dict[str, str]
    notes: list[str]
    now: float

    def total(self) -> SubsetStatus:
        """All subsets together, without stages and notes."""
        whole = SubsetStatus("all")
        for name in ("sites", "done", "running", "chunks", "packed", "core_hours_used"):
            setattr(whole, name, sum(getattr(each, name) for each in self.subsets))
        for name in ("core_hours_expected", "core_hours_left"):
            hours = [getattr(each, name) for each in self.subsets if not each.imported]
            setattr(whole, name, None if None in hours else sum(hours))
        whole.failed = _in_order(sum((Counter(each.failed) for each in self.subsets), Counter()))
        whole.rejected = _in_order(sum((Counter(each.rejected) for each in self.subsets), Counter()))
        whole.ends = self.ends
        return whole


def campaign_status(
    directory: Path, subsets: Sequence[str] | None = None, *, now: float | None = None
) -> CampaignStatus:
    """Read how the campaign in a working directory stands.

    Args:
        directory: the working directory, the one that holds `results`.
        subsets: those alone; None: all that have a site table.
        now: seconds since 1970; None: the clock's.

    Raises:
        XanesflowError: there are no results, or not of a subset.
    """
    now = time.time() if now is None else now
    results = directory / paths.RESULTS
    tables = site_tables(directory, subsets)
    found = [_subset_status(results, name, path, now) for name, path in tables.items()]
    open_ones = [each for each in found if not each.imported and each.core_hours_left != 0]
    hours, running = [each.core_hours_left for each in open_ones], sum(each.running for each in found)
    ends = None if None in hours or not running else now + 3600 * sum(filter(None, hours)) / running
    return CampaignStatus(found, ends, _stages(results, found), _notes(results, found), now)


def _subset_status(results: Path, name: str, table: Path, now: float) -> SubsetStatus:
    status = SubsetStatus(name)
    folder = in_results(results, paths.SIMULATIONS, subset=name)
    rejected = [in_results(results, each, subset=name) for each in (paths.REJECTED_STRUCTURES, paths.REJECTED_RUNS)]
    status.imported = rejected[1].exists()
    status.rejected = _rejected(rejected[status.imported], status)
    try:
        theory, given = Subset.parse(name).theory, read_site_table(table)
    except XanesflowError as error:
        status.notes.append(str(error))
        return status
    chunks, hours = given.chunks, given.core_hours
    status.sites, status.chunks = sum(map(len, chunks.values())), len(chunks)
    packed = {path.stem for path in folder.glob("[0-9]*.zip")}
    status.packed = sum(chunk_name(chunk) in packed for chunk in chunks)
    if status.imported:
        status.done = sum(len(sites) for chunk, sites in chunks.items() if chunk_name(chunk) in packed)
    else:
        _add_chunks(status, folder, theory=theory, chunks=chunks, hours=hours, packed=packed, now=now)
    status.stages = _stages_of(results, status, [folder / f"{chunk_name(chunk)}.zip" for chunk in chunks])
    return status


def _add_chunks(
    status: SubsetStatus,
    folder: Path,
    *,
    theory: str,
    chunks: dict[int, list[Site]],
    hours: dict[int, float],
    packed: set[str],
    now: float,
) -> None:
    kept = {path.stem for path in (folder / "kept").glob("[0-9]*")} | packed
    ordered = {path.stem for path in folder.glob("retry/[0-9]*.json")}
    failed: Counter[str] = Counter()
    marked = 0
    dead, moved, counted = [], 0, []
    used = expected_of_ended = worked = 0.0
    for chunk, sites in sorted(chunks.items()):
        path = progress_path(folder, chunk)
        state: ChunkState | None = None
        try:
            state = read_progress(path)
        except FileNotFoundError:
            if chunk_name(chunk) not in kept:
                continue
        except OSError as error:
            status.notes.append(f"{path} cannot be read ({one_line(error, 160)}).")
        if state is None:
            counted.append(chunk)
            state = _count_runs(status, folder, theory, chunk, sites)
        elif chunk_name(chunk) not in kept and not state.alive(now):
            continue  # its runs were deleted
        elif state.sites_sha256 != hash_sites(sites):
            moved += 1
        done = min(state.done, len(sites))
        status.done += done
        failed.update(state.failed)
        used += state.core_seconds / 3600
        ended = min(state.ended, len(sites))
        expected_of_ended += hours[chunk] * ended / len(sites)
        marked += len(open_request(folder, chunk)) if chunk_name(chunk) in ordered else 0
        if state.alive(now):
            status.running += len(state.running)
            worked += sum(max(now - begun, 0.0) for begun in state.running.values()) / 3600
        elif state.state == "running":
            dead.append(state)
        elif state.state == "stopped" and ended < len(sites):
            status.notes.append(f"{status.subset} chunk {chunk} stopped: {state.message}")
    status.failed = _in_order(failed)
    status.core_hours_used = used
    expected = sum(hours.values())
    status.core_hours_expected = None if math.isnan(expected) else expected
    _forecast(status, expected, expected_of_ended, worked, now)
    _remark(status, dead, moved, counted)
    if marked:
        status.notes.append(f"{status.subset}: {marked} failed sites are marked to be computed again by `snakemake`.")


def _forecast(status: SubsetStatus, expected: float, expected_of_ended: float, worked: float, now: float) -> None:
    """Core hours that are left and when they will be over; `worked` hours of them are spent by the sites at work."""
    ended, used = status.done + status.n_failed, status.core_hours_used
    if ended >= status.sites:
        status.core_hours_left = 0.0
        return
    if not math.isnan(expected):
        factor = used / expected_of_ended if used and expected_of_ended > 0 else 1.0
        left = max(expected - expected_of_ended, 0.0) * factor
    elif ended and used:
        left = (status.sites - ended) * used / ended
    else:
        return
    status.core_hours_left = max(left - worked, 0.0)
    if status.running:
        status.ends = now + 3600 * status.core_hours_left / status.running


def _count_runs(status: SubsetStatus, folder: Path, theory: str, chunk: int, sites: Iterable[Site]) -> ChunkState:
    """How a chunk stands by its packed runs, or by those that are kept singly."""
    wanted, outcomes = set(sites), dict[Site, RunOutcome]()
    for path in zips_of(folder, chunk):
        try:
            outcomes |= {site: outcome_of(record) for site, record in read_records(path, theory) if site in wanted}
        except XanesflowError as error:
            status.notes.append(str(error))
    failed = Counter(outcome.reason for outcome in outcomes.values() if outcome.reason)
    return ChunkState(
        status.subset, chunk, len(wanted), hash_sites(wanted), "finished", len(outcomes) - failed.total(), dict(failed),
        sum(outcome.core_seconds for outcome in outcomes.values()),
    )  # fmt: skip


def _remark(status: SubsetStatus, dead: list[ChunkState], moved: int, counted: list[int]) -> None:
    if dead:
        last = max(dead, key=lambda state: state.updated)
        status.notes.append(
            f"{status.subset}: {_chunks(state.chunk for state in dead)} not at work any more, though without an end: "
            f"the last sign of life was of {time.strftime('%Y-%m-%d %H:%M', time.localtime(last.updated))} ("
            f"{last.holder}); the next `snakemake` goes on there."
        )
    if moved:
        status.notes.append(
            f"{status.subset}: the site table is newer than what {moved} of {status.chunks} chunks tell, so that "
            "counts are near the truth only, until `snakemake` has gone through them."
        )
    if counted:
        status.notes.append(
            f"{status.subset}: {_chunks(counted)} counted by {'its' if len(counted) == 1 else 'their'} runs, as "
            "the file that tells how a chunk stands is missing or damaged."
        )


def _chunks(numbers: Iterable[int]) -> str:
    """`chunk 0003 is`; `chunks 0003, 0004 are`."""
    names = [chunk_name(number) for number in sorted(numbers)]
    return f"chunk {names[0]} is" if len(names) == 1 else f"chunks {first_of(names, _LISTED)} are"


def _rejected(path: Path, status: SubsetStatus) -> dict[str, int]:
    try:
        counts = Counter(read_columns(path, ["reason"])["reason"].to_pylist())
    except FileNotFoundError:
        return {}
    except (XanesflowError, KeyError) as error:
        status.notes.append(str(error))
        return {}
    del counts["no_absorber"]  # a folder or library serves many elements
    return _in_order(counts)


def _in_order(counts: Counter[str]) -> dict[str, int]:
    known = {reason: counts[reason] for reason in REASONS if counts[reason]}
    return known | {reason: number for reason, number in sorted(counts.items()) if number and reason not in REASONS}


def _stages_of(results: Path, status: SubsetStatus, zips: list[Path]) -> dict[str, str]:
    """How the files of a subset's stages stand, by the name of the stage."""
    features = sorted(results.parent.glob(fill(paths.FEATURES, featurizer="*", subset=status.subset)))
    spectra = in_results(results, paths.SPECTRA, subset=status.subset)
    return {
        "structures": DONE,
        "simulations": DONE if status.packed == status.chunks else MISSING,
        "spectra": _state([spectra], zips),
        "features": _state(features, [spectra]),
    }


def _stages(results: Path, found: list[SubsetStatus]) -> dict[str, str]:
    """How the files stand that are of the whole campaign."""
    dataset = sorted(in_results(results, paths.DATASET, campaign="").parent.glob("*.h5"))
    metrics, report = (in_results(results, each) for each in (paths.METRICS, paths.REPORT))
    return {
        "dataset": _state(dataset, [in_results(results, paths.SPECTRA, subset=each.subset) for each in found]),
        "evaluation": _state([metrics], dataset),
        "report": _state([report], [metrics]),
    }


def _state(files: list[Path], made_from: Iterable[Path]) -> str:
    times = [_changed(path) for path in files]
    if not times or None in times:
        return MISSING
    newest = max((_changed(path) or 0.0 for path in made_from), default=0.0)
    return OUTDATED if min(filter(None, times)) < newest else DONE


def _changed(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _notes(results: Path, found: list[SubsetStatus]) -> list[str]:
    failed = [fill(paths.FAILED_SITES, subset=each.subset) for each in found if each.n_failed]
    listed = [table for table in failed if in_results(results, table).exists()]
    return [f"The failed sites stand in {', '.join(listed)}."] if listed else []


def as_plain(status: CampaignStatus) -> dict[str, Any]:
    """The status as plain values, for JSON; times are seconds since 1970."""
    whole = asdict(status)
    for each, of in zip(whole["subsets"], status.subsets, strict=True):
        each["waiting"] = of.waiting
    return whole
