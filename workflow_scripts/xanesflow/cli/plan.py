"""`xanesflow plan`: chooses the sites that are worth an expensive run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from xanesflow.cli.terminal import say
from xanesflow.config import result_paths as paths
from xanesflow.config.result_paths import fill
from xanesflow.core.text import first_few, plural
from xanesflow.models.delta.plan_sites import plan_sites, write_plan

_SHOWN = 10


def show_plan(
    directory: Path,
    subset: str,
    budget: int,
    *,
    features: Sequence[str],
    output: Path | None,
    console: Console,
    progress: Console,
) -> None:
    """Choose sites, write their list, and say how to continue.

    Args:
        directory: the campaign's working directory.
        subset: as `Cu_FEFF`.
        budget: number of sites to choose.
        features: to use; empty: all that exist.
        output: CSV to write; None: `results/plan/<subset>.csv` of the campaign.
        console: for the answer.
        progress: for the progress bar.

    Raises:
        XanesflowError: as `plan_sites`.
    """
    with Progress(console=progress, transient=True) as bar:
        task = bar.add_task(f"Choosing {plural(budget, 'site')} of {subset}", total=budget)
        plan = plan_sites(
            directory,
            subset,
            budget,
            features=features or None,
            progress=lambda done, _: bar.update(task, completed=done),
        )

    # The first sites are shown; the file has them all.
    path = output or directory / fill(paths.PLAN, subset=subset)
    write_plan(path, plan)
    new = plan.table[plan.table["rank"] > 0]
    for row in new.head(_SHOWN).itertuples():
        say(console, f"{row.rank:5d}  {row.material_id}, site {row.site_index}: {row.formula}")
    if len(new) > _SHOWN:
        say(console, f"       and {len(new) - _SHOWN} more")
    left = new["variance_left"].iloc[-1]
    say(
        console,
        f"{len(new)} of {plural(plan.sites, 'site')} chosen ({plan.done} have been simulated); {left:.0%} of the "
        "variance left.",
    )
    if hours := new["core_hours"].sum():
        say(console, f"They are expected to take {hours:.0f} core hours.")
    if plan.without_features:
        number = plural(len(plan.without_features), "site")
        say(console, f"{number} could not be considered for want of features ({first_few(plan.without_features)}).")
    say(console, f"Written: {path}. {_how_to_go_on(directory, subset, path)}")


def _how_to_go_on(directory: Path, subset: str, path: Path) -> str:
    if (directory / fill(paths.REJECTED_RUNS, subset=subset)).exists():
        return (
            f"The runs of {subset} are imported, so simulate these sites where the others were, and add their runs to "
            "the archive (simulations.archive)."
        )
    return f"To simulate only these: simulations: {{sites: {{{subset}: {path}}}}}"
