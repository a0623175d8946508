"""Draws the sites by their features, coloured by the surroundings of the absorber."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from xanesflow.core.figures import figure
from xanesflow.core.sites import PARTS
from xanesflow.report.explorer.feature_map import COMPONENTS, read_map
from xanesflow.report.explorer.site_chemistry import read_chemistry

_NAMED = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4B4B4B", "#B8A800")  # Okabe and Ito's
_MARKERS = ("o", "s", "D", "^", "P", "*", "X", "v")
_OTHER = "#9AA0A8"
_DRAWN_AS_IMAGE = 300
"""From this number of sites on, the points are an image within the figure, which keeps the file small."""


def draw_map(feature_map: Path, chemistry: Path, outputs: Mapping[str, Path]) -> None:
    """Draw the map of each subset three times: by oxidation state, coordination number and oxygen neighbours.

    If none of these is known, because the dataset holds no structures, draw it once, by part of the split.

    Args:
        feature_map: table of `map_features`.
        chemistry: table of `describe_sites`.
        outputs: SVG to write by subset.
    """
    key = ["subset", "material_id", "site_index"]
    table = read_map(feature_map).merge(read_chemistry(chemistry), on=key, how="left", validate="one_to_one")
    for subset, path in outputs.items():
        of_subset = table[(table["subset"] == subset) & table["x"].notna()]
        with figure(path, 9.5, 3.4) as drawn:
            _draw(drawn, subset, of_subset)


def _draw(drawn: Figure, subset: str, table: pd.DataFrame) -> None:
    if not len(table):
        drawn.text(0.5, 0.5, f"{subset} has no sites.", ha="center")
        return
    name = "principal component" if (table["method"] == COMPONENTS).all() else "UMAP"
    if table[["oxidation_state", "coordination"]].isna().to_numpy().all():
        axes = drawn.subplots()
        _by_part(axes, table)
        axes.set(xlabel=f"{name} 1", ylabel=f"{name} 2", xticks=[], yticks=[])
        axes.set_title(
            "Neither oxidation states nor neighbours are known (column detail of chemistry.parquet)", fontsize=9
        )
        return
    panels = drawn.subplots(1, 3, sharex=True, sharey=True)
    _by_state(panels[0], table)
    _by_number(drawn, panels[1], table, "coordination", "Coordination number")
    _by_number(drawn, panels[2], table, "oxygens", "Oxygen neighbours")
    panels[0].set_ylabel(f"{name} 2")
    for axes in panels:
        axes.set(xlabel=f"{name} 1", xticks=[], yticks=[])


def _points(axes: Axes, table: pd.DataFrame, of: int, **more: Any) -> PathCollection:
    size = 5 if of > 1000 else 10 if of >= _DRAWN_AS_IMAGE else 30
    return axes.scatter(
        table["x"],
        table["y"],
        s=size,
        lw=0.8 if more.get("marker") == "x" else 0,
        rasterized=of >= _DRAWN_AS_IMAGE,
        **more,
    )


def _by_state(axes: Axes, table: pd.DataFrame) -> None:
    state = table["oxidation_state"]
    axes.set_title("Oxidation state")
    whole = state.notna() & (state == state.round())
    groups = [
        (f"{value:+.0f}" if value else "0", state == value, int(value) % 8) for value in sorted(set(state[whole]))
    ]
    n = len(table)
    _points(axes, table[state.isna()], n, color=_OTHER, marker="x", label=f"unknown ({int(state.isna().sum())})")
    for name, rows, number in groups:
        label = f"{name} ({int(rows.sum())})".replace("-", "−")
        _points(axes, table[rows], n, color=_NAMED[number], marker=_MARKERS[number], label=label)
    between = state.notna() & ~whole
    _points(axes, table[between], n, color="#7A3DB8", marker="p", label=f"between two ({int(between.sum())})")
    handles, labels = axes.get_legend_handles_labels()
    kept = [(h, label) for h, label in zip(handles, labels, strict=True) if not label.endswith("(0)")]
    axes.legend(
        *zip(*kept, strict=True), loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3, fontsize=7,
        handletextpad=0.1, columnspacing=0.8, markerscale=1.5 if n >= _DRAWN_AS_IMAGE else 1,
    )  # fmt: skip


def _by_part(axes: Axes, table: pd.DataFrame) -> None:
    for number, part in enumerate(PARTS):
        rows = table[table["split"] == part]
        _points(axes, rows, len(table), color=_NAMED[number], marker=_MARKERS[number], label=f"{part} ({len(rows)})")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def _by_number(drawn: Figure, axes: Axes, table: pd.DataFrame, column: str, title: str) -> None:
    values = table[column].astype("float64")
    axes.set_title(title)
    n = len(table)
    _points(axes, table[values.isna()], n, color=_OTHER, marker="x")
    known = table[values.notna()]
    if not len(known):
        axes.text(0.5, 0.5, "not known", ha="center", transform=axes.transAxes)
        return
    low, high = int(values.min()), int(values.max())
    colours = colormaps["viridis_r"].resampled(max(high - low + 1, 2))
    drawn_points = _points(
        axes, known, n, c=known[column].to_numpy(float), cmap=colours, vmin=low - 0.5, vmax=max(high, low + 1) + 0.5
    )
    ticks = list(range(low, high + 1, 1 + (high - low) // 8))
    drawn.colorbar(drawn_points, ax=axes, ticks=ticks, location="bottom", shrink=0.8)
