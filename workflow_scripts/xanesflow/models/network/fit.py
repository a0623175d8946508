"""Train a model from the dataset and write it to disk, for every kind of network model."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import sha256_file, sha256_text
from xanesflow.core.provenance import versions
from xanesflow.core.sites import PARTS, Subset
from xanesflow.core.text import listing
from xanesflow.models.kernel_ridge import KernelRidge
from xanesflow.models.model_kinds import ModelCard
from xanesflow.models.network.checkpoint import Model, load_checkpoint, load_if_there, save_checkpoint
from xanesflow.models.network.resume import SavedTraining
from xanesflow.models.network.scaling import Scaling
from xanesflow.models.network.train import Report, Training, train_networks
from xanesflow.models.network.training_curves import draw_curves, write_history
from xanesflow.models.network.training_state import Epoch
from xanesflow.models.subset_data import SubsetData, read_subset, without_meaning

logger = logging.getLogger(__name__)


def train_model(
    kind: str,
    dataset_path: str | Path,
    outputs: Mapping[int, Path],
    *,
    subsets: Sequence[str],
    features: str,
    settings: TrainingSettings,
    starts: Mapping[int, Path] | None = None,
    figure: str | Path | None = None,
    history: str | Path | None = None,
    config_json: str | None = None,
    report_every: int = 10,
) -> list[Model]:
    """Train one model with one or several seeds, and write a checkpoint for each.

    A seed is not trained again if its checkpoint exists and comes from the same data, settings and versions. So adding
    a seed costs one training. While a training runs, its state is stored next to the checkpoints
    (`training_seed0.safetensors`). An interrupted training continues from there and gives the same result.

    Args:
        kind: `expert` or `tuned`, of one subset, or `universal`, of all subsets of a level of theory
            (arXiv 2409.19552). A universal network never sees an energy: it maps features to 141 numbers, whose
            energies are the grid of the absorber's subset. A tuned one starts from it, and its subset may belong to
            another level of theory, so a model of many cheap spectra helps a model of fewer expensive ones.
        dataset_path: the dataset, `results/dataset/<campaign>.h5`.
        outputs: the checkpoint of each seed.
        subsets: the subsets to learn from, such as `Cu_FEFF`; their order does not matter.
        features: a featurizer of the dataset, or several joined by `+`.
        settings: settings of the training; the seed in them is ignored.
        starts: for each seed the checkpoint of a trained model whose layers, weights and scaling the training starts
            from; None to start from scratch.
        figure: SVG or PNG for learning curves and range test, if wanted.
        history: CSV with one row for each epoch and seed, if wanted.
        config_json: the campaign's configuration, to be stored in the checkpoints.
        report_every: epochs between two lines in the log.

    Raises:
        XanesflowError: the subsets of a universal model belong to several theories, the dataset lacks the subsets or
            features, the subsets do not fit each other, a part has too few spectra, the training failed, or the model
            to start from cannot be used or takes other features.
    """
    # A universal model has the name of its level of theory, the others that of their subset.
    subsets = sorted(set(subsets))
    names = sorted({Subset.parse(subset).theory for subset in subsets}) if kind == "universal" else subsets
    if len(names) != 1:
        raise XanesflowError(
            f"A universal model learns from subsets of one level of theory, but was given "
            f"{', '.join(subsets) or 'none'}; train one for each theory."
        )
    name = names[0]

    # Find out which seeds have a checkpoint that is still up to date.
    data = [read_subset(dataset_path, subset, features) for subset in subsets]
    begin = {seed: Start.read(starts[seed]) for seed in outputs} if starts is not None else None
    if begin is not None:
        settings = next(iter(begin.values())).layers_of(settings)
    models = {
        seed: model for seed, path in outputs.items() if (model := _same_as_before(path, data, settings, seed, begin))
    }
    for seed in models:
        logger.info("%s seed %d: kept, because its data, settings and versions are unchanged", name, seed)
        os.utime(outputs[seed])  # Snakemake expects outputs to be newer than their inputs

    # Train the others.
    if missing := [seed for seed in outputs if seed not in models]:
        folder = outputs[missing[0]].parent
        folder.mkdir(parents=True, exist_ok=True)
        depends_on = {"data": _joined_hash(data), "starts": [each.described() for each in (begin or {}).values()]}
        saved = SavedTraining(folder, depends_on)
        trained = fit_models(
            kind,
            name,
            data,
            settings,
            missing,
            starts=[begin[seed] for seed in missing] if begin is not None else None,
            config_json=config_json,
            report=_log_every(report_every, name),
            saved=saved,
        )
        for seed, (model, _) in zip(missing, trained, strict=True):
            save_checkpoint(outputs[seed], model)
            logger.info("%s", model.describe())
            models[seed] = model
        saved.remove()  # only now, as a disk may be full or a job end while the checkpoints are written

    # Write table and figure of all seeds, kept ones included.
    in_order = [models[seed] for seed in outputs]
    if history is not None:
        write_history(history, in_order)
    if figure is not None:
        draw_curves(figure, in_order)
    return in_order


def fit_model(
    kind: str,
    name: str,
    subsets: Sequence[SubsetData],
    settings: TrainingSettings,
    *,
    start: Start | None = None,
    config_json: str | None = None,
    report: Report | None = None,
) -> tuple[Model, Training]:
    """Train one model with the seed in the settings; see `fit_models`."""
    starts = None if start is None else [start]
    return fit_models(
        kind, name, subsets, settings, [settings.seed], starts=starts, config_json=config_json, report=report
    )[0]


def fit_models(
    kind: str,
    name: str,
    subsets: Sequence[SubsetData],
    settings: TrainingSettings,
    seeds: Sequence[int],
    *,
    starts: Sequence[Start] | None = None,
    config_json: str | None = None,
    report: Report | None = None,
    saved: SavedTraining | None = None,
) -> list[tuple[Model, Training]]:
    """Train one model with several seeds on data in memory; see `train_model`.

    The training parts of all subsets are joined, and so are the validation parts. Every spectrum counts the same, and
    a subset may lack a part as long as another subset has it. The epochs that `report` gets have their losses in bohr⁴.

    Raises:
        XanesflowError: the subsets do not fit each other, a joined part has too few spectra, or the training failed.
    """
    # Join the subsets, and check that there are enough spectra.
    _check_alike(subsets)
    features, spectra, split = (
        np.concatenate([getattr(data, what) for data in subsets]) for what in ("features", "spectra", "split")
    )
    train, val = np.flatnonzero(split == "train"), np.flatnonzero(split == "val")
    if len(train) < 2 or len(val) < 1:
        counts = ", ".join(f"{part} {np.count_nonzero(split == part)}" for part in PARTS)
        raise XanesflowError(
            f"{', '.join(data.subset for data in subsets)} in {subsets[0].path}: too few spectra to train a model "
            f"({counts}; train needs at least 2, val 1): add finished simulations, or set `splits.files: null` to "
            "split the existing spectra."
        )
    for data in subsets:
        if missing := [part for part in ("train", "val") if not len(data.rows(part))]:
            logger.warning("%s has no spectrum in its %s part (%s).", data.subset, listing(missing), data.counts())

    # Fit the scaling to the training part, or take scaling, weights and layers from the models to start from.
    weights = None
    if starts is None:
        first = subsets[0]
        scaling = Scaling.fit(settings.scaling, first.features_name, features[train], first.feature_dimensions)
        if settings.output == "difference":
            scaling = scaling.for_differences(spectra[train])
    else:
        for start in starts:
            start.check_fits(subsets[0])
        scaling = starts[0].model.scaling
        weights = [start.model.network.state_dict() for start in starts]
        settings = starts[0].layers_of(settings)
    bohr4 = scaling.spectra_factor**-2
    inputs = [scaling.scale_features(features[rows]) for rows in (train, val)]
    targets = [scaling.scale_spectra(spectra[rows]) for rows in (train, val)]

    # Fit the kernel regression, if it has a share, and train the networks.
    kernel = None
    if settings.kernel_share and kind != "universal":  # the matrix for the sites of all subsets would be too large
        materials = subsets[0].materials[train]
        blocks = list(subsets[0].feature_dimensions.values())
        kernel = KernelRidge.fit(features[train], spectra[train], materials, blocks)

    def report_bohr4(epoch: Epoch, rate: float) -> None:
        if report is not None:
            report(replace(epoch, train_loss=epoch.train_loss * bohr4, val_loss=epoch.val_loss * bohr4), rate)

    trainings = train_networks(
        (inputs[0], targets[0]), (inputs[1], targets[1]), settings, seeds, report_bohr4, starts=weights, saved=saved
    )
    lost = [each for each in trainings if each.range_test is not None and not each.range_test.found]
    if lost:
        logger.warning(
            "%s: the loss never fell in the range test; trained with learning rate %g. Set models.learning_rate to "
            "choose it yourself.",
            name,
            lost[0].learning_rate,
        )

    # Describe each trained network in a model card, with errors in bohr⁴.
    models = []
    for number, training in enumerate(trainings):
        card = ModelCard(
            kind=kind,
            subset=name,
            features=subsets[0].features_name,
            feature_dimensions=subsets[0].feature_dimensions,
            featurizers=subsets[0].featurizers,
            settings=training.settings.as_dict(),
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
            start=starts[number].described() if starts is not None else None,
            asked=_same_for_all(settings),
            range_test=training.range_test.as_dict() if training.range_test is not None else None,
        )
        energies_ev = {data.subset: data.energy_ev for data in subsets}
        models.append((Model(card, energies_ev, training.network, scaling, kernel), training))
    return models


def _same_for_all(settings: TrainingSettings) -> dict[str, Any]:
    """The settings without the seed."""
    return {name: value for name, value in settings.as_dict().items() if name != "seed"}


def _same_as_before(
    path: Path,
    data: Sequence[SubsetData],
    settings: TrainingSettings,
    seed: int,
    starts: Mapping[int, Start] | None,
) -> Model | None:
    """The model of an existing checkpoint, if a new training would give the same model."""
    model = load_if_there(path)
    if not isinstance(model, Model):
        return None
    card = model.card
    there = (card.seed, card.data_sha256, card.asked, card.start, card.versions, card.featurizers)
    start = starts[seed].described() if starts is not None else None
    wanted = (seed, _joined_hash(data), _same_for_all(settings), start, versions(["torch"]), data[0].featurizers)
    return model if there == wanted else None


@dataclass(frozen=True, eq=False)
class Start:
    """A trained model from which another training starts, and the path of its checkpoint."""

    path: Path
    model: Model

    @classmethod
    def read(cls, path: str | Path) -> Start:
        """Read the checkpoint.

        Raises:
            XanesflowError: the file is no model, or the model has no network.
        """
        model = load_checkpoint(path)
        if not isinstance(model, Model):
            raise XanesflowError(
                f"{path} is a {model.card.kind} model, which has no network to start from; name a universal one."
            )
        return cls(Path(path), model)

    def layers_of(self, settings: TrainingSettings) -> TrainingSettings:
        """The settings, with the layers replaced by those of this model."""
        there = self.model.card.settings
        return replace(settings, widths=tuple(there["widths"]), output=there.get("output", "softplus"))

    def check_fits(self, data: SubsetData) -> None:
        """Check that a training on these data can start from the model.

        Raises:
            XanesflowError: the model takes other features, or features computed with other weights.
        """
        card = self.model.card
        for what, there, here in (
            ("features", card.features, data.features_name),
            ("features of the sizes", card.feature_dimensions, data.feature_dimensions),
            ("features made with", without_meaning(card.featurizers), without_meaning(data.featurizers)),
            ("spectra of the points", len(next(iter(self.model.energies_ev.values()))), data.spectra.shape[1]),
        ):
            if there != here:
                raise XanesflowError(
                    f"The {card.kind} model {self.path} has {what} {there}, but {data.subset} needs {here}, so no "
                    "training can start from it; train it again (delete the model file and run snakemake models)."
                )

    def described(self) -> dict[str, Any]:
        """The entry for the model card of the new model."""
        card = self.model.card
        return {"kind": card.kind, "subset": card.subset, "seed": card.seed, "sha256": sha256_file(self.path)}


def _share(data: SubsetData) -> dict[str, Any]:
    """The entry of one subset for the model card."""
    return {
        "n_train": len(data.rows("train")),
        "n_val": len(data.rows("val")),
        "data_sha256": data.data_sha256,
    }


def _joined_hash(subsets: Sequence[SubsetData]) -> str:
    """The hash of one subset's arrays, or a hash of the hashes of several subsets."""
    if len(subsets) == 1:
        return subsets[0].data_sha256
    return sha256_text("".join(f"{data.subset} {data.data_sha256}\n" for data in subsets))


def _check_alike(subsets: Sequence[SubsetData]) -> None:
    """Raise if one network cannot learn from all subsets."""
    first = subsets[0]
    for data in subsets[1:]:
        for what, here, there in (
            ("features of the sizes", data.feature_dimensions, first.feature_dimensions),
            ("features made with", without_meaning(data.featurizers), without_meaning(first.featurizers)),
            ("spectra of the points", data.spectra.shape[1], first.spectra.shape[1]),
        ):
            if here != there:
                raise XanesflowError(
                    f"In {data.path} {data.subset} has {what} {here}, but {first.subset} {there}, so no model can "
                    "learn from both; build the dataset again (snakemake dataset)."
                )


def _log_every(every: int, name: str) -> Report:
    """A report that logs the first epoch and every `every`-th one."""

    def report(epoch: Epoch, rate: float) -> None:
        if epoch.number == 1 or epoch.number % every == 0:
            logger.info(
                "%s seed %d epoch %d: train %.5g, val %.5g bohr⁴, best epoch %d, learning rate %.3g, %.1f s",
                name,
                epoch.seed,
                epoch.number,
                epoch.train_loss,
                epoch.val_loss,
                epoch.best,
                rate,
                epoch.seconds,
            )

    return report
