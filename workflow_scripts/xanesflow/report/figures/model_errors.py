"""Draws how well a model predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xanesflow.core.figures import (
    BAND,
    BASELINE,
    CROSS_SECTION,
    ENERGY,
    MODEL,
    TRUTH,
    figure,
    in_thousandths,
    panels,
    whole_numbers,
    write_note,
)
from xanesflow.evaluation.metrics import deciles, energy_errors, spectrum_mse
from xanesflow.evaluation.predictions_file import Predictions, read_predictions

MOST_ROWS = 150
"""Most rows of a heat map; with more spectra, neighbouring rows are averaged."""


def draw_evaluation(predictions: Path, *, errors: Path, spectra: Path, energies: Path, heatmap: Path) -> None:
    """Draw the four figures of one model on one subset; for a part without spectra each says only that.

    Args:
        predictions: a prediction file.
        errors: SVG to write, histogram of the spectra's mean squared errors.
        spectra: SVG to write, one spectrum of each decile from best to worst.
        energies: SVG to write, mean absolute error at each energy, and the model's gain over the mean spectrum.
        heatmap: SVG to write, absolute error of each spectrum at each energy.
    """
    data = read_predictions(predictions)
    if not data.ids:
        for path in (errors, spectra, energies, heatmap):
            write_note(path, f"{data.subset} has no spectrum in its {data.part} part.")
        return
    with figure(errors, 6.5, 3) as drawn:
        _errors(drawn, data)
    mse = spectrum_mse(data.spectra, data.predictions)
    draw_tenths(spectra, data, mse, [f"{value:.1e} bohr⁴" for value in mse])
    with figure(energies, 6.5, 5) as drawn:
        _energies(drawn, data)
    with figure(heatmap, 6.5, 3.6) as drawn:
        draw_heatmap(drawn, data)


def _errors(drawn: Figure, data: Predictions) -> None:
    axes = drawn.subplots()
    of_model = spectrum_mse(data.spectra, data.predictions)
    of_baseline = spectrum_mse(data.spectra, data.baseline)
    both = [(of_baseline, BASELINE, "mean training spectrum"), (of_model, MODEL, data.model)]
    shown = [each for each in both if np.isfinite(each[0]).all()]  # no training spectra: no mean
    largest = max(values.max() for values, _, _ in shown)
    smallest = max(min(values.min() for values, _, _ in shown), 1e-12 * largest, np.finfo(float).tiny)
    bins = np.geomspace(smallest, max(largest, 2 * smallest), 41).tolist()
    for values, colour, name in shown:
        axes.hist(np.clip(values, smallest, None), bins, color=colour, alpha=0.55, label=name)
        axes.axvline(float(np.median(values)), color=colour, lw=1.5, ls="--")
    axes.set(xscale="log", xlabel="Mean squared error of a spectrum (bohr⁴)", ylabel="Spectra")
    whole_numbers(axes.yaxis)
    drawn.legend(*axes.get_legend_handles_labels(), title="dashed: median", loc="outside right upper")


def draw_tenths(
    output: Path,
    data: Predictions,
    values: NDArray[np.float64],
    notes: Sequence[str],
    bands: Mapping[str, NDArray[np.floating]] | None = None,
) -> None:
    """Draw the spectrum in the middle of each tenth, or each of up to ten spectra.

    Args:
        output: SVG to write.
        data: n spectra, at least one.
        values: (n,), by which the spectra are sorted and cut into tenths.
        notes: text in the panel of each spectrum.
        bands: (2, n, 141) bounds by name, the widest first.
    """
    shown = [rows[len(rows) // 2] for rows in deciles(values) if len(rows)]
    lines = -(-len(shown) // 5)
    columns = -(-len(shown) // lines)
    with figure(output, max(4.0, 0.75 + 1.75 * columns), 0.8 + 1.75 * lines) as drawn:
        every = panels(drawn, len(shown), columns, sharex=True, sharey=True)
        for number, (axes, row) in enumerate(zip(every, shown, strict=True), start=1):
            for (name, band), depth in zip((bands or {}).items(), (0.35, 0.8), strict=False):
                axes.fill_between(data.energy_ev, *band[:, row], color=BAND, alpha=depth, lw=0, label=name)
            axes.plot(data.energy_ev, data.spectra[row], color=TRUTH, lw=1.1, label="simulated")
            axes.plot(data.energy_ev, data.predictions[row], color=MODEL, lw=1.1, ls="--", label="predicted")
            axes.set_title(f"{number}. {data.ids[row]}", fontsize=8, parse_math=False)
            axes.text(0.97, 0.04, notes[row], transform=axes.transAxes, ha="right", fontsize=7)
            axes.locator_params(axis="x", nbins=4)
            axes.tick_params(labelsize=7, labelbottom=number > len(shown) - columns)
        in_thousandths(every[0].yaxis)
        drawn.legend(*every[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8)
        drawn.supxlabel(ENERGY, fontsize=9)
        drawn.supylabel(CROSS_SECTION, fontsize=9)


def _energies(drawn: Figure, data: Predictions) -> None:
    at = energy_errors(data.spectra, data.predictions, data.baseline)
    above, middle, below = drawn.subplots(3, 1, sharex=True, height_ratios=[2, 1, 1])
    above.plot(data.energy_ev, at.baseline, color=BASELINE, label="mean training spectrum")
    above.plot(data.energy_ev, at.model, color=MODEL, label=data.model)
    above.plot(data.energy_ev, data.spectra.mean(axis=0) / 10, color=TRUTH, lw=0.8, ls=":", label="mean spectrum / 10")
    above.set_ylabel("Mean absolute error\n(10⁻³ bohr²)")
    in_thousandths(above.yaxis)
    drawn.legend(*above.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    middle.plot(data.energy_ev, 100 * at.gain, color=MODEL)
    middle.axhline(0, color=BASELINE, lw=0.8)
    middle.set(ylabel="Error removed (%)", ylim=(max(middle.get_ylim()[0], -105), 105))  # far below, it says no more
    gained = 100 * at.improvement
    for sign, colour, hatch in ((1, MODEL, ""), (-1, BASELINE, "////")):  # hatched, to be read without colours too
        below.fill_between(
            data.energy_ev, np.maximum(sign * gained, 0), step="mid", color=colour, alpha=0.55, hatch=hatch
        )
    won = float(np.mean(gained > 0))
    below.set(xlabel=ENERGY, ylabel="|Ĩ(ΔE)| (%)")
    below.set_title(f"better than the mean spectrum at {won:.0%} of the energies; hatched: worse", fontsize=8)


def draw_heatmap(drawn: Figure, data: Predictions) -> None:
    """Draw the absolute errors of all spectra at all energies: of the mean training spectrum and of the model."""
    mse = spectrum_mse(data.spectra, data.predictions)
    both = [("mean training spectrum", data.baseline), (data.model, data.predictions)]
    rows = np.array_split(np.argsort(mse), min(len(mse), MOST_ROWS))
    maps = {
        name: np.array(
            [
                np.abs(data.spectra[part] - np.broadcast_to(other, data.spectra.shape)[part]).mean(axis=0)
                for part in rows
            ]
        )
        for name, other in both
        if np.isfinite(other).all()  # no training spectra: no mean
    }
    largest = max(values.max() for values in maps.values())
    colours = LogNorm(vmin=max(largest, 1e-30) * 1e-3, vmax=max(largest, 1e-30), clip=True)
    palette = mpl.colormaps["cividis"].resampled(30)  # ten colours a decade: few colours pack well
    every = panels(drawn, len(maps), len(maps), sharey=True)
    ends = (data.energy_ev[0], data.energy_ev[-1], 100, 0)
    for axes, (name, values) in zip(every, maps.items(), strict=True):
        image = axes.imshow(values, aspect="auto", extent=ends, norm=colours, cmap=palette, interpolation="none")
        axes.set(title=name, xlabel=ENERGY)
        axes.grid(visible=False)
    every[0].set_ylabel("Spectra, best to worst prediction (%)")
    drawn.colorbar(image, ax=every, label="Absolute error (bohr²)", extend="min")
