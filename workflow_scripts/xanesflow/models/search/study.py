"""The study of a search on disk, which outlives the job that runs it.

The study is an Optuna journal: every choice, loss and result is appended to one file, and no locks of the file system
are needed. A killed job may leave a dead trial and half a line. This module cleans up both, so that the next job
continues with the finished trials: Optuna 5.0.0 refuses a journal that goes on after half a line, and leaves a dead
trial running.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import sha256_text
from xanesflow.core.provenance import versions

logger = logging.getLogger(__name__)

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
"""States of the trials that count; a trial that was interrupted has another state."""

RANDOM_TRIALS = 10
"""Trials chosen at random, before the tree-structured Parzen estimator has enough results to learn from."""

LOOK_EVERY = 10
"""Epochs between two comparisons of a trial with the others."""

_WORSE_THAN = 75.0  # percent of the others: a trial that is worse than these ends early
_FIRST_LOOK = 30  # epochs before the first comparison
_FEWEST_OTHERS = 8  # trials that must be trained to the end before any trial ends early

_IDENTITY, _VERSIONS = "identity", "versions"


def open_study(path: str | Path, name: str, identity: Mapping[str, Any]) -> Study:
    """Open the study of a search, with the trials that are already finished.

    The identity determines the study. If the identity changes, a new study begins in the same file. The earlier studies
    stay there, and a search with their identity continues them.

    Args:
        path: the journal; only one process may have it open (see `xanesflow.running.locks`).
        name: the search, such as `Cu_FEFF on m3gnet`, for messages.
        identity: everything on which a trial's result depends, except its choices, as plain values that JSON can hold.

    Raises:
        XanesflowError: the file is damaged or no journal, or the study comes from another version of Optuna.
    """
    # Remove what a killed job left behind, then open the journal.
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _cut_half_line(path)
    begun = path.exists() and path.stat().st_size > 0
    text = json.dumps(identity, sort_keys=True)
    key, identity = sha256_text(text)[:12], json.loads(text)
    try:
        storage = JournalStorage(JournalFileBackend(str(path)))
        known = {study.study_name: study.user_attrs for study in storage.get_all_studies()}
        study = optuna.create_study(storage=storage, study_name=key, direction="minimize", load_if_exists=True)
        trials = study.get_trials(deepcopy=False)
        if begun and not known:
            raise ValueError("no study in it")
    except OSError:
        raise
    except Exception as error:  # Optuna does not check what it reads, so it may raise anything
        raise XanesflowError(
            f"The study {path} is damaged, or no study of Optuna {optuna.__version__} "
            f"({what_is_wrong(error, quote=True)}); delete it, and `snakemake search` begins anew."
        ) from None

    # Begin a new study, or continue one that the same version of Optuna began.
    here = versions(["optuna", "torch"])
    if _IDENTITY not in study.user_attrs:
        _tell_what_changed(name, identity, [attrs for attrs in known.values() if _IDENTITY in attrs], path)
        study.set_user_attr(_VERSIONS, here)
        study.set_user_attr(_IDENTITY, dict(identity))
        return study
    there = study.user_attrs.get(_VERSIONS, {}).get("optuna")
    if there != here["optuna"]:
        raise XanesflowError(
            f"The study {path} was begun with Optuna {there}, but this is {here['optuna']}, which may choose other "
            "trials; install that version to continue the study, or delete the file to begin anew."
        )
    _end_dead_trials(study, trials, name)
    if done := len(finished(study)):
        logger.info("%s: continuing the study in %s, which has %d finished trials.", name, path, done)
    return study


def finished(study: Study) -> list[FrozenTrial]:
    """The finished trials, in order."""
    return study.get_trials(deepcopy=False, states=FINISHED)


def prepare_next(study: Study, seed: int, first: Mapping[str, Any] | None, pruner: str) -> None:
    """Set the sampler and the pruner of the next trial.

    Optuna does not store the random state of a sampler in the study. So each trial gets its own sampler, whose seed
    comes from the seed of the search and the number of finished trials. The choices are then the same whether or not
    the search was interrupted.

    The pruner `percentile` ends a trial if its best loss is worse than the best loss of three quarters of the complete
    trials at the same epoch. It starts at epoch 30, and only once eight trials are complete. Optuna's default rule
    (worse than the median, from epoch 10 on) ended every trial from the 6th to the 40th in a search with 758 spectra of
    V_FEFF: these losses change by a third from one epoch to the next, while the errors of the complete trials differed
    by 4 %.

    Args:
        study: see `open_study`.
        seed: seed of the search.
        first: parameters of the first trial; None to choose it like the others.
        pruner: `percentile` or `none`.
    """
    number = len(finished(study))
    state = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    study.sampler = optuna.samplers.TPESampler(seed=state, n_startup_trials=RANDOM_TRIALS)
    study.pruner = (
        optuna.pruners.PercentilePruner(_WORSE_THAN, n_startup_trials=_FEWEST_OTHERS, n_warmup_steps=_FIRST_LOOK)
        if pruner == "percentile"
        else optuna.pruners.NopPruner()
    )
    if number == 0 and first is not None and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial(dict(first))


def _cut_half_line(path: Path) -> None:
    """Cut off a half-written last line, left by a killed job; otherwise the next line would be appended to it."""
    with suppress(FileNotFoundError), path.open("r+b") as opened:
        text = opened.read()
        if text and not text.endswith(b"\n"):
            opened.truncate(text.rfind(b"\n") + 1)
            logger.warning("A killed job left the last line of %s incomplete; the line is removed.", path)


def _end_dead_trials(study: Study, trials: list[FrozenTrial], name: str) -> None:
    """Mark trials that a killed job left unfinished as failed; they are run again."""
    for trial in trials:
        if trial.state == TrialState.RUNNING:
            study.tell(trial.number, state=TrialState.FAIL)
            logger.warning("%s: trial %d of the study was interrupted; it is run again.", name, trial.number)


def _tell_what_changed(name: str, identity: Mapping[str, Any], others: list[dict[str, Any]], path: Path) -> None:
    """Log why a new study begins although the file already holds another one."""
    if not others:
        return
    last = others[-1][_IDENTITY]
    changed = [key for key in sorted({*identity, *last}) if identity.get(key) != last.get(key)]
    logger.warning(
        "%s: %s changed since the last search, so a new study begins; the earlier trials stay in %s, and the search "
        "continues them if you undo the change.",
        name,
        ", ".join(changed),
        path,
    )
