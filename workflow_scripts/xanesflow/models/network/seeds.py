"""Several networks of one shape trained as one: the seeds of a model, with weights, batches and dropout of their own.

A step of a small network is over before Python has asked for the next, which on a GPU is nearly all that takes time.
So the weights of all seeds lie in one tensor each, with the seed as first axis, and a layer of all of them is one
batched product. What a seed computes does not depend on the others: its random numbers come from its own generator.

A bias before a normalisation does nothing, and its gradient is nothing but rounding, which Adam would scale up to steps
of full size. So hidden layers have none here: it is taken into the running mean, and is zero in the trained networks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from xanesflow.config.training_settings import Precision
from xanesflow.models.network.perceptron import SpectrumNetwork

_STATISTICS = ("running_mean", "running_var")


class SeedNetworks(nn.Module):
    """Networks of one shape, side by side: weights and predictions; what training them takes is in `Backpropagation`.

    Parameters have the seed as first axis: `weights` (k, out, in) of each layer, `gains` and `shifts` (k, w) of each
    normalisation, `bias` (k, 141) of the output.
    """

    mean_spectrum: Tensor | None

    def __init__(self, networks: Sequence[SpectrumNetwork], precision: Precision = "float32") -> None:
        """Take over the weights of networks.

        Args:
            networks: of one shape.
            precision: of the products in training; sums, normalisation and weights are float32 in any case.
        """
        super().__init__()
        first = networks[0]
        self.dropout, self.precision = first.dropout, precision
        self.momentum = first.norms()[0].momentum or 0.0
        self.epsilon = first.norms()[0].eps
        self.keep_statistics = first.keep_statistics

        def stack(tensors: Sequence[Tensor]) -> Tensor:
            return torch.stack([tensor.detach() for tensor in tensors])

        linears = list(zip(*[network.linears() for network in networks], strict=True))
        norms = list(zip(*[network.norms() for network in networks], strict=True))
        self.weights = nn.ParameterList([nn.Parameter(stack([layer.weight for layer in same])) for same in linears])
        self.bias = nn.Parameter(stack([layer.bias for layer in linears[-1]]))
        self.gains = nn.ParameterList([nn.Parameter(stack([norm.weight for norm in same])) for same in norms])
        self.shifts = nn.ParameterList([nn.Parameter(stack([norm.bias for norm in same])) for same in norms])
        for number, same in enumerate(norms):
            means = [norm.running_mean - layer.bias for norm, layer in zip(same, linears[number], strict=True)]
            self.register_buffer(f"running_mean_{number}", stack(means))
            self.register_buffer(f"running_var_{number}", stack([norm.running_var for norm in same]))
        means = [network.mean_spectrum for network in networks if network.mean_spectrum is not None]
        self.register_buffer("mean_spectrum", stack(means) if means else None)

    def __len__(self) -> int:
        """How many seeds there are."""
        return len(self.bias)

    @torch.no_grad()
    def forward(self, features: Tensor) -> Tensor:
        """(n, k, d) scaled features of each seed's own spectra -> (n, k, 141) scaled spectra, as trained."""
        hidden = features
        for number in range(len(self.gains)):
            linear = multiply(hidden.transpose(0, 1), self.weights[number].transpose(1, 2))
            gain, shift, mean, variance = self.channels(number)
            normal = functional.batch_norm(linear.flatten(1), mean, variance, gain, shift, eps=self.epsilon)
            hidden = functional.silu(normal).view(linear.shape)
        return self.end(multiply(hidden.transpose(0, 1), self.weights[-1].transpose(1, 2)).add_(self.bias))

    def end(self, outputs: Tensor) -> Tensor:
        """(n, k, 141) of the last layer -> scaled spectra."""
        return functional.softplus(outputs) if self.mean_spectrum is None else outputs + self.mean_spectrum

    def channels(self, number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gains, shifts, running means and variances (k w,) of a normalisation of each unit of each seed."""
        running = (getattr(self, f"{name}_{number}") for name in _STATISTICS)
        gain, shift, mean, variance = (each.view(-1) for each in (self.gains[number], self.shifts[number], *running))
        return gain, shift, mean, variance

    def networks(self) -> list[dict[str, Tensor]]:
        """The weights of each seed, as `SpectrumNetwork.load_state_dict` takes them."""
        last = len(self.gains)
        states: list[dict[str, Tensor]] = []
        for seed in range(len(self)):
            state: dict[str, Tensor] = {"output.weight": self.weights[last], "output.bias": self.bias}
            for number in range(last):
                at = f"hidden.{number}"
                shift = self.shifts[number]
                state |= {f"{at}.linear.weight": self.weights[number], f"{at}.linear.bias": torch.zeros_like(shift)}
                state |= {f"{at}.norm.weight": self.gains[number], f"{at}.norm.bias": shift}
                state |= {f"{at}.norm.{name}": getattr(self, f"{name}_{number}") for name in _STATISTICS}
                state[f"{at}.norm.num_batches_tracked"] = torch.zeros(len(self), dtype=torch.long)
            if self.mean_spectrum is not None:
                state["mean_spectrum"] = self.mean_spectrum
            states.append({name: tensor[seed].detach().cpu().clone() for name, tensor in state.items()})
        return states

    def keep(self, seeds: Tensor) -> None:
        """Go on with some seeds only, given by their places, ascending."""
        for parameter in self.parameters():
            parameter.data = parameter.data[seeds].clone()
        for name, buffer in list(self.named_buffers()):
            setattr(self, name, buffer[seeds].clone())


def multiply(first: Tensor, second: Tensor) -> Tensor:
    """(k, n, a) and (k, a, b) -> (n, k, b) in float32.

    On a processor in float32 one by one, which is quicker there than PyTorch's batched product.
    """
    if len(first) == 1:
        return torch.mm(first[0], second[0]).to(torch.float32)[:, None]
    if first.dtype == torch.float32 and first.device.type == "cpu":
        result = first.new_empty(first.shape[1], len(first), second.shape[2])
        for one, other, product in zip(first, second, result.unbind(1), strict=True):
            torch.mm(one, other, out=product)
        return result
    return torch.bmm(first, second).transpose(0, 1).to(torch.float32, memory_format=torch.contiguous_format)
