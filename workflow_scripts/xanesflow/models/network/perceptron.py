"""The multilayer perceptron of the paper, with a choice of two outputs."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from xanesflow.config.training_settings import Output


class SpectrumNetwork(nn.Module):
    """Network from scaled features to a scaled spectrum (arXiv 2409.19552, section on the models).

    Each hidden layer is Linear, BatchNorm, SiLU, dropout. The output layer ends in Softplus, because an absorption
    cross section is positive. Alternatively it is linear and is added to the mean training spectrum: then the untrained
    network predicts about the baseline, and weight decay pulls towards it.

    Attributes:
        mean_spectrum: (n_energies,) the spectrum to which a linear output is added; None for a Softplus output.
        keep_statistics: whether training normalises by the running means and variances without updating them.
        generator: random generator of the dropout; None for PyTorch's global one, which all threads share.
    """

    mean_spectrum: Tensor | None
    keep_statistics = False
    generator: torch.Generator | None = None

    def __init__(
        self, n_features: int, widths: tuple[int, ...], n_energies: int, dropout: float, output: Output = "softplus"
    ) -> None:
        """Create the network with PyTorch's default initial weights, drawn from its global random generator.

        Args:
            n_features: numbers per site.
            widths: units of each hidden layer.
            n_energies: points of the spectrum.
            dropout: share of hidden units left out at each training step.
            output: `softplus`, or `difference` to `mean_spectrum`, a buffer that is zero until it is set.
        """
        super().__init__()
        self.dropout = dropout
        sizes = (n_features, *widths)
        self.hidden = nn.ModuleList(_HiddenLayer(incoming, outgoing) for incoming, outgoing in pairwise(sizes))
        self.output = nn.Linear(sizes[-1], n_energies)
        self.register_buffer("mean_spectrum", torch.zeros(n_energies) if output == "difference" else None)

    def train(self, mode: bool = True) -> SpectrumNetwork:
        """Like PyTorch's `train`, but with `keep_statistics` the normalisation stays in evaluation mode."""
        super().train(mode)
        for module in self.modules() if self.keep_statistics else ():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()
        return self

    def forward(self, features: Tensor) -> Tensor:
        """(n, d) scaled features -> (n, 141) scaled spectra, always float32."""
        units = features
        for layer in self.hidden:
            units = layer(units)
            if self.training and self.dropout:
                units = units * keep_mask(units, self.dropout, self.generator)
        outputs: Tensor = self.output(units).float()
        return functional.softplus(outputs) if self.mean_spectrum is None else outputs + self.mean_spectrum


class _HiddenLayer(nn.Module):
    """Linear, BatchNorm, SiLU. Only the product may be computed in less than float32 (`torch.autocast`)."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(incoming, outgoing), nn.BatchNorm1d(outgoing)
        # The normalisation takes this bias out again: its gradient is only rounding, which Adam would amplify to steps
        # of full size.
        self.linear.bias.requires_grad_(False)

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.silu(self.norm(self.linear(inputs).float()))


def keep_mask(units: Tensor, share: float, generator: torch.Generator | None = None) -> Tensor:
    """A dropout mask: 0 with probability `share`, else the factor that preserves the mean.

    PyTorch's own dropout takes no generator, so seeds in several threads would disturb each other's random numbers.
    """
    return torch.empty_like(units).bernoulli_(1 - share, generator=generator).div_(1 - share)
