"""Draws how far error bars can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xanesflow.core.figures import BAND, BASELINE, ENERGY, MODEL, TRUTH, figure, write_note
from xanesflow.evaluation.error_bars.calibration import LEVELS
from xanesflow.evaluation.error_bars.scores import Sparsification, reliability, score_error_bars, sparsification
from xanesflow.evaluation.metrics import spectrum_mse
from xanesflow.evaluation.predictions_file import Predictions, Uncertainty, read_predictions
from xanesflow.report.figures.model_errors import draw_tenths

MOST_VECTORS = 100
"""Most points that are drawn as shapes; more are drawn as an image, which is then the smaller file."""

WITHIN = 0.03
"""Bars count as calibrated up to this difference between coverage and nominal level; drawn as a strip."""


def draw_uncertainty(predictions: Path, *, reliability: Path, sparsification: Path, bands: Path) -> None:
    """Draw the three figures of one model's error bars; without error bars each says why.

    Args:
        predictions: a prediction file.
        reliability: SVG to write: share of points inside the bands, by level and by energy.
        sparsification: SVG to write: true against expected errors, and the sparsification curve.
        bands: SVG to write: spectra with their bands, from the smallest to the largest expected error.
    """
    data = read_predictions(predictions)
    bars = data.uncertainty
    if bars is None or not data.ids:
        why = data.uncalibrated if data.ids else f"{data.subset} has no spectrum in its {data.part} part."
        for path in (reliability, sparsification, bands):
            write_note(path, why or "These predictions have no error bars.")
        return
    with figure(reliability, 9.5, 3.9) as drawn:
        _reliability(drawn, data, bars)
    with figure(sparsification, 9.5, 3.9) as drawn:
        _sparsification(drawn, data, bars)
    expected = [f"± {1000 * error:.1g}·10⁻³ bohr²" for error in bars.error]
    draw_tenths(bands, data, bars.error, expected, {"95 %": bars.band_95, "68 %": bars.band_68})


def _reliability(drawn: Figure, data: Predictions, bars: Uncertainty) -> None:
    left, right = _halves(drawn)
    found = score_error_bars(data.spectra, data.predictions, bars)
    _diagonal(left)
    left.plot(LEVELS, reliability(bars.confidence), color=MODEL, label=data.model)
    left.set(xlabel="Share that a band should hold", ylabel="Share of points inside", xlim=(0, 1), ylim=(0, 1))
    left.set_title(f"miscalibration area {found.miscalibration_area:.3f}")
    _legend_below(left)
    for level, band, coverage, colour in (
        (0.68, bars.band_68, found.coverage_68, MODEL),
        (0.95, bars.band_95, found.coverage_95, BASELINE),
    ):
        inside = ((band[0] <= data.spectra) & (data.spectra <= band[1])).mean(axis=0)
        right.axhspan(100 * (level - WITHIN), 100 * (level + WITHIN), color=BAND, alpha=0.35, lw=0)
        right.plot(data.energy_ev, 100 * inside, color=colour, label=f"{level:.0%} band: {coverage:.1%} of all points")
    right.set(xlabel=ENERGY, ylabel="Points inside (%)", ylim=(min(40, right.get_ylim()[0]), 101))
    _legend_below(right)


def _halves(drawn: Figure) -> tuple[Axes, Axes]:
    halves: Any = drawn.subfigures(1, 2)
    left, right = halves
    return left.subplots(), right.subplots()


def _legend_below(axes: Axes) -> None:
    """Put the legend where it covers no curve."""
    half: Any = axes.figure
    half.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)


def _diagonal(axes: Axes) -> None:
    axes.fill_between([0, 1], [-WITHIN, 1 - WITHIN], [WITHIN, 1 + WITHIN], color=BAND, alpha=0.35, lw=0)
    axes.plot([0, 1], [0, 1], color=TRUTH, lw=0.8, ls=":")


def _sparsification(drawn: Figure, data: Predictions, bars: Uncertainty) -> None:
    left, right = _halves(drawn)
    errors = np.sqrt(spectrum_mse(data.spectra, data.predictions))
    found = score_error_bars(data.spectra, data.predictions, bars)
    smallest = max(errors.max() * 1e-6, np.finfo(float).tiny)
    dots = {"color": MODEL, "ms": 3, "alpha": 0.6, "rasterized": len(errors) > MOST_VECTORS}
    left.loglog(np.maximum(bars.error, smallest), np.maximum(errors, smallest), ".", **dots)
    ends = np.array([max(bars.error.min(), smallest), max(bars.error.max(), 2 * smallest)])
    left.plot(ends, ends, color=TRUTH, lw=0.8, ls=":", label="equal")
    left.plot(
        ends,
        ends * np.median(bars.error_95 / np.maximum(bars.error, smallest)),
        color=BASELINE,
        lw=0.8,
        label="95 % should be below",
    )
    left.set(xlabel="Expected error of a spectrum (bohr²)", ylabel="True error (bohr²)")
    rank = f"{found.rank_correlation:.2f}" if np.isfinite(found.rank_correlation) else "–"
    left.set_title(f"rank correlation {rank}, {found.spectra_below_95:.1%} below the bound")
    _legend_below(left)
    sparse = thinned(sparsification(errors, bars.error))
    right.plot(100 * sparse.removed, sparse.curve, color=MODEL, label="largest expected errors first")
    right.plot(100 * sparse.removed, sparse.oracle, color=TRUTH, lw=0.8, ls="--", label="largest true errors first")
    right.axhline(1, color=BASELINE, lw=0.8, label="in random order")
    right.fill_between(100 * sparse.removed, sparse.oracle, sparse.curve, color=BAND, alpha=0.35, lw=0)
    right.set(xlabel="Spectra taken out (%)", ylabel="Mean error of the rest / of all", ylim=(0, None))
    right.set_title(f"AUSE {found.ause:.3f} (in random order {found.ause_random:.3f})")
    _legend_below(right)


def thinned(curves: Sparsification, most: int = 200) -> Sparsification:
    """Thin the curves to at most `most` evenly spaced points, with the first and the last."""
    rows = np.unique(np.linspace(0, len(curves.removed) - 1, most).round().astype(int))
    return Sparsification(curves.removed[rows], curves.curve[rows], curves.oracle[rows])
