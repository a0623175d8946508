"""The multilayer perceptron of the paper, with a choice of two outputs."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from xanesflow.config.training_settings import Output

HALF = torch.bfloat16
_STEPS = 2**16  # values of a 16-bit random number


def keep_mask(shape: tuple[int, ...], share: float, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """A dropout mask: 0 with probability `share`, else the factor that preserves the mean.

    On a CPU, PyTorch's dropout draws one number at a time from a Bernoulli distribution, which takes 0.19 ms for
    32 × 600 units. Here 64 random bits serve four units, which takes 0.02 ms. The share is exact to 2⁻¹⁶.

    Args:
        shape: shape of the mask.
        share: share of zeros, below 1.
        like: a tensor with the device and type of the mask.
        generator: random generator; None for the global one.
    """
    n = torch.Size(shape).numel()
    drawn = torch.empty((n + 3) // 4, dtype=torch.int64, device=like.device)
    drawn.random_(-(2**63), None, generator=generator)  # None: up to the largest number
    first = max(1, round(share * _STEPS)) - _STEPS // 2  # the smallest 16-bit number that keeps its unit
    # Clamping gives 1 for numbers from `first` on, else 0. A comparison with boolean results would be slow on a CPU.
    kept = drawn.view(torch.int16)[:n].clamp_(first - 1, first).sub_(first - 1)
    return kept.view(shape).to(like.dtype).mul_(1 / (1 - share))


class FastDropout(nn.Module):
    """Dropout like `torch.nn.Dropout`, with the masks of `keep_mask`."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, hidden: Tensor) -> Tensor:
        """(n, w) -> (n, w); in training, `share` of the entries become 0 and the others are scaled up."""
        if not self.training or self.share == 0:
            return hidden
        return hidden * keep_mask(tuple(hidden.shape), self.share, hidden)


class SpectrumNetwork(nn.Module):
    """Network from scaled features to a scaled spectrum (arXiv 2409.19552, section on the models).

    Each hidden layer is Linear, BatchNorm, SiLU, dropout. The output layer ends in Softplus, because an absorption
    cross section is positive. Alternatively it is linear and is added to the mean training spectrum: then the untrained
    network predicts about the baseline, and weight decay pulls towards it.

    Attributes:
        mean_spectrum: (n_energies,) the spectrum to which a linear output is added; None for a Softplus output.
        keep_statistics: whether training normalises by the running means and variances without updating them.
    """

    mean_spectrum: Tensor | None
    keep_statistics = False

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
        self.dropout, self.kind_of_output = dropout, output
        sizes = (n_features, *widths)
        self.hidden = nn.Sequential()
        for number, (incoming, outgoing) in enumerate(pairwise(sizes)):
            layers: OrderedDict[str, nn.Module] = OrderedDict(
                linear=nn.Linear(incoming, outgoing),
                norm=nn.BatchNorm1d(outgoing),
                activation=nn.SiLU(),
                dropout=FastDropout(dropout),
            )
            self.hidden.add_module(str(number), nn.Sequential(layers))
        self.output = nn.Linear(sizes[-1], n_energies)
        self.positive = nn.Softplus()
        self.register_buffer("mean_spectrum", torch.zeros(n_energies) if output == "difference" else None)

    def linears(self) -> list[nn.Linear]:
        """The linear layers, the output's last."""
        hidden = [cast("nn.Linear", layer.get_submodule("linear")) for layer in self.hidden]
        return [*hidden, self.output]

    def norms(self) -> list[nn.BatchNorm1d]:
        """The normalisation of each hidden layer."""
        return [cast("nn.BatchNorm1d", layer.get_submodule("norm")) for layer in self.hidden]

    def train(self, mode: bool = True) -> SpectrumNetwork:
        """Like PyTorch's `train`, but with `keep_statistics` the normalisation stays in evaluation mode."""
        super().train(mode)
        if self.keep_statistics:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm1d):
                    module.eval()
        return self

    def forward(self, features: Tensor) -> Tensor:
        """(n, d) scaled features -> (n, 141) scaled spectra."""
        outputs: Tensor = self.output(self.hidden(features))
        if self.mean_spectrum is None:
            return cast("Tensor", self.positive(outputs))
        return outputs + self.mean_spectrum
