"""Load the seeds of one model and the data that they were trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import sha256_file
from xanesflow.core.text import first_few, quoted
from xanesflow.evaluation.error_bars.calibration import Ensemble
from xanesflow.models.model_kinds import ModelCard, TrainedModel
from xanesflow.models.network.checkpoint import load_checkpoint
from xanesflow.models.subset_data import SubsetData, read_subset

_OF_A_SEED = {"seed", "device", "threads", "found"}
"""Settings in which the seeds of one model may differ; `found` is what a delta model chose by itself."""


def load_seeds(
    dataset_path: str | Path, checkpoints: Sequence[Path], subset: str | None
) -> tuple[list[TrainedModel], SubsetData]:
    """Load models that differ only in their seed, and the subset of the dataset that they were trained on.

    Args:
        dataset_path: the dataset.
        checkpoints: the seeds of one model.
        subset: such as `Cu_FEFF`; None: the only one that the models cover.

    Raises:
        XanesflowError: the checkpoints are not seeds of one model, do not cover the subset, or do not belong to this
            dataset.
    """
    models = _seeds_of_one_model(checkpoints)
    data = read_subset(dataset_path, subset or _only_subset(models[0]), models[0].card.features)
    for path, model in zip(checkpoints, models, strict=True):
        _check_fits(path, model, data)
    return models, data


def ensemble_of(models: Sequence[TrainedModel], checkpoints: Sequence[Path], subset: str) -> Ensemble:
    """What a calibration of these seeds for a subset belongs to."""
    card = models[0].card
    hashes = {model.card.seed: sha256_file(path) for model, path in zip(models, checkpoints, strict=True)}
    return Ensemble(card.kind, card.features, subset, hashes)


def _only_subset(model: TrainedModel) -> str:
    """The subset of a model that covers only one."""
    if len(model.card.subsets) > 1:
        raise XanesflowError(
            f"The {model.card.kind} model covers {', '.join(model.card.subsets)}; name the subset to predict."
        )
    return next(iter(model.card.subsets))


def _seeds_of_one_model(checkpoints: Sequence[Path]) -> list[TrainedModel]:
    """Load checkpoints that differ only in their seed."""
    if not checkpoints:
        raise XanesflowError("There is no checkpoint to predict with; name at least one seed in `models.seeds`.")
    models = [load_checkpoint(path) for path in checkpoints]
    check_seeds(models, checkpoints)
    return models


def check_seeds(models: Sequence[TrainedModel], checkpoints: Sequence[Path]) -> None:
    """Raise XanesflowError if models differ in more than their seed; `checkpoints` are their files."""
    first, seen = models[0].card, dict[int, Path]()
    for path, model in zip(checkpoints, models, strict=True):
        card = model.card
        if (card.kind, card.subset, card.features) != (first.kind, first.subset, first.features):
            raise XanesflowError(
                f"{path} is a model {card.kind} of {card.subset} on {card.features}, but {checkpoints[0]} is a model "
                f"{first.kind} of {first.subset} on {first.features}; predict with the seeds of one model at a time."
            )
        made, wanted = _made_with(card), _made_with(first)
        names = [name for name in wanted | made if made.get(name) != wanted.get(name)]
        if differences := [f"{name} {quoted(made.get(name))} (not {quoted(wanted.get(name))})" for name in names]:
            raise XanesflowError(
                f"{path} is no seed of the same model as {checkpoints[0]}, as it was trained with "
                f"{first_few(differences, 3)}; delete the one that an earlier configuration left, or name the files of "
                "the seeds to use."
            )
        if card.seed in seen:
            raise XanesflowError(
                f"{path} and {seen[card.seed]} have the same seed {card.seed}; predict with each seed once."
            )
        seen[card.seed] = path


def _made_with(card: ModelCard) -> dict[str, Any]:
    """What the seeds of one model share besides kind, subset and features; some cards have no entry `asked`."""
    made = {name: value for name, value in (card.asked or card.settings).items() if name not in _OF_A_SEED}
    made |= {f"{name} of the weights": about.get("weights_hash") for name, about in card.featurizers.items()}
    if card.start is not None:
        made["a start from"] = f"{card.start.get('kind')} of {card.start.get('subset')}"
    return made


def _check_fits(path: Path, model: TrainedModel, data: SubsetData) -> None:
    """Raise XanesflowError if a model does not belong to a dataset."""
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
