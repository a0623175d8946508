"""Test which model is better than which, in pairs and on the same spectra.

The sites of one material are not independent observations. So each material counts once, with the median of the
logarithms of its sites' errors. Wilcoxon's signed-rank test compares two models by these medians; the p values of all
pairs of a subset are corrected together by Holm's method. The size of the difference is the ratio of the two
medians ξ, with a bootstrap interval over materials (see `intervals`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from xanesflow.core.array_types import Floats
from xanesflow.core.sites import Subset
from xanesflow.core.tables import write_rows
from xanesflow.evaluation.error_bars.calibration import materials_of
from xanesflow.evaluation.intervals import draw_materials, drawn_medians, interval
from xanesflow.evaluation.metrics import spectrum_mse
from xanesflow.evaluation.predictions_file import Predictions

ALPHA = 0.05
"""A corrected p value below this counts as a difference."""


@dataclass(frozen=True)
class Comparison:
    """Two models on the same spectra of a subset; a row of significance.csv; the attributes are its columns.

    Attributes:
        element, theory: of the subset.
        part: the part of the split that both predicted.
        better, better_features: the model with the smaller ξ and its features.
        worse, worse_features: the other one.
        n_spectra: number of spectra that all models predicted.
        n_materials: number of their materials.
        ratio: ξ of the worse model divided by ξ of the better.
        ratio_low, ratio_high: its 95 % interval; NaN with fewer than two materials.
        share: share of materials where the better model has the smaller error; below one half, the medians ξ and the
            pairs disagree.
        p: of Wilcoxon's signed-rank test, two-sided.
        p_holm: the same, corrected for all pairs of the subset.
    """

    element: str
    theory: str
    part: str
    better: str
    better_features: str
    worse: str
    worse_features: str
    n_spectra: int
    n_materials: int
    ratio: float
    ratio_low: float
    ratio_high: float
    share: float
    p: float
    p_holm: float


def write_comparisons(found: Sequence[Predictions], output_csv: str | Path) -> list[Comparison]:
    """Write significance.csv, one row for each pair of models of a subset, subsets in the order of their first model.

    Args:
        found: predictions of the whole campaign.
        output_csv: the table; a subset with one model has no row.
    """
    by_subset: dict[str, list[Predictions]] = {}
    for each in found:
        by_subset.setdefault(each.subset, []).append(each)
    rows = [row for models in by_subset.values() for row in compare_models(models)]
    write_rows(output_csv, [column.name for column in fields(Comparison)], map(vars, rows))
    return rows


def compare_models(models: Sequence[Predictions]) -> list[Comparison]:
    """Compare every two models of one subset on the spectra that all of them predicted, with Holm's correction."""
    # Errors of every model on the spectra that all of them predicted.
    common = set.intersection(*(set(each.ids) for each in models)) if models else set()
    if len(models) < 2 or not common:
        return []
    ids = [site for site in models[0].ids if site in common]
    errors = [_errors(each, ids) for each in models]
    materials = materials_of(ids)
    # Test all pairs by their materials' medians, and resample ξ by drawing the same materials for every model.
    pairs = list(combinations(range(len(models)), 2))
    logs = [material_medians(mse, materials) for mse in errors]
    p = [paired_p(logs[a], logs[b]) for a, b in pairs]
    medians = [np.concatenate([drawn_medians(mse, drawn) for drawn in draw_materials(materials)]) for mse in errors]
    rows = []
    for (a, b), raw, corrected in zip(pairs, p, holm(p), strict=True):
        first, second = (a, b) if np.median(errors[a]) <= np.median(errors[b]) else (b, a)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = float(np.median(errors[second]) / np.median(errors[first]))
            ratios = medians[second] / medians[first]
        low, high = interval(ratios) if len(logs[0]) > 1 else (float("nan"), float("nan"))
        share = float(np.mean(logs[first] < logs[second]))
        one, other, subset = models[first], models[second], Subset.parse(models[first].subset)
        rows.append(
            Comparison(
                subset.element, subset.theory, one.part, one.model, one.features, other.model, other.features,
                len(ids), len(logs[0]), ratio, low, high, share, raw, corrected,
            )
        )  # fmt: skip
    return rows


def _errors(model: Predictions, ids: Sequence[str]) -> Floats:
    """(n,) mean squared errors of the sites, in their order."""
    rows = {site: row for row, site in enumerate(model.ids)}
    chosen = [rows[site] for site in ids]
    return spectrum_mse(model.spectra[chosen], model.predictions[chosen])


def material_medians(errors: Floats, materials: Sequence[str]) -> Floats:
    """(m,) median logarithm of each material's errors, in the order of their names.

    Args:
        errors: (n,) of the sites; 0 counts as the smallest positive number.
        materials: (n,) the material of each site.
    """
    logs = pd.Series(np.log(np.maximum(errors, np.finfo(float).tiny)))
    return np.asarray(logs.groupby(np.asarray(materials, dtype=str)).median(), dtype=float)


def paired_p(one: Floats, other: Floats) -> float:
    """Two-sided p of Wilcoxon's signed-rank test between two models.

    Args:
        one: (m,) of a model, from `material_medians`.
        other: (m,) of another.

    Returns:
        p; 1 where no material differs.
    """
    differences = one - other
    if not differences.any():
        return 1.0
    from scipy.stats import wilcoxon  # takes a second, and one model alone does not need it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about few materials, whose p values are large anyway
        return float(wilcoxon(differences).pvalue)


def holm(p: Iterable[float]) -> list[float]:
    """P values corrected by Holm (1979), in the order given: the k-th smallest times n - k + 1, made non-decreasing."""
    given = np.fromiter(p, dtype=float)
    order = np.argsort(given, kind="stable")
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    corrected = np.empty_like(given)
    corrected[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in corrected]
