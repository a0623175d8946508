"""The training's figure and table."""

from __future__ import annotations

import csv
from pathlib import Path

from matplotlib.axes import Axes

from xanesflow.figures import BASELINE, MODEL, TRUTH, figure
from xanesflow.files import atomic_path
from xanesflow.models.range_test import RangeTest
from xanesflow.models.training import Training


def write_history(path: str | Path, training: Training, bohr4: float) -> None:
    """Write a row per epoch: mean squared errors in bohr⁴ and seconds since the training began.

    Args:
        path: the CSV file.
        training: the finished training.
        bohr4: bohr⁴ per unit of its losses.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(["epoch", "train_mse", "val_mse", "best_epoch", "learning_rate", "seconds"])
        for epoch in training.epochs:
            losses = (epoch.train_loss * bohr4, epoch.val_loss * bohr4)
            writer.writerow([epoch.number, *losses, epoch.best, training.learning_rate, round(epoch.seconds, 3)])


def draw_curves(path: str | Path, training: Training, bohr4: float, title: str) -> None:
    """Draw the learning curve and, if there was one, the range test (SVG, PNG or PDF by the file's name).

    Args:
        path: the figure.
        training: the finished training.
        bohr4: bohr⁴ per unit of its losses.
        title: of the figure.
    """
    panels = 1 if training.range_test is None else 2
    with figure(path, 4.8 * panels, 3.4) as drawn:
        axes = drawn.subplots(1, panels, squeeze=False)[0]
        _learning_curve(axes[0], training, bohr4)
        if training.range_test is not None:
            _range_test(axes[1], training.range_test)
        drawn.suptitle(title)


def _learning_curve(axes: Axes, training: Training, bohr4: float) -> None:
    numbers = [epoch.number for epoch in training.epochs]
    best = training.epochs[training.best_epoch - 1]
    axes.plot(
        numbers, [e.train_loss * bohr4 for e in training.epochs], color=BASELINE, lw=1, label="training, dropout on"
    )
    axes.plot(numbers, [e.val_loss * bohr4 for e in training.epochs], color=MODEL, lw=1, ls="--", label="validation")
    axes.axvline(best.number, color=TRUTH, lw=0.8, ls=":")
    axes.plot(best.number, best.val_loss * bohr4, "o", color=MODEL, ms=5, label=f"kept: epoch {best.number}")
    axes.set(xlabel="epoch", ylabel="mean squared error (bohr⁴)", yscale="log")
    axes.legend()


def _range_test(axes: Axes, tested: RangeTest) -> None:
    axes.plot(tested.rates, tested.losses, color=MODEL, lw=1)
    axes.axvline(tested.suggestion, color=BASELINE, lw=1, ls="--", label=f"used: {tested.suggestion:.2g}")
    axes.set(xlabel="learning rate (no unit)", ylabel="loss / loss of the untrained network", xscale="log")
    axes.set_title("range test", fontsize=9)
    axes.legend()
