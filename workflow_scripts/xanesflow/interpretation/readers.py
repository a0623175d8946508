"""The models that read descriptors from a spectrum: extra trees, a small network, a kernel regression, their mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from xanesflow.core.array_types import Floats
from xanesflow.interpretation.forest import Forest
from xanesflow.interpretation.kernel import KernelFit
from xanesflow.interpretation.one_thread import one_thread
from xanesflow.interpretation.targets import Targets

Arrays = Mapping[str, npt.NDArray[Any]]

TREES: dict[str, Any] = {"trees": 60, "min_leaf": 3, "max_features": 0.3}

MEMBERS, _WIDTH, _DROPOUT, _BATCH, _EPOCHS, _RATE, _DECAY = 2, 192, 0.1, 256, 15, 4e-3, 1e-2
_LEAST_STEPS = 600

KERNEL_NOISE = 1e-2


class SpectrumReader(Protocol):
    """A fitted model: outputs as `Targets.encode` orders them, classes as probabilities, and how unsure it is."""

    def predict(self, inputs: Floats) -> tuple[Floats, Floats]:
        """(n, k + classes) outputs of (n, d) inputs, and (n, k + classes) their spread over trees or networks."""

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What it consists of."""


@dataclass(frozen=True, eq=False)
class NetworkReader:
    """Two perceptrons with two hidden layers, whose outputs are averaged.

    Attributes:
        weights: by name, with the members along the first axis; `mean` and `scale` of the inputs.
        blocks: the columns of each group of classes.
    """

    weights: dict[str, npt.NDArray[np.float32]]
    blocks: tuple[slice, ...]

    @classmethod
    def fit(cls, inputs: Floats, outputs: Floats, targets: Targets, seed: int) -> NetworkReader:
        """Fit to (n, d) inputs and (n, k + classes) outputs; outputs that are not known have no weight."""
        import torch  # the import takes a second

        blocks = tuple(targets.blocks().values())
        mean, scale = inputs.mean(axis=0), inputs.std(axis=0) + 1e-6
        x = torch.from_numpy(((inputs - mean) / scale).astype(np.float32))
        members = []
        for member in range(MEMBERS):
            with one_thread(MEMBERS * seed + member):
                members.append(_fit_member(x, torch.from_numpy(outputs.astype(np.float32)), len(targets.names), blocks))
        weights = {name: np.stack([each[name] for each in members]) for name in members[0]}
        return cls(weights | {"mean": mean.astype(np.float32), "scale": scale.astype(np.float32)}, blocks)

    def predict(self, inputs: Floats) -> tuple[Floats, Floats]:  # noqa: D102
        x = ((inputs - self.weights["mean"]) / self.weights["scale"]).astype(np.float32)[None]
        for layer in (0, 3, 6):
            x = x @ self.weights[f"{layer}.weight"].transpose(0, 2, 1) + self.weights[f"{layer}.bias"][:, None]
            if layer < 6:
                x = x / (1 + np.exp(-x))  # SiLU
        found = x.astype(np.float64)
        for block in self.blocks:
            shares = np.exp(found[..., block] - found[..., block].max(axis=-1, keepdims=True))
            found[..., block] = shares / shares.sum(axis=-1, keepdims=True)
        return found.mean(axis=0), found.std(axis=0)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:  # noqa: D102
        return dict(self.weights)


@dataclass(frozen=True, eq=False)
class BlendReader:
    """The mean of extra trees, a network and a kernel regression, which are wrong in different ways."""

    trees: Forest
    network: NetworkReader
    kernel: KernelFit

    def predict(self, inputs: Floats) -> tuple[Floats, Floats]:  # noqa: D102
        of_trees, spread = self.trees.predict(inputs)
        found = np.array([of_trees, self.network.predict(inputs)[0], self.kernel.predict(inputs)])
        return found.mean(axis=0), np.hypot(spread, found.std(axis=0))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:  # noqa: D102
        return {f"{name}.{key}": value for name, part in vars(self).items() for key, value in part.arrays().items()}


def train_reader(
    kind: str,
    inputs: Floats,
    outputs: Floats,
    targets: Targets,
    seed: int,
    *,
    trees: int | None = None,
    smooth_rows: int | None = None,
) -> SpectrumReader:
    """Fit a reader.

    Args:
        kind: of `interpretation.models`.
        inputs: (n, d).
        outputs: (n, k + classes); NaN where one is not known.
        targets: what the outputs are.
        seed: of its random numbers.
        trees: how many, if not as many as in `TREES`.
        smooth_rows: the network and the kernel of a blend learn from as many rows, from the first on; None: from all.
    """
    if kind == "network":
        return NetworkReader.fit(inputs, outputs, targets, seed)
    forest = Forest.fit(inputs, outputs, seed=seed, **TREES | ({"trees": trees} if trees else {}))
    if kind == "trees":
        return forest
    some, wanted = inputs[:smooth_rows], outputs[:smooth_rows]
    network = NetworkReader.fit(some, wanted, targets, seed)
    return BlendReader(forest, network, KernelFit.fit(some, wanted, noise=KERNEL_NOISE, seed=seed))


def reader_from_arrays(kind: str, arrays: Arrays, targets: Targets) -> SpectrumReader:
    """Read a reader back; its array names begin with the name of a part, if it has several.

    Raises:
        KeyError: an array is missing.
    """
    if kind == "trees":
        return Forest.from_arrays(arrays)
    blocks = tuple(targets.blocks().values())
    if kind == "network":
        return NetworkReader(dict(arrays), blocks)
    trees, network, kernel = (
        {key.removeprefix(name): value for key, value in arrays.items() if key.startswith(name)}
        for name in ("trees.", "network.", "kernel.")
    )
    return BlendReader(Forest.from_arrays(trees), NetworkReader(network, blocks), KernelFit.from_arrays(kernel))


def _fit_member(x: Any, wanted: Any, numbers: int, blocks: tuple[slice, ...]) -> dict[str, npt.NDArray[np.float32]]:
    import torch
    from torch import nn
    from torch.nn import functional

    known = ~torch.isnan(wanted)
    wanted = torch.nan_to_num(wanted)
    net = nn.Sequential(
        nn.Linear(x.shape[1], _WIDTH), nn.SiLU(), nn.Dropout(_DROPOUT),
        nn.Linear(_WIDTH, _WIDTH), nn.SiLU(), nn.Dropout(_DROPOUT), nn.Linear(_WIDTH, wanted.shape[1]),
    )  # fmt: skip
    batches = max(1, len(x) // _BATCH)
    epochs = max(_EPOCHS, -(-_LEAST_STEPS // batches))
    optimiser = torch.optim.AdamW(net.parameters(), lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=batches * epochs)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).tensor_split(batches):
            found, here = net(x[rows]), known[rows]
            loss = (((found - wanted[rows]) ** 2 * here)[:, :numbers]).sum() / here[:, :numbers].sum().clamp(min=1)
            for block in blocks:
                of_class = here[:, block.start]
                if of_class.any():
                    loss = loss + functional.cross_entropy(found[of_class][:, block], wanted[rows][of_class][:, block])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return {name: value.detach().numpy().copy() for name, value in net.state_dict().items()}
