"""The three networks of RankAAE: encoder, decoder, discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

POINTS = 256
"""Energies of a spectrum that the networks see."""

AXES = 6
"""Latent axes: those that rank descriptors, then a free one."""

_WIDTH, _DEPTH, _DROPOUT = 64, 4, 0.04
_DISCRIMINATOR_DEPTH, _DISCRIMINATOR_NOISE = 2, 0.56


def _layers(widths: Sequence[int]) -> list[nn.Module]:
    """Hidden layers: linear, PReLU, batch norm without scale and shift, dropout."""
    layers: list[nn.Module] = []
    for before, behind in pairwise(widths):
        layers += [nn.Linear(before, behind), nn.PReLU(), nn.BatchNorm1d(behind, affine=False), nn.Dropout(_DROPOUT)]
    return layers


class _Reversed(torch.autograd.Function):
    """Passes values on and turns the gradient around."""

    @staticmethod
    def forward(context: Any, values: Tensor, strength: float) -> Tensor:
        context.strength = strength
        return values.view_as(values)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -context.strength * gradient, None


def turned_around(axes: Tensor, strength: float) -> Tensor:
    """The same axes, whose gradient is multiplied by minus the strength on its way back."""
    turned: Tensor = _Reversed.apply(axes, strength)
    return turned


class RankAae(nn.Module):
    """Encoder, decoder and discriminator.

    Attributes:
        encoder: (n, 256) spectra -> (n, 6) axes, each with mean 0 and variance 1 over a batch.
        decoder: (n, 6) -> (n, 256).
        discriminator: (n, 6) -> (n,) logit that the axes were drawn from a normal distribution.
    """

    def __init__(self) -> None:
        super().__init__()
        hidden = [_WIDTH] * _DEPTH
        self.encoder = nn.Sequential(
            *_layers([POINTS, *hidden]), nn.Linear(_WIDTH, AXES), nn.BatchNorm1d(AXES, affine=False)
        )
        self.decoder = nn.Sequential(*_layers([AXES, *hidden]), nn.Linear(_WIDTH, POINTS), nn.Softplus(beta=2))
        self.discriminator = nn.Sequential(
            *_layers([AXES, *[_WIDTH] * _DISCRIMINATOR_DEPTH]), nn.Linear(_WIDTH, 1), nn.Flatten(0)
        )

    def judged(self, axes: Tensor, generator: torch.Generator) -> Tensor:
        """(n,) logits of the discriminator, with noise drawn from `generator` on its (n, 6) input."""
        noise = _DISCRIMINATOR_NOISE * torch.randn(axes.shape, generator=generator)
        logits: Tensor = self.discriminator(axes + noise)
        return logits
