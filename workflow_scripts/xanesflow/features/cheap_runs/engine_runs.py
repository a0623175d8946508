"""The embedded engine as a featurizer: computes what a delta model needs for a new structure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

import numpy as np
from pymatgen.core import Structure

from xanesflow.codes.feff8l.engine import Feff8lEngine
from xanesflow.codes.feff8l.options import EngineSettings
from xanesflow.codes.feff8l.xanes import compute_xanes
from xanesflow.core.errors import BadRunError, XanesflowError
from xanesflow.core.parallel import map_in_processes
from xanesflow.features.cheap_runs.columns import FRAME_POINTS, NUMBERS, Row, columns_of, meaning_of, settings_hash
from xanesflow.features.featurize_structures import Features, Progress

NAME = "feff8l"


class EngineRuns:
    """Runs the engine with the settings of a model's training; use it like a `featurize_structures.Featurizer`.

    Attributes:
        failures: why sites have no run, by structure and atom, in the last call; their rows are NaN.
    """

    name = NAME
    dimension = FRAME_POINTS + NUMBERS[NAME]
    meaning = meaning_of(NAME)
    packages = ("xraylarch", "scipy")

    def __init__(self, settings: str, start_ev: float, *, workers: int = 1) -> None:
        """Check that this installation can repeat the runs of the training.

        Args:
            settings: JSON from the attribute `settings` of the training's features.
            start_ev: first energy of the model's grid.
            workers: processes.

        Raises:
            XanesflowError: the engine here differs from the one of the training, or `settings` cannot be read.
        """
        trained = _read(settings)
        options = {name: value for name, value in trained.items() if name not in ("code", "programs")}
        try:
            self._options = EngineSettings.from_dict(options)
        except (KeyError, TypeError, ValueError) as error:
            raise XanesflowError(f"The model does not say how its runs of the engine were made ({error}).") from None
        here = json.loads(json.dumps(Feff8lEngine(self._options).settings()))
        for key in sorted(trained.keys() | here.keys()):
            if trained.get(key) != here.get(key):
                raise XanesflowError(
                    f"The model learned from runs of the engine with {key} {trained.get(key)!r}, and here it is "
                    f"{here.get(key)!r}, so its corrections would be wrong; install the version that it was trained "
                    "with, or train it again."
                )
        self.weights_hash = settings_hash(NAME, here)
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
        work = partial(_run, settings=self._options, start_ev=self._start_ev)
        sites = [(structures[k], wanted[k][row]) for k, row in tasks]
        for (k, row), answer in zip(tasks, map_in_processes(work, sites, self.workers), strict=True):
            if isinstance(answer, str):
                self.failures[k, wanted[k][row]] = answer
            else:
                found[k][row] = answer
            left[k] -= 1
            if progress is not None:
                progress(sum(not each for each in left), len(structures))
        return found


def _run(site: tuple[Structure, int], *, settings: EngineSettings, start_ev: float) -> Row | str:
    """The columns of one site, or why there are none."""
    try:
        result = compute_xanes(*site, settings)
        return columns_of(NAME, result.energy_ev, result.cross_section, result.record, start_ev)
    except BadRunError as error:
        return error.detail
    except XanesflowError as error:
        return str(error)


def _read(settings: str) -> dict[str, object]:
    try:
        found = json.loads(settings)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise XanesflowError("The model does not say how its runs of the engine were made, so they cannot be repeated.")
    return found
