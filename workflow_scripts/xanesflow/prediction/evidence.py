"""How good a model is on spectra that it did not learn from, read from the workflow's prediction files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from xanesflow.config import result_paths as paths
from xanesflow.config.result_paths import in_results
from xanesflow.core.damage import explain_damage
from xanesflow.core.errors import XanesflowError
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.hdf5 import read_hdf5
from xanesflow.evaluation.metrics import compute_metrics
from xanesflow.evaluation.predictions_file import read_predictions
from xanesflow.prediction.exported_model import MODEL_FILE, read_about
from xanesflow.prediction.trained_models import TrainedEnsemble


@dataclass(frozen=True)
class Evidence:
    """Scores of an ensemble on one part of a subset."""

    part: str  # `test` or `val`
    n: int  # number of spectra
    eta: float  # how many times smaller the median error is than that of the mean training spectrum
    xi: float  # median over the spectra of the mean squared error, bohr⁴
    w_e: float  # share of spectra where the model beats the mean training spectrum
    held_95: float | None  # share of points inside the 95 % bands; None without error bars


def find_evidence(model: TrainedEnsemble, predictions: Iterable[str | Path] = ()) -> dict[str, Evidence]:
    """Find the scores of a model, by subset; a subset without any is missing.

    Those of an exported model are what its folder records of all its seeds; of others they come from prediction files.

    Args:
        model: all its seeds.
        predictions: files of `results/evaluation/predictions`; those in the results of the model's campaign are found
            by themselves.

    Raises:
        XanesflowError: a named file cannot be read, or belongs to another model.
    """
    found: dict[str, Evidence | None] = dict(_recorded(model))
    for path in map(Path, predictions):
        subset, evidence = _read(path)
        if subset not in model.subsets or not _is_of(path, model.hashes):
            raise XanesflowError(f"{path} holds predictions of another model, not of the {model.name}; leave it out.")
        found[subset] = evidence
    for subset in model.subsets:
        path = _beside(model, subset)
        if subset not in found and path.is_file() and _is_of(path, model.hashes):
            found[subset] = _read(path)[1]
    return {subset: each for subset in model.subsets if (each := found.get(subset)) is not None}


def describe_subset(model: TrainedEnsemble, subset: str, evidence: Evidence | None) -> dict[str, Any]:
    """What a model knows of one of its subsets, in a form that JSON can hold."""
    share, sites = model.card.subsets[subset], model.sites.get(subset)
    return {
        **{key: share[key] for key in ("n_train", "n_val", "data_sha256")},
        "error_bars": subset in model.calibrations,
        "distance_limit": sites.limit if sites is not None else None,
        "evidence": vars(evidence) if evidence is not None else None,
    }


def read_evidence(folder: Path) -> dict[str, Evidence]:
    """The scores that an exported model records, by subset; a subset without any is missing.

    Raises:
        XanesflowError: its `model.json` is missing, damaged or of another version.
    """
    about = read_about(folder)
    with explain_damage(f"{folder / MODEL_FILE} is damaged ({{why}}); export the model again."):
        given = {name: each["evidence"] for name, each in about["subsets"].items()}
        known = TypeAdapter(Evidence)
        return {name: known.validate_python(each) for name, each in given.items() if each is not None}


def _recorded(model: TrainedEnsemble) -> dict[str, Evidence]:
    """What the folder of an exported model records; nothing for other models, and for some of its seeds."""
    (folder, *others) = {file.parent for file in model.files}
    if others or not (folder / MODEL_FILE).is_file() or len(read_about(folder)["checkpoints"]) != len(model.files):
        return {}
    return read_evidence(folder)


def _beside(model: TrainedEnsemble, subset: str) -> Path:
    results = model.files[0].absolute().parent.parent.parent
    return in_results(results, paths.PREDICTIONS, model=model.card.kind, features=model.card.features, subset=subset)


def _is_of(path: Path, hashes: Mapping[int, str]) -> bool:
    """Whether predictions were made by these checkpoints and no other."""
    with read_hdf5(path, f"{path} is not a prediction file of xanesflow ({{why}}); leave it out.") as file:
        used = parse_object(str(file.attrs["inputs_sha256"]))
    return {sha for name, sha in used.items() if name.endswith(".safetensors")} == set(hashes.values())


def _read(path: Path) -> tuple[str, Evidence | None]:
    """The subset of a file and its scores; None for a part without spectra."""
    predictions = read_predictions(path)
    if not predictions.ids:
        return predictions.subset, None
    metrics = compute_metrics(predictions.spectra, predictions.predictions, predictions.baseline)
    held = None
    if predictions.uncertainty is not None:
        lower, upper = predictions.uncertainty.band_95
        held = float(np.mean((lower <= predictions.spectra) & (predictions.spectra <= upper)))
    return predictions.subset, Evidence(predictions.part, metrics.n, metrics.eta, metrics.xi, metrics.w_e, held)
