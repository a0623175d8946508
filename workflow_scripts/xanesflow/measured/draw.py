"""Draw measured spectra: as measured, with the curves before and after the edge, and normalised."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from xanesflow.core.figures import BASELINE, COLOURS, MODEL, TRUTH, figure, plain_text
from xanesflow.core.text import plural
from xanesflow.measured.measured_spectrum import MeasuredSpectrum

_NAMED = 14
_STYLES = ("-", "--", ":", "-.")
_NEAR_EV = (-50.0, 120.0)  # range of the normalised spectrum that is shown, relative to the edge


def draw_spectra(path: Path, spectra: Sequence[MeasuredSpectrum]) -> None:
    """Draw one spectrum in full, or several normalised ones over each other with the first as measured."""
    with figure(path, 9.0 if len(spectra) == 1 else 11.0, 3.6) as drawn:
        left, right = drawn.subplots(1, 2)
        _as_measured(left, spectra[0])
        _normalised(right, spectra)


def _as_measured(axes: Axes, spectrum: MeasuredSpectrum) -> None:
    energy, e0 = spectrum.energy_ev, spectrum.e0_ev
    pre = spectrum.parameters["pre_edge_range_ev"]
    post = spectrum.parameters["post_edge_range_ev"]
    for low, high in (pre, post):
        axes.axvspan(max(e0 + low, energy[0]), min(e0 + high, energy[-1]), color="#000000", alpha=0.05, lw=0)
    axes.plot(energy, spectrum.mu, color=TRUTH, lw=1.2, label="as measured")
    axes.plot(energy, spectrum.pre_edge, color=MODEL, lw=1.2, ls="--", label="before the edge")
    behind = energy >= e0
    axes.plot(energy[behind], spectrum.post_edge[behind], color=BASELINE, lw=1.2, ls="--", label="after the edge")
    axes.axvline(e0, color="#888888", lw=0.8, ls=":")
    axes.set(xlabel="Photon energy (eV)", ylabel="Absorption", title=plain_text(spectrum.source, 48))
    axes.ticklabel_format(useOffset=False)
    axes.legend(loc="best")


def _normalised(axes: Axes, spectra: Sequence[MeasuredSpectrum]) -> None:
    first, several = spectra[0], len(spectra) > 1
    if several:
        for number, spectrum in enumerate(spectra):
            turn, k = divmod(number, len(COLOURS))
            label = plain_text(spectrum.source, 28) if number < _NAMED else "_"
            style = _STYLES[turn % len(_STYLES)]
            axes.plot(spectrum.energy_ev, spectrum.normalised, color=COLOURS[k], ls=style, lw=1.4, label=label)
    else:
        axes.plot(first.energy_ev, first.normalised, color=TRUTH, lw=1.4, label="normalised")
        axes.plot(first.energy_ev, first.flattened, color=MODEL, lw=1.0, ls="--", label="flattened")
    axes.axhline(1.0, color="#888888", lw=0.6)
    half = first.half_step_ev
    of_which = " of the first" if several else ""
    axes.plot([half], [0.5], "o", color=TRUTH, ms=4, label=f"half the step{of_which}, {half:.1f} eV")
    if len(spectra) > _NAMED:
        axes.plot([], [], " ", label=f"and {plural(len(spectra) - _NAMED, 'more scan')}")
    low, high = (half + each for each in _NEAR_EV)
    axes.set(
        xlabel="Photon energy (eV)",
        ylabel="Normalised absorption",
        title=f"{first.element} {first.edge} edge",
        xlim=(max(low, first.energy_ev[0]), min(high, first.energy_ev[-1])),
    )
    axes.ticklabel_format(useOffset=False)
    if several:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    else:
        axes.legend(loc="lower right")
