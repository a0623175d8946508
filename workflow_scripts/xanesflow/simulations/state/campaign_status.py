"""How far a campaign has come, read from its working directory alone, without Snakemake, engine or structures.

The sites come from the site tables, and those that are planned from the list that the jobs recorded. What is done and
what is running comes from the chunks' small progress files (`progress`); if one is missing or damaged, the packed runs
themselves are read.

The forecast assumes that as many sites run at a time as now. The core hours left are those expected for the sites still
to do (`structures.cost`), times the hours that the finished sites took for each hour expected of them. Where nothing is
expected, each site still to do counts as the mean of the finished ones.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py

from xanesflow.config import result_paths as paths
from xanesflow.config.result_paths import fill, in_results
from xanesflow.core.damage import explain_damage
from xanesflow.core.errors import XanesflowError
from xanesflow.core.reasons import REASONS
from xanesflow.core.sites import Site, Subset, chunk_name
from xanesflow.core.tables import read_columns
from xanesflow.core.text import first_of, one_line, plural
from xanesflow.simulations.state.campaign_sites import read_site_table, recorded_list, site_tables
from xanesflow.simulations.state.finished_runs import newest_records
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
"""State of a stage's files; outdated means older than what they are made from."""

_LISTED = 5  # chunks that a note names


@dataclass
class SubsetStatus:
    """How far a subset has come; counts are of sites."""

    subset: str  # such as `Cu_FEFF`
    sites: int = 0  # planned ones of its site table
    done: int = 0  # with a good run
    running: int = 0  # now
    failed: dict[str, int] = field(default_factory=dict)  # by reason, in the order of the documented list
    # sites or whole materials that were left out before the simulations, by reason; `not_planned` counts sites
    rejected: dict[str, int] = field(default_factory=dict)
    imported: bool = False  # whether the runs come from an archive, so that nothing is computed
    chunks: int = 0  # chunks that hold sites
    packed: int = 0  # chunks whose zip exists
    core_hours_used: float = 0.0  # by all runs that have ended, good and failed, as far as known
    core_hours_expected: float | None = None  # for all sites; None: not known
    core_hours_left: float | None = None  # for the sites still to do; None: not known
    # when the subset is done at the present pace, seconds since 1970; None: nothing is running, or not known
    ends: float | None = None
    stages: dict[str, str] = field(default_factory=dict)  # state of each stage's files
    notes: list[str] = field(default_factory=list)  # one sentence for each thing that is not as it should be

    @property
    def n_failed(self) -> int:
        """Failed sites, for any reason."""
        return sum(self.failed.values())

    @property
    def waiting(self) -> int:
        """Sites that have not been started."""
        return max(self.sites - self.done - self.n_failed - self.running, 0)


@dataclass
class CampaignStatus:
    """How far a campaign has come."""

    subsets: list[SubsetStatus]  # in the order of their names
    ends: float | None  # when all simulations are done at the present pace, seconds since 1970; None: not known
    stages: dict[str, str]  # state of the files of those stages that serve the whole campaign
    notes: list[str]  # as in `SubsetStatus`, on the whole campaign
    now: float  # when this was read, seconds since 1970

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
    """Read how far the campaign in a working directory has come.

    Args:
        directory: the working directory, which holds `results`.
        subsets: only these; None: all that have a site table.
        now: seconds since 1970; None: the present time.

    Raises:
        XanesflowError: there are no results, or none of a subset that you name.
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
        theory = Subset.parse(name).theory
        given = read_site_table(table, None if status.imported else recorded_list(folder))
    except XanesflowError as error:
        status.notes.append(str(error))
        return status
    if given.not_planned:
        status.rejected = _in_order(Counter({**status.rejected, "not_planned": given.not_planned}))
    chunks, hours = given.chunks, given.core_hours
    status.sites, status.chunks = sum(map(len, chunks.values())), len(chunks)
    packed = {path.stem for path in folder.glob("[0-9]*.zip")}
    status.packed = sum(chunk_name(chunk) in packed for chunk in chunks)
    if status.imported:
        status.done = sum(len(sites) for chunk, sites in chunks.items() if chunk_name(chunk) in packed)
    else:
        _add_chunks(status, folder, theory=theory, chunks=chunks, hours=hours, packed=packed, now=now)
    status.stages = _stages_of(results, status, table, [folder / f"{chunk_name(chunk)}.zip" for chunk in chunks])
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
    # Chunks whose process died, whose site table has changed, and whose runs had to be counted.
    dead, moved, counted = [], 0, []
    used = expected_of_ended = worked = 0.0
    for chunk, sites in sorted(chunks.items()):
        # The chunk's own progress file, or a count of its runs.
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
        # Add the chunk's sites and hours to the subset's.
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
        status.notes.append(
            f"{status.subset}: {plural(marked, 'failed site is', 'failed sites are')} marked to be computed again by "
            "`snakemake`."
        )


def _forecast(status: SubsetStatus, expected: float, expected_of_ended: float, worked: float, now: float) -> None:
    """Set the core hours left and the time of the end; the running sites have already spent `worked` hours of these."""
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


def _count_runs(status: SubsetStatus, folder: Path, theory: str, chunk: int, sites: list[Site]) -> ChunkState:
    """The state of a chunk, counted from its packed runs, or from single ones if it is not packed yet."""
    outcomes: list[RunOutcome] = []
    try:
        outcomes += map(outcome_of, newest_records(folder, chunk, theory, sites).values())
    except XanesflowError as error:
        status.notes.append(str(error))
    failed = Counter(outcome.reason for outcome in outcomes if outcome.reason)
    return ChunkState(
        status.subset, chunk, len(sites), hash_sites(sites), "finished", len(outcomes) - failed.total(), dict(failed),
        sum(outcome.core_seconds for outcome in outcomes),
    )  # fmt: skip


def _remark(status: SubsetStatus, dead: list[ChunkState], moved: int, counted: list[int]) -> None:
    if dead:
        last = max(dead, key=lambda state: state.updated)
        status.notes.append(
            f"{status.subset}: {_chunks(state.chunk for state in dead)} no longer running, but never reported an end: "
            f"the last sign of life came at {time.strftime('%Y-%m-%d %H:%M', time.localtime(last.updated))} ("
            f"{last.holder}); the next `snakemake` continues from there."
        )
    if moved:
        status.notes.append(
            f"{status.subset}: the site table or the list of sites is newer than the progress files of {moved} of "
            f"{plural(status.chunks, 'chunk')}, so the counts are approximate until `snakemake` has run these chunks."
        )
    if counted:
        status.notes.append(
            f"{status.subset}: {_chunks(counted)} counted from {'its' if len(counted) == 1 else 'their'} runs, "
            f"as the progress {'file is' if len(counted) == 1 else 'files are'} missing or damaged."
        )


def _chunks(numbers: Iterable[int]) -> str:
    """`chunk 0003 is`; `chunks 0003, 0004 are`."""
    names = [chunk_name(number) for number in sorted(numbers)]
    return f"chunk {names[0]} is" if len(names) == 1 else f"chunks {first_of(names, _LISTED)} are"


def _rejected(path: Path, status: SubsetStatus) -> dict[str, int]:
    if not path.exists():
        return {}
    try:
        counts = Counter(read_columns(path, ["reason"])["reason"].to_pylist())
    except (XanesflowError, KeyError) as error:
        status.notes.append(str(error))
        return {}
    del counts["no_absorber"]  # materials without this element may be in the same folder or library
    return _in_order(counts)


def _in_order(counts: Counter[str]) -> dict[str, int]:
    known = {reason: counts[reason] for reason in REASONS if counts[reason]}
    return known | {reason: number for reason, number in sorted(counts.items()) if number and reason not in REASONS}


def _stages_of(results: Path, status: SubsetStatus, table: Path, zips: list[Path]) -> dict[str, str]:
    """State of the files of a subset's stages, by the name of the stage."""
    spectra = in_results(results, paths.SPECTRA, subset=status.subset)
    return {
        "structures": DONE,
        "simulations": DONE if status.packed == status.chunks else MISSING,
        "spectra": _state([spectra], zips),
        "features": _state(
            _features(results, status.subset), [in_results(results, paths.STRUCTURES, subset=status.subset), table]
        ),
    }


def _stages(results: Path, found: list[SubsetStatus]) -> dict[str, str]:
    """State of the files of those stages that serve the whole campaign."""
    dataset = _newest_dataset(results)
    metrics, report = (in_results(results, each) for each in (paths.METRICS, paths.REPORT))
    return {
        "dataset": _state(dataset, [in_results(results, paths.SPECTRA, subset=each.subset) for each in found]),
        "evaluation": _state([metrics], dataset),
        "report": _state([report], [metrics]),
    }


def _features(results: Path, subset: str) -> list[Path]:
    """The files of the features that the newest dataset has; all, if there is no dataset of the subset yet."""
    for dataset in _newest_dataset(results):
        with suppress(XanesflowError), explain_damage("{why}"), h5py.File(dataset) as file:
            names = sorted(file[f"{subset}/features"])
            return [in_results(results, paths.FEATURES, featurizer=name, subset=subset) for name in names]
    return sorted(in_results(results, paths.FEATURES, featurizer="", subset=subset).parent.glob(f"*/{subset}.h5"))


def _newest_dataset(results: Path) -> list[Path]:
    """The newest dataset, in a list, as campaigns of earlier names leave theirs behind; empty: there is none."""
    found = in_results(results, paths.DATASET, campaign="").parent.glob("[!.]*.h5")
    return sorted(found, key=lambda path: _changed(path) or 0.0)[-1:]


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
    if not listed:
        return []
    return [f"The failed sites are listed in {', '.join(listed)}; `xanesflow retry` marks them to be computed again."]


def as_plain(status: CampaignStatus) -> dict[str, Any]:
    """The status as plain values, for JSON; times are seconds since 1970."""
    whole = asdict(status)
    for each, of in zip(whole["subsets"], status.subsets, strict=True):
        each["waiting"] = of.waiting
    return whole
