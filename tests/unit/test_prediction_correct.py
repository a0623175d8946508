"""Finished runs that a delta model corrects, for `xanesflow xanes --corrected`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from command_line import answer
from sentences import tells
from test_prediction_delta import SETTINGS, STRUCTURES, campaign, engine

from xanesflow.codes.feff8l.options import EngineSettings
from xanesflow.core.errors import NoSpectrumError
from xanesflow.core.sites import SYMPREC_A
from xanesflow.features.cheap_runs import engine_runs
from xanesflow.prediction import builtin_models
from xanesflow.prediction.correct_runs import correct_runs, find_correction
from xanesflow.prediction.export_model import export_model
from xanesflow.prediction.predictor import predict
from xanesflow.spectra.compute_sites import SiteResult
from xanesflow.structures.choose_site import make_request


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return campaign(tmp_path_factory.mktemp("campaign"))


@pytest.fixture
def builtin(checkpoint, tmp_path, monkeypatch):
    export_model([checkpoint], tmp_path / "builtin/Cu_FEFF_from_FEFF8L")
    monkeypatch.setattr(builtin_models, "FOLDER", tmp_path / "builtin")
    return "builtin:Cu_FEFF_from_FEFF8L"


@pytest.fixture
def request_of(tmp_path):
    def make(name, **how):
        STRUCTURES[name].to(filename=str(tmp_path / f"{name}.json"))
        return make_request(str(tmp_path / f"{name}.json"), "Cu", **{"site": None, "symprec": SYMPREC_A, **how})

    return make


def outcomes_of(request):
    """What `compute_sites` gives, from the stand-in of the engine."""
    found = []
    for site in request.sites:
        try:
            result, error = engine("FEFF8L", EngineSettings(fermi_level="scf"), request.structures[0], site.index), ""
        except NoSpectrumError as failed:
            result, error = None, str(failed)
        found.append(SiteResult(site, result, error, 1.0))
    return found


def test_corrected_runs_are_what_the_model_predicts_by_running_the_engine(builtin, checkpoint, request_of, monkeypatch):
    request = request_of("m-sr")
    corrected = correct_runs(builtin, request, outcomes_of(request))["Cu_FEFF"]
    monkeypatch.setattr(engine_runs, "run_site", engine)
    predicted = predict({"m-sr": request.structures[0]}, checkpoint)["Cu_FEFF"]
    assert corrected.spectra == pytest.approx(predicted.spectra, abs=1e-9)
    assert corrected.band_95 == pytest.approx(predicted.band_95, abs=1e-9)
    assert not corrected.structure_alone.any()


def test_a_single_atom_is_corrected_alone(builtin, request_of):
    request = request_of("m-sr", site=1)
    assert correct_runs(builtin, request, outcomes_of(request))["Cu_FEFF"].site_index.tolist() == [1]


def test_a_run_that_failed_is_predicted_from_the_structure_alone_and_flagged(builtin, request_of):
    request = request_of("m-ba")
    prediction = correct_runs(builtin, request, outcomes_of(request))
    assert prediction["Cu_FEFF"].structure_alone.tolist() == [True]
    told = "FEFF8L failed at 1 of 1 site (m-ba_001: no settings of the ladder gave potentials)"
    assert told in " ".join(prediction.remarks)


def test_a_run_that_lacks_what_the_model_needs_counts_as_failed(builtin, request_of):
    request = request_of("m-sr")
    (outcome,) = outcomes_of(request)
    bare = replace(outcome, result=replace(outcome.result, record={}))
    prediction = correct_runs(builtin, request, [bare])
    assert prediction["Cu_FEFF"].structure_alone.tolist() == [True]
    assert "its record lacks numbers of the potentials" in " ".join(prediction.remarks)


def test_a_model_is_found_by_element_theory_and_settings(builtin):
    assert find_correction("Cu", "FEFF8L", SETTINGS) == builtin
    with tells(match="No model corrects FEFF8L spectra of Ni; those that come with xanesflow correct FEFF8L of Cu"):
        find_correction("Ni", "FEFF8L", SETTINGS)
    with tells(match="corrects runs of FEFF8L with fms_radius 5.5, and these have 7.0; leave out --corrected"):
        find_correction("Cu", "FEFF8L", SETTINGS | {"fms_radius": 7.0})


def test_where_no_such_model_comes_along_a_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(builtin_models, "FOLDER", tmp_path)
    with tells(match="No model corrects FEFF8L spectra of Cu; no model of this kind comes with xanesflow"):
        find_correction("Cu", "FEFF8L", SETTINGS)


def test_cells_of_a_disordered_crystal_are_refused(tmp_path):
    code, said = answer("xanes", "nio-rocksalt", "-e", "Ni", "--corrected", "--disorder", "random", "-o", tmp_path)
    assert code == 2 and "Only ordered crystals are corrected" in said
