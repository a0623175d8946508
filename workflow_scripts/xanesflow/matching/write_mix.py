"""Write and draw mixtures and principal components."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xanesflow.core.figures import BASELINE, COLOURS, MODEL, TRUTH, figure, plain_text
from xanesflow.core.files import json_text, write_text
from xanesflow.core.tables import write_rows
from xanesflow.core.text import printable
from xanesflow.matching.components import Components
from xanesflow.matching.mixtures import Mixture, MixtureFit

COLUMNS = ("rank", "standards", "fractions", "fraction_low", "fraction_high", "rms", "criterion", "shifts_ev")

_SEPARATOR = ";"


def mixture_values(mixture: Mixture) -> dict[str, Any]:
    """The entries of a row by column; several standards are separated by `;`."""

    def joined(values: Sequence[float] | np.ndarray) -> str:
        return _SEPARATOR.join(f"{value:.4f}" for value in values)

    values = (
        mixture.rank, _SEPARATOR.join(mixture.standards), joined(mixture.fractions), joined(mixture.low),
        joined(mixture.high), round(mixture.rms, 6), round(mixture.criterion, 3), joined(mixture.shifts_ev),
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def write_mixtures(path: Path, fits: Sequence[MixtureFit], remark: str = "", *, series: bool) -> None:
    """Write the combinations of a scan, or of a series: one table (.csv) with a column `scan`, or a list (.json)."""
    if path.suffix.lower() == ".csv":
        rows = [
            ({"scan": printable(fit.spectrum.source)} if series else {}) | mixture_values(mixture)
            for fit in fits
            for mixture in fit.mixtures
        ]
        write_rows(path, (("scan",) if series else ()) + COLUMNS, rows)
        return
    records = [_record(fit, remark) for fit in fits]
    write_text(path, json_text(records if series else records[0], indent=1) + "\n")


def _record(fit: MixtureFit, remark: str) -> dict[str, Any]:
    return {
        "source": fit.spectrum.source,
        "element": fit.spectrum.element,
        "remark": remark,
        "energy_ev": fit.energy_ev.tolist(),
        "measured": np.round(fit.values, 6).tolist(),
        "mixtures": [
            {
                "rank": each.rank,
                "standards": list(each.standards),
                "fractions": each.fractions.tolist(),
                "fraction_low": each.low.tolist(),
                "fraction_high": each.high.tolist(),
                "shifts_ev": each.shifts_ev.tolist(),
                "at_limit": list(each.at_limit),
                "rms": each.rms,
                "criterion": each.criterion,
                "fitted": np.round(each.fitted, 6).tolist(),
            }
            for each in fit.mixtures
        ],
    }


def draw_mixtures(path: Path, fits: Sequence[MixtureFit]) -> None:
    """Draw the best combination of one scan with its difference, or the fractions of it over several scans."""
    if len(fits) > 1:
        _draw_fractions(path, fits)
        return
    fit, best = fits[0], fits[0].mixtures[0]
    with figure(path, 6.0, 4.4) as drawn:
        spectra, rest = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        shares = ", ".join(f"{plain_text(n, 24)} {f:.2f}" for n, f in zip(best.standards, best.fractions, strict=True))
        spectra.plot(fit.energy_ev, fit.values, color=TRUTH, lw=1.6, label=plain_text(fit.spectrum.source, 40))
        spectra.plot(fit.energy_ev, best.fitted, color=MODEL, lw=1.1, label=shares)
        rest.plot(fit.energy_ev, fit.values - best.fitted, color=BASELINE, lw=1.0)
        rest.axhline(0, color=TRUTH, lw=0.6)
        spectra.set_ylabel("normalised absorption")
        spectra.legend(loc="lower right", fontsize=7)
        rest.set_ylabel("difference")
        rest.set_xlabel("photon energy (eV)")
        rest.ticklabel_format(useOffset=False)


def _draw_fractions(path: Path, fits: Sequence[MixtureFit]) -> None:
    names = list(dict.fromkeys(name for fit in fits for name in fit.mixtures[0].standards))
    with figure(path, 7.0, 3.6) as drawn:
        axes = drawn.subplots()
        for name in names:
            best = [dict(zip(fit.mixtures[0].standards, fit.mixtures[0].fractions, strict=True)) for fit in fits]
            axes.plot(range(1, len(fits) + 1), [each.get(name, 0.0) for each in best], ".-", label=plain_text(name, 40))
        axes.set_xlabel("scan")
        axes.set_ylabel("fraction")
        axes.legend(fontsize=7)


def write_components(path: Path, found: Components) -> None:
    """Write variance, indicator and, by scan, scores and misfit: a table of the scans (.csv), or everything (.json)."""
    shown = found.shown
    misfit = found.misfit(found.significant)
    if path.suffix.lower() == ".csv":
        columns = ("scan", *(f"score_{k + 1}" for k in range(shown)), "misfit")
        rows = [
            dict(zip(columns, (printable(name), *np.round(scores[:shown], 6), round(float(rms), 6)), strict=True))
            for name, scores, rms in zip(found.sources, found.scores, misfit, strict=True)
        ]
        write_rows(path, columns, rows)
        return
    record = {
        "sources": list(found.sources),
        "significant": found.significant,
        "variance": found.variance.tolist(),
        "indicator": [None if np.isnan(value) else float(value) for value in found.indicator],
        "energy_ev": found.energy_ev.tolist(),
        "components": np.round(found.components[:shown], 6).tolist(),
        "scores": np.round(found.scores[:, :shown], 6).tolist(),
        "misfit": np.round(misfit, 6).tolist(),
    }
    write_text(path, json_text(record, indent=1) + "\n")


def draw_components(path: Path, found: Components) -> None:
    """Draw the scree plot, the components, their scores over the scans, and the worst rebuilt scan."""
    number, shown = found.significant, found.shown
    drawn_of = min(number, len(COLOURS))
    worst = int(np.argmax(found.misfit(number)))
    with figure(path, 9.0, 6.0) as drawn:
        (scree, components), (scores, rebuilt) = drawn.subplots(2, 2)
        scree.semilogy(range(1, shown + 1), found.variance[:shown], "o-", color=MODEL)
        scree.axvline(number + 0.5, color=BASELINE, lw=1.0, ls="--")
        scree.set_xlabel("component")
        scree.set_ylabel("share of the sum of squares")
        scree.set_title(f"{number} are above the noise")
        for k, colour in zip(range(drawn_of), COLOURS, strict=False):
            components.plot(found.energy_ev, found.components[k], color=colour, label=f"component {k + 1}")
            scores.plot(range(1, len(found.sources) + 1), found.scores[:, k], ".-", color=colour)
        if drawn_of < number:
            components.set_title(f"{drawn_of} of {number} drawn")
            scores.set_title(f"{drawn_of} of {number} drawn")
        components.set_xlabel("photon energy (eV)")
        components.legend(fontsize=7)
        scores.set_xlabel("scan")
        scores.set_ylabel("score")
        rebuilt.plot(found.energy_ev, found.spectra[worst], color=TRUTH, lw=1.6, label="measured")
        rebuilt.plot(found.energy_ev, found.rebuilt(number)[worst], color=MODEL, lw=1.0, label="rebuilt")
        rebuilt.set_title(f"worst: {plain_text(found.sources[worst], 40)}")
        rebuilt.set_xlabel("photon energy (eV)")
        rebuilt.legend(fontsize=7)
        for axes in (components, rebuilt):
            axes.ticklabel_format(useOffset=False)
