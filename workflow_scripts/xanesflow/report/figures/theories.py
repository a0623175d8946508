"""Draws and summarises how well two levels of theory agree on the same sites."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from xanesflow.core.figures import BASELINE, ENERGY, MODEL, TRUTH, figure, whole_numbers, write_note
from xanesflow.core.sites import site_id
from xanesflow.core.tables import read_csv
from xanesflow.dataset.compare_theories import BY_NAME, PAIRED, compare_theories
from xanesflow.dataset.read_dataset import DatasetFile

WORST = 4
"""Number of sites with the lowest correlation that are drawn."""


def draw_theories(dataset: Path, one: str, other: str, *, table: Path, output: Path) -> None:
    """Compare two subsets of an element site by site, write the table, and draw how well they agree.

    Args:
        dataset: the dataset file.
        one: a subset, as `Ti_FEFF`.
        other: another of the same element.
        table: CSV to write, see `xanesflow.dataset.compare_theories`.
        output: SVG to write.
    """
    # The table has all sites; the figure has the worst of them and the one in the middle.
    found = compare_theories(dataset, one, other, table)
    compared = found[found["spearman"].notna()].sort_values("spearman", kind="stable")
    if compared.empty:
        write_note(output, f"{one} and {other} share no site that could be compared.")
        return
    worst = compared.head(WORST)
    shown = pd.concat([worst, compared.iloc[[len(compared) // 2]]]) if len(compared) > WORST else worst
    with DatasetFile(dataset) as file, figure(output, 9.5, 4.8) as drawn:
        # Above: histograms of correlation and shift over all sites.
        halves: Any = drawn.subfigures(2, 1)
        above, below = halves
        left, right = above.subplots(1, 2)
        bins = int(np.clip(2 * np.sqrt(len(compared)), 8, 40))
        left.hist(compared["spearman"], bins, color=MODEL)
        left.axvline(compared["spearman"].median(), color=TRUTH, ls="--", lw=1, label="median")
        left.set(xlabel="Spearman's rank correlation", ylabel="Sites")
        left.legend(loc="upper left")
        for axes in (left, right):
            whole_numbers(axes.yaxis)
        right.hist(compared["shift_ev"], bins, color=MODEL)
        right.axvline(compared["shift_ev"].median(), color=TRUTH, ls="--", lw=1, label="median")
        right.set(xlabel=f"Shift of {other} (eV)", ylabel="Sites")

        # Below: single sites.
        panels = below.subplots(1, WORST + 1)
        for axes, row in zip(panels, shown.itertuples(index=False), strict=False):
            _panel(axes, file, (one, other), row)
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
        below.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=7)
        if len(compared) > WORST:
            panels[WORST].set_title(f"median: {panels[WORST].get_title()}", fontsize=7, parse_math=False)
        below.supxlabel(f"{ENERGY}, {other} shifted; each scaled to a mean of 1", fontsize=8)


def _panel(axes: Axes, file: DatasetFile, subsets: tuple[str, str], row: Any) -> None:
    site = site_id(row.material_id, row.site_index)
    for name, shift, colour, style in zip(subsets, (0.0, row.shift_ev), (TRUTH, BASELINE), ("-", "--"), strict=True):
        subset = file[name]
        spectrum = subset[site].spectrum
        axes.plot(subset.energy + shift, spectrum / spectrum.mean(), color=colour, lw=1, ls=style, label=name)
    axes.set_title(site, fontsize=7, parse_math=False)
    axes.text(0.97, 0.04, f"ρ {row.spearman:.3f}", transform=axes.transAxes, ha="right", fontsize=7)
    axes.tick_params(labelsize=6)
    axes.locator_params(axis="x", nbins=3)


def theories_part(tables: dict[tuple[str, str], tuple[Path, str]]) -> list[dict[str, Any]]:
    """Collect what the template `theories.html` shows.

    Args:
        tables: by pair of subsets, the CSV of `draw_theories` and its figure as a data URI.
    """
    parts = []
    for (one, other), (path, address) in tables.items():
        table = read_csv(path)
        spearman = table["spearman"].dropna()
        status = table["status"].value_counts()
        part: dict[str, Any] = {"one": one, "other": other, "figure": address, "n": len(spearman)}
        part["by_name"] = int(status.get(BY_NAME, 0))
        part["not_paired"] = {str(k): int(v) for k, v in status.items() if k not in (PAIRED, BY_NAME)}
        if len(spearman):
            shift = table["shift_ev"].dropna()
            worst = table.to_dict("records")[int(np.argmin(table["spearman"].fillna(np.inf)))]
            part |= {
                "median": float(spearman.median()), "tenth": float(np.quantile(spearman, 0.1)),
                "worst": float(spearman.min()), "worst_site": site_id(worst["material_id"], int(worst["site_index"])),
                "shift": float(shift.median()), "shift_sd": float(shift.std(ddof=0)),
            }  # fmt: skip
        parts.append(part)
    return parts
