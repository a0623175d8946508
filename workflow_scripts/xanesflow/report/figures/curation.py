"""Draws what curation kept and left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from xanesflow.core.figures import (
    BAND,
    BASELINE,
    CROSS_SECTION,
    ENERGY,
    MODEL,
    figure,
    in_thousandths,
    whole_numbers,
)
from xanesflow.core.tables import count_reasons
from xanesflow.core.text import plural
from xanesflow.spectra.store import read_spectra

FEW = 20
"""With fewer spectra, each is drawn; percentiles would say little."""


def draw_curation(spectra: Path, output: Path) -> None:
    """Draw mean and spread of the kept spectra, and how many were left out for each reason.

    Args:
        spectra: a subset's curated spectra.
        output: SVG to write.
    """
    curated = read_spectra(spectra)
    counts = count_reasons(curated.rejected)
    number = sum(map(bool, curated.corrections))
    title = f"{plural(len(curated.spectra), 'spectrum', 'spectra')} kept" + (
        f", {number} of corrected runs" if number else ""
    )
    with figure(output, 8.5 if counts else 5.3, 3.2) as drawn:
        panels = drawn.subplots(1, 2 if counts else 1, width_ratios=[3, 2] if counts else None, squeeze=False)[0]
        left = panels[0]
        if len(curated.spectra) < FEW:
            label = "each spectrum"
            for spectrum in curated.spectra:
                left.plot(curated.energy_ev, spectrum, color=MODEL, alpha=0.4, lw=0.7, label=label)
                label = ""
        else:
            for share, colour, depth in ((98, BAND, 0.5), (68, MODEL, 0.35)):
                bounds = np.percentile(curated.spectra, [50 - share / 2, 50 + share / 2], axis=0)
                left.fill_between(
                    curated.energy_ev, *bounds, color=colour, alpha=depth, lw=0, label=f"{share} % of them"
                )
        left.plot(curated.energy_ev, curated.spectra.mean(axis=0), color=MODEL, label="mean")
        left.set(xlabel=ENERGY, ylabel=CROSS_SECTION, title=title)
        in_thousandths(left.yaxis)
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
    room = max(0.0, 4 - len(names)) / 2  # one bar alone would fill the panel
    axes.set_ylim(-0.6 - room, len(names) - 0.4 + room)
    axes.grid(visible=False)
    whole_numbers(axes.xaxis)
    axes.set(xlabel="Sites", title=f"{sum(counts.values())} left out")
