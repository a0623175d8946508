"""A cheaper level of theory as a featurizer: runs what a delta model needs for a new structure."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Structure

from xanesflow.codes.quick_look import packages_of
from xanesflow.codes.registry import load, run_features, theory_of
from xanesflow.codes.run_engine import SiteSpectrum, read_folder, run_engine
from xanesflow.core.damage import explain_damage
from xanesflow.core.errors import FailedRunError, XanesflowError
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.text import quoted
from xanesflow.features.cheap_runs.columns import (
    FRAME_POINTS,
    NUMBERS,
    Row,
    columns_of,
    differing_setting,
    meaning_of,
    settings_hash,
)
from xanesflow.features.featurize_structures import Features, Progress


class EngineRuns:
    """Runs an engine with the settings of a model's training; use it like a `featurize_structures.Featurizer`.

    Attributes:
        name: of the features, such as `feffq`.
        packages: the distributions that the numbers depend on.
        failures: why sites have no run, by structure and atom, in the last call; their rows are NaN.
    """

    def __init__(self, name: str, settings: str, start_ev: float, *, workers: int = 1) -> None:
        """Check that this installation can repeat the runs of the training.

        Args:
            name: of the features; its theory runs at predictions.
            settings: JSON from the attribute `settings` of the training's features.
            start_ev: first energy of the model's grid.
            workers: processes.

        Raises:
            XanesflowError: the engine here differs from the one of the training, or `settings` cannot be read.
        """
        self.name, self.dimension, self.meaning = name, FRAME_POINTS + NUMBERS[name], meaning_of(name)
        self._theory = theory_of(run_features()[name])
        self.packages = packages_of(self._theory.name)
        trained = _read(settings)
        with explain_damage("The model does not say how its runs of the engine were made ({why}).", quote=True):
            self._options = load(self._theory.options).of_run(trained)
        here = json.loads(json.dumps(load(self._theory.engine)(self._options).settings()))
        if (key := differing_setting(trained, here)) is not None:
            raise XanesflowError(
                f"The model learned from runs of the engine with {key} {quoted(trained.get(key))}, and here it is "
                f"{quoted(here.get(key))}, so its corrections would be wrong; install the version that it was trained "
                "with, or train it again."
            )
        self.weights_hash = settings_hash(name, here)
        self.workers = workers
        self._start_ev = start_ev
        self.failures: dict[tuple[int, int], str] = {}

    def compute(
        self,
        structures: Sequence[Structure],
        progress: Progress | None = None,
        atoms: Sequence[Sequence[int]] | None = None,
    ) -> list[Features]:
        """Features of many structures' atoms, some seconds each; see `featurize_structures.Featurizer.compute`."""
        wanted = [list(range(len(s))) for s in structures] if atoms is None else [list(each) for each in atoms]
        found = [np.full((len(each), self.dimension), np.nan, dtype=np.float32) for each in wanted]
        tasks = [(k, row) for k, each in enumerate(wanted) for row in range(len(each))]
        left = [len(each) for each in wanted]
        self.failures = {}
        sites = [(structures[k], wanted[k][row]) for k, row in tasks]
        for (k, row), answer in zip(tasks, self._answers(sites), strict=True):
            if isinstance(answer, str):
                self.failures[k, wanted[k][row]] = answer
            else:
                found[k][row] = answer
            left[k] -= 1
            if progress is not None:
                progress(sum(not each for each in left), len(structures))
        return found

    def _answers(self, sites: Sequence[tuple[Structure, int]]) -> Iterable[Row | str]:
        """The columns of each site, or why there are none."""
        work = partial(
            _columns, name=self.name, theory=self._theory.name, options=self._options, start_ev=self._start_ev
        )
        return map_in_processes(work, sites, self.workers)


class RunsAtHand(EngineRuns):
    """Takes runs of one structure that are finished already, and runs nothing.

    Args:
        runs: by 0-based index of the atom, or the reason why it has none.
        others: see `EngineRuns`.
    """

    def __init__(self, runs: Mapping[int, SiteSpectrum | str], *others: Any) -> None:
        super().__init__(*others)
        self._runs = runs

    def _answers(self, sites: Sequence[tuple[Structure, int]]) -> Iterable[Row | str]:
        return [self._answer(self._runs[index]) for _, index in sites]

    def _answer(self, run: SiteSpectrum | str) -> Row | str:
        if isinstance(run, str):
            return run
        try:
            return columns_of(self.name, run.energy_ev, run.cross_section, run.record, self._start_ev)
        except FailedRunError as error:
            return error.detail


def run_site(theory: str, options: Any, structure: Structure, site_index: int) -> SiteSpectrum:
    """Run a site as the workflow does, in a temporary folder.

    Args:
        theory: level of theory.
        options: of its engine, as the record's `options` makes them.
        structure: an ordered structure.
        site_index: 0-based index of the absorber.

    Raises:
        FailedRunError, XanesflowError: the site has no spectrum; says why.
    """
    engine = load(theory_of(theory).engine)(options)
    with tempfile.TemporaryDirectory(prefix="xanesflow_") as scratch:
        run_engine(engine, structure, site_index, Path(scratch))
        return read_folder(engine, Path(scratch), structure, site_index)


def _columns(site: tuple[Structure, int], *, name: str, theory: str, options: Any, start_ev: float) -> Row | str:
    """The columns of one site, or why there are none."""
    try:
        run = run_site(theory, options, *site)
        return columns_of(name, run.energy_ev, run.cross_section, run.record, start_ev)
    except FailedRunError as error:
        return error.detail
    except XanesflowError as error:
        return str(error)


def _read(settings: str) -> Mapping[str, Any]:
    try:
        found = json.loads(settings)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise XanesflowError("The model does not say how its runs of the engine were made, so they cannot be repeated.")
    return found
