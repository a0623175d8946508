"""DeltaXAS: one model for each subset, of its difference to a cheaper theory. The workflow's rule calls this."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from xanesflow.core.tables import write_csv
from xanesflow.models.delta.delta_model import DeltaModel, DeltaSettings, fit_delta, made_with
from xanesflow.models.delta.learning_curve import draw_learning_curve, learning_curve
from xanesflow.models.network.checkpoint import load_if_there, save_checkpoint
from xanesflow.models.subset_data import SubsetData, read_subset

logger = logging.getLogger(__name__)

SHARE_OF_A_SEED = 0.8
"""Share of the training materials from which each of several seeds learns, so that they differ where data are few."""


def train_delta(
    dataset_path: str | Path,
    outputs: Mapping[int, Path],
    *,
    subset: str,
    features: str,
    cheap_features: str,
    curve: str | Path | None = None,
    figure: str | Path | None = None,
    config_json: str | None = None,
) -> Sequence[DeltaModel]:
    """Fit a delta model with one or several seeds and write a checkpoint for each.

    A single seed learns from all training materials; each of several learns from its own share. A seed is not fitted
    again if its checkpoint exists and comes from the same data and settings.

    Args:
        dataset_path: the dataset, `results/dataset/<campaign>.h5`.
        outputs: the checkpoint of each seed.
        subset: such as `Cu_FEFF`.
        features: features of the structure, then those of the cheap run, such as `m3gnet+feff8l`.
        cheap_features: the features of the cheap run, such as `feff8l`.
        curve: CSV for the learning curve, if wanted.
        figure: SVG or PNG for the learning curve, if wanted.
        config_json: the campaign's configuration, to be stored in the checkpoints.

    Raises:
        XanesflowError: the dataset lacks the subset or features, or there are too few training sites.
    """
    data = read_subset(dataset_path, subset, features)
    share = SHARE_OF_A_SEED if len(outputs) > 1 else 1.0
    models = []
    for seed, path in outputs.items():
        settings = DeltaSettings(cheap_features, seed, share)
        model = _same_as_before(path, data, settings)
        if model is None:
            model = fit_delta(data, settings, config_json=config_json)
            save_checkpoint(path, model)
            logger.info("%s", model.describe())
        else:
            logger.info("%s seed %d: kept, because its data, settings and versions are unchanged", subset, seed)
            os.utime(path)  # Snakemake expects outputs to be newer than their inputs
        models.append(model)
    if curve is not None or figure is not None:
        points = learning_curve(data, DeltaSettings(cheap_features, min(outputs)))
        for row in points.itertuples():
            logger.info(
                "%d training sites, draw %d: η %.2f, structure alone %.2f, cheap runs moved in energy %.2f", *row[1:]
            )
        if curve is not None:
            write_csv(curve, points, "%.4g")
        if figure is not None:
            draw_learning_curve(figure, points, f"delta of {subset}, {features}")
    return models


def _same_as_before(path: Path, data: SubsetData, settings: DeltaSettings) -> DeltaModel | None:
    """The model of an existing checkpoint, if a new fit would give the same model."""
    model = load_if_there(path)
    if not isinstance(model, DeltaModel):
        return None
    card = model.card
    there = {name: value for name, value in card.settings.items() if name != "found"}
    made_from = (card.data_sha256, card.featurizers, card.versions, there)
    return model if made_from == (data.data_sha256, data.featurizers, made_with(), settings.as_dict()) else None
