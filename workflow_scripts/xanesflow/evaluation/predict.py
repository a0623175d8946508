"""Predictions of a model, one or several seeds of it, on a part of the split."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import numpy as np

from xanesflow.errors import XanesflowError
from xanesflow.evaluation.predictions import Predictions, write_predictions
from xanesflow.models.checkpoint import Model, load_checkpoint
from xanesflow.models.data import SubsetData, read_subset
from xanesflow.provenance import provenance

logger = logging.getLogger(__name__)


def predict_spectra(
    dataset_path: str | Path,
    checkpoints: list[Path],
    output: str | Path,
    *,
    subset: str | None = None,
    part: Literal["test", "val"] = "test",
    config_json: str | None = None,
) -> Predictions:
    """Predict the spectra of a subset's part and write them beside the simulated ones.

    The baseline and `n_train` are of this subset alone, also for a model that learned from others too. A part without
    spectra gives a file without spectra, and a warning.

    Args:
        dataset_path: the dataset that the models were trained on.
        checkpoints: one model's seeds.
        output: `results/evaluation/predictions/<model>_<features>_<subset>.h5`.
        subset: whose spectra, as `Cu_FEFF`; None: the only one that the models cover.
        part: of the split.
        config_json: the campaign's configuration, to be kept in the file.

    Raises:
        XanesflowError: the checkpoints are not seeds of one model, do not cover the subset, or do not belong to this
            dataset.
    """
    models = _seeds_of_one_model(checkpoints)
    card = models[0].card
    data = read_subset(dataset_path, subset or _only_subset(models[0]), card.features)
    for path, model in zip(checkpoints, models, strict=True):
        _check_fits(path, model, data)
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
    by_seed = np.stack([model.predict(data.features[rows]) for model in models])
    result = Predictions(
        model=card.kind,
        features=card.features,
        subset=data.subset,
        part=part,
        n_train=len(train),
        seeds=[model.card.seed for model in models],
        ids=[data.ids[row] for row in rows],
        energy_ev=models[0].energy_of(data.subset),
        spectra=data.spectra[rows],
        predictions=by_seed.mean(axis=0),
        by_seed=by_seed,
        baseline=data.spectra[train].mean(axis=0) if len(train) else np.full_like(data.energy_ev, np.nan),
    )
    write_predictions(output, result, provenance([dataset_path, *checkpoints], ["torch", "h5py"], config_json))
    return result


def _only_subset(model: Model) -> str:
    """The subset of a model that covers one."""
    if len(model.card.subsets) > 1:
        raise XanesflowError(
            f"The {model.card.kind} model covers {', '.join(model.card.subsets)}; say whose spectra it shall predict."
        )
    return next(iter(model.card.subsets))


def _seeds_of_one_model(checkpoints: list[Path]) -> list[Model]:
    """Load checkpoints that differ in nothing but their seed."""
    if not checkpoints:
        raise XanesflowError("There is no checkpoint to predict with; name at least one seed in `models.seeds`.")
    models = [load_checkpoint(path) for path in checkpoints]
    first, seen = models[0].card, dict[int, Path]()
    for path, model in zip(checkpoints, models, strict=True):
        card = model.card
        if (card.kind, card.subset, card.features) != (first.kind, first.subset, first.features):
            raise XanesflowError(
                f"{path} is a model {card.kind} of {card.subset} on {card.features}, but {checkpoints[0]} is "
                f"{first.kind} of {first.subset} on {first.features}; predict with the seeds of one model at a time."
            )
        if card.seed in seen:
            raise XanesflowError(
                f"{path} and {seen[card.seed]} have the same seed {card.seed}; predict with each seed once."
            )
        seen[card.seed] = path
    return models


def _check_fits(path: Path, model: Model, data: SubsetData) -> None:
    """Raise if a model does not belong to a dataset."""
    card, subset = model.card, data.subset
    if subset not in card.subsets:
        raise XanesflowError(
            f"The model {path} covers {', '.join(card.subsets)} and was not trained on {subset}; train it again with "
            "this subset (delete the model file and run snakemake models)."
        )
    if card.feature_dimensions != data.feature_dimensions:
        raise XanesflowError(
            f"The model {path} takes features of the sizes {card.feature_dimensions}, but {data.path} has "
            f"{data.feature_dimensions} for {subset}; train the model again on this dataset."
        )
    trained_on = card.subsets[subset]["data_sha256"]
    if trained_on != data.data_sha256:
        raise XanesflowError(
            f"The model {path} was trained on other data of {subset} than {data.path} holds (hash {trained_on[:12]}, "
            f"here {data.data_sha256[:12]}); train it again (delete the model file and run snakemake models)."
        )
