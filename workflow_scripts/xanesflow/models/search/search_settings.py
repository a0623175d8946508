"""The search for the settings with which a model is best on the validation part (Optuna's TPE, arXiv 1907.10902)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from xanesflow.config.search_space import SearchSpace
from xanesflow.config.settings_file import Found
from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.errors import XanesflowError
from xanesflow.core.provenance import versions
from xanesflow.models.network.fit import fit_model
from xanesflow.models.network.train import Epoch
from xanesflow.models.search.results import write_results
from xanesflow.models.search.study import LOOK_EVERY, ask, finished, open_study
from xanesflow.models.subset_data import SubsetData, read_subset
from xanesflow.running.locks import hold_directory

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SearchPlan:
    """How a search goes on; the section `models.search.search_settings` of the configuration.

    Attributes:
        space: the settings that are searched, and their values.
        trials: trainings altogether.
        hours: no trial begins once the finished ones took as long together; None: no limit.
        pruner: `percentile` (see `xanesflow.models.search.study.ask`) or `none`.
        seed: of the choices.
    """

    space: SearchSpace
    trials: int
    hours: float | None = None
    pruner: str = "percentile"
    seed: int = 0


def search_settings(
    dataset_path: str | Path,
    output: str | Path,
    *,
    model: str,
    subsets: Sequence[str],
    features: str,
    settings: TrainingSettings,
    plan: SearchPlan,
    study: str | Path,
    trials: str | Path | None = None,
    figure: str | Path | None = None,
) -> Found:
    """Search the settings of a model and write the best ones.

    A trial is a training with settings of the space, all others as given; its value is the mean squared error on the
    validation part of the epoch that a training keeps, the same that stops the training. The test part is not looked
    at. The first trial has the given settings, if they are in the space. A trial that cannot be trained, as its
    learning rate is too large or its network too large for the device, is bad, and no reason to stop.

    Every trial is in the study as soon as it is finished; a search that was stopped goes on with the next one and finds
    the same.

    Args:
        dataset_path: the dataset, `results/dataset/<campaign>.h5`.
        output: the YAML file with the best settings (`xanesflow.config.settings_file`).
        model: a subset, whose expert is searched, or `universal`.
        subsets: those it learns from.
        features: a featurizer of the dataset, or several joined by `+`.
        settings: of what is not searched, `max_epochs` and `seed` of every trial among them.
        plan: see there.
        study: Optuna's journal; no other process may have its folder at the same time.
        trials: CSV with a row a trial, if wanted.
        figure: history and importances of the settings, SVG or PNG, if wanted.

    Raises:
        XanesflowError: the dataset does not hold what is asked for, a part has too few spectra, the study is damaged or
            of another version of Optuna, another process works at it, or no trial could be trained.
    """
    name = f"{model} on {features}"
    data = [read_subset(dataset_path, subset, features) for subset in sorted(subsets)]
    # What fails with the smallest network would fail in every trial, and is not the fault of its settings.
    fit_model("search", model, data, replace(settings, widths=(2,), batch_size=1024, max_epochs=1, learning_rate=1e-3))
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with hold_directory(Path(study).parent):
            opened = open_study(study, name, _identity(data, settings, plan))
            _run_trials(opened, name, data, settings, plan)
            found = _best(opened, model, features, data, plan)
            write_results(opened, found, plan.space, output, trials=trials, drawn=figure)
    finally:
        optuna.logging.set_verbosity(verbosity)
    return found


def _run_trials(
    study: Study, name: str, data: Sequence[SubsetData], settings: TrainingSettings, plan: SearchPlan
) -> None:
    """Make the trials that are still to be made."""
    first = plan.space.parameters(settings)
    while len(done := finished(study)) < plan.trials:
        hours = sum(_seconds(trial) for trial in done) / 3600
        if plan.hours is not None and hours >= plan.hours:
            logger.warning(
                "%s: %d of %d trials took %.3g hours, and models.search.hours is %g; the best of these is taken.",
                name,
                *(len(done), plan.trials, hours, plan.hours),
            )
            return
        trial = ask(study, plan.seed, first, plan.pruner)
        chosen = plan.space.suggest(trial)
        trial.set_user_attr("settings", {key: _plain(value) for key, value in chosen.items()})
        _run_trial(study, trial, data, settings, chosen)
        _log(name, len(done), study.trials[trial.number])


def _run_trial(
    study: Study, trial: optuna.Trial, data: Sequence[SubsetData], settings: TrainingSettings, chosen: dict[str, Any]
) -> None:
    """Train with the chosen settings and tell the study what came of it."""
    for earlier in finished(study):
        if earlier.params == trial.params:
            # The seed is the same too, and so would be the result.
            for attribute in ("epochs", "best_epoch", "learning_rate", "reason"):
                if attribute in earlier.user_attrs:
                    trial.set_user_attr(attribute, earlier.user_attrs[attribute])
            if earlier.state == TrialState.PRUNED and earlier.last_step is not None:
                trial.report(earlier.intermediate_values[earlier.last_step], earlier.last_step)
            study.tell(trial, earlier.value if earlier.state == TrialState.COMPLETE else None, earlier.state)
            return
    epochs: list[Epoch] = []

    def report(epoch: Epoch, rate: float) -> None:
        epochs.append(epoch)
        if epoch.number % LOOK_EVERY == 0:
            # The best up to now, which is what counts in the end: from one epoch to the next the loss is noise.
            trial.report(min(each.val_loss for each in epochs), epoch.number)
            if trial.should_prune():
                raise optuna.TrialPruned

    value = None
    try:
        model, _ = fit_model("search", data[0].subset, data, replace(settings, **chosen), report=report)
        value = model.card.val_mse
        trial.set_user_attr("learning_rate", model.card.learning_rate)
    except optuna.TrialPruned:
        trial.set_user_attr("reason", f"worse than three quarters of the others at epoch {epochs[-1].number}")
    except XanesflowError as error:
        trial.set_user_attr("reason", str(error))
    except torch.OutOfMemoryError:
        trial.set_user_attr("reason", "the device has too little memory for it")
    if epochs:
        trial.set_user_attr("epochs", epochs[-1].number)
        trial.set_user_attr("best_epoch", epochs[-1].best)
    study.tell(trial, value, TrialState.PRUNED if value is None else TrialState.COMPLETE)


def _best(study: Study, model: str, features: str, data: Sequence[SubsetData], plan: SearchPlan) -> Found:
    """The settings of the best trial, and what the file tells of the search."""
    done = finished(study)
    complete = [trial for trial in done if trial.state == TrialState.COMPLETE]
    if not complete:
        reason = done[-1].user_attrs.get("reason", "no trial was made")
        raise XanesflowError(
            f"None of the {len(done)} trials for {model} on {features} could be trained, the last one for this reason: "
            f"{reason} Change models.search.space."
        )
    best = min(complete, key=lambda trial: (trial.value, trial.number))
    stored = best.user_attrs["settings"]
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
    origin = {
        "val_mse_bohr4": best.value,
        "best_trial": done.index(best) + 1,
        "trials": {"complete": len(complete), "ended_early": len(done) - len(complete), "asked_for": plan.trials},
        "study": study.study_name,
        "data_sha256": {subset.subset: subset.data_sha256 for subset in data},
        "searched_with": study.user_attrs["identity"],
        "versions": versions(["optuna", "torch"]),
    }
    return Found(model, features, settings, origin)


def _identity(data: Sequence[SubsetData], settings: TrainingSettings, plan: SearchPlan) -> dict[str, Any]:
    """What a trial's result depends on but its choices."""
    fixed = {
        key: value
        for key, value in settings.as_dict().items()
        if key not in {*plan.space.settings, "device", "threads"}
    }
    return {
        "data": {subset.subset: subset.data_sha256 for subset in data},
        "settings": fixed,
        "space": plan.space.as_dict(),
        "pruner": plan.pruner,
        "seed": plan.seed,
    }


def _seconds(trial: FrozenTrial) -> float:
    return trial.duration.total_seconds() if trial.duration else 0.0


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _log(name: str, number: int, trial: FrozenTrial) -> None:
    settings = ", ".join(f"{key} {value}" for key, value in trial.user_attrs["settings"].items())
    if trial.state == TrialState.COMPLETE:
        result = f"validation error {trial.value:.5g} bohr⁴"
    else:
        result = f"ended early, {trial.user_attrs['reason']}"
    logger.info("%s trial %d: %s: %s (%.1f s)", name, number + 1, settings, result, _seconds(trial))
