"""Draws what curation kept and left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from xanesflow.core.figures import BAND, BASELINE, MODEL, figure
from xanesflow.core.tables import count_reasons
from xanesflow.spectra.store import read_spectra


def draw_curation(spectra: Path, output: Path) -> None:
    """Draw mean and spread of the kept spectra, and how many were left out for each reason.

    Args:
        spectra: a subset's curated spectra.
        output: SVG to write.
    """
    curated = read_spectra(spectra)
    counts = count_reasons(curated.rejected)
    number = sum(map(bool, curated.corrections))
    title = f"{len(curated.spectra)} spectra kept" + (f", {number} of corrected runs" if number else "")
    with figure(output, 8.5 if counts else 5.3, 3.2) as drawn:
        panels = drawn.subplots(1, 2 if counts else 1, width_ratios=[3, 2] if counts else None, squeeze=False)[0]
        left = panels[0]
        mean, sigma = curated.spectra.mean(axis=0), curated.spectra.std(axis=0)
        lowest, highest = np.percentile(curated.spectra, [1, 99], axis=0)
        left.fill_between(
            curated.energy_ev, lowest, highest, color=BAND, alpha=0.5, lw=0, label="1st to 99th percentile"
        )
        left.fill_between(
            curated.energy_ev, mean - sigma, mean + sigma, color=MODEL, alpha=0.35, lw=0, label="mean ± σ"
        )
        left.plot(curated.energy_ev, mean, color=MODEL, label="mean")
        left.set(xlabel="Photon energy (eV)", ylabel="Cross section (bohr²)", title=title)
        left.legend(loc="lower right")
        if counts:
            _reasons(panels[1], counts)
        else:
            left.set_title(f"{title}, none left out")


def _reasons(axes: Axes, counts: dict[str, int]) -> None:
    """Draw bars of how many sites were left out for each reason."""
    names = list(counts)[::-1]
    bars = axes.barh(names, [counts[name] for name in names], color=BASELINE)
    axes.bar_label(bars, padding=3)
    axes.margins(x=0.2)
    axes.grid(visible=False)
    axes.set(xlabel="Sites", title=f"{sum(counts.values())} left out")
