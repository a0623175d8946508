"""Adam with decoupled weight decay, using PyTorch's fused kernel directly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8
MOMENTS = ("exp_avg", "exp_avg_sq")


class AdamW:
    """Optimiser (arXiv 1711.05101, algorithm 2) whose steps equal those of `torch.optim.AdamW(fused=True)` bit by bit.

    That class calls the same kernel, but the sorting, checks and hooks around it take as long as the step of a small
    network itself. It also imports PyTorch's compiler, which costs each job more than a second.

    Attributes:
        state: for each parameter, in the order of the groups: its moments, and the number of steps in `step`.
    """

    def __init__(self, groups: Sequence[tuple[Sequence[Tensor], float]]) -> None:
        """Begin with moments of zero.

        Args:
            groups: parameters (leaf tensors that require a gradient) and their weight decay.
        """
        self.parameters = [parameter for parameters, _ in groups for parameter in parameters]
        self._decays = [(len(parameters), decay) for parameters, decay in groups]
        self.state = [
            {"step": torch.zeros((), device=parameter.device)}
            | {name: torch.zeros_like(parameter, requires_grad=False) for name in MOMENTS}
            for parameter in self.parameters
        ]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], rate: float) -> None:
        """Change the parameters in place.

        Args:
            gradients: gradient of each parameter, in the order of the parameters.
            rate: learning rate.
        """
        steps, means, squares = ([state[name] for state in self.state] for name in ("step", *MOMENTS))
        torch._foreach_add_(steps, 1)
        start = 0
        for number, decay in self._decays:
            part = slice(start, start + number)
            torch._fused_adamw_(
                self.parameters[part], list(gradients[part]), means[part], squares[part], [], steps[part],
                lr=rate, beta1=BETAS[0], beta2=BETAS[1], weight_decay=decay, eps=EPSILON, amsgrad=False, maximize=False,
            )  # fmt: skip
            start += number

    def keep(self, rows: Tensor) -> None:
        """Keep only some rows of the moments; the same rows of the parameters have been kept before."""
        for state in self.state:
            state.update({name: state[name][rows].clone() for name in MOMENTS})

    def load(self, state: Sequence[Mapping[str, Tensor]]) -> None:
        """Load moments and numbers of steps.

        Raises:
            ValueError: their shapes do not fit the parameters.
        """
        shapes = [{name: tensor.shape for name, tensor in each.items()} for each in state]
        if shapes != [{name: tensor.shape for name, tensor in each.items()} for each in self.state]:
            raise ValueError("The moments do not fit the parameters.")
        for own, other in zip(self.state, state, strict=True):
            for name, tensor in other.items():
                own[name].copy_(tensor)
