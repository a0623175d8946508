"""Search for the settings with which a model does best on the validation part (Optuna's TPE, arXiv 1907.10902)."""

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
from xanesflow.core.text import plural
from xanesflow.models.network.fit import fit_model
from xanesflow.models.network.train import Epoch
from xanesflow.models.search.results import write_results
from xanesflow.models.search.study import LOOK_EVERY, finished, open_study, prepare_next
from xanesflow.models.subset_data import SubsetData, read_subset
from xanesflow.running.locks import hold_directory

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SearchPlan:
    """The plan of a search; the section `models.search` of the configuration."""

    space: SearchSpace  # the settings to search, and their values
    trials: int  # total number of trials
    # no new trial starts once the finished ones took this long together; None means no limit
    hours: float | None = None
    pruner: str = "percentile"  # `percentile` (see `xanesflow.models.search.study.prepare_next`) or `none`
    seed: int = 0  # seed of the choices


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

    A trial is a training with settings from the space and all other settings as given. Its value is the validation
    error (mean squared error) of the epoch whose weights the training keeps; the same error stops the training. The
    test part is not used. The first trial uses the given settings, if they are in the space. A trial that cannot be
    trained, because its learning rate is too large or the device has too little memory, counts as bad, and the search
    continues.

    The study stores every trial as soon as it is finished. A search that was interrupted continues with the next trial
    and finds the same settings.

    Args:
        dataset_path: the dataset, `results/dataset/<campaign>.h5`.
        output: YAML file for the best settings (`xanesflow.config.settings_file`).
        model: `universal`, or the subset whose expert is searched.
        subsets: the subsets from which the model learns.
        features: a featurizer of the dataset, or several joined by `+`.
        settings: all settings that are not searched, including `max_epochs` and `seed` of every trial. Trials have no
            share of a kernel regression.
        plan: space, limits and seed of the search.
        study: Optuna's journal; no other process may use its folder at the same time.
        trials: CSV for the trials, if wanted.
        figure: SVG or PNG for the history and the importances of the settings, if wanted.

    Raises:
        XanesflowError: the dataset lacks the subsets or features, a part has too few spectra, the study is damaged or
            from another version of Optuna, another process uses it, or no trial could be trained.
    """
    name = f"{model} on {features}"
    # A trial's value is the network's own error, to which a kernel regression adds nothing but time and memory.
    settings = replace(settings, kernel_share=0.0)
    data = [read_subset(dataset_path, subset, features) for subset in sorted(subsets)]
    # First train the smallest network: if that fails, every trial would fail, whatever its settings.
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
    """Run trials until there are enough, or the time is up."""

    def train(trial: optuna.Trial) -> float:
        chosen = plan.space.suggest(trial)
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in chosen.items()}
        trial.set_user_attr("settings", plain)
        return _train(trial, data, replace(settings, **chosen))

    first = plan.space.parameters(settings)
    while len(done := finished(study)) < plan.trials:
        hours = sum(_seconds(trial) for trial in done) / 3600
        if plan.hours is not None and hours >= plan.hours:
            logger.warning(
                "%s: %d of %d trials took %.3g hours, and models.search.hours is %g; the best of these is used.",
                name,
                *(len(done), plan.trials, hours, plan.hours),
            )
            return
        prepare_next(study, plan.seed, first, plan.pruner)
        study.optimize(train, n_trials=1)
        _log(name, len(done), study.trials[-1])


def _train(trial: optuna.Trial, data: Sequence[SubsetData], settings: TrainingSettings) -> float:
    """Train with the settings of a trial; returns the validation error in bohr⁴.

    Raises:
        TrialPruned: the trial ended early, for the reason that it notes.
    """
    # A finished trial with the same settings has the same seed too, so its result is copied.
    for earlier in finished(trial.study):
        if earlier.params == trial.params:
            for attribute, value in earlier.user_attrs.items():
                trial.set_user_attr(attribute, value)
            if earlier.state == TrialState.COMPLETE:
                return float(earlier.values[0])
            if earlier.last_step is not None:
                trial.report(earlier.intermediate_values[earlier.last_step], earlier.last_step)
            raise optuna.TrialPruned

    # Train, and let the pruner compare the trial with the others now and then.
    epochs: list[Epoch] = []

    def report(epoch: Epoch, rate: float) -> None:
        epochs.append(epoch)
        if epoch.number % LOOK_EVERY == 0:
            # Report the best loss so far, which counts in the end; from one epoch to the next, losses are noisy.
            trial.report(min(each.val_loss for each in epochs), epoch.number)
            if trial.should_prune():
                raise optuna.TrialPruned(f"worse than three quarters of the others at epoch {epoch.number}")

    try:
        model, _ = fit_model("search", data[0].subset, data, settings, report=report)
    except torch.OutOfMemoryError:
        trial.set_user_attr("reason", "the device has too little memory for it")
        raise optuna.TrialPruned from None
    except (XanesflowError, optuna.TrialPruned) as error:
        trial.set_user_attr("reason", str(error))
        raise optuna.TrialPruned from None
    finally:
        if epochs:
            trial.set_user_attr("epochs", epochs[-1].number)
            trial.set_user_attr("best_epoch", epochs[-1].best)
    trial.set_user_attr("learning_rate", model.card.learning_rate)
    return model.card.val_mse


def _best(study: Study, model: str, features: str, data: Sequence[SubsetData], plan: SearchPlan) -> Found:
    """The settings of the best trial, and a record of the search for the file."""
    done = finished(study)
    complete = [trial for trial in done if trial.state == TrialState.COMPLETE]
    if not complete:
        reason = done[-1].user_attrs.get("reason", "no trial was run")
        raise XanesflowError(
            f"None of the {plural(len(done), 'trial')} for {model} on {features} could be trained, the last one for "
            f"this reason: {reason} Change models.search.space."
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
    """Everything on which the result of a trial depends, except its choices."""
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


def _log(name: str, number: int, trial: FrozenTrial) -> None:
    settings = ", ".join(f"{key} {value}" for key, value in trial.user_attrs["settings"].items())
    if trial.state == TrialState.COMPLETE:
        result = f"validation error {trial.value:.5g} bohr⁴"
    else:
        result = f"ended early, {trial.user_attrs['reason']}"
    logger.info("%s trial %d: %s: %s (%.1f s)", name, number + 1, settings, result, _seconds(trial))
