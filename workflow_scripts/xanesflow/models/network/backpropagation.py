"""Losses and gradients of networks that are trained side by side, with hand-written derivatives.

PyTorch's automatic differentiation records each operation and allocates new memory for each gradient, which takes much
of the time of a step for networks of this size. Because the layers are always the same, their derivatives are a few
lines here, and the memory is reused. Tests compare them with PyTorch's gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from xanesflow.models.network.perceptron import HALF, keep_mask
from xanesflow.models.network.seeds import SeedNetworks, multiply


@dataclass(frozen=True, eq=False)
class _Layer:
    """Values of a hidden layer's forward pass that its derivatives need: (n, k, w) each, the statistics (k w,)."""

    linear: Tensor
    normal: Tensor
    mean: Tensor
    scale: Tensor
    mask: Tensor | None


class Backpropagation:
    """Losses and gradients of `SeedNetworks`. Create a new object when seeds stop training.

    Attributes:
        networks: one network for each seed.
        gradients: parameter -> derivative of the sum of the losses of the last batch.
    """

    def __init__(self, networks: SeedNetworks) -> None:
        """Allocate memory for the gradients."""
        self.networks = networks
        self.gradients: dict[Tensor, Tensor] = {
            each: torch.empty_like(each, requires_grad=False) for each in networks.parameters()
        }
        # Collected once, because access to a module's attributes is slow.
        self._gains, self._shifts, self._weights = map(list, (networks.gains, networks.shifts, networks.weights))
        self._channels = [networks.channels(number) for number in range(len(self._gains))]
        self._by_batch = not networks.keep_statistics
        self._half = networks.precision == "bfloat16"
        self._factors = [torch.empty_like(each, dtype=HALF) if self._half else each for each in self._weights]

    @torch.inference_mode()
    def losses_and_gradients(self, features: Tensor, spectra: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Mean squared error (k,) of each seed on its batch, with dropout; writes the derivatives to `gradients`.

        Args:
            features: (n, k, d) scaled features of each seed's batch.
            spectra: (n, k, 141) scaled spectra of each seed's batch.
            generators: random generator for the dropout of each seed.
        """
        # Forward pass through the hidden layers and the output.
        if self._half:
            torch._foreach_copy_(self._factors, self._weights)
        networks, inputs, layers = self.networks, [self._factor(features)], []
        masks = self._masks(len(features), generators)
        for number in range(len(self._channels)):
            hidden, layer = self._forwards(inputs[-1], number, masks[number] if masks else None)
            layers.append(layer)
            inputs.append(self._factor(hidden))
        outputs = multiply(inputs[-1], self._factors[-1].transpose(1, 2)).add_(networks.bias)
        difference = networks.end(outputs).sub_(spectra)
        losses = difference.square().mean(dim=(0, 2))

        # Backward pass, from the output to the first layer.
        gradient = difference.mul_(2 / difference[:, 0].numel())
        if networks.mean_spectrum is None:
            gradient = torch.ops.aten.softplus_backward(gradient, outputs, 1, 20)
        torch.sum(gradient, dim=0, out=self.gradients[networks.bias])
        for number in range(len(layers), 0, -1):
            factor = self._factor(gradient)
            self._keep_product(factor, inputs[number], number)
            gradient = self._backwards(multiply(factor, self._factors[number]), layers[number - 1], number - 1)
        self._keep_product(self._factor(gradient), inputs[0], 0)
        return losses

    def _forwards(self, inputs: Tensor, number: int, mask: Tensor | None) -> tuple[Tensor, _Layer]:
        """Units (n, k, w) of a hidden layer, and the values that its derivatives need."""
        linear = multiply(inputs, self._factors[number].transpose(1, 2))
        momentum, epsilon = self.networks.momentum, self.networks.epsilon
        flat, mean, scale = torch.native_batch_norm(
            linear.flatten(1), *self._channels[number], training=self._by_batch, momentum=momentum, eps=epsilon
        )
        normal = flat.view(linear.shape)
        hidden = functional.silu(normal)
        if mask is not None:
            hidden.mul_(mask)
        return hidden, _Layer(linear, normal, mean, scale, mask)

    def _backwards(self, gradient: Tensor, layer: _Layer, number: int) -> Tensor:
        """Turn the derivative with respect to a layer's units into that with respect to the input of its batch norm."""
        if layer.mask is not None:
            gradient.mul_(layer.mask)
        gradient = torch.ops.aten.silu_backward(gradient, layer.normal)
        gain, _, *running = self._channels[number]
        by_linear, by_gain, by_shift = torch.ops.aten.native_batch_norm_backward(
            gradient.flatten(1), layer.linear.flatten(1), gain, *running, layer.mean, layer.scale,
            self._by_batch, self.networks.epsilon, [True, True, True],
        )  # fmt: skip
        for parameters, found in ((self._gains, by_gain), (self._shifts, by_shift)):
            self.gradients[parameters[number]] = found.view(parameters[number].shape)
        return by_linear.view(gradient.shape)

    def _masks(self, n: int, generators: Sequence[torch.Generator]) -> list[Tensor]:
        """Dropout masks (n, k, w) of all hidden layers, drawn at once; empty without dropout."""
        share, widths = self.networks.dropout, [gain.shape[1] for gain in self._gains]
        if not share:
            return []
        drawn = [keep_mask((n * sum(widths),), share, self._gains[0], each) for each in generators]
        parts = zip(*[mask.split([n * width for width in widths]) for mask in drawn], strict=True)
        masks = [[mask.view(n, 1, width) for mask in part] for part, width in zip(parts, widths, strict=True)]
        return [of[0] if len(of) == 1 else torch.cat(of, dim=1) for of in masks]

    def _factor(self, tensor: Tensor) -> Tensor:
        """(n, k, w) as a factor of products, (k, n, w); rounding to bfloat16, if chosen, happens in the same copy."""
        swapped = tensor.transpose(0, 1)
        return swapped.to(HALF, memory_format=torch.contiguous_format) if self._half else swapped

    def _keep_product(self, gradient: Tensor, inputs: Tensor, number: int) -> None:
        """Store the derivative with respect to the weights of a layer, from (k, n, out) and (k, n, in)."""
        room = self.gradients[self._weights[number]]
        first = gradient.transpose(1, 2)
        if self._half:
            room.copy_(torch.mm(first[0], inputs[0])[None] if len(room) == 1 else torch.bmm(first, inputs))
        elif room.device.type == "cpu":
            for one, other, product in zip(first, inputs, room, strict=True):
                torch.mm(one, other, out=product)
        else:
            torch.bmm(first, inputs, out=room)
