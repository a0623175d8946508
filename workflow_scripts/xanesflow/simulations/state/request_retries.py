"""Mark failed sites, so that the next call of Snakemake computes these again and no others (see `retry_requests`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from xanesflow.config import result_paths as paths
from xanesflow.config.result_paths import in_results
from xanesflow.core.errors import XanesflowError
from xanesflow.core.reasons import REASONS, TRIED_AGAIN
from xanesflow.core.sites import Site, Subset, parse_site_id, site_id
from xanesflow.core.text import quoted
from xanesflow.running.locks import hold_directory
from xanesflow.simulations.state.campaign_sites import SubsetSites, read_site_table, site_tables
from xanesflow.simulations.state.finished_runs import newest_records
from xanesflow.simulations.state.progress import progress_path, read_progress
from xanesflow.simulations.state.retry_requests import name_run, write_request


@dataclass(frozen=True)
class Failed:
    """A failed run."""

    subset: str  # such as `Cu_FEFF8L`
    chunk: int  # its chunk
    site: Site  # its site
    reason: str  # why it failed
    run: str  # its name in a retry request (`name_run`)


def request_retries(
    directory: Path, subsets: Sequence[str] = (), *, reasons: Sequence[str] = (), sites: Sequence[str] = ()
) -> list[Failed]:
    """Mark failed sites of a campaign.

    Args:
        directory: the working directory.
        subsets: mark failed sites of these only; empty: of all.
        reasons: mark sites that failed for one of these reasons only; empty: for any reason.
        sites: mark these only, such as `mp-390_000`; empty: all.

    Returns:
        The runs whose sites are marked; empty if no failed site matches.

    Raises:
        XanesflowError: the workflow is running in this directory, or a job is running on a chunk; or there is no such
            campaign, subset, reason or failed site. Nothing is marked then.
    """
    tables = site_tables(directory, subsets or None)
    if unknown := [reason for reason in reasons if reason not in REASONS]:
        raise XanesflowError(
            f"{quoted(unknown[0])} is not a reason why a site fails; failed.csv and the report list them."
        )
    wanted = {parse_site_id(site) for site in sites}
    results = directory / paths.RESULTS
    with hold_directory(results):
        of_subsets = {name: read_site_table(path) for name, path in tables.items()}
        failed = [each for name, given in of_subsets.items() for each in _failed(results, name, given)]
        _check_sites(wanted, failed, of_subsets)
        chosen = [
            each for each in failed if (not reasons or each.reason in reasons) and (not wanted or each.site in wanted)
        ]
        places = sorted({(each.subset, each.chunk) for each in chosen})
        # Check every chunk before the first request is written: mark all or nothing.
        for place in places:
            _check_idle(results, *place)
        for subset, chunk in places:
            here = [each for each in failed if (each.subset, each.chunk) == (subset, chunk)]
            again = {site_id(*each.site): each.run for each in here if each in chosen}
            leave = [each.run for each in here if each not in chosen and each.reason in TRIED_AGAIN]
            write_request(in_results(results, paths.SIMULATIONS, subset=subset), chunk, again=again, leave=leave)
    return chosen


def _failed(results: Path, subset: str, given: SubsetSites) -> Iterator[Failed]:
    """The failed sites of a subset; in an unfinished chunk, those that have been computed so far; none of an import."""
    if in_results(results, paths.REJECTED_RUNS, subset=subset).exists():  # runs of before the import are kept
        return
    folder, theory = in_results(results, paths.SIMULATIONS, subset=subset), Subset.parse(subset).theory
    for chunk, sites in sorted(given.chunks.items()):
        if _finished_without_failures(folder, chunk):
            continue
        for site, record in sorted(newest_records(folder, chunk, theory, sites).items()):
            if record.get("outcome") == "failed":
                yield Failed(subset, chunk, site, str(record.get("reason", "")), name_run(record))


def _finished_without_failures(folder: Path, chunk: int) -> bool:
    """Whether a finished chunk recorded that none of its sites failed, so that its runs need not be read."""
    try:
        state = read_progress(progress_path(folder, chunk))
    except OSError:
        return False
    return state is not None and state.state == "finished" and not state.failed


def _check_sites(wanted: set[Site], failed: Sequence[Failed], of_subsets: dict[str, SubsetSites]) -> None:
    missing = sorted(wanted - {each.site for each in failed})
    if not missing:
        return
    name, subsets = site_id(*missing[0]), defaultdict[Site, list[str]](list)
    for subset, given in of_subsets.items():
        for sites in given.chunks.values():
            for site in sites:
                subsets[site].append(subset)
    if missing[0] in subsets:
        raise XanesflowError(
            f"{name} of {', '.join(subsets[missing[0]])} has not failed, so nothing is to be computed again; "
            "`xanesflow status` shows what is done, and results/simulations/<subset>/failed.csv lists what failed."
        )
    raise XanesflowError(
        f"{name} is not a site of {', '.join(of_subsets)}; write <material id>_<site index>, such as mp-390_000."
    )


def _check_idle(results: Path, subset: str, chunk: int) -> None:
    """Raise an error if a job is running on a chunk: a killed workflow may have left it behind."""
    try:
        state = read_progress(progress_path(in_results(results, paths.SIMULATIONS, subset=subset), chunk))
    except OSError:
        return
    if state is not None and state.alive():
        raise XanesflowError(
            f"Chunk {chunk} of {subset} is still running ({state.holder}); wait for it or end it, then try again."
        )
