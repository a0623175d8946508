"""A search's study on disk, which outlives the job that works at it.

It is a journal of Optuna's: one file to which every choice, loss and result is appended, and which needs no locks of
the file system. A killed job leaves a trial that nobody works at, and perhaps half a line: both are seen to here, so
that the next job goes on with the trials that were finished.
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

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import sha256_text
from xanesflow.core.provenance import versions

logger = logging.getLogger(__name__)

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
"""States of trials that count; a trial that a kill cut short has another."""

RANDOM_TRIALS = 10
"""Trials that are chosen at random, before the tree-structured Parzen estimator has something to learn from."""

LOOK_EVERY = 10
"""Epochs between two looks at how a trial stands among the others."""

_WORSE_THAN = 75.0  # percent of the others, at which a trial ends early
_FIRST_LOOK = 30  # epochs
_FEWEST_OTHERS = 8  # trained to their end, before any trial ends early

_IDENTITY, _VERSIONS = "identity", "versions"


def open_study(path: str | Path, name: str, identity: Mapping[str, Any]) -> Study:
    """The study of a search, with the trials that were finished before.

    What belongs to a search is its identity; with any other one a new study begins in the same file, and the earlier
    ones stay there, to be gone on with where their configuration comes back.

    Args:
        path: the journal; only one process may have it open (see `xanesflow.running.locks`).
        name: what is searched, as `Cu_FEFF on m3gnet`, for messages.
        identity: everything that a trial's result depends on but its choices, as JSON can hold it.

    Raises:
        XanesflowError: the file is damaged or no journal, or the study was made with another version of Optuna.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f"{path.name}.lock*"):  # Optuna would wait half a minute for its dead holder
        leftover.unlink(missing_ok=True)
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
    except Exception as error:  # Optuna checks nothing of what it reads, so anything may go wrong
        raise XanesflowError(
            f"The study {path} is damaged, or no study of Optuna {optuna.__version__} ({type(error).__name__}: {error})"
            "; delete it, and `snakemake search` begins anew."
        ) from None
    here = versions(["optuna", "torch"])
    if _IDENTITY not in study.user_attrs:
        _tell_what_changed(name, identity, [attrs for attrs in known.values() if _IDENTITY in attrs], path)
        study.set_user_attr(_VERSIONS, here)
        study.set_user_attr(_IDENTITY, dict(identity))
        return study
    there = study.user_attrs.get(_VERSIONS, {}).get("optuna")
    if there != here["optuna"]:
        raise XanesflowError(
            f"The study {path} was begun with Optuna {there}, and this is {here['optuna']}, which may choose other "
            "trials; install that version to go on with it, or delete the file to begin anew."
        )
    _end_dead_trials(study, trials, name)
    if done := len(finished(study)):
        logger.info("%s: going on with the study in %s, %d trials are there.", name, path, done)
    return study


def finished(study: Study) -> list[FrozenTrial]:
    """The trials that count, in their order."""
    return study.get_trials(deepcopy=False, states=FINISHED)


def ask(study: Study, seed: int, first: Mapping[str, Any] | None, pruner: str) -> optuna.Trial:
    """The next trial.

    A sampler of Optuna holds random numbers that its study does not keep. So each trial has a sampler of its own, with
    random numbers from the search's seed and how many trials were finished before: what is chosen is the same whether
    the search was interrupted or not.

    The pruner `percentile` ends a trial whose best loss is worse than that of three quarters of the trials that were
    trained to their end, at the same epoch, from the 30th on and once there are eight. Optuna's usual rule, above the
    median of the losses, from the tenth epoch on ended every trial from the sixth to the 40th in a search with 758
    spectra of V_FEFF: from one epoch to the next these losses change by a third, and the errors of the trials that
    were trained to their end differed by 4 %.

    Args:
        study: see `open_study`.
        seed: of the search.
        first: parameters of the first trial; None: chosen like the others.
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
    return study.ask()


def _cut_half_line(path: Path) -> None:
    """Cut off the line that a kill left half written; the next one would be appended to it."""
    with suppress(FileNotFoundError), path.open("r+b") as opened:
        text = opened.read()
        if text and not text.endswith(b"\n"):
            opened.truncate(text.rfind(b"\n") + 1)
            logger.warning("The last line of %s was cut short by a kill, and is taken out.", path)


def _end_dead_trials(study: Study, trials: list[FrozenTrial], name: str) -> None:
    """Mark the trials that a killed job was at as failed; they are made again."""
    for trial in trials:
        if trial.state == TrialState.RUNNING:
            study.tell(trial.number, state=TrialState.FAIL)
            logger.warning("%s: a trial was cut short (number %d of the study); it is made again.", name, trial.number)


def _tell_what_changed(name: str, identity: Mapping[str, Any], others: list[dict[str, Any]], path: Path) -> None:
    """Say why a new study begins where there is another one."""
    if not others:
        return
    last = others[-1][_IDENTITY]
    changed = [key for key in sorted({*identity, *last}) if identity.get(key) != last.get(key)]
    logger.warning(
        "%s: %s changed since the last search, so a new study begins; the trials before stay in %s, and are gone on "
        "with if that is changed back.",
        name,
        ", ".join(changed),
        path,
    )
