"""Train several networks of one shape as one: the seeds of a model, each with its own weights, batches and dropout.

A step of a small network is over before Python has launched the next one; on a GPU, launching takes nearly all the
time. So the weights of all seeds share one tensor, with the seed as first axis, and a layer of all seeds is one batched
product. The result of a seed does not depend on the others, because each seed has its own random generator.

A bias before a normalisation has no effect, and its gradient is only rounding, which Adam would amplify to steps of
full size. So hidden layers have no bias here: it moves into the running mean, and is zero in the trained networks.
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
    """Networks of one shape, side by side: their weights and predictions. `Backpropagation` computes their gradients.

    The first axis of all parameters is the seed: `weights` (k, out, in) of each layer, `gains` and `shifts` (k, w) of
    each normalisation, `bias` (k, 141) of the output.
    """

    mean_spectrum: Tensor | None

    def __init__(self, networks: Sequence[SpectrumNetwork], precision: Precision = "float32") -> None:
        """Copy the weights of networks.

        Args:
            networks: networks of one shape.
            precision: precision of the products in training; sums, normalisation and weights are always float32.
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
        """The number of seeds."""
        return len(self.bias)

    @torch.no_grad()
    def forward(self, features: Tensor) -> Tensor:
        """(n, k, d) scaled features for each seed -> (n, k, 141) scaled spectra, in evaluation mode."""
        hidden = features
        for number in range(len(self.gains)):
            linear = multiply(hidden.transpose(0, 1), self.weights[number].transpose(1, 2))
            gain, shift, mean, variance = self.channels(number)
            normal = functional.batch_norm(linear.flatten(1), mean, variance, gain, shift, eps=self.epsilon)
            hidden = functional.silu(normal).view(linear.shape)
        return self.end(multiply(hidden.transpose(0, 1), self.weights[-1].transpose(1, 2)).add_(self.bias))

    def end(self, outputs: Tensor) -> Tensor:
        """(n, k, 141) outputs of the last layer -> scaled spectra."""
        return functional.softplus(outputs) if self.mean_spectrum is None else outputs + self.mean_spectrum

    def channels(self, number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gains, shifts, running means and variances (k w,) of one normalisation, for each unit of each seed."""
        running = (getattr(self, f"{name}_{number}") for name in _STATISTICS)
        gain, shift, mean, variance = (each.view(-1) for each in (self.gains[number], self.shifts[number], *running))
        return gain, shift, mean, variance

    def networks(self) -> list[dict[str, Tensor]]:
        """The weights of each seed, in the form that `SpectrumNetwork.load_state_dict` takes."""
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
        """Keep only some seeds, given by their ascending positions."""
        for parameter in self.parameters():
            parameter.data = parameter.data[seeds].clone()
        for name, buffer in list(self.named_buffers()):
            setattr(self, name, buffer[seeds].clone())


def multiply(first: Tensor, second: Tensor) -> Tensor:
    """(k, n, a) and (k, a, b) -> (n, k, b) in float32.

    On a CPU in float32 the products are computed one by one, which is faster there than PyTorch's batched product.
    """
    if len(first) == 1:
        return torch.mm(first[0], second[0]).to(torch.float32)[:, None]
    if first.dtype == torch.float32 and first.device.type == "cpu":
        result = first.new_empty(first.shape[1], len(first), second.shape[2])
        for one, other, product in zip(first, second, result.unbind(1), strict=True):
            torch.mm(one, other, out=product)
        return result
    return torch.bmm(first, second).transpose(0, 1).to(torch.float32, memory_format=torch.contiguous_format)
