"""`xanesflow check`: shows which finished runs are good."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xanesflow.cli.terminal import print_result
from xanesflow.core.reasons import REASONS
from xanesflow.core.text import plural, printable
from xanesflow.simulations.check_runs import Verdict, check_folders


def show_check(folders: Sequence[Path], *, workers: int = 1, refused_only: bool = False, as_json: bool = False) -> bool:
    """Print a line for each run, its verdict first, then the counts of all verdicts.

    A second line says what a run is, if neither its folder nor the names of its files do, or if it is the only one.

    Args:
        folders: folders with runs.
        workers: processes.
        refused_only: print no lines for good runs.
        as_json: print one JSON object instead, with all that is known of each run.

    Returns:
        Whether all runs are good.

    Raises:
        XanesflowError: a folder does not exist, cannot be listed or holds no run.
    """
    counts: Counter[str] = Counter()
    as_objects = []
    for verdict in check_folders(folders, workers=workers):
        counts[verdict.reason] += 1
        if as_json:
            if verdict.reason or not refused_only:
                as_objects.append(_as_object(verdict))
        elif verdict.reason:
            print_result(f"refused  {verdict.folder}: {verdict.reason}, {verdict.detail}", "red")
            _say_what_it_is(verdict, alone=False)
        elif not refused_only:
            print_result(f"good     {verdict.folder}")
            _say_what_it_is(verdict, alone=False)
    if as_json:
        good = counts[""]
        print_result(json.dumps({"runs": as_objects, "good": good, "refused": counts.total() - good}, indent=1))
        return counts.total() == good
    if counts.total() == 1 and (verdict.reason or not refused_only):
        _say_what_it_is(verdict, alone=True)
    refused = counts.total() - counts[""]
    reasons = ", ".join(f"{counts[reason]} {reason}" for reason in REASONS if counts[reason])
    runs = plural(counts.total(), "run")
    print_result(f"{runs}: {counts['']} good, {refused} refused{reasons and f' ({reasons})'}")
    return not refused


def _say_what_it_is(verdict: Verdict, *, alone: bool) -> None:
    """Print what a run is, and remarks on a good one: at once where only its content says it, else if it is alone."""
    found = verdict.found
    if verdict.by_content == alone:
        return
    edge = f", {found.absorber} {found.edge} edge" if found.absorber and found.edge else ""
    light = f", light along {'; '.join(found.polarisations)}" if found.polarisations else ""
    print_result(f"         {printable(f'{found.code} {found.version}'.strip() + edge + light)}")
    for remark in () if verdict.reason else found.about_element():
        print_result(f"         remark: {printable(remark)}", "yellow")


def _as_object(verdict: Verdict) -> dict[str, Any]:
    """All that is known of a run, for JSON."""
    found = asdict(verdict.found) | {"remarks": list(verdict.found.about_element())}
    return {
        "folder": str(verdict.folder), "good": not verdict.reason, **found, "reason": verdict.reason,
        "detail": verdict.detail,
    }  # fmt: skip
