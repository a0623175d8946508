"""Predicting with delta models: the engine is run for the new structure, and where it fails the structure must do."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from delta_data import START_EV, edge, world
from feff_runs import perovskite
from sentences import tells

from xanesflow.codes.feff8l.engine import Feff8lEngine
from xanesflow.codes.feff8l.options import EngineSettings
from xanesflow.codes.run_engine import SiteSpectrum
from xanesflow.core.errors import NoSpectrumError, XanesflowError
from xanesflow.core.files import sha256_file
from xanesflow.evaluation.error_bars.calibration import Calibration, Ensemble
from xanesflow.evaluation.error_bars.calibration_file import write_calibration
from xanesflow.evaluation.error_bars.distance import TrainingSites
from xanesflow.features.cheap_runs import engine_runs
from xanesflow.features.cheap_runs.columns import FIELD, settings_hash
from xanesflow.features.featurizers import get_featurizer
from xanesflow.models.delta.delta_model import DeltaSettings, fit_delta
from xanesflow.models.network.checkpoint import load_checkpoint, save_checkpoint
from xanesflow.prediction.predictor import Predictor, predict
from xanesflow.prediction.read import read_prediction

SETTINGS = json.loads(json.dumps(Feff8lEngine(EngineSettings(fermi_level="scf")).settings()))
ENERGY = np.arange(START_EV - 8, START_EV + 45, 0.25)
STRUCTURES = {"m-sr": perovskite("Cu", "Sr"), "m-ba": perovskite("Cu", "Ba", 4.1)}


def engine(theory, settings, structure, site_index):
    """Stands in for the engine, which takes seconds: fails for barium."""
    if "Ba" in structure.symbol_set:
        raise NoSpectrumError("no settings of the ladder gave potentials", [])
    assert theory == "FEFF8L" and settings == EngineSettings(fermi_level="scf")
    spectrum = edge(ENERGY, np.array([START_EV + 9.0]), np.array([0.7]))[0]
    convergence = {"converged": True, "last_change_ev": 0.1, "iterations": 4}
    record = {"field": dict.fromkeys(FIELD, 0.3), "edge_ev": 0.2, "convergence": convergence}
    return SiteSpectrum(ENERGY, spectrum, record)


def campaign(folder, settings=SETTINGS):
    """Checkpoint and calibration of a delta model, in a campaign's tree."""
    data = world(radial=30)
    told = {"settings": json.dumps(settings), "weights_hash": settings_hash("feff8l", settings)}
    data.featurizers["feff8l"] = told | {"energy_start_ev": START_EV}
    data.featurizers["radial"] = {"weights_hash": get_featurizer("radial").weights_hash}
    model = fit_delta(data, DeltaSettings("feff8l"))
    path = folder / "results/models/delta_radial+feff8l_Cu_FEFF/seed0.safetensors"
    path.parent.mkdir(parents=True)
    save_checkpoint(path, model)
    val, train = data.rows("val"), data.rows("train")
    sites = TrainingSites.fit(data.features[train], data.materials[train])
    predicted = model.predict(data.features[val])[None]
    owner = Ensemble("delta", "radial+feff8l", "Cu_FEFF", {0: sha256_file(path)})
    found = Calibration.fit(
        predicted, sites.distance(data.features[val]), data.spectra[val], [data.ids[k] for k in val], sites=sites,
        owner=owner,
    )  # fmt: skip
    write_calibration(folder / "results/evaluation/calibration/delta_radial+feff8l_Cu_FEFF.h5", found, owner, "", {})
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return campaign(tmp_path_factory.mktemp("campaign"))


@pytest.fixture
def found(checkpoint, monkeypatch):
    monkeypatch.setattr(engine_runs, "run_site", engine)
    return predict(STRUCTURES, checkpoint)


def test_the_engine_is_run_with_the_trainings_settings_and_what_it_computes_is_corrected(found, checkpoint):
    cu = found["Cu_FEFF"]
    assert cu.ids == ["m-ba_001", "m-sr_001"]
    model = load_checkpoint(checkpoint)
    radial = get_featurizer("radial").compute([STRUCTURES["m-sr"]], atoms=[[1]])[0][0]
    frame = START_EV + 0.25 * (np.arange(189) - 24)
    cheap = edge(frame, np.array([START_EV + 9.0]), np.array([0.7]))[0]
    row = np.concatenate([radial, cheap, [0.3] * len(FIELD), [0.2, 1.0, 0.1]]).astype(np.float32)
    assert cu.spectra[1] == pytest.approx(model.predict(row[None])[0], abs=1e-6)
    assert "Cu_FEFF: FEFF8L was run at 1 site, and the model corrected what it computed." in found.remarks


def test_where_the_engine_fails_the_structure_alone_tells_and_it_is_flagged_with_wider_bars(found, checkpoint):
    cu = found["Cu_FEFF"]
    assert cu.structure_alone.tolist() == [True, False]
    assert found.sites()["structure_alone"].tolist() == [True, False]
    assert (
        "Cu_FEFF: FEFF8L failed at 1 of 2 sites (m-ba_001: no settings of the ladder gave potentials); their spectra "
        "come from the structure alone, with wider error bars."
    ) in found.remarks
    error = load_checkpoint(checkpoint).structure_error
    assert cu.error[0] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert cu.error[0] > cu.error[1]
    width = (cu.band_95[1] - cu.band_95[0]).mean(axis=1)
    assert width[0] > width[1]
    assert np.isfinite(cu.spectra).all()
    assert np.isnan(cu.distance).tolist() == [True, False]  # without a run it has no place among the training sites
    assert cu.unlike.tolist() == found.sites()["unlike"].tolist() == [None, True]


def test_files_keep_which_sites_come_from_the_structure_alone(found, tmp_path):
    found.write(tmp_path / "p.h5")
    again = read_prediction(tmp_path / "p.h5")
    assert again["Cu_FEFF"].structure_alone.tolist() == [True, False]
    assert again.sites()["structure_alone"].tolist() == [True, False]
    assert again["Cu_FEFF"].unlike.tolist() == [None, True]
    found.write(tmp_path / "p.csv")
    table = pd.read_csv(tmp_path / "p.csv", comment="#")
    by_row = table.groupby(["material_id", "site_index"])["structure_alone"].unique()
    assert {row: flags.tolist() for row, flags in by_row.items()} == {
        ("m-ba", -1): [True], ("m-ba", 1): [True], ("m-sr", -1): [False], ("m-sr", 1): [False],
    }  # fmt: skip
    assert table.groupby("material_id")["unlike"].agg(lambda marks: marks.isna().all()).to_dict() == {
        "m-ba": True, "m-sr": False,
    }  # fmt: skip


def test_where_the_engine_fails_everywhere_nothing_is_said_of_what_it_computed_nor_of_bars_that_there_are_none(
    checkpoint, tmp_path, monkeypatch
):
    monkeypatch.setattr(engine_runs, "run_site", engine)
    alone = tmp_path / "seed0.safetensors"
    alone.write_bytes(checkpoint.read_bytes())
    found = predict({"m-ba": STRUCTURES["m-ba"]}, alone)
    assert found["Cu_FEFF"].error is None
    assert [remark for remark in found.remarks if "FEFF8L" in remark] == [
        "Cu_FEFF: FEFF8L failed at 1 of 1 site (m-ba_001: no settings of the ladder gave potentials); their spectra "
        "come from the structure alone."
    ]


def test_another_version_of_the_engine_is_refused_with_both_named(tmp_path):
    path = campaign(tmp_path, settings=SETTINGS | {"code": "engine 1, feff8l of xraylarch 0.9"})
    with tells(match=r"with code 'engine 1, .* 0.9', and here it is 'engine \d+, .*train it again"):
        Predictor(path).predict(STRUCTURES)


def test_a_model_over_runs_that_cannot_be_made_here_says_so(tmp_path, monkeypatch):
    path = campaign(tmp_path)
    model = load_checkpoint(path)
    del model.card.featurizers["feff8l"]["settings"]
    save_checkpoint(path, model)
    with pytest.raises(XanesflowError, match="corrects runs of FEFF8L, which cannot be computed here"):
        Predictor(path).predict(STRUCTURES)
