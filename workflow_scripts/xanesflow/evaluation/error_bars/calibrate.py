"""Fit the error bars of a model on the validation part, and apply them to the predictions of any part."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import NotCalibratedError
from xanesflow.core.provenance import provenance
from xanesflow.evaluation.error_bars.calibration import Calibration, Ensemble, cross_fit, materials_of
from xanesflow.evaluation.error_bars.calibration_file import read_calibration, write_calibration
from xanesflow.evaluation.error_bars.distance import TrainingSites
from xanesflow.evaluation.load_seeds import ensemble_of, load_seeds
from xanesflow.evaluation.predictions_file import Uncertainty

logger = logging.getLogger(__name__)


def calibrate_model(
    dataset_path: str | Path,
    checkpoints: list[Path],
    output: str | Path,
    *,
    subset: str | None = None,
    config_json: str | None = None,
) -> Calibration | None:
    """Calibrate the error bars of a model on the validation part of a subset.

    That part also stopped the training; docs/studies/error-bars.md measures how much too good this makes the error
    bars. If the part is too small, the file says so and holds no error bars, and a warning is logged.

    Args:
        dataset_path: the dataset that the models were trained on.
        checkpoints: the seeds of one model.
        output: `results/evaluation/calibration/<model>_<features>_<subset>.h5`.
        subset: such as `Cu_FEFF`; None: the only one that the models cover.
        config_json: the campaign's configuration, to be stored in the file.

    Returns:
        The calibration; None if there are too few spectra.

    Raises:
        XanesflowError: the checkpoints are not seeds of one model, do not cover the subset, or do not belong to this
            dataset.
    """
    models, data = load_seeds(dataset_path, checkpoints, subset)
    owner = ensemble_of(models, checkpoints, data.subset)
    train = data.rows("train")
    sites = TrainingSites.fit(data.features[train], materials_of([data.ids[row] for row in train]))
    rows = data.rows("val")
    features = data.features[rows]
    found, reason = None, ""
    try:
        found = Calibration.fit(
            np.stack([model.predict(features) for model in models]),
            sites.distance(features),
            data.spectra[rows],
            [data.ids[row] for row in rows],
            sites=sites,
            owner=owner,
        )
    except NotCalibratedError as error:
        reason = str(error)
        logger.warning("%s: no error bars: %s", data.subset, reason)
    made = provenance([dataset_path, *checkpoints], ["torch", "h5py", "scipy", "scikit-learn"], config_json)
    write_calibration(output, found, owner, reason, made, sites=sites)
    return found


def error_bars(
    calibration: str | Path,
    owner: Ensemble,
    by_seed: Floats,
    features: npt.NDArray[np.floating],
    spectra: Floats,
    *,
    ids: Sequence[str],
    cross: bool,
) -> tuple[Uncertainty | None, str]:
    """Compute error bars of predicted spectra whose simulated ones are known.

    Args:
        calibration: file from `calibrate_model`.
        owner: the ensemble that predicted the spectra.
        by_seed: (k, n, m) spectra predicted by its seeds, in bohr².
        features: (n, d) of the sites.
        spectra: (n, m) simulated.
        ids: n names of sites.
        cross: whether these are the spectra that the calibration was fitted to. Then the error bars of each are
            calibrated on the other materials among them.

    Returns:
        The error bars and an empty text; or None and the reason why there are none.

    Raises:
        XanesflowError: the calibration belongs to another model.
    """
    try:
        found = read_calibration(calibration, owner)
        distance = found.sites.distance(features) if found.sites else np.zeros(len(features))
        if not cross:
            return bars_of("val", [(np.arange(len(ids)), found)], by_seed, distance, spectra), ""
        return bars_of("cross-fitted", list(cross_fit(by_seed, distance, spectra, ids)), by_seed, distance, spectra), ""
    except NotCalibratedError as error:
        logger.warning("%s: no error bars: %s", owner.subset, error)
        return None, str(error)


def bars_of(
    fitted: str,
    folds: list[tuple[npt.NDArray[np.intp], Calibration]],
    by_seed: Floats,
    distance: Floats,
    spectra: Floats,
) -> Uncertainty:
    """Compute error bars of spectra whose simulated ones are known, fold by fold.

    Args:
        fitted: see `Uncertainty`.
        folds: the rows of each fold, and its calibration.
        by_seed: (k, n, m) spectra predicted by the seeds, in bohr².
        distance: (n,) to the nearest training site.
        spectra: (n, m) simulated.
    """
    bars = Uncertainty(
        fitted=fitted,
        n_spectra=min(calibration.n_spectra for _, calibration in folds),
        n_materials=min(calibration.n_materials for _, calibration in folds),
        distance=distance,
        sigma=np.empty_like(spectra),
        band_68=np.empty((2, *spectra.shape)),
        band_95=np.empty((2, *spectra.shape)),
        confidence=np.empty_like(spectra),
        error=np.empty(len(spectra)),
        error_95=np.empty(len(spectra)),
    )
    for rows, calibration in folds:
        given = by_seed[:, rows], distance[rows]
        bars.sigma[rows] = calibration.sigma(*given)
        bars.band_68[:, rows] = calibration.bands(*given, 0.68)
        bars.band_95[:, rows] = calibration.bands(*given, 0.95)
        bars.confidence[rows] = calibration.levels_of(*given, spectra[rows])
        bars.error[rows] = calibration.error(*given)
        bars.error_95[rows] = calibration.error_bound(*given, 0.95)
    return bars
