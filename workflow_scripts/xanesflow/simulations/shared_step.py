"""The step that the sites of a material share, such as VASP's ground state, as a chunk sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from xanesflow.core.errors import FailedRunError
from xanesflow.core.sites import WHOLE_MATERIAL, Site
from xanesflow.simulations.state.finished_runs import FinishedRuns, run_site
from xanesflow.simulations.state.retry_requests import PASSING

Record = Mapping[str, Any]
"""Content of a run.json."""


def steps_of(sites: Iterable[Site]) -> set[Site]:
    """The shared steps of sites, each in the form of a site."""
    return {(material_id, WHOLE_MATERIAL) for material_id, _ in sites}


def steps_from_before(keeper: FinishedRuns, places: dict[Site, Path], sites: Iterable[Site]) -> dict[str, Record]:
    """The records of the kept shared steps by material, where sites of it are to be computed.

    A failed one is dropped from `places`, so that it is computed again before its sites are.

    Args:
        keeper: the chunk's finished runs.
        places: where they are.
        sites: those that are to be computed.
    """
    steps = sorted(steps_of(sites) & places.keys())
    found = {}
    for run in keeper.read({step: places[step] for step in steps}):
        if run.record["outcome"] == "failed":
            del places[run_site(run)]
        else:
            found[run.material_id] = run.record
    return found


def finished_step(record: Record) -> Record:
    """The record of a shared step that came to a good end.

    Raises:
        FailedRunError: it did not; a reason that tells of more than that step goes on to its sites.
    """
    if record["outcome"] != "failed":
        return record
    reason = record["reason"]
    never_started = record["exit_code"] is None  # for want of an input, as its sites would be
    raise FailedRunError(
        reason if never_started or reason in PASSING else "shared_step_failed",
        f"the step that all its sites share: {record['detail']}",
    )
