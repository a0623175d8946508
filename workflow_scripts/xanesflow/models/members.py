"""Several networks of one shape trained as one: the seeds of a model, with weights, batches and dropout of their own.

A step of a small network is over before Python has asked for the next, which on a GPU is nearly all that takes time.
So the weights of all seeds lie in one tensor each, with the member as first axis, and a layer of all of them is one
batched product. What a member computes does not depend on the others: its random numbers come from its own generator.

A bias before a normalisation does nothing, and its gradient is nothing but rounding, which Adam would scale up to steps
of full size. So hidden layers have none here: it is taken into the running mean, and is zero in the trained networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from xanesflow.models.network import HALF, SpectrumNetwork, keep_mask
from xanesflow.models.settings import Precision

_STATISTICS = ("running_mean", "running_var")


class Members(nn.Module):
    """Networks of one shape, side by side.

    Parameters have the member as first axis: `weights` (k, out, in) of each layer, `gains` and `shifts` (k, w) of each
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
        """How many members there are."""
        return len(self.bias)

    def forward(self, features: Tensor, generators: Sequence[torch.Generator] = ()) -> Tensor:
        """(n, k, d) scaled features of each member's own spectra -> (n, k, 141) scaled spectra.

        Args:
            features: see above.
            generators: of each member's dropout; only read in training.
        """
        hidden = features
        n, k = features.shape[:2]
        for number, (gain, shift) in enumerate(zip(self.gains, self.shifts, strict=True)):
            linear = self._product(hidden, number).reshape(n, -1)
            # One normalisation for all members: each unit of each member is a channel of its own.
            normal = functional.batch_norm(
                linear,
                getattr(self, f"running_mean_{number}").view(-1),
                getattr(self, f"running_var_{number}").view(-1),
                gain.view(-1),
                shift.view(-1),
                self.training and not self.keep_statistics,
                self.momentum,
                self.epsilon,
            )
            hidden = functional.silu(normal).view(n, k, -1)
            if self.training and self.dropout:
                hidden = hidden * self._masks(hidden, generators)
        outputs = self._product(hidden, len(self.gains)) + self.bias
        return functional.softplus(outputs) if self.mean_spectrum is None else outputs + self.mean_spectrum

    def _product(self, hidden: Tensor, number: int) -> Tensor:
        half = self.training and self.precision == "bfloat16"
        outputs: Tensor = _Product.apply(hidden, self.weights[number], half)
        return outputs

    def _masks(self, hidden: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        n, k, width = hidden.shape
        masks = [keep_mask((n, 1, width), self.dropout, hidden, generator) for generator in generators]
        return masks[0] if k == 1 else torch.cat(masks, dim=1)

    def networks(self) -> list[dict[str, Tensor]]:
        """The weights of each member, as `SpectrumNetwork.load_state_dict` takes them."""
        last = len(self.gains)
        states: list[dict[str, Tensor]] = []
        for member in range(len(self)):
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
            states.append({name: tensor[member].detach().cpu().clone() for name, tensor in state.items()})
        return states

    def keep(self, members: Tensor) -> None:
        """Go on with some members only, given by their numbers, ascending."""
        for parameter in self.parameters():
            parameter.data = parameter.data[members].clone()
            parameter.grad = None
        for name, buffer in list(self.named_buffers()):
            setattr(self, name, buffer[members].clone())


class _Product(torch.autograd.Function):
    """The product of a layer, forwards and backwards, with factors rounded to bfloat16 if `half`."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weights: Tensor, half: bool) -> Tensor:
        """(n, k, in) and (k, out, in) -> (n, k, out)."""
        kind = HALF if half else weights.dtype
        factor, weight = _swapped(hidden, kind), weights.to(kind)
        ctx.save_for_backward(factor, weight)
        return _swapped(_products(factor, weight.transpose(1, 2)), weights.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, None]:
        """Gradients with respect to both factors."""
        factor, weight = ctx.saved_tensors
        kind, gradient = gradients[0].dtype, _swapped(gradients[0], factor.dtype)
        by_hidden = _swapped(_products(gradient, weight), kind) if ctx.needs_input_grad[0] else None
        return by_hidden, _products(gradient.transpose(1, 2), factor).to(kind), None


def _swapped(tensor: Tensor, kind: torch.dtype) -> Tensor:
    """The same with the first two axes swapped; laid out anew where it is rounded, in the one copy that this takes."""
    return tensor.transpose(0, 1).to(kind, memory_format=torch.contiguous_format)


def _products(first: Tensor, second: Tensor) -> Tensor:
    """(k, a, b) and (k, b, c) -> (k, a, c); on a processor in float32 one by one, which is quicker there."""
    if len(first) == 1:
        return torch.mm(first[0], second[0])[None]
    if first.dtype == HALF or first.device.type != "cpu":
        return torch.bmm(first, second)
    result = first.new_empty(len(first), first.shape[1], second.shape[2])
    for one, other, product in zip(first, second, result, strict=True):
        torch.mm(one, other, out=product)
    return result
