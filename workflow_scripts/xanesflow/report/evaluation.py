"""Figures of how well a model predicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from xanesflow.evaluation.metrics import deciles, energy_errors, spectrum_mse
from xanesflow.evaluation.predictions import Predictions, read_predictions
from xanesflow.figures import BASELINE, MODEL, TRUTH, figure


def draw_evaluation(predictions: Path, *, errors: Path, spectra: Path, energies: Path) -> None:
    """Draw the three figures of one model on one subset; of a part without spectra each says just that.

    Args:
        predictions: a prediction file.
        errors: SVG to write, histogram of the spectra's mean squared errors.
        spectra: SVG to write, a spectrum of each decile from best to worst.
        energies: SVG to write, mean absolute error at each energy.
    """
    data = read_predictions(predictions)
    if not data.ids:
        for path in (errors, spectra, energies):
            with figure(path, 6.5, 1.2) as drawn:
                drawn.text(0.5, 0.5, f"{data.subset} has no spectrum in its {data.part} part.", ha="center")
        return
    with figure(errors, 6.5, 3) as drawn:
        _errors(drawn, data)
    with figure(spectra, 9.5, 4.2) as drawn:
        _spectra(drawn, data)
    with figure(energies, 6.5, 4) as drawn:
        _energies(drawn, data)


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
    above, below = drawn.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    above.plot(data.energy_ev, at.baseline, color=BASELINE, label="mean training spectrum")
    above.plot(data.energy_ev, at.model, color=MODEL, label=data.model)
    above.plot(data.energy_ev, data.spectra.mean(axis=0) / 10, color=TRUTH, lw=0.8, ls=":", label="mean spectrum / 10")
    above.set(ylabel="Mean absolute error (bohr²)")
    above.legend()
    below.plot(data.energy_ev, 100 * at.gain, color=MODEL)
    below.axhline(0, color=BASELINE, lw=0.8)
    below.set(xlabel="Photon energy (eV)", ylabel="Error removed (%)")
