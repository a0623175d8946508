"""The settings of a training: the paper's choices, and what a user may choose instead."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import PAPER_SUBSETS
from xanesflow.core.text import quoted

ScalingChoice = Literal["auto", "paper", "standardise"]
Output = Literal["softplus", "difference"]
Precision = Literal["float32", "bfloat16"]

# Ti, V, Cr, Mn, Fe, Co, Ni and Cu by FEFF, then Ti and Cu by VASP.
PAPER_EXPERTS: dict[str, tuple[tuple[int, ...], int]] = dict(
    zip(
        PAPER_SUBSETS,
        (
            ((600, 600, 450), 32), ((600, 550, 450), 32), ((450, 350, 150), 32), ((500, 400, 300), 64),
            ((450, 400, 450), 64), ((600, 550, 450), 32), ((600, 300), 32), ((600, 600, 400), 32),
            ((500, 600, 400), 64), ((550, 600, 450), 64),
        ),
        strict=True,
    )
)  # fmt: skip
"""Widths of the hidden layers and batch size of each subset's expert (arXiv 2409.19552, hyperparameter search)."""

PAPER_UNIVERSAL: tuple[tuple[int, ...], int] = ((500, 500, 550), 32)
"""The same for UniversalXAS (all FEFF subsets together), and for experts that the paper does not have."""


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that a training depends on, besides the data.

    Attributes:
        widths: units of each hidden layer.
        batch_size: spectra per step, at least 2 (batch normalisation needs a variance).
        dropout: share of hidden units left out at each step, 0 <= dropout < 1.
        output: `softplus`, or `difference`: linear, added to the mean training spectrum.
        learning_rate: Adam's step size; None: suggested by a range test.
        weight_decay: decoupled from the gradient (AdamW, arXiv 1711.05101); 0: plain Adam, as in the paper.
        schedule: `constant` learning rate, as in the paper, or `one_cycle`: it rises to the learning rate and falls to
            zero over `max_epochs` (arXiv 1708.07120).
        average: share that the running mean of the weights keeps of itself at each step, such as 0.999; the mean is
            stored and validated. 0: the weights themselves, as in the paper.
        kernel_share: share of a kernel regression in each prediction (`xanesflow.models.kernel_ridge`),
            0 <= share < 1; the rest is the network's. A universal model has none.
        max_epochs: longest training.
        patience: epochs without a better validation loss after which training stops.
        scaling: `paper`, `standardise`, or `auto` (see `xanesflow.models.network.scaling`).
        precision: of the products in training. bfloat16 is a third faster on processors that have it, and costs some
            4 % of η (docs/guide/models.md).
        device: `cpu` or `cuda`.
        threads: on the CPU; they share the seeds. Weights are bitwise the same only with the same number of threads
            and, if it is not 1, the same number of seeds.
        seed: of initial weights, order of the batches and dropout.
        keep_statistics: whether a training that starts from another model's weights normalises by that model's running
            means and variances instead of each batch's (docs/studies/transfer.md).
    """

    widths: tuple[int, ...] = PAPER_UNIVERSAL[0]
    batch_size: int = PAPER_UNIVERSAL[1]
    dropout: float = 0.5
    output: Output = "softplus"
    learning_rate: float | None = None
    weight_decay: float = 0.0
    schedule: Literal["constant", "one_cycle"] = "constant"
    average: float = 0.0
    kernel_share: float = 0.0
    max_epochs: int = 1000
    patience: int = 50
    scaling: ScalingChoice = "auto"
    precision: Precision = "float32"
    device: str = "cpu"
    threads: int = 1
    seed: int = 0
    keep_statistics: bool = False

    def __post_init__(self) -> None:
        checks = {
            "widths": (bool(self.widths) and min(self.widths) >= 1, "at least one positive number"),
            "batch_size": (self.batch_size >= 2, "2 or more"),
            "dropout": (0 <= self.dropout < 1, "at least 0 and below 1"),
            "learning_rate": (self.learning_rate is None or 0 < self.learning_rate < float("inf"), "positive, or null"),
            "output": (self.output in ("softplus", "difference"), "softplus or difference"),
            "weight_decay": (0 <= self.weight_decay < float("inf"), "0 or more"),
            "schedule": (self.schedule in ("constant", "one_cycle"), "constant or one_cycle"),
            "kernel_share": (0 <= self.kernel_share < 1, "at least 0 and below 1"),
            "average": (0 <= self.average < 1, "at least 0 and below 1"),
            "precision": (self.precision in ("float32", "bfloat16"), "float32 or bfloat16"),
            "max_epochs": (self.max_epochs >= 1, "1 or more"),
            "patience": (self.patience >= 1, "1 or more"),
            "scaling": (self.scaling in ("auto", "paper", "standardise"), "auto, paper or standardise"),
            "device": (self.device in ("cpu", "cuda"), "cpu or cuda"),
            "threads": (self.threads >= 1, "1 or more"),
            "seed": (self.seed >= 0, "0 or more"),
        }
        for name, (good, wanted) in checks.items():
            if not good:
                raise XanesflowError(f"models.{name} is {quoted(getattr(self, name))}; give {wanted}.")

    @classmethod
    def of_model(
        cls, name: str, *, widths: tuple[int, ...] | None = None, batch_size: int | None = None, **others: Any
    ) -> TrainingSettings:
        """The paper's widths and batch size of a model, unless given.

        Args:
            name: the subset of an expert, such as `Cu_FEFF`, or `universal`.
            widths: of the hidden layers; None: the paper's.
            batch_size: spectra per step; None: the paper's.
            others: fields of this class.

        Raises:
            XanesflowError: a value is out of its range.
        """
        paper_widths, paper_batch_size = PAPER_EXPERTS.get(name, PAPER_UNIVERSAL)
        return cls(
            widths=tuple(widths) if widths else paper_widths, batch_size=batch_size or paper_batch_size, **others
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "widths": list(self.widths)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingSettings:
        """Settings from what `as_dict` gave."""
        return cls(**{**values, "widths": tuple(values["widths"])})
