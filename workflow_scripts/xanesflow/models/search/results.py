"""Write the results of a search: a file with the best settings, a table of the trials, a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from xanesflow.config.search_space import SearchSpace
from xanesflow.config.settings_file import Found, write_found
from xanesflow.core.figures import BASELINE, MODEL, TRUTH, figure
from xanesflow.core.tables import write_rows
from xanesflow.models.search.study import finished

FEWEST_FOR_IMPORTANCES = 8  # trials; from fewer, importances mean nothing


def write_results(
    study: Study,
    found: Found,
    space: SearchSpace,
    output: str | Path,
    *,
    trials: str | Path | None,
    drawn: str | Path | None,
) -> None:
    """Write the results of a search.

    Args:
        study: the study with its trials.
        found: the best settings.
        space: the settings that were searched.
        output: YAML file for the best settings.
        trials: CSV file for the trials, if wanted.
        drawn: file for the figure, if wanted.
    """
    done = finished(study)
    if trials is not None:
        write_trials(trials, done, list(space.settings))
    if drawn is not None:
        draw_search(drawn, study, f"search of {found.model} on {found.features}")
    counts = found.origin["trials"]
    write_found(
        output,
        found,
        f"The best settings of {found.model} on {found.features} that `snakemake search` found: validation error "
        f"{found.origin['val_mse_bohr4']:.5g} bohr⁴\n"
        f"in trial {found.origin['best_trial']} of {len(done)} ({counts['complete']} trained to the end). Name this "
        "file in `models.settings_files`, or copy from it.",
    )


def write_trials(path: str | Path, trials: Sequence[FrozenTrial], settings: Sequence[str]) -> None:
    """Write one row for each trial, in order; the same search gives the same rows, except for `seconds`.

    Columns: trial (from 1), state (`complete` or `ended_early`), val_mse in bohr⁴ (empty if it ended early),
    best_epoch, epochs, one column for each searched setting, learning_rate (the rate used, unless it is a searched
    setting), seconds, reason why it ended early.
    """
    used = [] if "learning_rate" in settings else ["learning_rate"]
    rows = []
    for number, trial in enumerate(trials, start=1):
        noted, complete = trial.user_attrs, trial.state == TrialState.COMPLETE
        row = [number, "complete" if complete else "ended_early", trial.value if complete else ""]
        row += [noted.get(name, "") for name in ("best_epoch", "epochs")]
        row += [_text(noted["settings"][name]) for name in settings] + [noted.get(name, "") for name in used]
        seconds = trial.duration.total_seconds() if trial.duration else 0.0
        rows.append([*row, round(seconds, 1), noted.get("reason", "")])
    head = ["trial", "state", "val_mse", "best_epoch", "epochs"]
    write_rows(path, [*head, *settings, *used, "seconds", "reason"], rows)


def draw_search(path: str | Path, study: Study, title: str) -> None:
    """Draw the trials in order and, if there are enough, how much each setting matters (SVG, PNG or PDF).

    PED-ANOVA (arXiv 2304.10255) gives the importance of a setting: how much its values in the better trials differ
    from those in all trials, as a share of the sum over all settings.
    """
    importances = _importances(study)
    panels = 2 if importances else 1
    with figure(path, 4.8 * panels, 3.4) as drawn:
        axes = drawn.subplots(1, panels, squeeze=False)[0]
        _draw_history(axes[0], finished(study))
        if importances:
            _draw_importances(axes[1], importances)
        drawn.suptitle(title)


def _importances(study: Study) -> dict[str, float]:
    """Importance of each parameter, the largest first; empty if there are too few trials, or all have one value."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < FEWEST_FOR_IMPORTANCES or len({trial.value for trial in complete}) < 2:
        return {}
    return {name: float(share) for name, share in optuna.importance.get_param_importances(study).items()}


def _draw_history(axes: Axes, trials: Sequence[FrozenTrial]) -> None:
    complete = [(n, t.value) for n, t in enumerate(trials, start=1) if t.state == TrialState.COMPLETE]
    early = [n for n, trial in enumerate(trials, start=1) if trial.state != TrialState.COMPLETE]
    numbers, values = (list(column) for column in zip(*complete, strict=True))
    best: list[Any] = [min(values[: i + 1]) for i in range(len(values))]
    axes.plot(numbers, values, "o", color=MODEL, ms=4, label="trained to the end")
    axes.step([*numbers, len(trials)], [*best, best[-1]], where="post", color=TRUTH, lw=1, label="best so far")
    if early:
        axes.plot(early, [1.0] * len(early), "|", color=BASELINE, ms=7, label="ended early", clip_on=False,
                  transform=axes.get_xaxis_transform())  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="trial", ylabel="validation mean squared error (bohr⁴)", yscale="log")
    axes.legend()


def _draw_importances(axes: Axes, importances: dict[str, float]) -> None:
    names = list(importances)[::-1]
    axes.barh(names, [importances[name] for name in names], color=MODEL)
    axes.set(xlabel="importance (share)", xlim=(0, 1))
    axes.grid(visible=False, axis="y")


def _text(value: Any) -> str:
    """A setting as the text of one cell; widths become 600-600-400."""
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)
