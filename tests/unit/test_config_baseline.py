"""models.baseline: what it stands for, and its mistakes, each told in one sentence."""

import pytest

from xanesflow.config.delta_from import baseline_features, baselines_of, computed_baselines, models_of
from xanesflow.config.model import load_config
from xanesflow.config.predict import models_to_predict_with
from xanesflow.core.errors import XanesflowError

DELTA = {
    "subsets": ["Cu_FEFF"],
    "features": {"models": ["chgnet"]},
    "models": {"kinds": ["expert", "delta"], "baseline": "FEFF8L"},
}


def changed(**values):
    return {**DELTA, **values}


def test_the_engine_runs_below_imported_spectra():
    config = load_config(DELTA)
    assert baselines_of(config) == {"Cu_FEFF": "Cu_FEFF8L"}
    assert computed_baselines(config) == ["Cu_FEFF8L"]
    assert models_of(config) == [("expert", "chgnet"), ("delta", "chgnet+feff8l")]
    assert load_config(changed(models={**DELTA["models"], "baseline": "Cu_FEFF8L"})).n_chunks("Cu_FEFF8L") == 32


def test_lists_of_sites_are_of_what_the_campaign_runs():
    planned = {"sites": {"Cu_FEFF8L": "plan.csv"}}
    assert load_config(changed(simulations=planned)).simulations.sites == planned["sites"]
    with pytest.raises(XanesflowError, match=r"list for Cu_FEFF, whose runs are imported; .* given for Cu_FEFF8L\.$"):
        load_config(changed(simulations={"sites": {"Cu_FEFF": "plan.csv"}}))
    with pytest.raises(XanesflowError, match=r"Ni_FEFF, whose runs are none of this campaign; lists"):
        load_config(changed(simulations={"sites": {"Ni_FEFF": "plan.csv"}}))
    with pytest.raises(XanesflowError, match=r"whose runs are imported; this campaign computes none\.$"):
        load_config({"subsets": ["Cu_FEFF"], "simulations": {"sites": {"Cu_FEFF": "plan.csv"}}})
    run = {"structures": {"source": "examples"}, "simulations": {"source": "run", "sites": {"Cu_FEFF": "plan.csv"}}}
    assert load_config({"subsets": ["Cu_FEFF"], **run}).simulations.sites == {"Cu_FEFF": "plan.csv"}


def test_feff_below_vasp_is_imported_with_it_and_run_with_it():
    vasp = {"subsets": ["Ti_VASP"], "models": {"kinds": ["delta"], "baseline": "FEFF"}}
    assert baseline_features(load_config(vasp)) == "feff"
    assert computed_baselines(load_config(vasp)) == []
    run = vasp | {"structures": {"source": "examples"}, "simulations": {"source": "run"}}
    assert computed_baselines(load_config(run)) == ["Ti_FEFF"]


def test_without_delta_models_there_is_no_baseline():
    config = load_config({"subsets": ["Cu_FEFF"]})
    assert (baselines_of(config), computed_baselines(config), baseline_features(config)) == ({}, [], None)


def test_the_engine_below_feff_never_takes_the_level_that_learned_from_feff():
    config = load_config(DELTA)
    assert config.engine_options("Cu_FEFF8L")["fermi_level"] == "scf"
    alone = load_config(
        {"subsets": ["Cu_FEFF8L"], "structures": {"source": "examples"}, "simulations": {"source": "run"}}
    )
    assert alone.engine_options("Cu_FEFF8L")["fermi_level"] == "learned"


def test_the_targets_predictions_are_by_the_delta_model_where_its_cheap_runs_can_be_made():
    own = models_to_predict_with(load_config(DELTA))
    assert own == ["results/models/delta_chgnet+feff8l_Cu_FEFF/seed0.safetensors"]
    over_feff = {"subsets": ["Ti_VASP"], "models": {"kinds": ["expert", "delta"], "baseline": "FEFF"}}
    assert models_to_predict_with(load_config(over_feff)) == ["results/models/expert_m3gnet_Ti_VASP/seed0.safetensors"]
    alone = over_feff | {"models": {"kinds": ["delta"], "baseline": "FEFF"}}
    with pytest.raises(XanesflowError, match=r"over runs of FEFF, which are not made .* name models in predict.models"):
        models_to_predict_with(load_config(alone))


MISTAKES = {
    "no level": (changed(models={"kinds": ["delta"]}), "name the cheaper level of theory"),
    "no delta": (changed(models={"kinds": ["expert"], "baseline": "FEFF8L"}), "which only delta models use"),
    "no such level": (changed(models={"kinds": ["delta"], "baseline": "Cu_VASP"}), "runs of FEFF8L or FEFF can be"),
    "another element": (changed(models={"kinds": ["delta"], "baseline": "Ni_FEFF8L"}), "Cu_FEFF is of another element"),
    "itself": (changed(models={"kinds": ["delta"], "baseline": "FEFF"}), "Cu_FEFF is a subset itself"),
    "two of an element": (changed(subsets=["Cu_FEFF", "Cu_VASP"]), "Cu_FEFF and Cu_VASP would share the runs"),
    "nothing is simulated": (
        changed(dataset={"source": "features_file", "files": "{subset}.npz"}), "so there are no runs"
    ),
    "archive without it": (
        {
            "subsets": ["Ti_VASP"],
            "models": {"kinds": ["delta"], "baseline": "FEFF"},
            "simulations": {"archive": {"Ti_VASP": "runs"}},
        },
        "no entry for Ti_FEFF, the baseline",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("values", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_in_one_sentence(values, told):
    with pytest.raises(XanesflowError, match=told) as caught:
        load_config(values)
    assert len(str(caught.value).splitlines()) == 1
