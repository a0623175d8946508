"""ExpertXAS: one model per subset (arXiv 2409.19552)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

from xanesflow.errors import XanesflowError
from xanesflow.models.checkpoint import Model, ModelCard, save_checkpoint
from xanesflow.models.curves import draw_curves, write_history
from xanesflow.models.data import SubsetData, read_subset
from xanesflow.models.scaling import Scaling
from xanesflow.models.settings import ExpertSettings
from xanesflow.models.training import Epoch, Training, train_network
from xanesflow.provenance import versions

logger = logging.getLogger(__name__)


def train_expert(
    dataset_path: str | Path,
    output: str | Path,
    *,
    subset: str,
    features: str,
    settings: ExpertSettings,
    figure: str | Path | None = None,
    history: str | Path | None = None,
    config_json: str | None = None,
    report_every: int = 10,
) -> Model:
    """Train one expert with one seed and write it.

    Nothing is written before the training is finished; one that was stopped starts again from the beginning.

    Args:
        dataset_path: the dataset, `results/dataset/<campaign>.h5`.
        output: the checkpoint.
        subset: as `Cu_FEFF`.
        features: a featurizer of the dataset, or several joined by `+`.
        settings: see there; the seed is among them.
        figure: learning curve and range test, SVG or PNG, if wanted.
        history: a row per epoch as CSV, if wanted.
        config_json: the campaign's configuration, to be kept in the checkpoint.
        report_every: epochs between two lines in the log.

    Raises:
        XanesflowError: the dataset does not hold what is asked for, a part has too few spectra, or the training
            failed.
    """
    data = read_subset(dataset_path, subset, features)
    model, training = fit_expert(data, settings, config_json=config_json, report=_log_every(report_every, subset))
    bohr4 = model.scaling.spectra_factor**-2
    if history is not None:
        write_history(history, training, bohr4)
    if figure is not None:
        draw_curves(figure, training, bohr4, f"{subset}, {features}, seed {settings.seed}")
    save_checkpoint(output, model)
    logger.info("%s", model.describe())
    return model


def fit_expert(
    data: SubsetData,
    settings: ExpertSettings,
    *,
    config_json: str | None = None,
    report: Callable[[Epoch, float], None] | None = None,
) -> tuple[Model, Training]:
    """Train one expert on data in memory; see `train_expert`.

    Raises:
        XanesflowError: a part has too few spectra, or the training failed.
    """
    train, val = data.rows("train"), data.rows("val")
    if len(train) < 2 or len(val) < 1:
        raise XanesflowError(
            f"{data.subset} in {data.path} has too few spectra to train a model ({data.counts()}; wanted train 2, val "
            "1 or more): add finished simulations, or set `splits.files: null` to split the spectra that are there."
        )
    scaling = Scaling.fit(settings.scaling, data.features_name, data.features[train])
    inputs, targets = scaling.scale_features(data.features), scaling.scale_spectra(data.spectra)
    training = train_network((inputs[train], targets[train]), (inputs[val], targets[val]), settings, report)
    if training.range_test is not None and not training.range_test.found:
        logger.warning(
            "%s: the range test saw no falling loss; trained with %g. Set models.learning_rate to choose it yourself.",
            data.subset,
            training.learning_rate,
        )
    bohr4 = scaling.spectra_factor**-2
    card = ModelCard(
        kind="expert",
        subset=data.subset,
        features=data.features_name,
        feature_dimensions=data.feature_dimensions,
        featurizers=data.featurizers,
        settings=settings.as_dict(),
        scaling=scaling.name,
        spectra_factor=scaling.spectra_factor,
        dataset_sha256=data.file_sha256,
        data_sha256=data.data_sha256,
        n_train=len(train),
        n_val=len(val),
        best_epoch=training.best_epoch,
        learning_rate=training.learning_rate,
        val_mse=training.epochs[training.best_epoch - 1].val_loss * bohr4,
        seconds=round(training.seconds, 1),
        history=[[e.number, e.train_loss * bohr4, e.val_loss * bohr4] for e in training.epochs],
        versions=versions(["torch"]),
        config=json.loads(config_json) if config_json else None,
    )
    return Model(card, training.network, scaling, data.energy_ev), training


def _log_every(every: int, subset: str) -> Callable[[Epoch, float], None]:
    """A report that writes a line to the log after the first epoch and every `every` epochs."""

    def report(epoch: Epoch, rate: float) -> None:
        if epoch.number == 1 or epoch.number % every == 0:
            logger.info(
                "%s epoch %d: train %.5g, val %.5g (network units), best epoch %d, learning rate %.3g, %.1f s",
                subset,
                epoch.number,
                epoch.train_loss,
                epoch.val_loss,
                epoch.best,
                rate,
                epoch.seconds,
            )

    return report
