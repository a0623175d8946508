"""Judge a trained RankAAE: axes against descriptors, axes against each other, reconstruction, classes of CN."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.interpretation.figures_of_merit import JUDGED_CN, f1_of, scores_of
from xanesflow.interpretation.rank_aae.networks import AXES

_CN = 1  # column of the coordination number among the ranked descriptors


@dataclass(frozen=True, eq=False)
class AxisScores:
    """How good the axes are on some sites."""

    spearman: Floats  # (k,) of each steered axis with its descriptor
    f1: float  # of CN 4, 5, 6, by thresholds on its axis
    with_free: float  # largest correlation (Spearman, absolute) of a steered axis with the free one
    between: float  # largest correlation between two steered axes
    reconstruction: float  # mean absolute error of reconstructed spectra, in units of the plateau

    def figures(self) -> Floats:
        """Figures that enter the score of a seed, larger is better: the mean of `spearman`, and the four others.

        The largest correlation counts over all pairs of axes, not over those with the free one alone.
        """
        largest = max(self.with_free, self.between)
        return np.array([float(np.nanmean(self.spearman)), self.f1, -largest, -self.reconstruction])


def thresholds_of(axis: Floats, cn: Floats) -> Floats:
    """(2,) values of an axis between CN 4 and 5, and 5 and 6, with the largest F1 on these (training) sites."""
    grid = np.unique(np.quantile(axis, np.linspace(0.01, 0.99, 60)))
    # Sites of each class at or below each value of the grid, and in all.
    below = np.array([[np.sum(axis[cn == each] <= value) for value in grid] for each in JUDGED_CN], dtype=np.float64)
    total = np.array([np.sum(cn == each) for each in JUDGED_CN], dtype=np.float64)
    low, high = below[:, :, None], below[:, None, :]
    everywhere = total[:, None, None]
    found = np.stack([low + 0 * high, high - low, everywhere - high + 0 * low])  # (said, is, low, high)
    correct = np.stack([found[k, k] for k in range(len(JUDGED_CN))])
    f1 = 2 * correct / np.maximum(found.sum(axis=1) + everywhere, 1)
    score = np.where(grid[:, None] <= grid, (f1 * everywhere).sum(axis=0), -1.0)
    first, second = np.unravel_index(int(score.argmax()), score.shape)
    return np.array([grid[first], grid[second]])


def classes_by(axis: Floats, thresholds: Floats) -> Floats:
    """(n,) the coordination number 4, 5 or 6 that an axis says."""
    return np.array(JUDGED_CN, dtype=np.float64)[np.searchsorted(thresholds, axis)]


def axis_scores(axes: Floats, values: Floats, error: float, thresholds: Floats) -> AxisScores:
    """Judge axes on some sites.

    Args:
        axes: (n, 6).
        values: (n, k) the ranked descriptors; NaN where one is not known.
        error: mean absolute error of the reconstruction.
        thresholds: from `thresholds_of`, on the training sites.
    """
    nothing = np.full(len(axes), np.nan)
    spearman = [scores_of(values[:, k], axes[:, k], nothing, nothing)["spearman"] for k in range(values.shape[1])]
    between = np.abs(correlations(axes))
    np.fill_diagonal(between, 0.0)
    steered = between[: AXES - 1, : AXES - 1]
    f1 = f1_of(values[:, _CN], classes_by(axes[:, _CN], thresholds))
    return AxisScores(np.array(spearman), f1, float(between[-1].max()), float(steered.max()), error)


def correlations(columns: Floats) -> Floats:
    """(k, k) Spearman correlation of columns, over the rows in which both are known."""
    import pandas as pd

    return pd.DataFrame(columns).corr(method="spearman").to_numpy(copy=True)


def best_seed(figures: Floats) -> int:
    """Row of the seed with the largest sum of z-scores of its (seeds, 4) figures on the validation part."""
    usable = np.nan_to_num(figures, nan=-1.0)
    spread = usable.std(axis=0)
    scores = ((usable - usable.mean(axis=0)) / np.where(spread > 0, spread, 1.0)).sum(axis=1)
    return int(np.argmax(scores))
