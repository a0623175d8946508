"""Models that come with the package: small, whole, named by `builtin:`, and near what FEFF computes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from command_line import answer
from feff_runs import rocksalt
from scipy.stats import spearmanr
from sentences import tells
from shared_data import shared

import xanesflow
from xanesflow.core.errors import XanesflowError
from xanesflow.prediction.builtin_models import FOLDER, builtin_models
from xanesflow.prediction.exported_model import read_about
from xanesflow.prediction.trained_models import choose_subsets, load_models
from xanesflow.structures.examples import load_examples

MOST_BYTES = 8 * 2**20


def test_each_is_whole_and_all_are_small_and_listed():
    assert list(builtin_models()) == ["builtin:Cu_FEFF", "builtin:Cu_FEFF_from_FEFF8L"]
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < MOST_BYTES
    code, said = answer("model", "list")
    assert code == 0
    for name, folder in builtin_models().items():
        (model,) = load_models([name])
        assert model.subsets == ["Cu_FEFF"] and model.calibrations and not model.uncalibrated
        eta = read_about(folder)["subsets"]["Cu_FEFF"]["evidence"]["eta"]
        assert name in said and f"{eta:.2f}" in said


def test_two_models_of_one_subset_are_described_and_refused_only_where_it_is_predicted():
    models = load_models(["builtin:Cu_FEFF", "builtin:Cu_FEFF_from_FEFF8L"])
    assert [model.subsets for model in models] == [["Cu_FEFF"]] * 2
    with tells("Both the kernel model", "predict Cu_FEFF; predict with one of them"):
        choose_subsets(models, [])
    other = replace(models[1], seed_models=[_of_nickel_too(models[1].seed_models[0])])
    assert choose_subsets([models[0], other], ["Ni_FEFF"]) == ["Ni_FEFF"]


def _of_nickel_too(model):
    return replace(model, card=replace(model.card, subsets={"Cu_FEFF": {}, "Ni_FEFF": {}}))


def test_an_exported_model_that_is_exported_again_keeps_what_is_known_of_it(tmp_path):
    code, said = answer("model", "export", "builtin:Cu_FEFF", "--out", tmp_path / "cu")
    assert code == 0, said
    before, after = (read_about(folder)["subsets"]["Cu_FEFF"] for folder in (FOLDER / "Cu_FEFF", tmp_path / "cu"))
    assert after == before and after["evidence"]["n"] == 482
    evidence = before["evidence"]
    assert f"| Cu_FEFF | test | {evidence['n']} | {evidence['eta']:.2f} |" in (tmp_path / "cu/README.md").read_text()


@pytest.mark.parametrize("model", ["builtin:Cu_FEFF", "builtin:Cu_FEFF_from_FEFF8L"])
def test_cuprite_is_predicted_near_what_feff_computes(model):
    stored = np.load(shared("feff10-reference.npz"))
    at = stored["ids"].tolist().index("cu2o-cuprite_000")
    cuprite = next(each.structure() for each in load_examples() if each.id == "cu2o-cuprite")
    found = xanesflow.predict(cuprite, model)["Cu_FEFF"]
    expected = np.interp(found.energy_ev, stored["grid"][at], stored["mu_grid"][at])
    assert spearmanr(found.spectra[0], expected).statistic > 0.95
    assert np.sqrt(np.mean((found.spectra[0] - expected) ** 2)) < 0.1 * expected.mean()
    assert found.band_95 is not None and not found.unlike.any()


def test_xanes_corrects_the_engine_with_the_settings_that_the_model_learned_from(tmp_path):
    code, said = answer("xanes", "cuprite", "--corrected", "-o", tmp_path)
    assert code == 0 and "FEFF8L was run at 1 site, and the model corrected what it computed" in said, said
    corrected = pd.read_csv(tmp_path / "amcsd-0009326_Cu_xanes_corrected.csv", comment="#")
    expected = xanesflow.predict("cuprite", "builtin:Cu_FEFF_from_FEFF8L")["Cu_FEFF"]
    of_site = corrected[corrected["site_index"] == 0]
    assert of_site["cross_section"].to_numpy() == pytest.approx(expected.spectra[0], rel=1e-6)
    assert (tmp_path / "amcsd-0009326_Cu_xanes_corrected.png").is_file()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ("nio-rocksalt",),
            "No model corrects FEFF8L spectra of Ni; those that come with xanesflow correct FEFF8L of Cu",
        ),
        (("cuprite", "--theory", "FEFFQ"), "No model corrects FEFFQ spectra of Cu"),
        (("cuprite", "--fms-radius", "4"), "with fms_radius 5.5, and these have 4.0; leave out --corrected"),
    ],
)
def test_what_no_model_corrects_is_refused_before_the_run(tmp_path, options, told):
    code, said = answer("xanes", *options, "--corrected", "-o", tmp_path)
    assert code == 2 and told in " ".join(said.split())
    assert not list(tmp_path.iterdir())


def test_the_command_predicts_a_mineral_by_its_name(tmp_path):
    code, said = answer("predict", "cuprite", "--model", "builtin:Cu_FEFF", "-o", tmp_path / "cuprite.csv")
    assert code == 0 and "kernel Cu_FEFF" in said, said
    assert "lower_95" in (tmp_path / "cuprite.csv").read_text()


def test_other_elements_and_other_names_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(XanesflowError, match="NiO holds Ni, O and the models are of Cu"):
        xanesflow.predict(rocksalt("Ni"), "builtin:Cu_FEFF")
    with tells(match="Ni_FEFF comes with xanesflow, only builtin:Cu_FEFF and builtin:Cu_FEFF_from_FEFF8L; name"):
        xanesflow.predict(rocksalt("Ni"), "builtin:Ni_FEFF")
    code, said = answer("predict", "nio-rocksalt", "--model", "builtin:Cu_FEFF")
    assert code == 2 and "the models are of Cu" in said
