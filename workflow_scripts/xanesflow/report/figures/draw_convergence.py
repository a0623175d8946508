"""Draws how the spectra of a code converge with its options."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xanesflow.core.figures import BASELINE, MODEL, figure
from xanesflow.core.tables import read_csv


def draw_convergence(table: Path, output: Path, *, spearman: float, rms: float) -> None:
    """Draw rank correlation and difference to the finest value, one column for each option.

    Args:
        table: CSV of `spectra.convergence_study.compare_rungs`.
        output: SVG to write.
        spearman: least rank correlation of a converged value.
        rms: largest root mean square of its difference.
    """
    rows = read_csv(table)
    keys = list(dict.fromkeys(rows["key"]))
    with figure(output, max(4.0, 3.0 * len(keys)), 4.2) as drawn:
        grid = drawn.subplots(2, len(keys), squeeze=False, sharey="row")
        for column, key in enumerate(keys):
            part = rows[rows["key"] == key]
            values = list(dict.fromkeys(part["value"].astype(str)))
            for line, (name, limit) in enumerate((("spearman", spearman), ("rms", rms))):
                axes = grid[line, column]
                for _, site in part.groupby("site"):
                    axes.plot(np.arange(len(site)), site[name], marker="o", ms=4, lw=1, color=MODEL)
                axes.axhline(limit, color=BASELINE, ls="--", lw=1)
                axes.set_xticks(np.arange(len(values)), values, fontsize=6, rotation=20)
                axes.tick_params(axis="y", labelsize=6)
            grid[0, column].set_title(key.rpartition(".")[2], fontsize=8, parse_math=False)
        grid[0, 0].set_ylabel("Spearman ρ to the finest", fontsize=7)
        grid[1, 0].set_ylabel("RMS difference / mean", fontsize=7)
