"""`xanesflow plan`: chooses the sites that are worth an expensive run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xanesflow.cli.terminal import print_result, progress_bar
from xanesflow.config import result_paths as paths
from xanesflow.config.result_paths import fill
from xanesflow.core.text import first_few, plural
from xanesflow.models.delta.plan_sites import plan_sites, write_plan

_SHOWN = 10


def show_plan(directory: Path, subset: str, budget: int, *, features: Sequence[str], output: Path | None) -> None:
    """Choose sites, write their list, and say how to continue.

    Args:
        directory: the campaign's working directory.
        subset: as `Cu_FEFF`.
        budget: number of sites to choose.
        features: to use; empty: those of the campaign.
        output: CSV to write; None: `results/plan/<subset>.csv` of the campaign.

    Raises:
        XanesflowError: as `plan_sites`.
    """
    with progress_bar() as bar:
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
        print_result(f"{row.rank:5d}  {row.material_id}, site {row.site_index}: {row.formula}")
    if len(new) > _SHOWN:
        print_result(f"       and {len(new) - _SHOWN} more")
    left = new["variance_left"].iloc[-1]
    print_result(
        f"{len(new)} of {plural(plan.sites, 'site')} chosen ({plan.done} have been simulated) by their features "
        f"{', '.join(plan.features)}; {left:.0%} of the variance left."
    )
    if hours := new["core_hours"].sum():
        print_result(f"They are expected to take {hours:.0f} core hours.")
    if plan.without_features:
        number = plural(len(plan.without_features), "site")
        print_result(f"{number} could not be considered for want of features ({first_few(plan.without_features)}).")
    print_result(f"Written: {path}. {_how_to_go_on(directory, subset, path)}")


def _how_to_go_on(directory: Path, subset: str, path: Path) -> str:
    if (directory / fill(paths.REJECTED_RUNS, subset=subset)).exists():
        return (
            f"The runs of {subset} are imported, so simulate these sites where the others were, and add their runs to "
            "the archive (simulations.archive)."
        )
    if not path.is_absolute():  # Snakemake reads it from the working directory, which need not be the current folder
        path, base = path.resolve(), directory.resolve()
        path = path.relative_to(base) if path.is_relative_to(base) else path
    return f"To simulate only these: simulations: {{sites: {{{subset}: {path}}}}}"
