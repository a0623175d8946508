"""The training loop, for one seed of a model or for several at once."""

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
        network: the network with the weights of the best epoch, on the CPU, in evaluation mode.
        epochs: all epochs, in order.
        best_epoch: the epoch whose weights were kept.
        learning_rate: the learning rate used.
        range_test: the range test that found the learning rate; None if the settings gave it.
        seconds: total time of all seeds that were trained together.
        settings: the settings used; the batch size may be smaller than requested, if memory did not suffice.
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
    """Train one network for each seed, all at once, until its validation loss has not improved for `patience` epochs.

    Adam minimises the mean squared error. The weights of the best epoch are kept; with the schedule one_cycle, those of
    the last epoch. The same arguments give the same weights bit by bit on the same machine. PyTorch's random state and
    number of threads are the same after the call as before. The seeds share only the learning rate, so the result of
    one does not depend on the others. If the memory of a GPU is too small for the batches, their size is halved; the
    log reports this, and the returned settings hold the new size.

    Args:
        train: scaled features (n, d) and spectra (n, 141) of at least two sites.
        val: the same for at least one site.
        settings: settings of the training; the seed in them is ignored.
        seeds: one or more seeds.
        report: called after each epoch of each seed, with the epoch and the learning rate.
        starts: for each seed the weights of a trained network with the same layers to start from; None for random ones.
        saved: file for the state of the training, from which it continues after an interruption; None for no file.

    Returns:
        A training for each seed, in the order of the seeds.

    Raises:
        XanesflowError: the loss is not a finite number, `cuda` is set but there is no such device, or memory does not
            suffice.
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
    """Groups of seeds that are trained as one, by their positions: one group on a GPU, one for each thread on a CPU.

    On a CPU, a step is too short to be divided among threads. So each thread trains its own seeds.
    """
    groups = 1 if settings.device == "cuda" else min(settings.threads, n_seeds)
    return [part.tolist() for part in np.array_split(np.arange(n_seeds), groups)]


def _to_the_end(runs: Sequence[TrainingRun], report: Report | None, saved: SavedTraining | None) -> None:
    """Train until no seed improves any more. Several runs train at the same time, one thread for each."""
    # Continue from saved states. A run without one needs a learning rate, which all take from the first run.
    states = [None if saved is None else saved.of_group(number) for number in range(len(runs))]
    for run, state in zip(runs, states, strict=True):
        if state is None or not state.restore(run):
            run.find_rate(runs[0])

    # Train one run here, several in threads.
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
            stop.set()  # if one run fails or the user interrupts, the others stop too


def _train(run: TrainingRun, report: Report | None, saved: SavedTraining | None, stop: Event) -> None:
    """Train one run until it ends or `stop` is set."""
    while run.active and not stop.is_set():
        for epoch in run.one_epoch():
            if report is not None:
                report(epoch, run.rate)
        if saved is not None:
            saved.save(run, at_once=not run.active)


def _smaller_batch(settings: TrainingSettings, n: int) -> TrainingSettings:
    """The settings with half the batch size.

    Raises:
        XanesflowError: the batch cannot be smaller.
    """
    half = min(settings.batch_size, n) // 2
    if half < SMALLEST_BATCH:
        raise XanesflowError(
            f"The memory of {settings.device} does not suffice for batches of {settings.batch_size} spectra; train "
            "fewer seeds at once (models.seeds), narrower layers (models.widths), or on the cpu (models.device)."
        )
    logger.warning(
        "No room for batches of %d spectra on %s: starting again with batches of %d. Set models.batch_size to choose "
        "the size yourself.",
        *(settings.batch_size, settings.device, half),
    )
    return replace(settings, batch_size=half)


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise XanesflowError(
            "models.device is cuda, but PyTorch sees no CUDA device here; set it to cpu, or run on a computer with one."
        )
    return torch.device(name)
