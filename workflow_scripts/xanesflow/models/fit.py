"""From the dataset to a trained model on disk, for every kind of model."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xanesflow.errors import XanesflowError
from xanesflow.files import sha256_file
from xanesflow.models.checkpoint import Model, ModelCard, load_checkpoint, save_checkpoint
from xanesflow.models.curves import draw_curves, write_history
from xanesflow.models.data import SubsetData, read_subset
from xanesflow.models.scaling import Scaling
from xanesflow.models.settings import TrainingSettings
from xanesflow.models.training import Epoch, Training, train_network
from xanesflow.provenance import versions
from xanesflow.sites import PARTS

logger = logging.getLogger(__name__)


def train_model(
    kind: str,
    name: str,
    dataset_path: str | Path,
    output: str | Path,
    *,
    subsets: Sequence[str],
    features: str,
    settings: TrainingSettings,
    start: str | Path | None = None,
    figure: str | Path | None = None,
    history: str | Path | None = None,
    config_json: str | None = None,
    report_every: int = 10,
) -> Model:
    """Train one model with one seed and write it.

    Nothing is written before the training is finished; one that was stopped starts again from the beginning.

    Args:
        kind: as `expert`.
        name: what it is a model of: a subset, or a level of theory.
        dataset_path: the dataset, `results/dataset/<campaign>.h5`.
        output: the checkpoint.
        subsets: those it learns from, in the order in which their spectra are joined.
        features: a featurizer of the dataset, or several joined by `+`.
        settings: see there; the seed is among them.
        start: checkpoint of a trained model whose layers, weights and scaling are taken over; None: from scratch.
        figure: learning curve and range test, SVG or PNG, if wanted.
        history: a row per epoch as CSV, if wanted.
        config_json: the campaign's configuration, to be kept in the checkpoint.
        report_every: epochs between two lines in the log.

    Raises:
        XanesflowError: the dataset does not hold what is asked for, a part has too few spectra, the training failed,
            or the model to start from is none, or takes other features.
    """
    data = [read_subset(dataset_path, subset, features) for subset in subsets]
    report = _log_every(report_every, name)
    begin = Start.read(start) if start is not None else None
    if begin is not None:
        settings = replace(settings, widths=tuple(begin.model.card.settings["widths"]))
    model, training = fit_model(kind, name, data, settings, start=begin, config_json=config_json, report=report)
    bohr4 = model.scaling.spectra_factor**-2
    if history is not None:
        write_history(history, training, bohr4)
    if figure is not None:
        draw_curves(figure, training, bohr4, f"{kind} of {name}, {features}, seed {settings.seed}")
    save_checkpoint(output, model)
    logger.info("%s", model.describe())
    return model


def fit_model(
    kind: str,
    name: str,
    subsets: Sequence[SubsetData],
    settings: TrainingSettings,
    *,
    start: Start | None = None,
    config_json: str | None = None,
    report: Callable[[Epoch, float], None] | None = None,
) -> tuple[Model, Training]:
    """Train one model on data in memory; see `train_model`.

    The training parts of all subsets are joined, and so are the validation parts: one spectrum counts as much as
    another, and a subset may lack a part as long as another one has it.

    Raises:
        XanesflowError: the subsets do not fit each other, a joined part has too few spectra, or the training failed.
    """
    _check_alike(subsets)
    features, spectra, split = (
        np.concatenate([getattr(data, what) for data in subsets]) for what in ("features", "spectra", "split")
    )
    train, val = np.flatnonzero(split == "train"), np.flatnonzero(split == "val")
    if len(train) < 2 or len(val) < 1:
        counts = ", ".join(f"{part} {np.count_nonzero(split == part)}" for part in PARTS)
        raise XanesflowError(
            f"{', '.join(data.subset for data in subsets)} in {subsets[0].path}: too few spectra to train a model "
            f"({counts}; wanted train 2, val 1 or more): add finished simulations, or set `splits.files: null` to "
            "split the spectra that are there."
        )
    for data in subsets:
        if missing := [part for part in ("train", "val") if not len(data.rows(part))]:
            logger.warning("%s has no spectrum in its %s part (%s).", data.subset, " and ".join(missing), data.counts())
    if start is None:
        first = subsets[0]
        scaling = Scaling.fit(settings.scaling, first.features_name, features[train], first.feature_dimensions)
        weights = None
    else:
        start.check_fits(subsets[0])
        scaling, weights = start.model.scaling, start.model.network.state_dict()
    inputs = [scaling.scale_features(features[rows]) for rows in (train, val)]
    targets = [scaling.scale_spectra(spectra[rows]) for rows in (train, val)]
    training = train_network((inputs[0], targets[0]), (inputs[1], targets[1]), settings, report, start=weights)
    if training.range_test is not None and not training.range_test.found:
        logger.warning(
            "%s: the range test saw no falling loss; trained with %g. Set models.learning_rate to choose it yourself.",
            name,
            training.learning_rate,
        )
    bohr4 = scaling.spectra_factor**-2
    card = ModelCard(
        kind=kind,
        subset=name,
        features=subsets[0].features_name,
        feature_dimensions=subsets[0].feature_dimensions,
        featurizers=subsets[0].featurizers,
        settings=settings.as_dict(),
        scaling=scaling.name,
        spectra_factor=scaling.spectra_factor,
        dataset_sha256=subsets[0].file_sha256,
        data_sha256=_joined_hash(subsets),
        n_train=len(train),
        n_val=len(val),
        best_epoch=training.best_epoch,
        learning_rate=training.learning_rate,
        val_mse=training.epochs[training.best_epoch - 1].val_loss * bohr4,
        seconds=round(training.seconds, 1),
        history=[[e.number, e.train_loss * bohr4, e.val_loss * bohr4] for e in training.epochs],
        versions=versions(["torch"]),
        config=json.loads(config_json) if config_json else None,
        subsets={data.subset: _share(data) for data in subsets},
        start=start.described() if start else None,
    )
    return Model(card, training.network, scaling, {data.subset: data.energy_ev for data in subsets}), training


@dataclass(frozen=True, eq=False)
class Start:
    """A trained model that another one goes on from.

    Attributes:
        path: its checkpoint.
        model: the model.
    """

    path: Path
    model: Model

    @classmethod
    def read(cls, path: str | Path) -> Start:
        """Read its checkpoint.

        Raises:
            XanesflowError: the file is no model.
        """
        return cls(Path(path), load_checkpoint(path))

    def check_fits(self, data: SubsetData) -> None:
        """Check that a model of these data can go on from it.

        Raises:
            XanesflowError: its features are others, or made with other weights.
        """
        card = self.model.card
        for what, there, here in (
            ("features", card.features, data.features_name),
            ("features of the sizes", card.feature_dimensions, data.feature_dimensions),
            ("features made with", card.featurizers, data.featurizers),
            ("spectra of the points", len(next(iter(self.model.energies_ev.values()))), data.spectra.shape[1]),
        ):
            if there != here:
                raise XanesflowError(
                    f"The {card.kind} model {self.path} has {what} {there}, and {data.subset} needs {here}, so no "
                    "training can go on from it; train it again (delete the model file and run snakemake models)."
                )

    def described(self) -> dict[str, Any]:
        """What the card says of it."""
        card = self.model.card
        return {"kind": card.kind, "subset": card.subset, "seed": card.seed, "sha256": sha256_file(self.path)}


def _share(data: SubsetData) -> dict[str, Any]:
    """What the card says of one subset."""
    return {
        "n_train": len(data.rows("train")),
        "n_val": len(data.rows("val")),
        "data_sha256": data.data_sha256,
    }


def _joined_hash(subsets: Sequence[SubsetData]) -> str:
    """The hash of one subset's arrays, or one over those of several."""
    if len(subsets) == 1:
        return subsets[0].data_sha256
    return hashlib.sha256("".join(f"{data.subset} {data.data_sha256}\n" for data in subsets).encode()).hexdigest()


def _check_alike(subsets: Sequence[SubsetData]) -> None:
    """Raise if one network cannot serve all subsets."""
    first = subsets[0]
    for data in subsets[1:]:
        for what, here, there in (
            ("features of the sizes", data.feature_dimensions, first.feature_dimensions),
            ("features made with", data.featurizers, first.featurizers),
            ("spectra of the points", data.spectra.shape[1], first.spectra.shape[1]),
        ):
            if here != there:
                raise XanesflowError(
                    f"In {data.path} {data.subset} has {what} {here}, but {first.subset} {there}, so no model can "
                    "learn from both; make the dataset again (snakemake dataset)."
                )


def _log_every(every: int, name: str) -> Callable[[Epoch, float], None]:
    """A report that writes a line to the log after the first epoch and every `every` epochs."""

    def report(epoch: Epoch, rate: float) -> None:
        if epoch.number == 1 or epoch.number % every == 0:
            logger.info(
                "%s epoch %d: train %.5g, val %.5g (network units), best epoch %d, learning rate %.3g, %.1f s",
                name,
                epoch.number,
                epoch.train_loss,
                epoch.val_loss,
                epoch.best,
                rate,
                epoch.seconds,
            )

    return report
