"""What a delta model gains by more expensive spectra, and what it has from the cheap runs: its learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from xanesflow.core.figures import BASELINE, MODEL, TRUTH, figure
from xanesflow.models.delta.delta_model import FEWEST_PAIRS, DeltaModel, DeltaSettings, fit_delta
from xanesflow.models.subset_data import SubsetData

SIZES = (25, 50, 100, 250, 500, 1000, 2000)
"""Numbers of training sites, as far as there are so many; then all."""

DRAWS = 3
"""Of materials at each size, for the spread."""

FEWEST_EVALUATED = 5
"""Sites; with fewer in the validation part there is no curve."""

CLOSEST_LABELS = 1.2
"""Ratio of two sizes that both have a label in the figure."""

COLUMNS = ["n_train", "draw", "eta", "eta_structure", "eta_moved"]


def learning_curve(
    data: SubsetData, settings: DeltaSettings, *, sizes: Sequence[int] = SIZES, draws: int = DRAWS, part: str = "val"
) -> pd.DataFrame:
    """Figures of merit on a part of the split, by the number of training sites.

    Args:
        data: see `fit_delta`.
        settings: its seed draws the materials.
        sizes: numbers of training sites; those with at least as many as there are stand for all, once.
        draws: of materials at each size.
        part: that judges.

    Returns:
        `COLUMNS`: number of training sites, number of the draw, and figures of merit η of the delta model, of the
        regression on the structure alone, and of the cheap spectra moved in energy. No row where the part has fewer
        than `FEWEST_EVALUATED` sites.
    """
    evaluated, train = data.rows(part), data.rows("train")
    if len(evaluated) < FEWEST_EVALUATED or len(train) < FEWEST_PAIRS:
        return pd.DataFrame(columns=COLUMNS)
    mean = data.spectra[train].mean(axis=0)
    rng = np.random.default_rng(settings.seed)
    rows = []
    for size in [*(size for size in sorted(sizes) if FEWEST_PAIRS <= size < len(train)), len(train)]:
        for draw in range(draws if size < len(train) else 1):
            drawn = train if size == len(train) else draw_sites(data, train, size, rng)
            model = fit_delta(only_train_on(data, drawn), replace(settings, share=1.0))
            rows.append((len(drawn), draw, *merits(model, data, evaluated, mean)))
    return pd.DataFrame(rows, columns=COLUMNS)


def draw_sites(
    data: SubsetData, rows: npt.NDArray[np.intp], size: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Rows of materials drawn at random, whole, until there are `size` sites; the last one gives what is missing."""
    materials = data.materials[rows]
    order = {name: k for k, name in enumerate(rng.permutation(np.unique(materials)))}
    ranked = rows[np.argsort([order[name] for name in materials], kind="stable")]
    return np.sort(ranked[:size])


def only_train_on(data: SubsetData, rows: npt.NDArray[np.intp]) -> SubsetData:
    """The same data with a smaller training part; the rest of it belongs to no part."""
    split = np.where(data.split == "train", "", data.split).astype(data.split.dtype)
    split[rows] = "train"
    return replace(data, split=split)


def draw_learning_curve(path: str | Path, curve: pd.DataFrame, title: str) -> None:
    """Draw what `learning_curve` gave (SVG, PNG or PDF by the file's name)."""
    with figure(path, 5.2, 3.6) as drawn:
        axes = drawn.subplots()
        if curve.empty:
            axes.text(0.5, 0.5, "too few validation spectra", ha="center", transform=axes.transAxes)
        else:
            _draw_lines(axes, curve)
        axes.set(xlabel="training spectra (number)", ylabel="η on the validation part (no unit)")
        drawn.suptitle(title)


def _draw_lines(axes: Axes, curve: pd.DataFrame) -> None:
    """Means over the draws of each size, and bands from the worst draw to the best."""
    lines = (
        ("eta", MODEL, "o-", "with the cheap runs"),
        ("eta_structure", BASELINE, "s--", "structure alone"),
        ("eta_moved", TRUTH, "^:", "cheap runs, moved in energy"),
    )
    grouped = curve.groupby("n_train")
    for column, color, style, label in lines:
        middle = grouped[column].mean()
        axes.plot(middle.index, middle, style, color=color, lw=1.2, ms=4, label=label)
        axes.fill_between(middle.index, grouped[column].min(), grouped[column].max(), color=color, alpha=0.2, lw=0)
    axes.set(xscale="log", ylim=(0, None))
    ticks = _apart(sorted(curve["n_train"].unique()))
    axes.set_xticks(ticks, labels=[str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.legend()


def _apart(sizes: Sequence[int]) -> list[int]:
    """Those of ascending sizes whose labels do not touch on a logarithmic axis, the last one among them."""
    kept = list(sizes[-1:])
    for size in reversed(sizes[:-1]):
        if kept[-1] > CLOSEST_LABELS * size:
            kept.append(size)
    return kept[::-1]


def merits(
    model: DeltaModel, data: SubsetData, rows: npt.NDArray[np.intp], mean: npt.NDArray[np.float64]
) -> tuple[float, float, float]:
    """Figures of merit η on some rows: of the delta model, of the structure alone, of the cheap spectra just moved.

    η is the median over spectra of the squared error of `mean` (141,), in bohr², over that of the prediction.
    """
    features, spectra = data.features[rows], data.spectra[rows]
    of_mean = np.median(((mean - spectra) ** 2).mean(axis=1))
    predicted = (model.predict(features), model.from_structure_alone(features), model.moved_cheap_spectra(features))
    whole, alone, moved = (float(of_mean / np.median(((each - spectra) ** 2).mean(axis=1))) for each in predicted)
    return whole, alone, moved
