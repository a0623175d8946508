"""The training loop, of one seed of a model or of several at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from threading import Event

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.errors import XanesflowError
from xanesflow.models.network.perceptron import SpectrumNetwork
from xanesflow.models.network.range_test import RangeTest
from xanesflow.models.network.resume import SavedTraining
from xanesflow.models.network.training_state import Epoch, TrainingRun

logger = logging.getLogger(__name__)

SMALLEST_BATCH = 2


@dataclass(frozen=True, eq=False)
class Training:
    """A finished training.

    Attributes:
        network: with the weights of the best epoch, on the CPU, in evaluation mode.
        epochs: all of them, in order.
        best_epoch: the one whose weights were kept.
        learning_rate: that was used.
        range_test: that found it; None if the settings gave it.
        seconds: everything together, of all seeds that were trained at once.
        settings: that it was trained with: those asked for, but for a batch size that memory made smaller.
    """

    network: SpectrumNetwork
    epochs: tuple[Epoch, ...]
    best_epoch: int
    learning_rate: float
    range_test: RangeTest | None
    seconds: float
    settings: TrainingSettings


Arrays = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
Report = Callable[[Epoch, float], None]


def train_network(
    train: Arrays,
    val: Arrays,
    settings: TrainingSettings,
    report: Report | None = None,
    *,
    start: Mapping[str, Tensor] | None = None,
) -> Training:
    """Train one network; see `train_networks`."""
    starts = None if start is None else [start]
    return train_networks(train, val, settings, [settings.seed], report, starts=starts)[0]


def train_networks(
    train: Arrays,
    val: Arrays,
    settings: TrainingSettings,
    seeds: Sequence[int],
    report: Report | None = None,
    *,
    starts: Sequence[Mapping[str, Tensor]] | None = None,
    saved: SavedTraining | None = None,
) -> list[Training]:
    """Train a network with each seed, all at once, until its validation loss has not improved for `patience` epochs.

    Adam on the mean squared error; the weights of the best epoch are kept, of one_cycle those of the last. The same
    arguments give the same weights bit by bit on the same machine; neither PyTorch's random state nor its number of
    threads is changed for others. The seeds share nothing but the learning rate, and what one learns does not depend on
    which others there are. Where a GPU has no room for the batches, they are halved, which the log says and the
    settings returned hold.

    Args:
        train: scaled features (n, d) and spectra (n, 141) of at least two sites.
        val: the same of at least one site.
        settings: see there; its seed is not looked at.
        seeds: one or more.
        report: called after each epoch of each seed with it and the learning rate at its end.
        starts: for each seed the weights of a trained network of the same layers, to go on from; None: random ones.
        saved: where the state of the training is kept, to go on from after an interruption; None: nowhere.

    Returns:
        A training for each seed, in their order.

    Raises:
        XanesflowError: the loss is not a finite number, `cuda` is asked for and not there, or memory does not suffice.
    """
    begin = time.perf_counter()
    device = _device(settings.device)
    data = [torch.from_numpy(array).to(device) for array in (*train, *val)]
    places = _side_by_side(len(seeds), settings)
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        while True:
            try:
                runs = [
                    TrainingRun(
                        data, settings, [seeds[k] for k in of], [starts[k] for k in of] if starts is not None else None
                    )
                    for of in places
                ]
                _to_the_end(runs, report, saved)
                break
            except torch.OutOfMemoryError:
                settings = _smaller_batch(settings, len(train[0]))
                torch.cuda.empty_cache()
    finally:
        torch.set_num_threads(threads)
    seconds = time.perf_counter() - begin
    if saved is not None:
        saved.remove()
    return [
        Training(
            run.best_network(number),
            tuple(run.epochs[number]),
            run.best[number].number,
            run.rate,
            run.range_test,
            seconds,
            replace(settings, seed=seed),
        )
        for run in runs
        for number, seed in enumerate(run.seeds)
    ]


def _side_by_side(n_seeds: int, settings: TrainingSettings) -> list[list[int]]:
    """Numbers of the seeds that are trained as one, in groups: on a GPU all, on a processor a group for each thread.

    There a step is too short to be shared out to several threads, so they take a seed each, or several.
    """
    groups = 1 if settings.device == "cuda" else min(settings.threads, n_seeds)
    return [part.tolist() for part in np.array_split(np.arange(n_seeds), groups)]


def _to_the_end(runs: Sequence[TrainingRun], report: Report | None, saved: SavedTraining | None) -> None:
    """Train until no seed is left that still improves; several runs at the same time, a thread each."""
    states = [None if saved is None else saved.of_group(number) for number in range(len(runs))]
    for run, state in zip(runs, states, strict=True):
        if state is None or not state.restore(run):
            run.find_rate(runs[0])
    if len(runs) == 1:
        _train(runs[0], report, states[0], Event())
        return
    stop = Event()
    each = torch.get_num_threads() // len(runs)
    with ThreadPoolExecutor(len(runs), initializer=torch.set_num_threads, initargs=(each,)) as pool:
        try:
            trainings = [pool.submit(_train, run, report, state, stop) for run, state in zip(runs, states, strict=True)]
            for training in as_completed(trainings):
                training.result()
        finally:
            stop.set()  # where one failed, or the user interrupts, the others have no reason to go on


def _train(run: TrainingRun, report: Report | None, saved: SavedTraining | None, stop: Event) -> None:
    """Train one run, to its end or until it is told to stop."""
    while run.active and not stop.is_set():
        for epoch in run.one_epoch():
            if report is not None:
                report(epoch, run.rate)
        if saved is not None:
            saved.save(run, at_once=not run.active)


def _smaller_batch(settings: TrainingSettings, n: int) -> TrainingSettings:
    """Settings with half the batch."""
    half = min(settings.batch_size, n) // 2
    if half < SMALLEST_BATCH:
        raise XanesflowError(
            f"The memory of {settings.device} does not suffice for batches of {settings.batch_size} spectra; train "
            "fewer seeds at once (models.seeds), narrower layers (models.widths), or on the cpu (models.device)."
        )
    logger.warning(
        "No room for batches of %d spectra on %s: going on with %d from the beginning. Set models.batch_size to "
        "choose it yourself.",
        *(settings.batch_size, settings.device, half),
    )
    return replace(settings, batch_size=half)


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise XanesflowError(
            "models.device is cuda, but PyTorch sees no CUDA device here; set it to cpu, or run where a GPU is."
        )
    return torch.device(name)
