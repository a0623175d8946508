"""Adam with decoupled weight decay, as the one kernel that PyTorch has for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8
MOMENTS = ("exp_avg", "exp_avg_sq")


class AdamW:
    """Steps of some parameters (arXiv 1711.05101, algorithm 2), bit by bit those of `torch.optim.AdamW(fused=True)`.

    That class calls the kernel that is called here, but sorts, checks and hooks around it at each step, which takes
    as long as a small network's step itself; and it imports PyTorch's compiler, more than a second of each job.

    Attributes:
        state: of each parameter, by its place in the order of the groups: its moments, and `step`, how many were made.
    """

    def __init__(self, groups: Sequence[tuple[Sequence[Tensor], float]]) -> None:
        """Begin with moments of zero.

        Args:
            groups: parameters (leaves that need a gradient) and their weight decay.
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
            gradients: of each parameter, in their order.
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
        """Go on with some rows of the parameters, whose own were cut before."""
        for state in self.state:
            state.update({name: state[name][rows].clone() for name in MOMENTS})

    def load(self, state: Sequence[Mapping[str, Tensor]]) -> None:
        """Take over moments and numbers of steps.

        Raises:
            ValueError: they are not those of such parameters.
        """
        shapes = [{name: tensor.shape for name, tensor in each.items()} for each in state]
        if shapes != [{name: tensor.shape for name, tensor in each.items()} for each in self.state]:
            raise ValueError("The moments are those of other parameters.")
        for own, other in zip(self.state, state, strict=True):
            for name, tensor in other.items():
                own[name].copy_(tensor)
