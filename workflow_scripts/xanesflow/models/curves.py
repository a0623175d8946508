"""The training's figure and table."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xanesflow.files import atomic_path
from xanesflow.models.range_test import RangeTest
from xanesflow.models.training import Training

# Of the colour-blind-safe palette of Okabe and Ito.
_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#666666"


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
    # A fixed salt for the ids in an SVG and no date in it: the same training draws the same file.
    with mpl.rc_context({"svg.hashsalt": "xanesflow", "font.size": 9}):
        figure = Figure(figsize=(4.8 * panels, 3.4), layout="constrained")
        axes = figure.subplots(1, panels, squeeze=False)[0]
        _learning_curve(axes[0], training, bohr4)
        if training.range_test is not None:
            _range_test(axes[1], training.range_test)
        figure.suptitle(title)
        with atomic_path(path) as temporary:
            metadata = {"Date": None} if temporary.suffix == ".svg" else None
            figure.savefig(temporary, dpi=150, metadata=metadata)


def _learning_curve(axes: Axes, training: Training, bohr4: float) -> None:
    numbers = [epoch.number for epoch in training.epochs]
    best = training.epochs[training.best_epoch - 1]
    axes.plot(
        numbers, [e.train_loss * bohr4 for e in training.epochs], color=_ORANGE, lw=1, label="training, dropout on"
    )
    axes.plot(numbers, [e.val_loss * bohr4 for e in training.epochs], color=_BLUE, lw=1, ls="--", label="validation")
    axes.axvline(best.number, color=_GREY, lw=0.8, ls=":")
    axes.plot(best.number, best.val_loss * bohr4, "o", color=_BLUE, ms=5, label=f"kept: epoch {best.number}")
    axes.set(xlabel="epoch", ylabel="mean squared error (bohr⁴)", yscale="log")
    axes.legend(frameon=False)


def _range_test(axes: Axes, tested: RangeTest) -> None:
    axes.plot(tested.rates, tested.losses, color=_BLUE, lw=1)
    axes.axvline(tested.suggestion, color=_ORANGE, lw=1, ls="--", label=f"used: {tested.suggestion:.2g}")
    axes.set(xlabel="learning rate (no unit)", ylabel="loss / loss of the untrained network", xscale="log")
    axes.set_title("range test", fontsize=9)
    axes.legend(frameon=False)
