"""Figure of all models on all features side by side, as Fig. 6 of arXiv 2409.19552."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from xanesflow.evaluation.evaluate import ENSEMBLE
from xanesflow.figures import TRUTH, figure

COLOURS = {
    "linear": "#BBBBBB",
    "trees": "#56B4E9",
    "expert": "#0072B2",
    "universal": "#E69F00",
    "tuned": "#D55E00",
}
"""Of each kind of model, in the order of their bars; colour-blind readers tell them apart (Okabe and Ito)."""

_BAR = 0.19
"""Inches from one bar to the next."""


def draw_comparison(metrics: Path, output: Path) -> None:
    """Draw η of each model, grouped by features, with a panel for each subset.

    A model with several seeds is drawn as their mean prediction, with a stroke at η of each seed. What has no η (a
    part without spectra) has no bar.

    Args:
        metrics: metrics.csv.
        output: SVG to write.
    """
    table = pd.read_csv(metrics, dtype={"seed": str})
    table["subset"] = table["element"] + "_" + table["theory"]
    subsets = list(dict.fromkeys(table["subset"]))
    features = list(dict.fromkeys(table["features"]))
    models = sorted(dict.fromkeys(table["model"]), key=_place)
    columns = min(3, len(subsets))
    rows = -(-len(subsets) // columns)
    height = _BAR * len(features) * (len(models) + 1) + 0.55
    with figure(output, 1.2 + 2.9 * columns, 0.4 + rows * height) as drawn:
        panels = drawn.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axes, subset in zip(panels, subsets, strict=False):
            _panel(axes, table[table["subset"] == subset], features, models)
            axes.set_title(subset)
        for axes in panels[len(subsets) :]:
            axes.set_axis_off()
        handles, labels = panels[0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside upper center", ncols=len(labels))
        drawn.supxlabel("η (1: as good as the mean training spectrum)", fontsize=9)


def _panel(axes: Axes, table: pd.DataFrame, features: list[str], models: list[str]) -> None:
    """The bars of one subset."""
    step = 1 / (len(models) + 1)
    for number, model in enumerate(models):
        places, etas = [], []
        for row, name in enumerate(features):
            of_model = table[(table["model"] == model) & (table["features"] == name)]
            place = row + (number + 1) * step - 0.5
            shown = of_model[of_model["seed"] == ENSEMBLE] if len(of_model) > 1 else of_model
            places.append(place)
            etas.append(float(shown["eta"].iloc[0]) if len(shown) else np.nan)
            if len(of_model) > 1:
                single = of_model.loc[of_model["seed"] != ENSEMBLE, "eta"]
                axes.plot(single, [place] * len(single), "|", color=TRUTH, ms=6, zorder=3)
        values = np.where(np.isfinite(etas), etas, 0.0)
        bars = axes.barh(places, values, height=0.85 * step, color=COLOURS.get(model, TRUTH), label=model)
        axes.bar_label(bars, [f"{eta:.2f}" if np.isfinite(eta) else "–" for eta in etas], padding=4, fontsize=7)
    axes.axvline(1, color=TRUTH, lw=0.8, ls=":")
    axes.set_yticks(range(len(features)), features)
    axes.set_ylim(len(features) - 0.5, -0.5)  # the first at the top
    axes.margins(x=0.18)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _place(model: str) -> int:
    return list(COLOURS).index(model) if model in COLOURS else len(COLOURS)
