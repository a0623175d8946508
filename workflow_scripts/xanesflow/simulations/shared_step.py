"""The step that the sites of a material share, such as VASP's ground state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from xanesflow.core.errors import FailedRunError
from xanesflow.core.reasons import TRIED_AGAIN
from xanesflow.core.sites import WHOLE_MATERIAL, Site
from xanesflow.simulations.state.finished_runs import FinishedRuns

Record = Mapping[str, Any]
"""Content of a run.json."""


def steps_of(sites: Iterable[Site]) -> set[Site]:
    """The shared steps of sites, each written as a site (with `WHOLE_MATERIAL` for its index)."""
    return {(material_id, WHOLE_MATERIAL) for material_id, _ in sites}


def steps_from_before(keeper: FinishedRuns, places: dict[Site, Path], sites: Iterable[Site]) -> dict[str, Record]:
    """Records of the finished shared steps of sites, by material.

    A failed step is dropped from `places`, so that it is computed again before its sites.

    Args:
        keeper: the chunk's finished runs.
        places: the zip of each finished run.
        sites: the sites to compute.
    """
    steps = sorted(steps_of(sites) & places.keys())
    found = {}
    for run in keeper.read({step: places[step] for step in steps}):
        if run.record["outcome"] == "failed":
            del places[run.site]
        else:
            found[run.material_id] = run.record
    return found


def finished_step(record: Record) -> Record:
    """Check that a shared step succeeded, and return its record.

    Raises:
        FailedRunError: it failed. The sites get the step's own reason where that holds for them too: another attempt
            may help (`TRIED_AGAIN`), or an input is missing.
    """
    if record["outcome"] != "failed":
        return record
    reason = record["reason"]
    never_started = record["exit_code"] is None  # an input is missing, and the sites would lack it too
    raise FailedRunError(
        reason if never_started or reason in TRIED_AGAIN else "shared_step_failed",
        f"the step that all its sites share: {record['detail']}",
    )
