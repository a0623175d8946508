"""What workers do for the view Campaign: they read how far it has come. Nothing is started or changed."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from xanesflow.config import result_paths as paths
from xanesflow.config.result_paths import fill
from xanesflow.core.text import printable
from xanesflow.running.do_work import Work
from xanesflow.simulations.state.campaign_status import campaign_status
from xanesflow.simulations.state.describe_status import describe_stages, forecast, status_cells

_MOST = 200  # failed sites that are shown


def read_campaign(work: Work) -> dict[str, Any]:
    """How far the campaign in `given["campaign"]` has come, as `xanesflow status` says it, and what failed and why.

    With `given["alone"]`, the command in a terminal names the campaign's folder.
    """
    directory = Path(work.given["campaign"])
    place = [str(directory.resolve())] if work.given.get("alone") else []  # others need not know where it is
    status = campaign_status(directory)
    whole = [*status.subsets, *([status.total()] if len(status.subsets) > 1 else [])]
    failed = [row for each in status.subsets for row in _failed(directory, each.subset)]
    return {
        "rows": [status_cells(each, status.now) for each in whole],
        "ended": [(each.done + each.n_failed) / max(each.sites, 1) for each in whole],
        "reasons": [[each.subset, reason, number] for each in status.subsets for reason, number in each.failed.items()],
        "failed": failed[:_MOST],
        "n_failed": len(failed),
        "forecast": forecast(status),
        "stages": describe_stages(status),
        "notes": [*(note for each in status.subsets for note in each.notes), *status.notes],
        "report": (directory / paths.REPORT).is_file(),
        "terminal": ["xanesflow", "status", *place],
    }


def _failed(directory: Path, subset: str) -> list[list[str]]:
    """Site, subset, reason and detail of each failed site that a subset's failed.csv lists."""
    path = directory / fill(paths.FAILED_SITES, subset=subset)
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as opened:
        return [[row["site"], subset, row["reason"], printable(row["detail"], 300)] for row in csv.DictReader(opened)]
