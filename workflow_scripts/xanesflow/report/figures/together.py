"""Draws a model on the evaluated spectra of all subsets together, where each subset alone has too few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.core.figures import BASELINE, ENERGY, MODEL, TRUTH, figure, panels, write_note
from xanesflow.core.text import plural
from xanesflow.evaluation.metrics import spectrum_mse
from xanesflow.evaluation.predictions_file import Predictions, read_predictions

FEW = 5
"""With fewer evaluated spectra in every subset, a model is judged on all of them together."""

MOST, COLUMNS = 20, 4
"""Most spectra that are drawn, evenly from the best to the worst; panels in a row."""


@dataclass(frozen=True, eq=False)
class Judged:
    """An evaluated spectrum of some subset.

    Attributes:
        site: as `nio-rocksalt_000`.
        subset: as `Ni_FEFF8L`.
        energy_ev: (141,).
        spectrum, prediction, baseline: (141,) simulated, predicted, and the mean training spectrum of its subset, each
            divided by the simulated spectrum's mean, so that elements can be compared.
        error, of_baseline: root mean square of the differences to the simulated spectrum.
    """

    site: str
    subset: str
    energy_ev: Floats
    spectrum: Floats
    prediction: Floats
    baseline: Floats
    error: float
    of_baseline: float


def judged_together(subsets: Sequence[Predictions]) -> list[Judged]:
    """All evaluated spectra of a model, the best predicted first."""
    found = []
    for data in subsets:
        errors = np.sqrt(spectrum_mse(data.spectra, data.predictions))
        of_baseline = np.sqrt(spectrum_mse(data.spectra, data.baseline))
        for row, site in enumerate(data.ids):
            level = float(data.spectra[row].mean())
            curves = (data.spectra[row] / level, data.predictions[row] / level, data.baseline / level)
            found.append(
                Judged(site, data.subset, data.energy_ev, *curves, errors[row] / level, of_baseline[row] / level)
            )
    return sorted(found, key=lambda each: each.error)


def in_a_sentence(found: Sequence[Judged]) -> str:
    """How often, and by how much, the model is nearer than the mean training spectra."""
    nearer = sum(each.error < each.of_baseline for each in found)
    ratio = float(np.median([each.of_baseline / each.error for each in found]))
    return (
        f"nearer than the mean training spectrum at {nearer} of {plural(len(found), 'spectrum', 'spectra')}\n"
        f"median ratio of the two errors: {ratio:.2f}"
    )


def draw_together(predictions: Sequence[Path], *, spectra: Path, errors: Path) -> None:
    """Draw the spectra of all subsets from best to worst, and their errors beside those of the mean training spectra.

    Args:
        predictions: prediction files of one model, one for each subset.
        spectra: SVG to write.
        errors: SVG to write; both say so if a subset has enough spectra to be judged by itself.
    """
    subsets = [read_predictions(path) for path in predictions]
    found = judged_together([each for each in subsets if np.isfinite(each.baseline).all()])
    if max(len(each.ids) for each in subsets) >= FEW or not found:
        for path in (spectra, errors):
            write_note(path, f"Subsets are judged one by one: {FEW} evaluated spectra or more, or none.")
        return
    shown = [found[k] for k in np.unique(np.linspace(0, len(found) - 1, min(MOST, len(found))).round().astype(int))]
    _draw_spectra(shown, spectra)
    _draw_errors(found, subsets[0].model, errors)


def _draw_spectra(shown: Sequence[Judged], output: Path) -> None:
    columns = min(COLUMNS, len(shown))
    with figure(output, 0.6 + 2.3 * columns, 0.8 + 1.75 * -(-len(shown) // columns)) as drawn:
        every = panels(drawn, len(shown), columns, sharey=True)
        for axes, each in zip(every, shown, strict=True):
            axes.plot(each.energy_ev, each.baseline, color=BASELINE, lw=0.8, ls=":", label="mean training spectrum")
            axes.plot(each.energy_ev, each.spectrum, color=TRUTH, lw=1.2, label="simulated")
            axes.plot(each.energy_ev, each.prediction, color=MODEL, lw=1.2, ls="--", label="predicted")
            axes.set_title(f"{each.subset.split('_')[0]} in {each.site}", fontsize=8, parse_math=False)
            axes.locator_params(axis="x", nbins=4)
            axes.tick_params(labelsize=7)
        every[0].set_ylim(bottom=0.0)
        drawn.legend(*every[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)
        drawn.supxlabel(ENERGY, fontsize=9)
        drawn.supylabel("Cross section / its mean", fontsize=9)


def _draw_errors(found: Sequence[Judged], model: str, output: Path) -> None:
    places = np.arange(len(found))[::-1]
    with figure(output, 6.5, 1.3 + 0.2 * len(found)) as drawn:
        axes = drawn.subplots()
        errors, of_baseline = np.array([(each.error, each.of_baseline) for each in found]).T
        axes.hlines(places, 100 * errors, 100 * of_baseline, color="#BBBBBB", lw=1.0)
        axes.plot(100 * of_baseline, places, "D", ms=4, mfc="white", mec=BASELINE, label="mean training spectrum")
        axes.plot(100 * errors, places, "o", ms=5, color=MODEL, label=model)
        axes.set_yticks(places, [f"{each.subset.split('_')[0]} in {each.site}" for each in found], fontsize=7.5)
        axes.set(xlabel="Root mean square error (% of the spectrum's mean)", xlim=(0, None))
        axes.set_ylim(-0.7, len(found) - 0.3)
        axes.grid(visible=False, axis="y")
        axes.set_title(in_a_sentence(found), fontsize=8.5)
        drawn.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
