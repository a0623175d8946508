"""The learning-rate range test: find the learning rate at which the loss falls fastest."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.models.network.training_state import batches, new_network

FIRST_RATE, LAST_RATE, STEPS = 1e-8, 1.0, 100
SMOOTHING = 0.9
DIVERGED = 4.0
SKIP_FIRST = 10
FALLBACK_RATE = 1e-3
TESTS = 3


@dataclass(frozen=True)
class RangeTest:
    """The result of a range test."""

    rates: tuple[float, ...]  # learning rate of each step
    # running mean of the loss after each step, relative to that of the untrained network on the same batch
    losses: tuple[float, ...]
    suggestion: float  # the learning rate to train with
    found: bool  # False if the loss never fell; then the suggestion is just Adam's default

    def as_dict(self) -> dict[str, Any]:
        """The result as plain values that JSON can hold."""
        return {**asdict(self), "rates": list(self.rates), "losses": list(self.losses)}


def find_rate(
    data: Sequence[Tensor], settings: TrainingSettings, start: Mapping[str, Tensor] | None
) -> tuple[float, RangeTest | None]:
    """The learning rate of the settings, or else that of range tests, with the first of these.

    The suggestion of a range test scatters with its network and batches, so the rate is the geometric mean of three
    tests. The tests have their own seeds, so the rate does not depend on the seeds that are trained.

    Args:
        data: scaled features and spectra of the training part first, on the device.
        settings: settings of the training.
        start: weights with which the training begins; None for random ones.
    """
    if settings.learning_rate is not None:
        return settings.learning_rate, None
    features, spectra, *_ = data

    def endless(generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            for rows in batches(len(features), settings.batch_size, generator):
                yield features[rows], spectra[rows]

    tests = []
    for seed in range(TESTS):
        network = new_network(data, settings, seed, start)
        with torch.random.fork_rng(devices=[features.device] if features.is_cuda else []):
            torch.manual_seed(seed)
            tests.append(range_test(network, endless(torch.Generator().manual_seed(seed))))
    found = [tested.suggestion for tested in tests if tested.found]
    rate = math.exp(sum(map(math.log, found)) / len(found)) if found else FALLBACK_RATE
    return rate, replace(tests[0], suggestion=rate, found=bool(found))


def suggest_rate(rates: tuple[float, ...], losses: tuple[float, ...]) -> tuple[float, bool]:
    """The rate at which the loss falls most steeply with the logarithm of the rate, and whether it fell at all.

    The first ten steps are ignored, because the running mean has not settled yet. So are all steps after the lowest
    loss, because a training that diverged and came back is no guide.
    """
    lowest = int(np.argmin(losses)) if losses else 0
    kept = np.array(losses[SKIP_FIRST : lowest + 1])
    if len(kept) >= 2:
        slope = np.gradient(kept)
        steepest = int(np.argmin(slope))
        if slope[steepest] < 0:
            return rates[SKIP_FIRST + steepest], True
    return FALLBACK_RATE, False


def range_test(network: nn.Module, data: Iterator[tuple[Tensor, Tensor]]) -> RangeTest:
    """Train a copy of a network for 100 steps while the learning rate grows exponentially from 1e-8 to 1.

    The method is that of L. N. Smith, arXiv 1506.01186. Range, number of steps and rule (steepest descent of a running
    mean of the loss, stopped at four times its lowest value) are those of PyTorch Lightning's finder, which the paper
    used. The suggestion of that finder depends on luck: for experts of Cu_FEFF it ranged from 3e-3 to 1.4e-2 over the
    seeds (with the same seed, 1.2e-2 gave eta 4.8 and 3e-3 gave 5.3), and it was 1e-7 on data with very different
    spectra.

    So two things differ here. The loss is divided by that of the untrained network on the same batch, so that an easy
    batch does not look like progress. The running mean then needs only a weight of 0.9 instead of 0.98, whose lag of
    fifty steps is half the sweep. This gave 2e-3 to 4e-3 on spectra of Cu_FEFF, Ni_FEFF and Ti_VASP.

    Args:
        network: the network; it is not changed.
        data: endless batches of scaled features and spectra.
    """
    trial, untrained = copy.deepcopy(network).train(), copy.deepcopy(network).train()
    optimizer = torch.optim.Adam(trial.parameters(), lr=FIRST_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, (LAST_RATE / FIRST_RATE) ** (1 / (STEPS - 1)))
    rates: list[float] = []
    losses: list[float] = []
    running, lowest = 0.0, math.inf
    for step in range(STEPS):
        rate = float(schedule.get_last_lr()[0])
        features, spectra = next(data)
        with torch.no_grad():
            reference = nn.functional.mse_loss(untrained(features), spectra).item()
        loss = nn.functional.mse_loss(trial(features), spectra)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        running = SMOOTHING * running + (1 - SMOOTHING) * (loss.item() / reference if reference else math.nan)
        smoothed = running / (1 - SMOOTHING ** (step + 1))
        if not math.isfinite(smoothed):
            break
        rates.append(rate)
        losses.append(smoothed)
        lowest = min(lowest, smoothed)
        if smoothed > DIVERGED * lowest:
            break
    suggestion, found = suggest_rate(tuple(rates), tuple(losses))
    return RangeTest(tuple(rates), tuple(losses), suggestion, found)
