"""`xanesflow check`: shows which finished runs are good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from xanesflow.cli.terminal import say
from xanesflow.core.reasons import REASONS
from xanesflow.core.text import plural
from xanesflow.simulations.check_runs import check_folders


def show_check(folders: Sequence[Path], console: Console, *, workers: int = 1, refused_only: bool = False) -> bool:
    """Print a line for each run, its verdict first, then the counts of all verdicts.

    Args:
        folders: folders with runs.
        console: to print on.
        workers: processes.
        refused_only: print no lines for good runs.

    Returns:
        Whether all runs are good.

    Raises:
        XanesflowError: a folder does not exist, cannot be listed or holds no run.
    """
    counts: Counter[str] = Counter()
    for verdict in check_folders(folders, workers=workers):
        counts[verdict.reason] += 1
        if verdict.reason:
            say(console, f"refused  {verdict.folder}: {verdict.reason}, {verdict.detail}", "red")
        elif not refused_only:
            say(console, f"good     {verdict.folder}")
    refused = counts.total() - counts[""]
    reasons = ", ".join(f"{counts[reason]} {reason}" for reason in REASONS if counts[reason])
    runs = plural(counts.total(), "run")
    say(console, f"{runs}: {counts['']} good, {refused} refused{reasons and f' ({reasons})'}")
    return not refused
