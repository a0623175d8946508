"""A training in progress: networks, optimiser, random generators and the best weights so far."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.errors import XanesflowError
from xanesflow.models.network.adam import AdamW
from xanesflow.models.network.backpropagation import Backpropagation
from xanesflow.models.network.perceptron import SpectrumNetwork
from xanesflow.models.network.range_test import FALLBACK_RATE, RangeTest, range_test
from xanesflow.models.network.seeds import SeedNetworks

_RANGE_TESTS = 3


@dataclass(frozen=True)
class Epoch:
    """One pass over the training part by one seed.

    Attributes:
        number: from 1.
        train_loss: mean squared error over the pass, with dropout and the batches' own statistics, network units.
        val_loss: mean squared error on the validation part afterwards, network units.
        best: number of the epoch with the lowest validation loss so far; with the schedule one_cycle, the last epoch.
        seconds: time since the training began.
        seed: the seed.
    """

    number: int
    train_loss: float
    val_loss: float
    best: int
    seconds: float
    seed: int = 0


class TrainingRun:
    """A training of several seeds.

    Attributes:
        settings: settings of the training.
        seeds: all seeds, in the given order.
        active: ascending positions of the seeds that still train.
        epochs: epochs of each seed so far.
        best: best epoch of each seed.
        best_weights: weights of the best epoch of each seed.
        rate: learning rate, or its largest value with the schedule one_cycle; NaN before `find_rate`.
        range_test: the first of the range tests that found the rate; None if the settings give it.
    """

    def __init__(
        self,
        data: Sequence[Tensor],
        settings: TrainingSettings,
        seeds: Sequence[int],
        starts: Sequence[Mapping[str, Tensor]] | None = None,
    ) -> None:
        """Create the networks and everything needed to train them.

        Args:
            data: scaled features and spectra of the training part, then of the validation part, on the device.
            settings: settings of the training.
            seeds: one for each network.
            starts: weights with which the networks begin; None for random ones.
        """
        self.settings, self.seeds = settings, list(seeds)
        self._features, self._spectra, self._val_features, self._val_spectra = data
        self._device = self._features.device
        networks = [self._network(seed, starts[k] if starts else None) for k, seed in enumerate(seeds)]
        self.networks = SeedNetworks(networks, settings.precision).to(self._device)
        self.average = SeedNetworks(networks, "float32").to(self._device) if settings.average else None
        # Each seed has two random generators: for the order of its batches, on the CPU, and for dropout, on the device.
        self.batch_generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.masks = [torch.Generator(self._device).manual_seed(seed + 2**32) for seed in seeds]
        self.active = list(range(len(seeds)))
        self.epochs: list[list[Epoch]] = [[] for _ in seeds]
        self.best = [Epoch(0, math.inf, math.inf, 0, 0.0, seed) for seed in seeds]
        self.best_weights: list[dict[str, Tensor]] = [{} for _ in seeds]
        self.range_test: RangeTest | None = None
        self._start = starts[0] if starts else None
        self.rate = math.nan
        self.seconds_before = 0.0
        self._begin = time.perf_counter()
        weights = list(self.networks.weights)
        others = [parameter for name, parameter in self.networks.named_parameters() if not name.startswith("weights")]
        self.optimizer = AdamW([(weights, settings.weight_decay), (others, 0.0)])
        self._learning = Backpropagation(self.networks)

    def _network(self, seed: int, start: Mapping[str, Tensor] | None) -> SpectrumNetwork:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self._empty_network()
        if network.mean_spectrum is not None:
            network.mean_spectrum.copy_(self._spectra.mean(0))
        if start is not None:
            network.load_state_dict(dict(start))
            network.keep_statistics = self.settings.keep_statistics
        return network

    def _empty_network(self) -> SpectrumNetwork:
        settings = self.settings
        sizes = self._features.shape[1], settings.widths, self._spectra.shape[1]
        return SpectrumNetwork(*sizes, settings.dropout, settings.output)

    def find_rate(self, other: TrainingRun | None = None) -> None:
        """Take the learning rate from the settings, or find it by range tests.

        The suggestion of a range test scatters with its network and batches, so the rate is the geometric mean of three
        tests. The tests have their own seeds, so the rate does not depend on the seeds that are trained.

        Args:
            other: a run of other seeds on the same data; if it already has a rate, that rate is used.
        """
        if other is not None and math.isfinite(other.rate):
            self.rate, self.range_test = other.rate, other.range_test
            return
        if self.settings.learning_rate is not None:
            self.rate = self.settings.learning_rate
            return
        tests = []
        for seed in range(_RANGE_TESTS):
            network = self._network(seed, self._start).to(self._device)
            with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
                torch.manual_seed(seed)
                tests.append(range_test(network, self._endless(torch.Generator().manual_seed(seed))))
        found = [tested.suggestion for tested in tests if tested.found]
        self.rate = math.exp(sum(map(math.log, found)) / len(found)) if found else FALLBACK_RATE
        self.range_test = replace(tests[0], suggestion=self.rate, found=bool(found))

    def _as_network(self, state: Mapping[str, Tensor]) -> SpectrumNetwork:
        # On the meta device no initial weights are drawn, so the random numbers of others stay untouched.
        with torch.device("meta"):
            network = self._empty_network()
        network.load_state_dict(dict(state), assign=True)
        return network

    def one_epoch(self) -> list[Epoch]:
        """Train every active seed on every spectrum once, validate, and stop the seeds that no longer improve.

        Returns:
            The epoch of each seed that was active.

        Raises:
            XanesflowError: a loss is not a finite number.
        """
        # Train and validate; with averaged weights, those are validated.
        settings = self.settings
        losses = self._one_pass()
        validated = self.average or self.networks
        val_losses = self._validate(validated)

        # Record the epoch of each seed, and keep its weights if they are the best so far.
        states = None
        epochs = []
        for place, index in enumerate(self.active):
            number, before = len(self.epochs[index]) + 1, self.best[index]
            # The schedule one_cycle always keeps the last epoch, so the validation part does not influence the weights.
            improved = settings.schedule == "one_cycle" or val_losses[place] < before.val_loss
            best = number if improved else before.number
            epoch = Epoch(number, losses[place], val_losses[place], best, self.seconds, self.seeds[index])
            _check_finite(epoch, self.rate, before.number)
            self.epochs[index].append(epoch)
            epochs.append(epoch)
            if improved:
                states = states or validated.networks()
                self.best[index], self.best_weights[index] = epoch, states[place]

        # Go on with the seeds that still improve.
        going_on = [
            place
            for place, epoch in enumerate(epochs)
            if epoch.number < settings.max_epochs
            and (settings.schedule == "one_cycle" or epoch.number - epoch.best < settings.patience)
        ]
        if len(going_on) < len(self.active):
            self.keep(going_on)
        return epochs

    @property
    def seconds(self) -> float:
        """Seconds since the training began, without the time during which it was interrupted."""
        return self.seconds_before + time.perf_counter() - self._begin

    def keep(self, places: Sequence[int]) -> None:
        """Keep only some of the active seeds, given by their ascending positions among these."""
        rows = torch.tensor(places, dtype=torch.long, device=self._device)
        self.active = [self.active[place] for place in places]
        if places:
            self.networks.keep(rows)
            self.optimizer.keep(rows)
            self._learning = Backpropagation(self.networks)
            if self.average is not None:
                self.average.keep(rows)

    def best_network(self, index: int) -> SpectrumNetwork:
        """The network with the weights of a seed's best epoch, on the CPU, in evaluation mode."""
        return self._as_network(self.best_weights[index]).eval()

    def _one_pass(self) -> list[float]:
        """Train on every spectrum once; return the mean loss of each active seed over the pass."""
        total = torch.zeros(len(self.active), device=self._device)  # reading it at each step would wait for the device
        masks = [self.masks[index] for index in self.active]
        batches = self._batches([self.batch_generators[index] for index in self.active])
        done = len(self.epochs[self.active[0]]) * len(batches)
        for step, rows in enumerate(batches, start=done):
            if self.settings.schedule == "one_cycle":
                rate = one_cycle(step / max(1, self.settings.max_epochs * len(batches) - 1)) * self.rate
            else:
                rate = self.rate
            total += self._one_step(rows, masks, rate) * len(rows)
            if self.average is not None:
                self._add_to_average(step)
        return (total / len(self._features)).tolist()

    def _one_step(self, rows: Tensor, masks: list[torch.Generator], rate: float) -> Tensor:
        """Change the weights once, by the gradients on one batch; return the loss of each active seed on it."""
        learning, optimizer = self._learning, self.optimizer
        losses = learning.losses_and_gradients(_pick(self._features, rows), _pick(self._spectra, rows), masks)
        optimizer.step([learning.gradients[parameter] for parameter in optimizer.parameters], rate)
        return losses

    @torch.no_grad()
    def _add_to_average(self, step: int) -> None:
        """Add the weights to their running mean, which covers only few steps at first."""
        share = min(self.settings.average, (1 + step) / (10 + step))
        assert self.average is not None
        for mean, now in (
            (self.average.parameters(), self.networks.parameters()),
            (self.average.buffers(), self.networks.buffers()),
        ):
            torch._foreach_lerp_(list(mean), list(now), 1 - share)

    @torch.no_grad()
    def _validate(self, networks: SeedNetworks) -> list[float]:
        """Mean squared error of each seed on the validation part."""
        k = len(networks)
        outputs = networks(self._val_features[:, None].expand(-1, k, -1))
        return (outputs - self._val_spectra[:, None]).square().mean(dim=(0, 2)).tolist()

    def _batches(self, generators: Sequence[torch.Generator]) -> list[Tensor]:
        """Row numbers (b, k) of each batch: for each seed 0 .. n - 1 in its own random order.

        A last batch with a single spectrum has no variance for the normalisation, so it joins the batch before it.
        """
        n = len(self._features)
        rows = torch.stack([torch.randperm(n, generator=generator) for generator in generators], dim=1)
        batches = list(rows.to(self._device).split(self.settings.batch_size))
        if len(batches) > 1 and len(batches[-1]) == 1:
            batches[-2:] = [torch.cat(batches[-2:])]
        return batches

    def _endless(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless batches, one pass after the other."""
        while True:
            for rows in self._batches([generator]):
                yield self._features[rows[:, 0]], self._spectra[rows[:, 0]]


def _pick(arrays: Tensor, rows: Tensor) -> Tensor:
    """Rows (b, k) of (n, d) as (b, k, d); several times as fast as PyTorch's `arrays[rows]`."""
    return arrays.index_select(0, rows.flatten()).view(*rows.shape, -1)


def one_cycle(progress: float, rise: float = 0.3, first: float = 1 / 25, last: float = 1e-4 / 25) -> float:
    """Share of the largest learning rate: a cosine from `first` up to 1 and down to `last` (Smith, arXiv 1708.07120).

    Args:
        progress: 0 at the first step, 1 at the last.
        rise: share of the training in which the rate rises.
        first: share at the beginning; PyTorch's default.
        last: share at the end; PyTorch's default.
    """
    if progress < rise:
        return first + (1 - first) * (1 - math.cos(math.pi * progress / rise)) / 2
    return last + (1 - last) * (1 + math.cos(math.pi * (progress - rise) / (1 - rise))) / 2


def _check_finite(epoch: Epoch, rate: float, best: int) -> None:
    """Raise if a loss is not a finite number."""
    if not (math.isfinite(epoch.train_loss) and math.isfinite(epoch.val_loss)):
        raise XanesflowError(
            f"The loss became {epoch.train_loss} (training) and {epoch.val_loss} (validation) in epoch {epoch.number} "
            f"of seed {epoch.seed} with learning rate {rate:.2g}; the best epoch before was {best}. Set a smaller "
            "`models.learning_rate`."
        )
