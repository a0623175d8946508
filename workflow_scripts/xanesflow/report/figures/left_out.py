"""Draws spectra that curation left out, a row of panels for each reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from xanesflow.core.figures import BAND, BASELINE, CROSS_SECTION, ENERGY, MODEL, figure, in_thousandths, write_note
from xanesflow.core.sites import site_id
from xanesflow.spectra.rejected_examples import RejectedExample
from xanesflow.spectra.store import CuratedSpectra, read_spectra

COLUMNS = 6


def draw_examples(spectra: Path, output: Path) -> None:
    """Draw the worst spectra of each reason over the mean and the envelope of their subset.

    Args:
        spectra: a subset's curated spectra.
        output: SVG to write; if nothing can be drawn, it says so.
    """
    curated = read_spectra(spectra)
    reasons = list(dict.fromkeys(each.reason for each in curated.examples))
    if not reasons:
        why = "no rejected site left a spectrum to draw" if curated.rejected else "nothing was left out"
        write_note(output, f"{curated.subset}: {why}.")
        return
    most = max(sum(each.reason == reason for each in curated.examples) for reason in reasons)
    columns = min(COLUMNS, max(2, most))
    with figure(output, 0.6 + 1.55 * columns, 0.5 + 1.75 * len(reasons)) as drawn:
        rows = drawn.subplots(len(reasons), columns, sharex=True, squeeze=False)
        for row, reason in zip(rows, reasons, strict=True):
            shown = [each for each in curated.examples if each.reason == reason]
            for axes, each in zip(row, shown, strict=False):
                _panel(axes, curated, each)
            for axes in row[len(shown) :]:
                axes.set_axis_off()
            row[0].set_ylabel(reason, fontsize=8)
        handles, labels = rows[0][0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside upper center", ncols=max(2, columns - 2), fontsize=8)
        drawn.supxlabel(ENERGY, fontsize=8)
        drawn.supylabel(CROSS_SECTION, fontsize=8)


def _panel(axes: Axes, curated: CuratedSpectra, example: RejectedExample) -> None:
    energy = curated.energy_ev
    if curated.envelope is not None:
        axes.fill_between(energy, *curated.envelope, color=BAND, alpha=0.45, lw=0, label="envelope")
    axes.plot(energy, curated.spectra.mean(axis=0), color=MODEL, lw=0.8, ls="--", label="mean of those kept")
    axes.plot(energy, example.spectrum, color=BASELINE, lw=1.1, label="left out")
    if example.reason == "outside_envelope" and curated.envelope is not None:
        out = (example.spectrum < curated.envelope[0]) | (example.spectrum > curated.envelope[1])
        axes.plot(energy, np.where(out, example.spectrum, np.nan), color=BASELINE, lw=2.6, label="outside")
    axes.set_title(site_id(example.material_id, example.site_index), fontsize=7, parse_math=False)
    if note := example.detail.split(" from")[0] if example.reason == "outside_envelope" else "":
        axes.text(0.97, 0.04, note, transform=axes.transAxes, ha="right", fontsize=6)
    axes.tick_params(labelsize=6)
    axes.locator_params(axis="x", nbins=4)
    in_thousandths(axes.yaxis)
