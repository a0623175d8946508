"""Draws all models on all features side by side, as Fig. 6 of arXiv 2409.19552."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from xanesflow.core.figures import TRUTH, figure, panels
from xanesflow.core.tables import read_csv
from xanesflow.evaluation.evaluate import ENSEMBLE
from xanesflow.evaluation.table_one import obstacle, obstacle_in, paper_eta

COLOURS = {
    "linear": "#BBBBBB",
    "trees": "#56B4E9",
    "expert": "#0072B2",
    "universal": "#E69F00",
    "tuned": "#D55E00",
    "delta": "#009E73",
}
"""Colour of each kind of model, in the order of the bars; from Okabe and Ito's palette for colour-blind readers."""

_BAR = 0.19
"""Inches from one bar to the next."""


def draw_comparison(metrics: Path, output: Path, *, intervals: Path | None = None) -> None:
    """Draw η of each model, grouped by features, with a panel for each subset.

    With several seeds, the bar is their mean prediction, with a stroke at η of each seed. A model without η (a part
    without spectra) has no bar. A diamond is the paper's η, drawn where it can be compared (`table_one.obstacle`).

    Args:
        metrics: metrics.csv.
        output: SVG to write.
        intervals: intervals.csv, whose intervals are drawn; None: none are drawn.
    """
    table = read_csv(metrics, dtype={"seed": str})
    table["subset"] = table["element"] + "_" + table["theory"]
    marks = _marks(table, intervals)
    subsets = list(dict.fromkeys(table["subset"]))
    features = list(dict.fromkeys(table["features"]))
    models = sorted(dict.fromkeys(table["model"]), key=_place)
    columns = min(3, len(subsets))
    rows = -(-len(subsets) // columns)
    height = _BAR * len(features) * (len(models) + 1) + 0.55
    with figure(output, 1.2 + 2.9 * columns, 0.4 + rows * height) as drawn:
        every = panels(drawn, len(subsets), columns, sharey=True)
        for axes, subset in zip(every, subsets, strict=True):
            _panel(axes, table[table["subset"] == subset], features, models, marks)
            axes.set_title(subset)
        shown: dict[str, Artist] = {}
        for axes in every:
            shown |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
        handles, labels = list(shown.values()), list(shown)
        drawn.legend(handles, labels, loc="outside upper center", ncols=len(labels))
        drawn.supxlabel("η (1: as good as the mean training spectrum)", fontsize=9)


@dataclass(frozen=True)
class _Mark:
    """Marks at a bar: ends of its interval and the paper's η; NaN where there are none."""

    low: float = float("nan")
    high: float = float("nan")
    paper: float = float("nan")


def _marks(table: pd.DataFrame, intervals: Path | None) -> dict[tuple[str, str, str], _Mark]:
    """The marks by subset, model and features."""
    subsets = list(dict.fromkeys(table["subset"]))
    bounds = {}
    if intervals is not None:
        found = read_csv(intervals)
        names = zip(found["element"] + "_" + found["theory"], found["model"], found["features"], strict=True)
        cautions = found.get("caution", [""] * len(found))
        bounds = dict(zip(names, zip(found["eta_low"], found["eta_high"], cautions, strict=True), strict=True))
    marks = {}
    for row in table[["subset", "model", "features", "part"]].drop_duplicates().itertuples(index=False):
        subset, model, features, part = (str(value) for value in row)
        low, high, caution = bounds.get((subset, model, features), (float("nan"), float("nan"), ""))
        why = obstacle(model, features, part, subsets, obstacle_in(caution))
        paper = None if why else paper_eta(model, subset)
        marks[subset, model, features] = _Mark(low, high, float("nan") if paper is None else paper)
    return marks


def _panel(
    axes: Axes,
    table: pd.DataFrame,
    features: list[str],
    models: list[str],
    marks: Mapping[tuple[str, str, str], _Mark],
) -> None:
    """Draw the bars of one subset."""
    step, subset = 1 / (len(models) + 1), str(table["subset"].iloc[0])
    for number, model in enumerate(models):
        places, etas = [], []
        for row, name in enumerate(features):
            of_model = table[(table["model"] == model) & (table["features"] == name)]
            place = row + (number + 1) * step - 0.5
            shown = of_model[of_model["seed"] == ENSEMBLE] if len(of_model) > 1 else of_model
            eta = float(shown["eta"].iloc[0]) if len(shown) else np.nan
            places.append(place)
            etas.append(eta)
            if len(of_model) > 1:
                single = of_model.loc[of_model["seed"] != ENSEMBLE, "eta"]
                axes.plot(single, [place] * len(single), "|", color=TRUTH, ms=6, zorder=3)
            _mark(axes, place, eta, marks.get((subset, model, name), _Mark()))
        values = np.where(np.isfinite(etas), etas, 0.0)
        axes.barh(places, values, height=0.85 * step, color=COLOURS.get(model, TRUTH), label=model)
    axes.axvline(1, color=TRUTH, lw=0.8, ls=":")
    axes.set_yticks(range(len(features)), features)
    axes.set_ylim(len(features) - 0.5, -0.5)  # the first at the top
    axes.margins(x=0.18)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _mark(axes: Axes, place: float, eta: float, mark: _Mark) -> None:
    """Draw interval, paper's value and number of one bar."""
    right = np.nanmax([eta, mark.high, 0.0])
    if mark.low <= mark.high:
        axes.plot([mark.low, mark.high], [place] * 2, color=TRUTH, lw=1, zorder=3)
    if np.isfinite(mark.paper):
        axes.plot([mark.paper], [place], "D", ms=5, mfc="white", mec=TRUTH, zorder=4, ls="", label="paper")
        if 0 <= mark.paper - right < 0.25 * mark.paper:  # keeps the number from covering the diamond
            right = mark.paper
    label = f"{eta:.2f}" if np.isfinite(eta) else "–"
    axes.annotate(label, (right, place), (5, 0), textcoords="offset points", va="center", fontsize=7)


def _place(model: str) -> int:
    return list(COLOURS).index(model) if model in COLOURS else len(COLOURS)
