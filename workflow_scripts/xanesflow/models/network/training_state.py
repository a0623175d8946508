"""A training in progress: network, optimiser, random generators and the best weights so far."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.errors import XanesflowError
from xanesflow.models.network.perceptron import SpectrumNetwork


@dataclass(frozen=True)
class Epoch:
    """One pass over the training part by one seed."""

    number: int  # from 1
    train_loss: float  # mean squared error over the pass, with dropout and the batches' own statistics, network units
    val_loss: float  # mean squared error on the validation part afterwards, network units
    best: int  # number of the epoch with the lowest validation loss so far; with the schedule one_cycle, the last epoch
    seconds: float  # time since the training began
    seed: int = 0  # the seed


class TrainingRun:
    """A training with one seed.

    Attributes:
        settings: settings of the training, with the seed.
        rate: learning rate, or its largest value with the schedule one_cycle.
        network: the network that is trained.
        average: the running mean of its weights; None if the settings want none.
        epochs: epochs so far.
        best_weights: weights of the best epoch, on the CPU.
    """

    def __init__(
        self,
        data: Sequence[Tensor],
        settings: TrainingSettings,
        rate: float,
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Create the network and everything needed to train it.

        Args:
            data: scaled features and spectra of the training part, then of the validation part, on the device.
            settings: settings of the training.
            rate: learning rate.
            start: weights with which the network begins; None for random ones.
        """
        self.settings, self.rate = settings, rate
        self._features, self._spectra, *self._val = data
        self.network = network = new_network(data, settings, settings.seed, start)
        self.average = _running_mean(network, settings.average) if settings.average else None

        # Two random generators: for the order of the batches, on the CPU, and for the dropout, on the device.
        self.orders = torch.Generator().manual_seed(settings.seed)
        self.masks = torch.Generator(self._features.device).manual_seed(2**32 - 1 - settings.seed)
        network.generator = self.masks

        # Weight decay pulls only at the weights of the linear layers, not at normalisations and biases.
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        groups = [
            {"params": [each for each in trained if each.ndim == 2], "weight_decay": settings.weight_decay},
            {"params": [each for each in trained if each.ndim == 1], "weight_decay": 0.0},
        ]
        self.optimizer = AdamW(groups, lr=rate, fused=True)
        steps = settings.max_epochs * len(batches(len(self._features), settings.batch_size, torch.Generator()))
        self.schedule = (
            OneCycleLR(self.optimizer, rate, steps, cycle_momentum=False) if settings.schedule == "one_cycle" else None
        )
        self.epochs: list[Epoch] = []
        self.best_weights: dict[str, Tensor] = {}
        self.seconds_before = 0.0
        self._begin = time.perf_counter()

    def one_epoch(self) -> Epoch:
        """Train on every spectrum once, and validate; with averaged weights, those are validated.

        Raises:
            XanesflowError: a loss is not a finite number.
        """
        network = self.network.train()
        total = torch.zeros((), device=self._features.device)  # reading it at each step would wait for the device
        for rows in batches(len(self._features), self.settings.batch_size, self.orders):
            loss = self.loss(rows.to(self._features.device))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(rows)
            if self.schedule is not None:
                self.schedule.step()
            if self.average is not None:
                self.average.update_parameters(network)
        validated = network if self.average is None else self.average.module
        with torch.no_grad():
            val_loss = nn.functional.mse_loss(validated.eval()(self._val[0]), self._val[1]).item()
        return self._record((total / len(self._features)).item(), val_loss, validated)

    def _record(self, train_loss: float, val_loss: float, validated: nn.Module) -> Epoch:
        """Add an epoch, and keep its weights if they are the best so far."""
        number, before = len(self.epochs) + 1, self.epochs[-1].best if self.epochs else 0
        # The schedule one_cycle always keeps the last epoch, so the validation part does not influence the weights.
        improved = not before or self.schedule is not None or val_loss < self.epochs[before - 1].val_loss
        best = number if improved else before
        epoch = Epoch(number, train_loss, val_loss, best, self.seconds, self.settings.seed)
        if not (math.isfinite(train_loss) and math.isfinite(val_loss)):
            raise XanesflowError(
                f"The loss became {train_loss} (training) and {val_loss} (validation) in epoch {number} of seed "
                f"{epoch.seed} with learning rate {self.rate:.2g}; the best epoch before was {before}. Set a smaller "
                "`models.learning_rate`."
            )
        self.epochs.append(epoch)
        if improved:
            self.best_weights = {name: tensor.cpu().clone() for name, tensor in validated.state_dict().items()}
        return epoch

    def loss(self, rows: Tensor) -> Tensor:
        """Mean squared error on some spectra of the training part, given by their numbers."""
        half = self.settings.precision == "bfloat16"
        with torch.autocast(self._features.device.type, torch.bfloat16, enabled=half):
            outputs = self.network(self._features[rows])
        return nn.functional.mse_loss(outputs, self._spectra[rows])

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done, or the validation loss has not improved for `patience` epochs."""
        if not self.epochs:
            return False
        last, settings = self.epochs[-1], self.settings
        waited = self.schedule is None and last.number - last.best >= settings.patience
        return waited or last.number >= settings.max_epochs

    @property
    def seconds(self) -> float:
        """Seconds since the training began, without the time during which it was interrupted."""
        return self.seconds_before + time.perf_counter() - self._begin

    def best_network(self) -> SpectrumNetwork:
        """The network with the weights of the best epoch, on the CPU, in evaluation mode."""
        network = self.network.cpu().eval()
        network.load_state_dict(self.best_weights)
        network.generator = None
        return network

    def tensors(self) -> dict[str, Tensor]:
        """All tensors from which the training can go on, by name."""
        parts: dict[str, Mapping[str, Tensor]] = {"network": self.network.state_dict(), "best": self.best_weights}
        if self.average is not None:
            parts["average"] = self.average.state_dict()
        parts |= {f"optimizer.{number}": each for number, each in self.optimizer.state_dict()["state"].items()}
        parts["generator"] = {"orders": self.orders.get_state(), "masks": self.masks.get_state()}
        return {f"{part}.{name}": tensor for part, each in parts.items() for name, tensor in each.items()}

    def values(self) -> dict[str, Any]:
        """Everything else from which the training can go on, as plain values that JSON can hold."""
        return {
            "seconds": self.seconds,
            "epochs": [list(vars(epoch).values()) for epoch in self.epochs],
            "groups": self.optimizer.state_dict()["param_groups"],
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
        }

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Go on from what `tensors` and `values` gave.

        Raises:
            KeyError, ValueError, RuntimeError: a part is missing or does not fit.
        """

        def under(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}

        self.network.load_state_dict(under("network."))
        if self.average is not None:
            self.average.load_state_dict(under("average."))
        numbers = [number for group in values["groups"] for number in group["params"]]
        moments = {number: under(f"optimizer.{number}.") for number in numbers}
        self.optimizer.load_state_dict({"state": moments, "param_groups": values["groups"]})
        if self.schedule is not None:
            self.schedule.load_state_dict(values["schedule"])
        self.orders.set_state(tensors["generator.orders"])
        self.masks.set_state(tensors["generator.masks"])
        self.epochs = [Epoch(*each) for each in values["epochs"]]
        self.best_weights, self.seconds_before = under("best."), values["seconds"]


def new_network(
    data: Sequence[Tensor], settings: TrainingSettings, seed: int, start: Mapping[str, Tensor] | None
) -> SpectrumNetwork:
    """A network on the device of the data, with the given weights, or random ones by the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sizes = data[0].shape[1], settings.widths, data[1].shape[1]
        network = SpectrumNetwork(*sizes, settings.dropout, settings.output)
    if network.mean_spectrum is not None:
        network.mean_spectrum.copy_(data[1].mean(0))
    if start is not None:
        network.load_state_dict(dict(start))
        network.keep_statistics = settings.keep_statistics
    return network.to(data[0].device)


def batches(n: int, size: int, generator: torch.Generator) -> list[Tensor]:
    """Row numbers of each batch: 0 .. n - 1 in random order.

    A last batch with a single spectrum has no variance for the normalisation, so it joins the batch before it.
    """
    rows = list(torch.randperm(n, generator=generator).split(size))
    if len(rows) > 1 and len(rows[-1]) == 1:
        rows[-2:] = [torch.cat(rows[-2:])]
    return rows


def _running_mean(network: SpectrumNetwork, share: float) -> AveragedModel:
    """The running mean of a network's weights and statistics, which covers only few steps at first."""

    def update(mean: Any, now: Any, number: Any) -> None:
        steps = int(number)
        get_ema_multi_avg_fn(min(share, steps / (9 + steps)))(mean, now, number)

    average = AveragedModel(network, multi_avg_fn=update, use_buffers=True)
    average.n_averaged += 1  # the initial weights count
    return average
