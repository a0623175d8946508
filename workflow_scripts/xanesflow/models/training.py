"""The training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from xanesflow.errors import XanesflowError
from xanesflow.models.network import SpectrumNetwork
from xanesflow.models.range_test import RangeTest, range_test
from xanesflow.models.settings import TrainingSettings


@dataclass(frozen=True)
class Epoch:
    """One pass over the training part.

    Attributes:
        number: from 1.
        train_loss: mean squared error over the pass, with dropout and the batches' own statistics, network units.
        val_loss: mean squared error on the validation part afterwards, network units.
        best: number of the epoch with the lowest validation loss up to now.
        seconds: since training began.
    """

    number: int
    train_loss: float
    val_loss: float
    best: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Training:
    """A finished training.

    Attributes:
        network: with the weights of the best epoch, on the CPU, in evaluation mode.
        epochs: all of them, in order.
        best_epoch: the one whose weights were kept.
        learning_rate: that was used.
        range_test: that found it; None if the settings gave it.
        seconds: everything together.
    """

    network: SpectrumNetwork
    epochs: tuple[Epoch, ...]
    best_epoch: int
    learning_rate: float
    range_test: RangeTest | None
    seconds: float


Arrays = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


def train_network(
    train: Arrays,
    val: Arrays,
    settings: TrainingSettings,
    report: Callable[[Epoch, float], None] | None = None,
    *,
    start: Mapping[str, Tensor] | None = None,
) -> Training:
    """Train a network until the validation loss has not improved for `settings.patience` epochs.

    Adam on the mean squared error; the weights of the best epoch are kept. The same arguments give the same weights
    bit by bit on the same machine; neither PyTorch's random state nor its number of threads is changed for others.
    Nothing is written: a training lasts minutes, and one that was stopped starts again.

    Args:
        train: scaled features (n, d) and spectra (n, 141) of at least two sites.
        val: the same of at least one site.
        settings: see there.
        report: called after each epoch with it and the learning rate.
        start: weights of a trained network of the same layers, to go on from; None: random ones.

    Raises:
        XanesflowError: the loss is not a finite number, or `cuda` is asked for and not there.
    """
    begin = time.perf_counter()
    device = _device(settings.device)
    features, spectra, val_features, val_spectra = (torch.from_numpy(a).to(device) for a in (*train, *val))
    with _reproducible(settings, device):
        network = SpectrumNetwork(features.shape[1], settings.widths, spectra.shape[1], settings.dropout)
        if start is not None:
            network.load_state_dict(start)
            network.keep_statistics = settings.keep_statistics
        network = network.to(device)
        tested = None
        if settings.learning_rate is None:
            tested = range_test(network, _endless(features, spectra, settings.batch_size))
        rate = settings.learning_rate or (tested.suggestion if tested else math.nan)
        # One kernel for all parameters ("fused"): 0.29 s an epoch of the Cu expert against 0.54 s.
        optimizer = torch.optim.Adam(network.parameters(), lr=rate, fused=True)
        epochs: list[Epoch] = []
        best = Epoch(0, math.inf, math.inf, 0, 0.0)
        weights: dict[str, Tensor] = {}
        for number in range(1, settings.max_epochs + 1):
            train_loss = _one_pass(network, optimizer, features, spectra, settings.batch_size)
            network.eval()
            with torch.no_grad():
                val_loss = nn.functional.mse_loss(network(val_features), val_spectra).item()
            if not (math.isfinite(train_loss) and math.isfinite(val_loss)):
                raise XanesflowError(
                    f"The loss became {train_loss} (training) and {val_loss} (validation) in epoch {number} with "
                    f"learning rate {rate:.2g} and {best.number} as the best epoch before; "
                    "set a smaller `models.learning_rate`."
                )
            improved = val_loss < best.val_loss
            seconds = time.perf_counter() - begin
            epoch = Epoch(number, train_loss, val_loss, number if improved else best.number, seconds)
            epochs.append(epoch)
            if improved:
                best = epoch
                weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
            if report is not None:
                report(epoch, rate)
            if number - best.number >= settings.patience:
                break
    network.load_state_dict(weights)
    return Training(network.cpu().eval(), tuple(epochs), best.number, rate, tested, time.perf_counter() - begin)


def _one_pass(
    network: nn.Module, optimizer: torch.optim.Optimizer, features: Tensor, spectra: Tensor, batch_size: int
) -> float:
    """Train on every spectrum once; the mean loss over the pass."""
    network.train()
    total = torch.zeros((), device=features.device)  # added up on the device: reading it would wait for each step
    for rows in _batches(len(features), batch_size, features.device):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(network(features[rows]), spectra[rows])
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(rows)
    return total.item() / len(features)


def _batches(n: int, batch_size: int, device: torch.device) -> list[Tensor]:
    """Row numbers 0 .. n - 1 in random order, in batches.

    A last batch of one spectrum has no variance to normalise by, so it joins the one before it.
    """
    batches = list(torch.randperm(n).to(device).split(batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _endless(features: Tensor, spectra: Tensor, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of one pass after the other."""
    while True:
        for rows in _batches(len(features), batch_size, features.device):
            yield features[rows], spectra[rows]


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise XanesflowError(
            "models.device is cuda, but PyTorch sees no CUDA device here; set it to cpu, or run where a GPU is."
        )
    return torch.device(name)


@contextmanager
def _reproducible(settings: TrainingSettings, device: torch.device) -> Iterator[None]:
    """PyTorch's random numbers from the seed and its threads as set, both as before afterwards."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device.type == "cuda" else []):
        torch.manual_seed(settings.seed)
        torch.set_num_threads(settings.threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
