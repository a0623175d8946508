"""Train RankAAE: each loss with an optimiser and rate of its own, then the decoder again with the encoder fixed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from xanesflow.core.array_types import Floats
from xanesflow.interpretation.one_thread import one_thread
from xanesflow.interpretation.rank_aae import losses
from xanesflow.interpretation.rank_aae.networks import RankAae

_SPECTRUM_NOISE = 0.02
_REVERSAL, _REVERSAL_RISES = 0.72, 0.4
_LEAST_RATE = 0.02

# Against overfitting some thousand spectra, chosen on materials that are in no test part; the publication has neither.
_WEIGHT_DECAY = 0.5
_MOST_MIXED = 0.3


@dataclass(frozen=True)
class RankAaePlan:
    """How long and with what rates RankAAE is trained."""

    epochs: int = 1500  # of the adversarial training
    decoder_epochs: int = 300  # of the decoder alone, after it
    batch: int = 1024  # rows of a batch
    rate: float = 1e-3  # unit of the learning rates


def train_rank_aae(spectra: Floats, descriptors: Floats, *, seed: int, plan: RankAaePlan | None = None) -> RankAae:
    """Train a RankAAE.

    Args:
        spectra: (n, 256) normalised.
        descriptors: (n, k) that the first axes rank; NaN where one is not known.
        seed: of the weights, batches and noise; the same seed gives the same network.
        plan: how long.

    Returns:
        The network in evaluation mode.
    """
    plan = plan or RankAaePlan()
    with one_thread(seed):  # dropout draws from the global generator
        generator = torch.Generator().manual_seed(seed)
        net = RankAae()
        x = torch.from_numpy(spectra.astype(np.float32))
        known = torch.from_numpy(descriptors.astype(np.float32))
        _train_all(net, x, known, plan, generator)
        _train_decoder(net, x, plan, generator)
    return net.eval()


def _train_all(net: RankAae, x: Tensor, known: Tensor, plan: RankAaePlan, generator: torch.Generator) -> None:
    """The five losses in turn on every batch; all rates fall to almost zero along a cosine."""
    both = [*net.encoder.parameters(), *net.decoder.parameters()]
    rates = {"adversarial": 1, "rank": 10, "reconstruction": 10, "information": 1, "smoothness": 1}
    parameters = {
        "adversarial": [*net.discriminator.parameters(), *net.encoder.parameters()],
        "rank": list(net.encoder.parameters()),
        "reconstruction": both,
        "information": both,
        "smoothness": list(net.decoder.parameters()),
    }
    optimisers = {
        name: torch.optim.AdamW(parameters[name], lr=plan.rate * rates[name], weight_decay=_WEIGHT_DECAY)
        for name in rates
    }
    schedules = [_falling(each, plan.epochs) for each in optimisers.values()]
    net.train()
    for epoch in range(plan.epochs):
        reversal = _REVERSAL * min(1.0, epoch / max(1.0, _REVERSAL_RISES * plan.epochs))
        for rows in _batches(len(x), plan.batch, generator):
            clean, wanted = _mixed(generator, x[rows], known[rows])
            noisy = _noisy(clean, generator)
            n = len(rows)
            _step(net, optimisers["adversarial"], losses.adversarial_loss(net, noisy, reversal, generator))
            _step(net, optimisers["rank"], losses.rank_loss(net.encoder(noisy), wanted, generator))
            _step(net, optimisers["reconstruction"], losses.reconstruction_loss(net, noisy, clean))
            _step(net, optimisers["information"], losses.mutual_information_loss(net, n, generator))
            _step(net, optimisers["smoothness"], losses.smoothness_loss(net, n, generator))
        for schedule in schedules:
            schedule.step()


def _train_decoder(net: RankAae, x: Tensor, plan: RankAaePlan, generator: torch.Generator) -> None:
    """Fit the decoder to the encoder, which is fixed now: the other losses had pulled it elsewhere.

    Batch norm keeps the means and variances that it is used with. Rows are noisy and mixed as before, and their
    absolute error counts, which single spectra far from all others pull less.
    """
    net.eval()
    optimiser = torch.optim.AdamW(net.decoder.parameters(), lr=5 * plan.rate)
    schedule = _falling(optimiser, max(1, plan.decoder_epochs))
    for _ in range(plan.decoder_epochs):
        for rows in _batches(len(x), plan.batch // 4, generator):
            (clean,) = _mixed(generator, x[rows])
            with torch.no_grad():
                axes = net.encoder(_noisy(clean, generator))
            _step(net, optimiser, torch.mean(torch.abs(net.decoder(axes) - clean)))
        schedule.step()


def _mixed(generator: torch.Generator, *columns: Tensor) -> list[Tensor]:
    """Rows with up to a share of another row each: spectra of several sites average, and their descriptors do too."""
    rows = len(columns[0])
    other = torch.randperm(rows, generator=generator)
    share = _MOST_MIXED * torch.rand((rows, 1), generator=generator)
    return [torch.lerp(each, each[other], share) for each in columns]


def _noisy(spectra: Tensor, generator: torch.Generator) -> Tensor:
    return spectra + _SPECTRUM_NOISE * torch.randn(spectra.shape, generator=generator)


def _step(net: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    net.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


def _batches(rows: int, size: int, generator: torch.Generator) -> Iterable[Tensor]:
    """Rows in random order, in batches of about equal size."""
    return torch.randperm(rows, generator=generator).tensor_split(max(1, round(rows / size)))


def _falling(optimiser: torch.optim.Optimizer, epochs: int) -> torch.optim.lr_scheduler.LambdaLR:
    return torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda epoch: _LEAST_RATE + (1 - _LEAST_RATE) * 0.5 * (1 + math.cos(math.pi * epoch / epochs))
    )


def encode(net: RankAae, spectra: Floats) -> Floats:
    """(n, 6) axes of (n, 256) spectra."""
    with torch.inference_mode():
        axes: Floats = net.eval().encoder(torch.from_numpy(spectra.astype(np.float32))).numpy().astype(np.float64)
    return axes


def decode(net: RankAae, axes: Floats) -> Floats:
    """(n, 256) spectra of (n, 6) axes."""
    with torch.inference_mode():
        spectra: Floats = net.eval().decoder(torch.from_numpy(axes.astype(np.float32))).numpy().astype(np.float64)
    return spectra
