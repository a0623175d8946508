"""Figures of merit of values that were read from spectra."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from xanesflow.core.array_types import Floats

JUDGED_CN = (4, 5, 6)
"""Coordination numbers over whose sites F1 is weighted."""

FEWEST = 3
"""With fewer sites, correlations and R² are not defined."""


def scores_of(truth: Floats, value: Floats, low: Floats, high: Floats) -> dict[str, float]:
    """Spearman's correlation, R², mean absolute error, and share of the 90 % bars that hold the truth.

    Sites whose truth is not known do not count. What is not defined is NaN, as R² of equal values.

    Args:
        truth: (n,) in the descriptor's unit.
        value: (n,) what was read.
        low: (n,) lower ends of the bars.
        high: (n,) upper ends.
    """
    from scipy.stats import spearmanr

    known = np.isfinite(truth) & np.isfinite(value)
    truth, value, low, high = truth[known], value[known], low[known], high[known]
    found = {"n_test": float(len(truth)), "spearman": np.nan, "r2": np.nan, "mae": np.nan, "coverage_90": np.nan}
    if not len(truth):
        return found
    found["mae"] = float(np.mean(np.abs(truth - value)))
    if np.isfinite(low).all() and np.isfinite(high).all():
        found["coverage_90"] = float(np.mean((truth >= low - 1e-9) & (truth <= high + 1e-9)))
    if len(truth) >= FEWEST and np.ptp(truth) > 0:
        found["r2"] = float(1 - np.mean((truth - value) ** 2) / np.var(truth))
        found["spearman"] = float(spearmanr(truth, value).statistic) if np.ptp(value) > 0 else 0.0
    return found


def f1_of(truth: Floats, predicted: Floats) -> float:
    """F1 of `JUDGED_CN`, weighted by their number of sites, over the sites of these classes; NaN without any."""
    from sklearn.metrics import f1_score

    labels = list(JUDGED_CN)
    judged = np.isin(truth, labels) & np.isfinite(predicted)
    if not judged.any():
        return float("nan")
    given, found = truth[judged].astype(int), np.round(predicted[judged]).astype(int)
    return float(f1_score(given, found, labels=labels, average="weighted", zero_division=0))


def metrics_of(predictions: pd.DataFrame) -> list[Mapping[str, object]]:
    """A row of figures for each model and descriptor of a table of predictions (`judge`)."""
    rows: list[Mapping[str, object]] = []
    for (model, descriptor), of_one in predictions.groupby(["model", "descriptor"], sort=False):
        columns = [of_one[name].to_numpy(dtype=np.float64) for name in ("truth", "value", "low_90", "high_90")]
        scores = scores_of(*columns)
        f1 = f1_of(columns[0], of_one["class_value"].to_numpy(np.float64)) if descriptor == "cn" else float("nan")
        rows.append({"model": model, "descriptor": descriptor, **scores, "f1": f1})
    return rows
