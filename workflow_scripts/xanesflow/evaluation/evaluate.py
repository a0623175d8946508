"""Write the tables of figures; metrics.csv has one row for each model, features, subset and seed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import ELEMENTS, Subset
from xanesflow.core.tables import write_rows
from xanesflow.evaluation.error_bars.scores import write_scores
from xanesflow.evaluation.intervals import write_intervals
from xanesflow.evaluation.metrics import FEW_TEST, FEW_TRAIN, NO_SPECTRA, compute_metrics
from xanesflow.evaluation.predictions_file import Predictions, read_predictions
from xanesflow.evaluation.significance import write_comparisons

logger = logging.getLogger(__name__)

COLUMNS = (
    "model", "features", "element", "theory", "n_train", "n_test", "xi", "xi_baseline", "eta", "w_e", "w_s",
    "mse_mean", "seed", "part",
)  # fmt: skip
"""Columns of metrics.csv. `n_train` counts the subset's own training spectra, whose mean is the baseline (a universal
model saw those of the other subsets too). `n_test` counts the spectra of `part`. xi, xi_baseline and mse_mean are in
bohr⁴. An undefined figure is nan."""

ENSEMBLE = "ensemble"
"""Value of the column `seed` for the mean prediction of all seeds."""

Row = dict[str, str | int | float]


def evaluate_models(
    prediction_files: Iterable[str | Path],
    output_csv: str | Path,
    calibration_csv: str | Path | None = None,
    *,
    intervals_csv: str | Path | None = None,
    significance_csv: str | Path | None = None,
) -> list[Row]:
    """Compare predictions with the simulated spectra; write metrics.csv and, if you name them, further tables.

    A model with one seed has one row. With several it has one row for each seed, ascending, and one for their mean
    prediction. Rows are sorted by model, features, theory and element (as in the periodic table), whatever the order of
    the files. Numbers are written in full precision; undefined ones (all figures of a part without spectra) are nan.
    The log names the parts that are too small to judge a model.

    Args:
        prediction_files: from `predict_spectra` or `predict_simple_models`.
        output_csv: metrics.csv to write.
        calibration_csv: the table of the error bars (see `xanesflow.evaluation.error_bars.scores`).
        intervals_csv: the figures with their intervals, and the paper's (see `xanesflow.evaluation.intervals`).
        significance_csv: tests between the models of a subset (see `xanesflow.evaluation.significance`).

    Returns:
        Its rows.

    Raises:
        XanesflowError: a file is not a prediction file, or two are of the same model, features and subset.
    """
    by_model: dict[tuple[str, str, str], tuple[str | Path, Predictions]] = {}
    for path in prediction_files:
        found = read_predictions(path)
        key = (found.model, found.features, found.subset)
        if key in by_model:
            raise XanesflowError(
                f"{path} and {by_model[key][0]} both hold predictions of {' '.join(key)}; give each model once."
            )
        by_model[key] = (path, found)
    _warn_if_few(found for _, found in by_model.values())
    ordered = [by_model[key][1] for key in sorted(by_model, key=_order)]
    rows = [row for each in ordered for row in _rows(each)]
    write_rows(output_csv, COLUMNS, rows)
    if calibration_csv is not None:
        write_scores(ordered, calibration_csv)
    if intervals_csv is not None:
        write_intervals(ordered, intervals_csv)
    if significance_csv is not None:
        write_comparisons(ordered, significance_csv)
    return rows


def _warn_if_few(predictions: Iterable[Predictions]) -> None:
    """Log a warning for each subset with too few spectra for its figures to mean much."""
    for subset, part, n_train, n_test in sorted({(p.subset, p.part, p.n_train, len(p.ids)) for p in predictions}):
        if n_train < FEW_TRAIN or n_test < FEW_TEST:
            logger.warning(
                "%s: %d training and %d %s spectra are too few to judge a model (fewer than %d or %d); add finished "
                "simulations.",
                *(subset, n_train, n_test, part, FEW_TRAIN, FEW_TEST),
            )


def _order(key: tuple[str, str, str]) -> tuple[str, str, str, int]:
    subset = Subset.parse(key[2])
    place = ELEMENTS.index(subset.element) if subset.element in ELEMENTS else len(ELEMENTS)
    return key[0], key[1], subset.theory, place


def _rows(found: Predictions) -> list[Row]:
    by_seed: dict[int | str, npt.NDArray[np.float64]] = {
        seed: found.by_seed[number] for number, seed in sorted(enumerate(found.seeds), key=lambda pair: pair[1])
    }
    if len(by_seed) > 1:
        by_seed[ENSEMBLE] = found.predictions
    rows: list[Row] = []
    for seed, predictions in by_seed.items():
        figures = compute_metrics(found.spectra, predictions, found.baseline) if found.ids else NO_SPECTRA
        numbers = {name: value for name, value in vars(figures).items() if name != "n"}
        rows.append({**found.about, "n_train": found.n_train, "n_test": figures.n, **numbers, "seed": seed})
    return rows
