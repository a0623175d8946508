"""Predict with a simple model and write the same kind of file as for a network; needs no PyTorch."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Literal

from threadpoolctl import threadpool_limits

from xanesflow.core.errors import XanesflowError
from xanesflow.core.provenance import provenance
from xanesflow.evaluation.predictions_file import Predictions, write_predictions
from xanesflow.models.network.scaling import Scaling
from xanesflow.models.simple_models import SIMPLE_MODELS
from xanesflow.models.subset_data import read_subset

logger = logging.getLogger(__name__)


def predict_simple_models(
    dataset_path: str | Path,
    output: str | Path,
    *,
    model: str,
    features: str,
    subset: str,
    part: Literal["test", "val"] = "test",
    threads: int = 1,
    config_json: str | None = None,
) -> Predictions:
    """Fit a simple model to a subset's training part, predict another part, and write the prediction file.

    The file's attribute `settings` (JSON) records what the validation part decided. The fit involves no chance, so
    there is one seed, 0.

    Args:
        dataset_path: the dataset, `results/dataset/<campaign>.h5`.
        output: `results/evaluation/predictions/<model>_<features>_<subset>.h5`.
        model: `linear` or `trees`.
        features: a featurizer of the dataset, or several joined by `+`.
        subset: such as `Cu_FEFF`.
        part: the part of the split to predict.
        threads: CPU threads.
        config_json: the campaign's configuration, to be stored in the file.

    Raises:
        XanesflowError: the dataset lacks the subset or the features, or the subset has too few spectra.
    """
    begin = time.perf_counter()
    data = read_subset(dataset_path, subset, features)
    train, val, rows = data.rows("train"), data.rows("val"), data.rows(part)
    if len(train) < 2 or not len(val):
        raise XanesflowError(
            f"{subset} in {data.path}: too few spectra to fit a simple model ({data.counts()}; wanted train 2, val 1 "
            "or more): add finished simulations, or set `splits.files: null` to split the spectra that are there."
        )
    if not len(rows):
        logger.warning(
            "%s has no spectrum in its %s part (%s in %s), so the figures of %s are undefined.",
            *(subset, part, data.counts(), data.path, model),
        )
    with threadpool_limits(threads):
        scaling = Scaling.fit("standardise", features, data.features[train], data.feature_dimensions)
        inputs = scaling.scale_features(data.features)
        fitted = SIMPLE_MODELS[model]((inputs[train], data.spectra[train]), (inputs[val], data.spectra[val]))
        predictions = fitted.predict(inputs[rows])
    result = Predictions(
        model=model,
        features=features,
        subset=subset,
        part=part,
        n_train=len(train),
        seeds=[0],
        ids=[data.ids[row] for row in rows],
        energy_ev=data.energy_ev,
        spectra=data.spectra[rows],
        predictions=predictions,
        by_seed=predictions[None],
        baseline=data.spectra[train].mean(axis=0),
    )
    settings = json.dumps({**fitted.settings, "inputs": scaling.n_inputs}, sort_keys=True)
    made = provenance([dataset_path], ["scikit-learn", "h5py"], config_json)
    write_predictions(output, result, {**made, "settings": settings})
    logger.info(
        "%s on %s of %s: %d of %d features' numbers or components, fitted to %d spectra in %.1f s: %s",
        *(model, features, subset, scaling.n_inputs, data.features.shape[1], len(train)),
        *(time.perf_counter() - begin, settings),
    )
    return result
