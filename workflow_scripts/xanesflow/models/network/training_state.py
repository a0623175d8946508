"""A training under way: networks, optimiser, random numbers and the best weights until now."""

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
        best: number of the epoch with the lowest validation loss up to now; of one_cycle the last.
        seconds: since training began.
        seed: of this training.
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
        settings: see there.
        seeds: all of them, in the order given.
        active: places of the seeds that still train, ascending.
        epochs: of each seed.
        best: the best epoch of each seed.
        best_weights: and its weights.
        rate: learning rate, or its largest value; not a number before `find_rate`.
        range_test: that found the rate, the first of them; None where the settings give it.
    """

    def __init__(
        self,
        data: Sequence[Tensor],
        settings: TrainingSettings,
        seeds: Sequence[int],
        starts: Sequence[Mapping[str, Tensor]] | None = None,
    ) -> None:
        """Make the networks and everything that training them needs.

        Args:
            data: scaled features and spectra of the training part, then of the validation part, on the device.
            settings: see there.
            seeds: one a network.
            starts: weights that the networks begin with; None: random ones.
        """
        self.settings, self.seeds = settings, list(seeds)
        self._features, self._spectra, self._val_features, self._val_spectra = data
        self._device = self._features.device
        networks = [self._network(seed, starts[k] if starts else None) for k, seed in enumerate(seeds)]
        self.networks = SeedNetworks(networks, settings.precision).to(self._device)
        self.average = SeedNetworks(networks, "float32").to(self._device) if settings.average else None
        # Order of the batches, on the processor, and dropout, on the device: two streams of random numbers a seed.
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

        What a range test suggests scatters with its network and batches, so there are three, and the geometric mean is
        taken. They have seeds of their own: the rate is the same whatever seeds are trained.

        Args:
            other: a run of other seeds on the same data, whose rate is taken over if it has one.
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
        # No weights are drawn only to be overwritten, and so no random numbers of others are used up.
        with torch.device("meta"):
            network = self._empty_network()
        network.load_state_dict(dict(state), assign=True)
        return network

    def one_epoch(self) -> list[Epoch]:
        """Train every active seed on every spectrum once, validate them, and let go those that no longer improve.

        Returns:
            The epoch of each seed that was active.

        Raises:
            XanesflowError: a loss is no finite number.
        """
        settings = self.settings
        losses = self._one_pass()
        validated = self.average or self.networks
        val_losses = self._validate(validated)
        states = None
        epochs = []
        for place, index in enumerate(self.active):
            number, before = len(self.epochs[index]) + 1, self.best[index]
            # One cycle ends where it is to end, so that the validation part has no say in the weights.
            improved = settings.schedule == "one_cycle" or val_losses[place] < before.val_loss
            best = number if improved else before.number
            epoch = Epoch(number, losses[place], val_losses[place], best, self.seconds, self.seeds[index])
            _check_finite(epoch, self.rate, before.number)
            self.epochs[index].append(epoch)
            epochs.append(epoch)
            if improved:
                states = states or validated.networks()
                self.best[index], self.best_weights[index] = epoch, states[place]
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
        """Since training began, without the time between an interruption and going on."""
        return self.seconds_before + time.perf_counter() - self._begin

    def keep(self, places: Sequence[int]) -> None:
        """Go on with some of the active seeds only."""
        rows = torch.tensor(places, dtype=torch.long, device=self._device)
        self.active = [self.active[place] for place in places]
        if places:
            self.networks.keep(rows)
            self.optimizer.keep(rows)
            self._learning = Backpropagation(self.networks)
            if self.average is not None:
                self.average.keep(rows)

    def best_network(self, index: int) -> SpectrumNetwork:
        """With the weights of a seed's best epoch, on the processor, in evaluation mode."""
        return self._as_network(self.best_weights[index]).eval()

    def _one_pass(self) -> list[float]:
        """Train on every spectrum once; the mean loss of each active seed over the pass."""
        total = torch.zeros(len(self.active), device=self._device)  # reading it would wait for each step
        masks = [self.masks[index] for index in self.active]
        learning, optimizer = self._learning, self.optimizer
        batches = self._batches([self.batch_generators[index] for index in self.active])
        done = len(self.epochs[self.active[0]]) * len(batches)
        for step, rows in enumerate(batches, start=done):
            if self.settings.schedule == "one_cycle":
                rate = one_cycle(step / max(1, self.settings.max_epochs * len(batches) - 1)) * self.rate
            else:
                rate = self.rate
            losses = learning.losses(_pick(self._features, rows), _pick(self._spectra, rows), masks)
            optimizer.step([learning.gradients[parameter] for parameter in optimizer.parameters], rate)
            if self.average is not None:
                self._add_to_average(step)
            total += losses * len(rows)
        return (total / len(self._features)).tolist()

    @torch.no_grad()
    def _add_to_average(self, step: int) -> None:
        """Take the weights into their running mean, which at first is that of few steps."""
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
        """Row numbers (b, k) of each batch: for each seed 0 .. n - 1 in an order of its own.

        A last batch of one spectrum has no variance to normalise by, so it joins the one before it.
        """
        n = len(self._features)
        rows = torch.stack([torch.randperm(n, generator=generator) for generator in generators], dim=1)
        batches = list(rows.to(self._device).split(self.settings.batch_size))
        if len(batches) > 1 and len(batches[-1]) == 1:
            batches[-2:] = [torch.cat(batches[-2:])]
        return batches

    def _endless(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of one pass after the other."""
        while True:
            for rows in self._batches([generator]):
                yield self._features[rows[:, 0]], self._spectra[rows[:, 0]]


def _pick(arrays: Tensor, rows: Tensor) -> Tensor:
    """Rows (b, k) of (n, d) as (b, k, d); PyTorch's `arrays[rows]` takes several times as long."""
    return arrays.index_select(0, rows.flatten()).view(*rows.shape, -1)


def one_cycle(progress: float, rise: float = 0.3, first: float = 1 / 25, last: float = 1e-4 / 25) -> float:
    """Share of the largest learning rate: a cosine up from `first` and down to `last` (L. N. Smith, arXiv 1708.07120).

    Args:
        progress: 0 at the first step, 1 at the last.
        rise: share of the training in which the rate rises.
        first: share at the beginning; this and the next default are PyTorch's.
        last: share at the end.
    """
    if progress < rise:
        return first + (1 - first) * (1 - math.cos(math.pi * progress / rise)) / 2
    return last + (1 - last) * (1 + math.cos(math.pi * (progress - rise) / (1 - rise))) / 2


def _check_finite(epoch: Epoch, rate: float, best: int) -> None:
    """Raise if a loss is no number."""
    if not (math.isfinite(epoch.train_loss) and math.isfinite(epoch.val_loss)):
        raise XanesflowError(
            f"The loss became {epoch.train_loss} (training) and {epoch.val_loss} (validation) in epoch {epoch.number} "
            f"of seed {epoch.seed} with learning rate {rate:.2g} and {best} as the best epoch before; "
            "set a smaller `models.learning_rate`."
        )
