"""Figures of how well sites are read from spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from safetensors.numpy import load_file

from xanesflow.config.result_paths import INTERPRETERS_BEST_FIRST
from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import RANGE_EV
from xanesflow.core.figures import BAND, BASELINE, MODEL, TRUTH, figure
from xanesflow.core.tables import ALL_AGAIN, read_csv, read_parquet
from xanesflow.core.text import listing
from xanesflow.interpretation.figures_of_merit import scores_of
from xanesflow.interpretation.rank_aae.networks import POINTS
from xanesflow.interpretation.site_descriptors import DESCRIPTORS, RANKED
from xanesflow.interpretation.train_interpreter import parse_name

_ROBUST = ("ocn", "cn", "nn_mean", "charge_transfer")
_CURVES = {"": MODEL, "_exact": BASELINE, "_aligned": TRUTH}
_SHORT = ("oxidation state", "CN", "CN of neighbours", "spread", "smallest")
"""Names of the ranked descriptors for narrow panels."""


def draw_interpretation(
    subset: str,
    *,
    robustness: Path,
    axes: Path,
    predictions: Sequence[Path],
    models: Sequence[Path],
    outputs: Mapping[str, Path],
) -> None:
    """Draw all figures of a subset, from the preferred model's first seed on the campaign's own split.

    A figure without data says what is missing.

    Args:
        subset: such as `Cu_FEFF`.
        robustness: robustness.csv.
        axes: axes.csv, which marks the seeds of RankAAE that were chosen.
        predictions: tables of what was read from the test parts.
        models: trained seeds of RankAAE.
        outputs: the file of each figure by its name (`figure_names`).
    """
    own = [path for path in predictions if parse_name(path)[1:3] == (subset, "campaign")]
    first = next((path for model in INTERPRETERS_BEST_FIRST for path in own if parse_name(path)[0] == model), None)
    read = pd.DataFrame() if first is None else read_parquet(first, again=ALL_AGAIN)
    kind = "" if first is None else parse_name(first)[0]
    robust = read_csv(robustness, dtype={"split": str})
    robust = robust[(robust["subset"] == subset) & (robust["split"] == "campaign")]
    with figure(outputs["truth"], 9.5, 6.4) as drawn:
        _truth(drawn, read, kind)
    with figure(outputs["reliability"], 9.5, 3.2) as drawn:
        _reliability(drawn, read, robust, kind)
    with figure(outputs["robustness"], 9.5, 5.0) as drawn:
        _robustness(drawn, robust, kind)
    with figure(outputs["classes"], 8.0, 3.6) as drawn:
        _classes(drawn, read, kind)

    # RankAAE: the chosen seed.
    table = read_csv(axes, dtype={"split": str})
    chosen = table[table["chosen"].astype(bool) & (table["subset"] == subset) & (table["split"] == "campaign")]
    seeds = set(chosen["seed"])
    best = next((p for p in models if parse_name(p)[1:3] == (subset, "campaign") and parse_name(p)[3] in seeds), None)
    arrays = load_file(best) if best else {}
    with figure(outputs["axes"], 9.5, 4.6) as drawn:
        _axes(drawn, arrays)
    with figure(outputs["axis_scatter"], 9.5, 2.4) as drawn:
        _scatter(drawn, arrays)
    with figure(outputs["axis_correlations"], 8.0, 3.8) as drawn:
        _correlations(drawn, arrays)


def _nothing(drawn: Figure, what: str) -> None:
    drawn.text(0.5, 0.5, what, ha="center", va="center")


def _truth(drawn: Figure, read: pd.DataFrame, kind: str) -> None:
    """Truth against what was read, with the 90 % bars of every tenth site."""
    read = read[read["model"] == kind] if len(read) else read
    names = [name for name in DESCRIPTORS if len(read) and name in set(read["descriptor"])]
    if not names:
        _nothing(
            drawn, f"There are no test sites, or interpretation.models has none of {listing(INTERPRETERS_BEST_FIRST)}."
        )
        return
    panels = drawn.subplots(3, 3).ravel()
    for axis, name in zip(panels, names, strict=False):
        here = read[(read["descriptor"] == name) & read["truth"].notna()]
        truth, value, low, high = (here[c].to_numpy(np.float64) for c in ("truth", "value", "low_90", "high_90"))
        some = slice(None, None, max(1, len(here) // 40))
        axis.vlines(truth[some], low[some], high[some], color=BAND, lw=1)
        axis.scatter(truth, value, s=8, color=MODEL, alpha=0.6, lw=0, zorder=3, rasterized=len(here) > 300)
        if len(here):
            ends = [truth.min(), truth.max()]
            axis.plot(ends, ends, color=TRUTH, lw=0.8)
        scores = scores_of(truth, value, low, high)
        unit = "" if DESCRIPTORS[name].unit == "1" else f" ({DESCRIPTORS[name].unit})"
        axis.set_title(
            f"{DESCRIPTORS[name].title}{unit}\nρ {scores['spearman']:.2f}, R² {scores['r2']:.2f}", fontsize=8
        )
    for axis in panels[len(names) :]:
        axis.set_axis_off()
    drawn.supxlabel("simulated site", fontsize=9)
    drawn.supylabel("read from its spectrum", fontsize=9)


def _reliability(drawn: Figure, read: pd.DataFrame, robust: pd.DataFrame, kind: str) -> None:
    """Share of the truths inside the 90 % bars, and how often the likeliest class is right."""
    if not len(read):
        _nothing(drawn, "There are no test sites.")
        return
    left, right = drawn.subplots(1, 2)
    at_rest = robust[(robust["shift_ev"] == 0) & (robust["fwhm_ev"] == 0)]
    names = list(DESCRIPTORS)
    for suffix, colour in _CURVES.items():
        here = at_rest[at_rest["model"] == kind + suffix]
        places = [names.index(name) for name in here["descriptor"]]
        left.plot(here["coverage_90"], places, "o", color=colour, ms=5, label=kind + suffix)
    left.axvline(0.9, color=TRUTH, lw=0.8, ls=":")
    left.set(yticks=range(len(names)), xlabel="share of sites inside their 90 % bar", xlim=(0.5, 1.02))
    left.set_yticklabels([DESCRIPTORS[name].title for name in names], fontsize=7)
    left.legend(fontsize=7)
    for name, colour in (("cn", MODEL), ("oxidation_state", BASELINE)):
        here = read[(read["model"] == kind) & (read["descriptor"] == name)].dropna(subset=["truth", "class_value"])
        if not len(here):
            continue
        share = here["class_probability"].to_numpy(np.float64)
        correct = np.round(here["truth"].to_numpy(np.float64)) == here["class_value"].to_numpy(np.float64)
        fifths = np.array_split(np.argsort(share, kind="stable"), min(6, len(share)))
        points = [(share[rows].mean(), correct[rows].mean()) for rows in fifths]
        right.plot(*zip(*points, strict=True), "o-", color=colour, ms=4, lw=1, label=DESCRIPTORS[name].title)
    right.plot([0, 1], [0, 1], color=TRUTH, lw=0.8, ls=":")
    right.set(xlabel="probability of the likeliest class", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
    if right.get_legend_handles_labels()[0]:
        right.legend(fontsize=7)


def _robustness(drawn: Figure, robust: pd.DataFrame, kind: str) -> None:
    """R² and coverage against shift, and against broadening."""
    names = [name for name in _ROBUST if name in set(robust["descriptor"])]
    if not names:
        _nothing(
            drawn, f"There are no test sites, or interpretation.models has none of {listing(INTERPRETERS_BEST_FIRST)}."
        )
        return
    panels = drawn.subplots(3, len(names), sharey="row", squeeze=False)
    rows = (("r2", "shift_ev", "fwhm_ev"), ("coverage_90", "shift_ev", "fwhm_ev"), ("r2", "fwhm_ev", "shift_ev"))
    for row, (figure_of_merit, varied, fixed) in zip(panels, rows, strict=True):
        for axis, name in zip(row, names, strict=True):
            for suffix, colour in _CURVES.items():
                here = robust[
                    (robust["model"] == kind + suffix) & (robust["descriptor"] == name) & (robust[fixed] == 0)
                ]
                mean = here.groupby(varied)[figure_of_merit].mean()
                axis.plot(mean.index, mean.clip(lower=-0.5), "o-", color=colour, ms=3, lw=1, label=kind + suffix)
            if figure_of_merit == "coverage_90":
                axis.axhline(0.9, color=TRUTH, lw=0.8, ls=":")
            axis.set_xlabel("shift (eV)" if varied == "shift_ev" else "Gaussian FWHM (eV)", fontsize=8)
        row[0].set_ylabel("R²" if figure_of_merit == "r2" else "inside 90 % bars")
    for axis, name in zip(panels[0], names, strict=True):
        axis.set_title(DESCRIPTORS[name].title, fontsize=8)
    panels[0, 0].legend(fontsize=7)


def _classes(drawn: Figure, read: pd.DataFrame, kind: str) -> None:
    """Confusion matrices of coordination number and oxidation state."""
    panels = drawn.subplots(1, 2)
    for axis, name in zip(panels, ("cn", "oxidation_state"), strict=True):
        here = read[(read["model"] == kind) & (read["descriptor"] == name)] if len(read) else read
        here = here.dropna(subset=["truth", "class_value"]) if len(here) else here
        if not len(here):
            axis.set_axis_off()
            axis.text(0.5, 0.5, f"One class of {DESCRIPTORS[name].title} only, or none.", ha="center", wrap=True)
            continue
        truth = np.round(here["truth"].to_numpy(np.float64)).astype(int)
        found = here["class_value"].to_numpy(np.float64).astype(int)
        classes = np.union1d(truth, found)
        counts = np.zeros((len(classes), len(classes)), dtype=int)
        np.add.at(counts, (np.searchsorted(classes, truth), np.searchsorted(classes, found)), 1)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (i, j), number in np.ndenumerate(counts):
            if number:
                axis.text(
                    j, i, number, ha="center", va="center", fontsize=7, color="white" if shares[i, j] > 0.5 else TRUTH
                )
        axis.set(xticks=range(len(classes)), yticks=range(len(classes)), xlabel="read", ylabel="simulated site")
        axis.set_xticklabels(classes.tolist())
        axis.set_yticklabels(classes.tolist())
        axis.set_title(DESCRIPTORS[name].title, fontsize=9)
        axis.grid(visible=False)


def _axes(drawn: Figure, arrays: Mapping[str, Floats]) -> None:
    """Spectra decoded along each axis, and beneath them the means of fifths of real held-out spectra."""
    if not arrays:
        _nothing(drawn, "rank_aae is not among interpretation.models.")
        return
    energy = np.linspace(0, RANGE_EV, POINTS)
    colours = colormaps["viridis"](np.linspace(0, 0.9, 5))
    panels = drawn.subplots(2, len(RANKED) + 1, sharex=True, sharey=True)
    for row, name in zip(panels, ("decoded", "real"), strict=True):
        for axis, spectra in zip(row, arrays[name], strict=True):
            for spectrum, colour in zip(spectra, colours, strict=True):
                axis.plot(energy, spectrum, color=colour, lw=1)
        row[0].set_ylabel("decoded" if name == "decoded" else "held-out, mean of fifths")
    for k, axis in enumerate(panels[0]):
        axis.set_title(f"axis {k + 1}: {_SHORT[k]}" if k < len(RANKED) else "free axis", fontsize=8)
    drawn.supxlabel(
        "energy from the start of the grid (eV); from the lowest fifth of the axis (dark) to the highest", fontsize=8
    )


def _scatter(drawn: Figure, arrays: Mapping[str, Floats]) -> None:
    if not arrays:
        _nothing(drawn, "rank_aae is not among interpretation.models.")
        return
    panels = drawn.subplots(1, len(RANKED))
    for k, axis in enumerate(panels):
        axis.scatter(arrays["axes"][:, k], arrays["values"][:, k], s=4, alpha=0.4, lw=0, color=MODEL, rasterized=True)
        axis.set_title(_SHORT[k], fontsize=8)
        axis.set_xlabel(f"axis {k + 1}")


def _correlations(drawn: Figure, arrays: Mapping[str, Floats]) -> None:
    """Correlation between axes, and between the descriptors themselves, which no axes can be rid of."""
    if not arrays:
        _nothing(drawn, "rank_aae is not among interpretation.models.")
        return
    panels = drawn.subplots(1, 2)
    labels = [*_SHORT, "free"]
    both = (("between_axes", "axes", labels), ("between_descriptors", "descriptors", labels[:-1]))
    for axis, (name, title, names) in zip(panels, both, strict=True):
        matrix = arrays[name]
        axis.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
        for (i, j), value in np.ndenumerate(matrix):
            if np.isfinite(value):
                axis.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=6)
        axis.set(xticks=range(len(names)), yticks=range(len(names)))
        axis.set_xticklabels(names, rotation=45, ha="right", fontsize=7)
        axis.set_yticklabels(names, fontsize=7)
        axis.set_title(title, fontsize=9)
        axis.grid(visible=False)
