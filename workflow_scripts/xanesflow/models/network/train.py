"""The training loop, for one seed of a model or for several."""

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
from xanesflow.core.text import plural
from xanesflow.models.network.perceptron import SpectrumNetwork
from xanesflow.models.network.range_test import RangeTest, find_rate
from xanesflow.models.network.resume import SavedTraining
from xanesflow.models.network.training_state import Epoch, TrainingRun

logger = logging.getLogger(__name__)

SMALLEST_BATCH = 2


@dataclass(frozen=True, eq=False)
class Training:
    """A finished training."""

    network: SpectrumNetwork  # the network with the weights of the best epoch, on the CPU, in evaluation mode
    epochs: tuple[Epoch, ...]  # all epochs, in order
    best_epoch: int  # the epoch whose weights were kept
    learning_rate: float  # the learning rate used
    range_test: RangeTest | None  # the range test that found the learning rate; None if the settings gave it
    seconds: float  # total time of all seeds
    # the settings used; the batch size may be smaller than requested, if memory did not suffice
    settings: TrainingSettings


Arrays = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
Report = Callable[[Epoch, float], None]


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
    """Train a network with each seed, until its validation loss has not improved for `patience` epochs.

    Adam minimises the mean squared error. The weights of the best epoch are kept; with the schedule one_cycle, those of
    the last epoch. The same arguments give the same weights bit by bit on the same machine. PyTorch's random state and
    number of threads are the same after the call as before. With one thread the result of a seed does not depend on the
    others; with more, which the seeds divide, its last digits do. If the memory of a GPU is too small for the batches,
    their size is halved; the log reports this, and the returned settings hold the new size.

    Args:
        train: scaled features (n, d) and spectra (n, 141) of at least two sites.
        val: the same for at least one site.
        settings: settings of the training; the seed in them is ignored.
        seeds: one or more seeds.
        report: called after each epoch of each seed, with the epoch and the learning rate; from several threads if
            the settings have several.
        starts: for each seed the weights of a trained network with the same layers to start from; None for random ones.
        saved: files for the state of the training, from which it continues after an interruption; None for no files.
            They stay, for the caller to remove once the result is stored.

    Returns:
        A training for each seed, in the order of the seeds.

    Raises:
        XanesflowError: the loss is not a finite number, `cuda` is set but there is no such device, or memory does not
            suffice.
    """
    begin = time.perf_counter()
    device = _device(settings.device)
    data = [torch.from_numpy(array).to(device) for array in (*train, *val)]
    begins: Sequence[Mapping[str, Tensor] | None] = starts or [None] * len(seeds)
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        while True:
            try:
                # Each start has a rate of its own; seeds that begin with random weights share one.
                if starts:
                    rates = [find_rate(data, settings, start) for start in starts]
                else:
                    rates = [find_rate(data, settings, None)] * len(seeds)
                runs = [
                    TrainingRun(data, replace(settings, seed=seed), rate, start)
                    for seed, (rate, _), start in zip(seeds, rates, begins, strict=True)
                ]
                _to_the_end(runs, report, saved)
                break
            except torch.OutOfMemoryError:
                settings = _smaller_batch(settings, len(train[0]))
                torch.cuda.empty_cache()
    finally:
        torch.set_num_threads(threads)
    seconds = time.perf_counter() - begin
    return [
        Training(run.best_network(), tuple(run.epochs), run.epochs[-1].best, run.rate, tested, seconds, run.settings)
        for run, (_, tested) in zip(runs, rates, strict=True)
    ]


def _to_the_end(runs: Sequence[TrainingRun], report: Report | None, saved: SavedTraining | None) -> None:
    """Train all seeds: one after the other on a GPU, on a CPU as many at a time as there are threads.

    A step is too short to be divided among the threads of a CPU, so each thread trains its own seeds.
    """
    at_once = 1 if runs[0].settings.device == "cuda" else min(runs[0].settings.threads, len(runs))
    each = torch.get_num_threads() // at_once
    stop = Event()
    with ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=(each,)) as pool:
        try:
            for training in as_completed([pool.submit(_train, run, report, saved, stop) for run in runs]):
                training.result()
        finally:
            stop.set()  # if one run fails or the user interrupts, the others stop too


def _train(run: TrainingRun, report: Report | None, saved: SavedTraining | None, stop: Event) -> None:
    """Train one seed until it ends or `stop` is set."""
    if saved is not None:
        saved.restore(run)
    while not (run.finished or stop.is_set()):
        epoch = run.one_epoch()
        if report is not None:
            report(epoch, run.rate)
        if saved is not None:
            saved.save(run)


def _smaller_batch(settings: TrainingSettings, n: int) -> TrainingSettings:
    """The settings with half the batch size.

    Raises:
        XanesflowError: the batch cannot be smaller.
    """
    half = min(settings.batch_size, n) // 2
    if half < SMALLEST_BATCH:
        raise XanesflowError(
            f"The memory of {settings.device} does not suffice for batches of "
            f"{plural(settings.batch_size, 'spectrum', 'spectra')}; train "
            "narrower layers (models.widths), or on the cpu (models.device)."
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
