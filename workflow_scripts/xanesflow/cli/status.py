"""`xanesflow status`: shows the progress of a campaign, once or continually."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from xanesflow.cli.terminal import print_result, results
from xanesflow.core.errors import WrongCallError
from xanesflow.simulations.state.campaign_status import CampaignStatus, SubsetStatus, as_plain, campaign_status
from xanesflow.simulations.state.describe_status import (
    describe_stages,
    forecast,
    listed_counts,
    status_cells,
)

REFRESH = 2.0
"""Smallest number of seconds between two updates; after a slow update, ten times its duration passes."""


_COLUMNS = {
    "subset": "subset", "sites": "sites", "done": "done", "at work": "at work", "failed": "failed",
    "left out": "left out", "chunks": "chunks", "core hours": "core h", "expected": "of", "ends": "ends",
}  # fmt: skip


def show_status(directory: Path, *, watch: bool, as_json: bool) -> None:
    """Print the progress of the campaign in a working directory.

    Args:
        directory: the working directory.
        watch: update the display until Ctrl-C.
        as_json: print one JSON document instead, for scripts.

    Raises:
        WrongCallError: the options do not go together.
        XanesflowError: there is no campaign.
    """
    if as_json and watch:
        raise WrongCallError("--json prints once and --watch prints continually; use one of them.")
    if as_json:
        print_result(json.dumps(as_plain(campaign_status(directory)), indent=1))
        return
    if not watch:
        results().print(render(campaign_status(directory), directory))
        return
    if not results().is_terminal:
        raise WrongCallError("--watch needs a terminal; elsewhere, call `xanesflow status` as often as you like.")
    with suppress(KeyboardInterrupt), Live(console=results(), auto_refresh=False, transient=False) as live:
        while True:
            begin = time.monotonic()
            live.update(render(campaign_status(directory), directory), refresh=True)
            time.sleep(max(REFRESH, 10 * (time.monotonic() - begin)))


def render(status: CampaignStatus, directory: Path) -> RenderableType:
    """The whole page: a row for each subset, then reasons, forecast, stages and notes."""
    at = datetime.fromtimestamp(status.now).strftime("%Y-%m-%d %H:%M:%S")
    parts: list[RenderableType] = [Text(f"{directory.resolve()} at {at}", style="bold"), _table(status)]
    parts += [
        Text(f"{each.subset} failed: {listed_counts(each.failed)}", style="red")
        for each in status.subsets
        if each.failed
    ]
    parts += [
        Text(f"{each.subset} left out before: {listed_counts(each.rejected)}")
        for each in status.subsets
        if each.rejected
    ]
    parts += [Text(forecast(status)), Text(f"Stages: {describe_stages(status)}")]
    notes = [*(note for each in status.subsets for note in each.notes), *status.notes]
    return Group(*parts, *(Text(f"Note: {note}", style="yellow") for note in notes))


def _table(status: CampaignStatus) -> Table:
    """The table, narrow enough for a terminal of 80 columns: no lines, and no empty column `ends`."""
    whole = [*status.subsets, *([status.total()] if len(status.subsets) > 1 else [])]
    cells = [_row(each, status.now) for each in whole]
    names = list(_COLUMNS.values())
    shown = [k for k, name in enumerate(names) if name != "ends" or any(row[k] for row in cells)]
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for k in shown:
        table.add_column(names[k], justify="right" if k else "left", no_wrap=" " not in names[k])
    for each, row in zip(whole, cells, strict=True):
        table.add_row(*(row[k] for k in shown), style="bold" if each.subset == "all" else None)
    return table


def _row(each: SubsetStatus, now: float) -> list[str]:
    cells = status_cells(each, now)
    cells["failed"] = f"[red]{cells['failed']}[/]" if each.n_failed else "0"
    return [cells[name] for name in _COLUMNS]
