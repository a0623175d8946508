"""Learn how much each feature counts in the distances of a kernel regression.

Materials of the training part are drawn anew at each step: the regression is fitted to most of them and predicts the
others, and the weights follow the gradient of that error (Adam). So they are chosen within the training part, for
materials that the regression does not know.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[np.float64]

STEPS, RATE = 60, 0.05
"""Steps of Adam, and its first learning rate for the logarithms of the weights; it falls to zero along a cosine."""

FITTED, PREDICTED = 800, 200
"""Sites, about, that the regression is fitted to and that it predicts in a step."""

LENGTH, NOISE = 1.5, 2e-3
"""Of the kernel meanwhile; see `kernel_ridge`."""

FEWEST_MATERIALS = 50
"""With fewer, all weights stay 1."""

logger = logging.getLogger(__name__)


def learn_weights(
    points: npt.NDArray[np.float32],
    targets: Array,
    materials: npt.NDArray[np.str_],
    *,
    seed: int = 0,
) -> Array:
    """Learn the weight of each column.

    Args:
        points: (n, d) inputs of the training sites.
        targets: (n, 141) in bohr², with mean 0.
        materials: (n,) the material of each site.
        seed: of the draws.

    Returns:
        (d,) factors of the columns.
    """
    import torch

    names, of_site = np.unique(materials, return_inverse=True)
    if len(names) < FEWEST_MATERIALS:
        return np.ones(points.shape[1])
    chance = np.random.default_rng(seed)
    inputs = torch.from_numpy(np.asarray(points, dtype=np.float64))
    outputs = torch.from_numpy(np.asarray(targets, dtype=np.float64))
    logarithms = torch.zeros(points.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([logarithms], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for step in range(STEPS):
        fitted, predicted = _draw(of_site, chance)
        weighted = inputs[np.concatenate([fitted, predicted])] * logarithms.exp()
        near, new = weighted[: len(fitted)], weighted[len(fitted) :]
        matrix = _kernel(near, near) + NOISE * torch.eye(len(fitted), dtype=torch.float64)
        coefficients = torch.cholesky_solve(outputs[fitted], torch.linalg.cholesky(matrix))
        errors = ((_kernel(new, near) @ coefficients - outputs[predicted]) ** 2).mean(dim=1)
        # The mean over materials of the logarithm, as length and noise are chosen by.
        _, of_error = np.unique(of_site[predicted], return_inverse=True)
        sums = torch.zeros(int(of_error.max()) + 1, dtype=torch.float64).index_add(
            0, torch.from_numpy(of_error), errors
        )
        loss = torch.log(sums / torch.from_numpy(np.bincount(of_error)) + torch.finfo(torch.float64).tiny).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 25 == 0:
            logger.info("kernel: step %d, logarithm of the error %.4f", step, float(loss.detach()))
    return np.asarray(logarithms.detach().exp().numpy())


def _draw(of_site: npt.NDArray[np.intp], chance: np.random.Generator) -> tuple[npt.NDArray[np.intp], ...]:
    """Rows to fit to and rows to predict, of different materials."""
    order = chance.permutation(int(of_site.max()) + 1)
    share = (FITTED + PREDICTED) / len(of_site)
    number = max(2, round(min(1.0, share) * len(order)))
    fitted = max(1, round(number * FITTED / (FITTED + PREDICTED)))
    return tuple(np.flatnonzero(np.isin(of_site, part)) for part in (order[:fitted], order[fitted:number]))


def _kernel(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Matérn 3/2 kernel; equal points get a distance of 1e-6, where its slope is defined."""
    squares = (left**2).sum(dim=1)[:, None] + (right**2).sum(dim=1) - 2 * left @ right.T
    scaled = squares.clamp_min(1e-12).sqrt() * (3**0.5 / LENGTH)
    return (1 + scaled) * (-scaled).exp()
