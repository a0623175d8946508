"""Draws how well a model predicts."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from xanesflow.core.figures import BASELINE, MODEL, TRUTH, figure
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
            with figure(path, 6.5, 1.2) as drawn:
                drawn.text(0.5, 0.5, f"{data.subset} has no spectrum in its {data.part} part.", ha="center")
        return
    with figure(errors, 6.5, 3) as drawn:
        _errors(drawn, data)
    with figure(spectra, 9.5, 4.2) as drawn:
        _spectra(drawn, data)
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
    axes.legend(title="dashed: median")


def _spectra(drawn: Figure, data: Predictions) -> None:
    mse = spectrum_mse(data.spectra, data.predictions)
    panels = drawn.subplots(2, 5, sharex=True, sharey=True).ravel()
    relative = data.energy_ev - data.energy_ev[0]
    for number, (axes, rows) in enumerate(zip(panels, deciles(mse), strict=True), start=1):
        if not len(rows):
            axes.set_axis_off()
            continue
        row = rows[len(rows) // 2]
        axes.plot(relative, data.spectra[row], color=TRUTH, lw=1.3, label="simulated")
        axes.plot(relative, data.predictions[row], color=MODEL, lw=1.3, ls="--", label="predicted")
        axes.set_title(f"{number}. {data.ids[row]}", fontsize=8, parse_math=False)
        axes.text(0.97, 0.04, f"{mse[row]:.1e} bohr⁴", transform=axes.transAxes, ha="right", fontsize=7)
    panels[0].legend(fontsize=7, loc="upper left")
    drawn.supxlabel(f"Photon energy − {data.energy_ev[0]:.2f} (eV)")
    drawn.supylabel("Cross section (bohr²)")


def _energies(drawn: Figure, data: Predictions) -> None:
    at = energy_errors(data.spectra, data.predictions, data.baseline)
    above, middle, below = drawn.subplots(3, 1, sharex=True, height_ratios=[2, 1, 1])
    above.plot(data.energy_ev, at.baseline, color=BASELINE, label="mean training spectrum")
    above.plot(data.energy_ev, at.model, color=MODEL, label=data.model)
    above.plot(data.energy_ev, data.spectra.mean(axis=0) / 10, color=TRUTH, lw=0.8, ls=":", label="mean spectrum / 10")
    above.set(ylabel="Mean absolute error (bohr²)")
    above.legend()
    middle.plot(data.energy_ev, 100 * at.gain, color=MODEL)
    middle.set(ylabel="Error removed (%)")
    gained = 100 * at.improvement
    for sign, colour, hatch in ((1, MODEL, ""), (-1, BASELINE, "////")):  # hatched, to be read without colours too
        below.fill_between(
            data.energy_ev, np.maximum(sign * gained, 0), step="mid", color=colour, alpha=0.55, hatch=hatch
        )
    won = float(np.mean(gained > 0))
    below.set(xlabel="Photon energy (eV)", ylabel="|Ĩ(ΔE)| (%)")
    below.set_title(f"better than the mean spectrum at {won:.0%} of the energies; hatched: worse", fontsize=8)
    middle.axhline(0, color=BASELINE, lw=0.8)


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
    panels = drawn.subplots(1, len(maps), sharey=True, squeeze=False)[0]
    ends = (data.energy_ev[0], data.energy_ev[-1], 100, 0)
    for axes, (name, values) in zip(panels, maps.items(), strict=True):
        image = axes.imshow(values, aspect="auto", extent=ends, norm=colours, cmap=palette, interpolation="none")
        axes.set(title=name, xlabel="Photon energy (eV)")
        axes.grid(visible=False)
    panels[0].set_ylabel("Spectra, best to worst prediction (%)")
    drawn.colorbar(image, ax=panels.tolist(), label="Absolute error (bohr²)", extend="min")
