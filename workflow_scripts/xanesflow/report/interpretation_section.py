"""The report's part on what spectra say about their sites."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xanesflow.core.tables import read_csv
from xanesflow.interpretation.figure_names import FIGURES
from xanesflow.interpretation.site_descriptors import DESCRIPTORS
from xanesflow.report.explorer.packing import picture

_FIGURES_OF_AXES = ("axes", "axis_scatter", "axis_correlations")


def interpretation_part(folder: Path, subsets: Sequence[str]) -> dict[str, Any]:
    """Collect what the template `interpretation.html` shows.

    Args:
        folder: `results/interpretation`.
        subsets: those of the campaign.
    """
    table = read_csv(folder / "metrics.csv", dtype={"split": str})
    axes = read_csv(folder / "axes.csv", dtype={"split": str})
    chosen = axes[axes["chosen"].astype(bool) & (axes["part"] == "test")] if len(axes) else axes
    # The numbered splits, where there are any, say more than the campaign's own.
    numbered = table[table["split"] != "campaign"]
    shown = numbered if len(numbered) else table
    means = shown.groupby(["subset", "model", "descriptor"], sort=False)
    columns = ["spearman", "r2", "mae", "f1", "coverage_90"]
    rows = [
        {"subset": subset, "model": model, "title": DESCRIPTORS[str(name)].title, "unit": DESCRIPTORS[str(name)].unit}
        | of_one[columns].mean().to_dict()
        for (subset, model, name), of_one in means
    ]
    figures = {}
    for subset in subsets:
        paths = {name: folder / "figures" / f"{name}_{subset}.svg" for name in FIGURES}
        wanted = [name for name in FIGURES if len(chosen) or name not in _FIGURES_OF_AXES]
        figures[subset] = {name: picture(paths[name]) for name in wanted if paths[name].exists()}
    return {
        "rows": rows,
        "splits": len(set(numbered["split"])),
        "figures": figures,
        "axes": [
            {"subset": subset, "with_free": of_one["with_free"].mean(), "error": of_one["reconstruction_mae"].mean()}
            for subset, of_one in chosen.groupby("subset", sort=False)
        ],
    }
