"""A delta model from the archive to a prediction, with the embedded engine at every site."""

from __future__ import annotations

import json
from functools import partial

import h5py
import numpy as np
import pandas as pd
import pytest
from command_line import answer
from feff_runs import layered, poscar
from workflow import run, write_import_config

from xanesflow.features.compute_features import read_features
from xanesflow.models.network.checkpoint import load_checkpoint

MODEL = "results/models/delta_radial+feff8l_Cu_FEFF"
QUICK = {"fermi_level": "scf", "scf_radius": 2.0, "scf_iterations": 1, "fms_radius": 3.0, "single_radius": 3.0}
"""The engine's fastest options: its spectra are poor, and there is all the more to be learned."""

SITES = 32


@pytest.fixture(scope="module")
def campaign(tmp_path_factory, runs):
    """More than half of the archive's 54 sites are listed for the engine; the others must not cost anything."""
    directory = tmp_path_factory.mktemp("delta")
    values = {
        "chunks": 2,
        "simulations": {"archive": str(runs), "feff8l": QUICK},
        "splits": {"fractions": [0.65, 0.25, 0.1]},
        "models": {"kinds": ["delta"], "delta_from": "FEFF8L"},
    }
    configure = partial(write_import_config, directory, runs, "radial", envelope=None)
    configure(**values)
    run(directory, "structures")
    table = pd.read_parquet(directory / "results/structures/Cu_FEFF_sites.parquet")
    table.iloc[:SITES][["material_id", "site_index"]].to_csv(directory / "sites.csv", index=False)
    values["simulations"]["sites"] = {"Cu_FEFF8L": "sites.csv"}
    configure(**values)
    run(directory, "models")
    return directory


def test_the_engine_ran_at_the_listed_sites_and_the_others_are_counted(campaign):
    features = read_features(campaign / "results/features/feff8l/Cu_FEFF.h5")
    listed = pd.read_csv(campaign / "sites.csv")
    assert [*zip(features.material_id, features.site_index, strict=True)] == [
        *listed.itertuples(index=False, name=None)
    ]
    assert np.isfinite(features.features).all()
    assert len(features.rejected) == 54 - SITES
    with h5py.File(campaign / "results/dataset/test.h5") as file:
        counts = json.loads(file["Cu_FEFF"].attrs["counts"])
    assert counts == {"kept": SITES, "no_features": 54 - SITES}


def test_the_model_learned_from_pairs_and_has_its_curve(campaign):
    card = load_checkpoint(campaign / MODEL / "seed0.safetensors").card
    curve = pd.read_csv(campaign / MODEL / "learning_curve.csv")
    assert card.settings["baseline"] == "feff8l"
    assert 20 <= card.n_train < SITES - 5
    assert curve["n_train"].tolist() == [card.n_train]


def test_one_command_predicts_with_a_live_run_of_the_engine(campaign, tmp_path):
    (tmp_path / "POSCAR").write_text(poscar(layered()))
    code, printed = answer("predict", tmp_path / "POSCAR", "--model", campaign / MODEL, "-o", tmp_path / "p.csv")
    assert code == 0, printed
    assert "Cu_FEFF: FEFF8L was run at 2 sites" in printed
    predicted = pd.read_csv(tmp_path / "p.csv", comment="#")
    assert predicted.groupby("site_index").size().to_dict() == {-1: 141, 2: 141, 3: 141}
    assert (predicted["cross_section"] >= 0).all()
