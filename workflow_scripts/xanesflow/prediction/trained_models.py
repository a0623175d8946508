"""Loads trained models from the files that a user names: checkpoints, folders of seeds, folders of `model export`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xanesflow.config import result_paths as paths
from xanesflow.config.result_paths import in_results
from xanesflow.core.errors import NotCalibratedError, XanesflowError
from xanesflow.core.files import sha256_file
from xanesflow.core.sites import Subset
from xanesflow.evaluation.error_bars.calibration import Calibration, Ensemble
from xanesflow.evaluation.error_bars.calibration_file import difference, read_calibration, read_owner_and_sites
from xanesflow.evaluation.error_bars.distance import TrainingSites
from xanesflow.evaluation.load_seeds import check_seeds
from xanesflow.models.model_kinds import ModelCard, TrainedModel
from xanesflow.models.network.checkpoint import load_checkpoint
from xanesflow.prediction.exported_model import MODEL_FILE
from xanesflow.prediction.find_checkpoints import WANTED, find_checkpoints


@dataclass(frozen=True, eq=False)
class TrainedEnsemble:
    """All seeds of one model, ready to predict."""

    seed_models: tuple[TrainedModel, ...]  # one model for each seed, in the order of the seeds
    files: tuple[Path, ...]  # their checkpoints
    hashes: dict[int, str]  # SHA-256 of the checkpoint by seed
    calibrations: dict[str, Calibration]  # error bars by subset
    sites: dict[str, TrainingSites]  # positions of the training sites by subset, with or without error bars
    uncalibrated: dict[str, str]  # by subset, a sentence that says why there are no error bars
    calibration_files: dict[str, Path]  # by subset, the file that error bars and training sites come from

    @property
    def card(self) -> ModelCard:
        """The card of the first seed; the other cards differ only where the seed matters."""
        return self.seed_models[0].card

    @property
    def subsets(self) -> list[str]:
        """The subsets that the model predicts."""
        return list(self.card.subsets)

    @property
    def name(self) -> str:
        """Such as `expert model of Cu_FEFF on m3gnet`."""
        return f"{self.card.kind} model of {self.card.subset} on {self.card.features}"


def load_models(given: Sequence[str | Path], calibrations: Sequence[str | Path] = ()) -> list[TrainedEnsemble]:
    """Load models; checkpoints that differ only in their seed are one model.

    Args:
        given: checkpoints, folders with `seed*.safetensors`, folders of `xanesflow model export`, or names of models
            that come with the package (`builtin:Cu_FEFF`).
        calibrations: files of `results/evaluation/calibration`; those beside the models, where the workflow or
            `model export` puts them, are found by themselves.

    Raises:
        XanesflowError: a file is not a model, is damaged, or does not match the others; a calibration belongs to none
            of the models.
    """
    # Group the checkpoints: the seeds of one model share kind, subset and features.
    if not given:
        raise XanesflowError(f"There is no model to predict with; {WANTED}.")
    files = list(dict.fromkeys(file for path in given for file in find_checkpoints(path)))
    groups: dict[tuple[str, str, str], list[tuple[Path, TrainedModel]]] = {}
    for file in files:
        model = load_checkpoint(file)
        groups.setdefault((model.card.kind, model.card.subset, model.card.features), []).append((file, model))

    # Each model takes its calibrations out of `named`; one that remains belongs to none of the models.
    named = {path: _owner_of(path) for path in map(Path, calibrations)}
    models = [_of_one(seed_models, named) for seed_models in groups.values()]
    if named:
        path, owner = next(iter(named.items()))
        known = "; ".join(model.name for model in models)
        raise XanesflowError(
            f"{path} is the calibration of another model (the {owner.model} model on {owner.features} for "
            f"{owner.subset}), while the models given are: {known}; leave it out, or name that model."
        )
    return models


def choose_subsets(models: Sequence[TrainedEnsemble], wanted: Iterable[str]) -> list[str]:
    """The subsets to predict: those wanted, or all that the models cover.

    Raises:
        XanesflowError: no model predicts the element or the level of theory, or two models predict one of the subsets.
    """
    covered = list(dict.fromkeys(subset for model in models for subset in model.subsets))
    wanted = list(dict.fromkeys(wanted))
    for name in wanted:
        subset = Subset.parse(name)
        if name in covered:
            continue
        theories = [Subset.parse(each).theory for each in covered if Subset.parse(each).element == subset.element]
        if theories:
            missing = f"{subset.element} at the level of theory {subset.theory}, only at {', '.join(theories)}"
        else:
            missing = f"{subset.element}"
        raise XanesflowError(f"None of the models given predicts {missing}; they cover {', '.join(covered)}.")
    chosen = wanted or covered
    for name in chosen:  # of two models for one subset, its spectra would be ambiguous
        both = [f"the {model.name} ({model.files[0]})" for model in models if name in model.subsets]
        if len(both) > 1:
            raise XanesflowError(f"Both {both[0]} and {both[1]} predict {name}; predict with one of them at a time.")
    return chosen


def _of_one(found: list[tuple[Path, TrainedModel]], named: dict[Path, Ensemble]) -> TrainedEnsemble:
    """Join the seeds of one model, and take its calibrations out of `named`."""
    # The seeds must be trained on the same data.
    found = sorted(found, key=lambda each: each[1].card.seed)
    files, seed_models = [file for file, _ in found], [model for _, model in found]
    check_seeds(seed_models, files)
    for file, model in found[1:]:
        if model.card.data_sha256 != seed_models[0].card.data_sha256:
            raise XanesflowError(
                f"{file} and {files[0]} were trained on different data (hashes {model.card.data_sha256[:12]} and "
                f"{seed_models[0].card.data_sha256[:12]}), so they are not seeds of one model; predict "
                "with one of them."
            )

    # Error bars and training sites of each subset, from a file that the user named, else from the one beside the model.
    hashes = {model.card.seed: sha256_file(file) for file, model in found}
    card = seed_models[0].card
    calibrations: dict[str, Calibration] = {}
    sites: dict[str, TrainingSites] = {}
    uncalibrated: dict[str, str] = {}
    calibration_files: dict[str, Path] = {}
    for subset in card.subsets:
        Subset.parse(subset)  # checks the name, which becomes part of a path
        owner = Ensemble(card.kind, card.features, subset, hashes)
        mine = [path for path, of in named.items() if of == owner]
        for used in mine:
            del named[used]
        path, reason = _calibration_file(mine[0] if mine else _beside(files[0], card, subset), owner)
        if path is not None:
            calibration_files[subset] = path
            if (there := read_owner_and_sites(path)[1]) is not None and len(there.points):
                sites[subset] = there
            try:
                calibrations[subset] = read_calibration(path, owner)
            except NotCalibratedError as error:
                reason = str(error)
        if reason:
            uncalibrated[subset] = reason
    return TrainedEnsemble(
        tuple(seed_models), tuple(files), hashes, calibrations, sites, uncalibrated, calibration_files
    )


def _calibration_file(path: Path | None, owner: Ensemble) -> tuple[Path | None, str]:
    """The file of an ensemble's error bars, or the reason why there is none.

    Raises:
        XanesflowError: the file is damaged.
    """
    if path is None:
        return None, (
            "no calibration was found beside its checkpoints; name one with --calibration "
            "(results/evaluation/calibration/...h5)."
        )
    of = read_owner_and_sites(path)[0]
    if of == owner:
        return path, ""
    return None, (
        f"{path} belongs to another ensemble ({difference(of, owner)}); predict with all of its seeds, or calibrate "
        "this one."
    )


def _beside(checkpoint: Path, card: ModelCard, subset: str) -> Path | None:
    """The calibration of a checkpoint in an exported folder or in a campaign's results; None if there is none."""
    if (checkpoint.parent / MODEL_FILE).is_file():
        path = checkpoint.parent / "calibration" / f"{subset}.h5"
    else:
        results = checkpoint.absolute().parent.parent.parent
        path = in_results(results, paths.CALIBRATION, model=card.kind, features=card.features, subset=subset)
    return path if path.is_file() else None


def _owner_of(path: Path) -> Ensemble:
    """The ensemble that a calibration names as its own."""
    if not path.is_file():
        raise XanesflowError(f"There is no calibration {path}; name a file of results/evaluation/calibration.")
    return read_owner_and_sites(path)[0]
