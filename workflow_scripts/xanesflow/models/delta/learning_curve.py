"""Learning curve of a delta model: how much more expensive spectra help, and how much the cheap runs help."""

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
"""Numbers of training sites for the curve; sizes beyond the training part are dropped, and all sites are added."""

DRAWS = 3
"""Random draws of materials at each size, to show the spread."""

FEWEST_EVALUATED = 5
"""The fewest validation sites for which there is a curve."""

CLOSEST_LABELS = 1.2
"""The smallest ratio of two sizes that both get a label in the figure."""

COLUMNS = ["n_train", "draw", "eta", "eta_structure", "eta_moved"]


def learning_curve(
    data: SubsetData, settings: DeltaSettings, *, sizes: Sequence[int] = SIZES, draws: int = DRAWS
) -> pd.DataFrame:
    """Figures of merit on the validation part, by the number of training sites.

    Args:
        data: see `fit_delta`.
        settings: the settings of the fits; their seed draws the materials.
        sizes: numbers of training sites. The curve always ends with all sites, so larger sizes are dropped.
        draws: number of random draws of materials at each size; draws of a single material are left out.

    Returns:
        A table with `COLUMNS`: number of training sites, number of the draw, and the figures of merit η of the delta
        model, of the regression on the structure alone, and of the shifted cheap spectra. The table is empty if the
        validation part has fewer than `FEWEST_EVALUATED` sites, or the training part fewer than `FEWEST_PAIRS`.
    """
    evaluated, train = data.rows("val"), data.rows("train")
    if len(evaluated) < FEWEST_EVALUATED or len(train) < FEWEST_PAIRS:
        return pd.DataFrame(columns=COLUMNS)
    mean = data.spectra[train].mean(axis=0)
    rng = np.random.default_rng(settings.seed)
    rows = []
    for size in [*(size for size in sorted(sizes) if FEWEST_PAIRS <= size < len(train)), len(train)]:
        for draw in range(draws if size < len(train) else 1):
            drawn = train if size == len(train) else draw_sites(data, train, size, rng)
            if len(np.unique(data.materials[drawn])) < 2:
                continue
            model = fit_delta(only_train_on(data, drawn), replace(settings, share=1.0))
            rows.append((len(drawn), draw, *merits(model, data, evaluated, mean)))
    return pd.DataFrame(rows, columns=COLUMNS)


def draw_sites(
    data: SubsetData, rows: npt.NDArray[np.intp], size: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Rows of whole materials drawn at random until there are `size` sites; the last material may be cut."""
    materials = data.materials[rows]
    order = {name: k for k, name in enumerate(rng.permutation(np.unique(materials)))}
    ranked = rows[np.argsort([order[name] for name in materials], kind="stable")]
    return np.sort(ranked[:size])


def only_train_on(data: SubsetData, rows: npt.NDArray[np.intp]) -> SubsetData:
    """The same data with only these rows in the training part; the other training sites belong to no part."""
    split = np.where(data.split == "train", "", data.split).astype(data.split.dtype)
    split[rows] = "train"
    return replace(data, split=split)


def draw_learning_curve(path: str | Path, curve: pd.DataFrame, title: str) -> None:
    """Draw a table of `learning_curve` (SVG, PNG or PDF, by the file name)."""
    with figure(path, 5.2, 3.6) as drawn:
        axes = drawn.subplots()
        if curve.empty:
            axes.text(0.5, 0.5, "too few validation spectra", ha="center", transform=axes.transAxes)
        else:
            _draw_lines(axes, curve)
        axes.set(xlabel="training spectra (number)", ylabel="η on the validation part (no unit)")
        drawn.suptitle(title)


def _draw_lines(axes: Axes, curve: pd.DataFrame) -> None:
    """Draw the mean over the draws at each size, and a band from the worst draw to the best."""
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
    """The sizes whose labels do not touch on a logarithmic axis, always including the last of the ascending sizes."""
    kept = list(sizes[-1:])
    for size in reversed(sizes[:-1]):
        if kept[-1] > CLOSEST_LABELS * size:
            kept.append(size)
    return kept[::-1]


def merits(
    model: DeltaModel, data: SubsetData, rows: npt.NDArray[np.intp], mean: npt.NDArray[np.float64]
) -> tuple[float, float, float]:
    """Figures of merit η on some rows: of the delta model, of the structure alone, of the shifted cheap spectra.

    η is the median over spectra of the mean squared error of the baseline `mean` (141,), in bohr², divided by the same
    median for the prediction.
    """
    features, spectra = data.features[rows], data.spectra[rows]
    of_mean = np.median(((mean - spectra) ** 2).mean(axis=1))
    predicted = (model.predict(features), model.from_structure_alone(features), model.moved_cheap_spectra(features))
    whole, alone, moved = (float(of_mean / np.median(((each - spectra) ** 2).mean(axis=1))) for each in predicted)
    return whole, alone, moved
