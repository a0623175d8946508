"""The five losses of RankAAE (arXiv 2301.04724)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from xanesflow.interpretation.rank_aae.networks import AXES, RankAae, turned_around

PARTNERS = 32
"""Rows that each row of a batch is compared with, drawn for each batch: all pairs would cost thirty times as much."""

_SCALES = (0.7, 1.3)
_SCALE_WEIGHT = 0.1
_SMOOTH = (0.25, 0.5, 0.25)


def adversarial_loss(net: RankAae, spectra: Tensor, reversal: float, generator: torch.Generator) -> Tensor:
    """Tells axes from draws of a normal distribution; its gradient into the encoder is turned around.

    Axes and draws are judged as one batch. Batch norm would give two batches the same mean logit, so that their loss
    could never fall below the 2 ln 2 of guesses, and nothing would be asked of the encoder.
    """
    drawn, found = _drawn(len(spectra), generator), net.encoder(spectra)
    logits = net.judged(torch.cat([drawn, turned_around(found, reversal)]), generator)
    is_drawn = torch.cat([torch.ones(len(drawn)), torch.zeros(len(found))])
    return 2 * functional.binary_cross_entropy_with_logits(logits, is_drawn)


def rank_loss(axes: Tensor, descriptors: Tensor, generator: torch.Generator) -> Tensor:
    """Ranks each descriptor along its axis.

    For a pair of rows, s is the difference of their axis times the sign of the difference of the descriptor. The loss
    is minus the mean of w s, where pairs in the wrong order have w = 1, and those in the right order n_wrong over the
    larger of n_right and n_wrong. Pairs in which a descriptor is equal or not known do not count.

    Args:
        axes: (n, 6).
        descriptors: (n, k), k at most 6; NaN where one is not known.
        generator: draws the pairs.
    """
    partner = torch.randint(1, len(axes), (len(axes), PARTNERS), generator=generator)
    partner = (partner + torch.arange(len(axes))[:, None]) % len(axes)
    sign = torch.sign(descriptors[:, None] - descriptors[partner])
    sign = torch.nan_to_num(sign, nan=0.0)
    steered = axes[:, : descriptors.shape[1]]
    agreement = (steered[:, None] - steered[partner]) * sign
    with torch.no_grad():
        wrong = (agreement < 0).to(axes.dtype)
        right = (agreement > 0).to(axes.dtype)
        n_wrong, n_right = wrong.sum(dim=(0, 1)), right.sum(dim=(0, 1))
        weight = wrong + right * (n_wrong / torch.maximum(n_right, n_wrong).clamp(min=1))
        pairs = (sign != 0).sum().clamp(min=1)
    return -(weight * agreement).sum() / pairs


def reconstruction_loss(net: RankAae, noisy: Tensor, spectra: Tensor) -> Tensor:
    """Squared error after a common factor is taken out, which has a small loss of its own."""
    decoded = net.decoder(net.encoder(noisy))
    factor = decoded.mean(dim=1, keepdim=True) / spectra.mean(dim=1, keepdim=True)
    fixed = factor.detach().clamp(*_SCALES)
    return torch.mean((decoded - fixed * spectra) ** 2) + _SCALE_WEIGHT * torch.mean((factor - 1) ** 2)


def mutual_information_loss(net: RankAae, rows: int, generator: torch.Generator) -> Tensor:
    """Draws axes and asks that the encoder finds them in their decoded spectra."""
    drawn = _drawn(rows, generator)
    return torch.mean((net.encoder(net.decoder(drawn)) - drawn) ** 2)


def smoothness_loss(net: RankAae, rows: int, generator: torch.Generator) -> Tensor:
    """Squared difference of decoded spectra from themselves, smoothed over three points."""
    decoded = net.decoder(_drawn(rows, generator))
    kernel = torch.tensor(_SMOOTH).view(1, 1, 3)
    padded = functional.pad(decoded[:, None], (1, 1), mode="replicate")
    return torch.mean((decoded - functional.conv1d(padded, kernel)[:, 0]) ** 2)


def _drawn(rows: int, generator: torch.Generator) -> Tensor:
    return torch.randn((rows, AXES), generator=generator)
