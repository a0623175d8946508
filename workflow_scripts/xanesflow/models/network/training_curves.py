"""Figure and table of a training, from the model cards of the checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from xanesflow.core.figures import BASELINE, MODEL, TRUTH, figure
from xanesflow.core.tables import write_rows
from xanesflow.models.model_kinds import ModelCard, TrainedModel


def write_history(path: str | Path, models: Sequence[TrainedModel]) -> None:
    """Write a CSV row for each seed and epoch: mean squared errors in bohr⁴, and whether the weights were kept.

    Args:
        path: the CSV file.
        models: one model, trained with each seed.
    """
    cards = [model.card for model in models]
    rows = [(card.seed, *row, row[0] == card.best_epoch) for card in cards for row in card.history]
    write_rows(path, ("seed", "epoch", "train_mse", "val_mse", "kept"), rows)


def draw_curves(path: str | Path, models: Sequence[TrainedModel]) -> None:
    """Draw the learning curves and, if there was one, the range test (SVG, PNG or PDF, by the file name).

    Args:
        path: the figure.
        models: one model, trained with each seed.
    """
    cards = [model.card for model in models]
    tested = cards[0].range_test
    panels = 1 if tested is None else 2
    with figure(path, 4.8 * panels, 3.4) as drawn:
        axes = drawn.subplots(1, panels, squeeze=False)[0]
        for card in cards:
            _learning_curve(axes[0], card, first=card is cards[0])
        axes[0].set(xlabel="Epoch", ylabel="Mean squared error (bohr⁴)", yscale="log")
        axes[0].legend()
        if tested is not None:
            _range_test(axes[1], tested)
        seeds = ", ".join(str(card.seed) for card in cards)
        drawn.suptitle(
            f"{cards[0].kind} of {cards[0].subset}, {cards[0].features}, seed{'s' if len(cards) > 1 else ''} {seeds}"
        )


def _learning_curve(axes: Axes, card: ModelCard, *, first: bool) -> None:
    numbers, train, val = zip(*card.history, strict=True)
    axes.plot(numbers, train, color=BASELINE, lw=1, label="training, dropout on" if first else None)
    axes.plot(numbers, val, color=MODEL, lw=1, ls="--", label="validation" if first else None)
    label = f"kept: epoch {card.best_epoch}" + ("" if first else f" (seed {card.seed})")
    axes.axvline(card.best_epoch, color=TRUTH, lw=0.8, ls=":")
    axes.plot(card.best_epoch, val[card.best_epoch - 1], "o", color=MODEL, ms=5, label=label)


def _range_test(axes: Axes, tested: dict[str, Any]) -> None:
    axes.plot(tested["rates"], tested["losses"], color=MODEL, lw=1)
    axes.axvline(tested["suggestion"], color=BASELINE, lw=1, ls="--", label=f"suggests {tested['suggestion']:.2g}")
    axes.set(xlabel="learning rate (no unit)", ylabel="loss / loss of the untrained network", xscale="log")
    axes.set_title("range test", fontsize=9)
    axes.legend()
