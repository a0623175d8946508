"""Predict a part of the split with one or several seeds of a model."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import numpy as np

from xanesflow.core.provenance import provenance
from xanesflow.evaluation.error_bars.calibrate import error_bars
from xanesflow.evaluation.load_seeds import ensemble_of, load_seeds
from xanesflow.evaluation.predictions_file import Predictions, write_predictions
from xanesflow.evaluation.table_one import unlike_paper

logger = logging.getLogger(__name__)


def predict_spectra(
    dataset_path: str | Path,
    checkpoints: list[Path],
    output: str | Path,
    *,
    subset: str | None = None,
    part: Literal["test", "val"] = "test",
    calibration: str | Path | None = None,
    config_json: str | None = None,
) -> Predictions:
    """Predict the spectra of one part of a subset, and write them together with the simulated ones.

    The baseline and `n_train` are those of this subset, even if the model also learned from others. A part without
    spectra gives a file without spectra, and a warning.

    Args:
        dataset_path: the dataset that the models were trained on.
        checkpoints: the seeds of one model.
        output: `results/evaluation/predictions/<model>_<features>_<subset>.h5`.
        subset: whose spectra to predict, such as `Cu_FEFF`; None: the only subset that the models cover.
        part: the part of the split to predict.
        calibration: from `calibrate_model`; None: the predictions have no error bars.
        config_json: the campaign's configuration, to be stored in the file.

    Raises:
        XanesflowError: the checkpoints are not seeds of one model, do not cover the subset, or do not belong to this
            dataset, or the calibration belongs to another model.
    """
    models, data = load_seeds(dataset_path, checkpoints, subset)
    card = models[0].card
    rows, train = data.rows(part), data.rows("train")
    if not len(rows):
        logger.warning(
            "%s has no spectrum in its %s part (%s in %s), so its figures are undefined: set `evaluation.part: %s`, or "
            "`splits.files: null` to split the spectra that are there.",
            data.subset,
            part,
            data.counts(),
            data.path,
            "val" if part == "test" else "test",
        )
    # On the validation part, which the calibration was fitted to, error bars are cross-fitted.
    by_seed = np.stack([model.predict(data.features[rows]) for model in models])
    ids = [data.ids[row] for row in rows]
    bars, uncalibrated = None, ""
    if calibration is not None:
        bars, uncalibrated = error_bars(
            calibration,
            ensemble_of(models, checkpoints, data.subset),
            by_seed,
            data.features[rows],
            data.spectra[rows],
            ids=ids,
            cross=part == "val",
        )
    # A subset without training spectra has no mean, so its baseline is NaN.
    result = Predictions(
        model=card.kind,
        features=card.features,
        subset=data.subset,
        part=part,
        n_train=len(train),
        seeds=[model.card.seed for model in models],
        ids=ids,
        energy_ev=models[0].energy_of(data.subset),
        spectra=data.spectra[rows],
        predictions=by_seed.mean(axis=0),
        by_seed=by_seed,
        baseline=data.spectra[train].mean(axis=0) if len(train) else np.full_like(data.energy_ev, np.nan),
        uncertainty=bars,
        uncalibrated=uncalibrated,
        unlike_paper=unlike_paper(card, data.subset),
    )
    used = [dataset_path, *checkpoints, *([calibration] if calibration is not None else [])]
    write_predictions(output, result, provenance(used, ["torch", "h5py"], config_json))
    return result
