"""A small campaign with trained models: features that need no weights (`radial`) of real structures, made spectra."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from feff_runs import absorbers, materials
from made_once import made_once
from pymatgen.core import Structure
from subset_groups import write_subset

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.evaluation.error_bars.calibrate import calibrate_model
from xanesflow.evaluation.predict_spectra import predict_spectra
from xanesflow.features.featurizers import get_featurizer
from xanesflow.models.network.fit import train_model

SETTINGS = TrainingSettings(widths=(16,), batch_size=16, dropout=0.0, max_epochs=30, learning_rate=3e-3)
PARTS = ["train"] * 3 + ["val"] * 2 + ["test"]
START_EV = {"Cu": 8983.173, "Ti": 4964.504}


def structures_of(element: str = "Cu", number: int = 36) -> dict[str, Structure]:
    return materials(element, number)


def write_dataset(path: Path, *, element: str = "Cu", theory: str = "FEFF", weights_hash: str | None = None) -> Path:
    """A dataset with one more subset; spectra are a smooth function of the features."""
    featurizer = get_featurizer("radial")
    ids, sites, parts, features = [], [], [], []
    structures = structures_of(element)
    for k, (material, structure) in enumerate(structures.items()):
        rows = featurizer.compute([structure])[0]
        for site in absorbers(structure, element):
            ids.append(material)
            sites.append(site)
            parts.append(PARTS[(k // 6) % 6])
            features.append(rows[site])
    values = np.array(features)
    rng = np.random.default_rng(1)
    energy = 0.25 * np.arange(141)
    steps = np.arctan(energy - 9 - 2 * np.tanh(values @ rng.normal(size=(values.shape[1], 1)) / 9)) / np.pi + 0.5
    spectra = 1e-3 * (steps + 0.02 * rng.normal(size=(len(values), 1)) * np.exp(-(((energy - 15) / 5) ** 2)))
    return write_subset(
        path, f"{element}_{theory}", np.maximum(spectra, 0), ids, parts, start_ev=START_EV[element], site_index=sites,
        features={"radial": (values, weights_hash or featurizer.weights_hash)},
    )  # fmt: skip


def train(results: Path, dataset: Path, subset: str = "Cu_FEFF", seeds: tuple[int, ...] = (0, 1)) -> Path:
    """Train, calibrate and judge an expert where the workflow would; gives the folder of its checkpoints."""
    folder = results / f"models/expert_radial_{subset}"
    files = {seed: folder / f"seed{seed}.safetensors" for seed in seeds}
    folder.mkdir(parents=True)
    given = {"where": {"archive": "/data/of/somebody/runs"}}
    train_model(
        "expert", dataset, files, subsets=[subset], features="radial", settings=SETTINGS, config_json=json.dumps(given)
    )
    calibration = results / f"evaluation/calibration/expert_radial_{subset}.h5"
    calibrate_model(dataset, list(files.values()), calibration, subset=subset, config_json=json.dumps(given))
    predictions = results / f"evaluation/predictions/expert_radial_{subset}.h5"
    predict_spectra(dataset, list(files.values()), predictions, subset=subset, calibration=calibration)
    return folder


def campaign() -> Path:
    """Results of a campaign with Cu_FEFF and Ti_FEFF, which no test may change."""

    def make(results: Path) -> None:
        for element in ("Cu", "Ti"):
            write_dataset(results / "d.h5", element=element)
        for element in ("Cu", "Ti"):
            train(results, results / "d.h5", f"{element}_FEFF")

    return made_once("trained", make)


def model_of(subset: str = "Cu_FEFF") -> Path:
    return campaign() / f"models/expert_radial_{subset}"
