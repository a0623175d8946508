"""A trained model as a folder to share: checkpoints, error bars, card and hashes, with nothing of this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xanesflow.codes.registry import theory_of
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import new_folder, sha256_file, write_hashes, write_text
from xanesflow.core.hdf5 import read_hdf5
from xanesflow.core.sites import Subset
from xanesflow.core.templates import environment
from xanesflow.dataset.build import CITATION
from xanesflow.dataset.share.licences import licence_text
from xanesflow.dataset.share.scrub import Scrubber, check_package
from xanesflow.evaluation.error_bars.calibration import Ensemble
from xanesflow.evaluation.error_bars.calibration_file import write_calibration
from xanesflow.prediction.evidence import describe_subset, find_evidence
from xanesflow.prediction.exported_model import FORMAT, MODEL_FILE
from xanesflow.prediction.trained_models import TrainedEnsemble, load_models

LICENCE, CREATOR = "CC-BY-4.0", "xanesflow"
"""Licence and creator where the configuration of the model's campaign names none."""

_KINDS = {
    "expert": "a network trained on one element at one level of theory",
    "universal": "one network trained on all elements of a level of theory",
    "tuned": "the universal network trained further on one element",
    "kernel": "a kernel regression of one element at one level of theory",
    "delta": "a correction that turns spectra of a cheaper level of theory into those of a better one",
}

_LENGTH = 8
"""First bytes of a safetensors file, which hold the length of its header."""


def export_model(
    given: Sequence[str | Path],
    folder: str | Path,
    *,
    calibrations: Sequence[str | Path] = (),
    predictions: Sequence[str | Path] = (),
    licence: str | None = None,
    creator: str | None = None,
) -> Path:
    """Write a model as a folder that `predict` reads; the same model gives the same bytes.

    Args:
        given: the seeds of one model; see `trained_models.load_models`.
        folder: folder to write; it appears once it is complete.
        calibrations: files of error bars that do not lie beside the model.
        predictions: files of `results/evaluation/predictions`, for the scores in the card; those in the results of the
            model's campaign are found by themselves.
        licence: SPDX name; None: that of the campaign's dataset, else `LICENCE`.
        creator: who made the model; None: who made the campaign's dataset, else `CREATOR`.

    Returns:
        The folder.

    Raises:
        XanesflowError: the files are not seeds of one model, the folder exists, or it would hold a path or secret of
            this machine.
    """
    # Check the input before anything is written.
    folder = Path(folder)
    models = load_models(given, calibrations)
    if len(models) > 1:
        names = "; ".join(model.name for model in models)
        raise XanesflowError(f"These are {len(models)} models ({names}); export one at a time.")
    model = models[0]
    scrubber = Scrubber(json.dumps(model.card.config))

    # Everything goes into a temporary folder first, so that a killed export leaves no half-written model.
    with new_folder(folder) as temporary:
        (temporary / "calibration").mkdir()
        # Scrubbing changes the checkpoints' hashes, so the calibrations must name the new ones.
        hashes = {}
        for seed_model, file in zip(model.seed_models, model.files, strict=True):
            seed = seed_model.card.seed
            copy = temporary / f"seed{seed}.safetensors"
            copy.write_bytes(scrubbed_checkpoint(file.read_bytes(), scrubber))
            hashes[seed] = sha256_file(copy)
        for subset, path in model.calibration_files.items():
            owner = Ensemble(model.card.kind, model.card.features, subset, hashes)
            _copy_calibration(path, temporary / "calibration" / f"{subset}.h5", model, owner, scrubber)

        # The description for programs, and the card and licence for people.
        about = _about(model, predictions, licence=licence, creator=creator)
        about = json.loads(scrubber.text(json.dumps(about)))
        write_text(temporary / MODEL_FILE, json.dumps(about, indent=1, sort_keys=True) + "\n")
        write_text(temporary / "README.md", _model_card(about))
        write_text(temporary / "LICENSE", licence_text(about["licence"], about["title"], "model"))

        # The folder gets its name only after the last check for paths and secrets.
        files = sorted(path for path in temporary.rglob("*") if path.is_file())
        check_package(files, scrubber)
        write_hashes(temporary, files)
    return folder


def scrubbed_checkpoint(content: bytes, scrubber: Scrubber) -> bytes:
    """A safetensors file with the same tensors, byte for byte, and a header without paths and secrets.

    The header's entries are sorted, because the library writes them in any order.
    """
    length = int.from_bytes(content[:_LENGTH], "little")
    header: dict[str, Any] = json.loads(content[_LENGTH : _LENGTH + length])
    recorded: Mapping[str, str] = header.get("__metadata__", {})
    header["__metadata__"] = {
        name: scrubber.config(text) if name == "config" else scrubber.text(text) for name, text in recorded.items()
    }
    written = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    written += b" " * (-len(written) % _LENGTH)
    return len(written).to_bytes(_LENGTH, "little") + written + content[_LENGTH + length :]


def _copy_calibration(source: Path, target: Path, model: TrainedEnsemble, owner: Ensemble, scrubber: Scrubber) -> None:
    """Write a subset's calibration for the exported checkpoints, whose hashes differ from the originals'."""
    with read_hdf5(source, f"{source} is not a calibration of xanesflow ({{why}}); leave it out.") as file:
        made = {name: str(file.attrs[name]) for name in ("created", "versions") if name in file.attrs}
        if "config" in file.attrs:
            made["config"] = scrubber.config(str(file.attrs["config"]))
    name = owner.subset
    reason, sites = model.uncalibrated.get(name, ""), model.sites.get(name)
    write_calibration(target, model.calibrations.get(name), owner, reason, made, sites=sites)


def _about(
    model: TrainedEnsemble, predictions: Sequence[str | Path], *, licence: str | None, creator: str | None
) -> dict[str, Any]:
    """The content of `model.json`, from which the card is written."""
    card = model.card
    campaign = card.config or {}
    dataset = campaign.get("dataset", {})
    evidence = find_evidence(model, predictions)
    subsets = {}
    for name in card.subsets:
        energy = model.seed_models[0].energy_of(name)
        subsets[name] = {
            **describe_subset(model, name, evidence.get(name)),
            "energy_ev": {"first": float(energy[0]), "last": float(energy[-1]), "points": len(energy)},
        }
    return {
        "format": FORMAT,
        "title": f"{card.kind.capitalize()} model of K-edge XANES, {card.subset} on {card.features}",
        "model": card.kind,
        "of": card.subset,
        "features": card.features,
        "feature_dimensions": [[name, size] for name, size in card.feature_dimensions.items()],
        "featurizers": {
            name: {key: str(recorded.get(key, "unknown")) for key in ("meaning", "weights_hash")}
            | ({"settings": str(recorded["settings"])} if "settings" in recorded else {})
            for name, recorded in card.featurizers.items()
        },
        "subsets": subsets,
        "n_train": card.n_train,
        "checkpoints": {
            str(seed_model.card.seed): f"seed{seed_model.card.seed}.safetensors" for seed_model in model.seed_models
        },
        "how_trained": model.seed_models[0].how_trained(),
        "campaign": campaign.get("campaign"),
        "dataset_sha256": card.dataset_sha256,
        "data_sha256": card.data_sha256,
        "licence": licence or dataset.get("licence") or LICENCE,
        "creator": creator or dataset.get("creator") or CREATOR,
        "citation": CITATION,
        "versions": card.versions,
    }


def _model_card(about: Mapping[str, Any]) -> str:
    """The model card as Markdown, from the content of `model.json`."""
    theories = dict.fromkeys(Subset.parse(name).theory for name in about["subsets"])
    return (
        environment("xanesflow.prediction")
        .get_template("model_card.md")
        .render(
            about=about,
            kind=_KINDS.get(about["model"], "a network"),
            theories={theory: theory_of(theory).title for theory in theories},
        )
    )
