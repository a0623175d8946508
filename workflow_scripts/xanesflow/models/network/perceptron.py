"""The multilayer perceptron of the paper, and what else its output may be."""

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
    """What dropout multiplies with: 0 with probability `share`, else the factor that keeps the mean.

    PyTorch's own draws from a Bernoulli distribution one number at a time on a CPU: 0.19 ms for 32 × 600 units
    against 0.02 ms this way, where 64 random bits serve four units. The share is exact to 2⁻¹⁶.

    Args:
        shape: of the mask.
        share: of zeros, below 1.
        like: gives device and type.
        generator: of the random numbers; None: the global one.
    """
    n = torch.Size(shape).numel()
    drawn = torch.empty((n + 3) // 4, dtype=torch.int64, device=like.device)
    drawn.random_(-(2**63), None, generator=generator)  # None: up to the largest number
    first = max(1, round(share * _STEPS)) - _STEPS // 2  # of those that keep their unit
    # Clamped to 1 or 0 above first - 1: a comparison, and what takes its truth values, are slow on a CPU.
    kept = drawn.view(torch.int16)[:n].clamp_(first - 1, first).sub_(first - 1)
    return kept.view(shape).to(like.dtype).mul_(1 / (1 - share))


class FastDropout(nn.Module):
    """Dropout as `torch.nn.Dropout`, with the masks of `keep_mask`."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, hidden: Tensor) -> Tensor:
        """(n, w) -> (n, w), in training with `share` of the entries 0 and the rest scaled up to keep the mean."""
        if not self.training or self.share == 0:
            return hidden
        return hidden * keep_mask(tuple(hidden.shape), self.share, hidden)


class SpectrumNetwork(nn.Module):
    """Scaled features to scaled spectrum (arXiv 2409.19552, section on the models).

    Each hidden layer is Linear, BatchNorm, SiLU, dropout. The output layer ends in Softplus, as an absorption cross
    section is positive; or it is linear and added to the mean training spectrum, so that the untrained network is the
    baseline and weight decay pulls towards it.

    Attributes:
        mean_spectrum: (n_energies,) what a linear output is added to; None: there is none.
        keep_statistics: whether training normalises by the running means and variances, and leaves them as they are.
    """

    mean_spectrum: Tensor | None
    keep_statistics = False

    def __init__(
        self, n_features: int, widths: tuple[int, ...], n_energies: int, dropout: float, output: Output = "softplus"
    ) -> None:
        """Make the network with PyTorch's usual initial weights, from its global random numbers.

        Args:
            n_features: numbers per site.
            widths: units of each hidden layer.
            n_energies: points of the spectrum.
            dropout: share of hidden units left out at each training step.
            output: `softplus`, or `difference` from `mean_spectrum`, a buffer that is zero until it is set.
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
        """As PyTorch's, but for a normalisation whose running means and variances are kept (`keep_statistics`)."""
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
