"""models.delta_from: what it stands for, and its mistakes, each told in one sentence."""

import pytest

from xanesflow.config.campaign import Campaign
from xanesflow.config.load import load_config
from xanesflow.config.predict_with import models_to_predict_with
from xanesflow.core.errors import XanesflowError

DELTA = {
    "subsets": ["Cu_FEFF"],
    "features": {"models": ["chgnet"]},
    "models": {"kinds": ["expert", "delta"], "delta_from": "FEFF8L"},
}


def changed(**values):
    return {**DELTA, **values}


def test_the_engine_below_imported_spectra_runs_in_chunks_of_its_own():
    named = changed(models={**DELTA["models"], "delta_from": "Cu_FEFF8L"})
    assert Campaign(load_config(named)).n_chunks("Cu_FEFF8L") == 32


def test_lists_of_sites_are_of_what_the_campaign_runs():
    planned = {"sites": {"Cu_FEFF8L": "plan.csv"}}
    assert load_config(changed(simulations=planned)).simulations.sites == planned["sites"]
    with pytest.raises(XanesflowError, match=r"list for Cu_FEFF, whose runs are imported; .* given for Cu_FEFF8L\.$"):
        load_config(changed(simulations={"sites": {"Cu_FEFF": "plan.csv"}}))
    with pytest.raises(XanesflowError, match=r"Ni_FEFF, whose runs are not part of this campaign; lists"):
        load_config(changed(simulations={"sites": {"Ni_FEFF": "plan.csv"}}))
    with pytest.raises(XanesflowError, match=r"whose runs are imported; this campaign computes none\.$"):
        load_config({"subsets": ["Cu_FEFF"], "simulations": {"sites": {"Cu_FEFF": "plan.csv"}}})
    run = {"structures": {"source": "examples"}, "simulations": {"source": "run", "sites": {"Cu_FEFF": "plan.csv"}}}
    assert load_config({"subsets": ["Cu_FEFF"], **run}).simulations.sites == {"Cu_FEFF": "plan.csv"}


def test_feff_below_vasp_is_imported_with_it_and_run_with_it():
    vasp = {"subsets": ["Ti_VASP"], "models": {"kinds": ["delta"], "delta_from": "FEFF"}}
    assert Campaign(load_config(vasp)).cheap_features == "feff"
    assert Campaign(load_config(vasp)).computed_cheap_subsets == []
    run = vasp | {"structures": {"source": "examples"}, "simulations": {"source": "run"}}
    assert Campaign(load_config(run)).computed_cheap_subsets == ["Ti_FEFF"]


def test_without_delta_models_there_are_no_cheaper_runs():
    config = Campaign(load_config({"subsets": ["Cu_FEFF"]}))
    assert (config.cheap_subsets, config.computed_cheap_subsets, config.cheap_features) == ({}, [], None)


def test_the_engine_below_feff_never_takes_the_level_that_learned_from_feff():
    config = Campaign(load_config(DELTA))
    assert config.engine_options("Cu_FEFF8L")["fermi_level"] == "scf"
    given = {"subsets": ["Cu_FEFF8L"], "structures": {"source": "examples"}, "simulations": {"source": "run"}}
    alone = Campaign(load_config(given))
    assert alone.engine_options("Cu_FEFF8L")["fermi_level"] == "learned"


def test_the_targets_predictions_are_by_the_delta_model_where_its_cheap_runs_can_be_made():
    own = models_to_predict_with(Campaign(load_config(DELTA)))
    assert own == ["results/models/delta_chgnet+feff8l_Cu_FEFF/seed0.safetensors"]
    over_feff = {"subsets": ["Ti_VASP"], "models": {"kinds": ["expert", "delta"], "delta_from": "FEFF"}}
    assert models_to_predict_with(Campaign(load_config(over_feff))) == [
        "results/models/expert_m3gnet_Ti_VASP/seed0.safetensors"
    ]
    alone = over_feff | {"models": {"kinds": ["delta"], "delta_from": "FEFF"}}
    with pytest.raises(XanesflowError, match=r"over runs of FEFF, which are not made .* name models in predict.models"):
        models_to_predict_with(Campaign(load_config(alone)))


MISTAKES = {
    "no level": (changed(models={"kinds": ["delta"]}), "name the cheaper level of theory"),
    "no delta": (changed(models={"kinds": ["expert"], "delta_from": "FEFF8L"}), "which only delta models use"),
    "no such level": (
        changed(models={"kinds": ["delta"], "delta_from": "Cu_VASP"}), "runs of FEFFQ or FEFF8L or FEFF can be"
    ),
    "another element": (
        changed(models={"kinds": ["delta"], "delta_from": "Ni_FEFF8L"}), "Cu_FEFF is of another element"
    ),
    "itself": (changed(models={"kinds": ["delta"], "delta_from": "FEFF"}), "Cu_FEFF is a subset itself"),
    "two of an element": (changed(subsets=["Cu_FEFF", "Cu_VASP"]), "Cu_FEFF and Cu_VASP would share the runs"),
    "nothing is simulated": (
        changed(dataset={"source": "features_file", "files": "{subset}.npz"}), "so there are no runs"
    ),
    "archive without it": (
        {
            "subsets": ["Ti_VASP"],
            "models": {"kinds": ["delta"], "delta_from": "FEFF"},
            "simulations": {"archive": {"Ti_VASP": "runs"}},
        },
        "no entry for Ti_FEFF, the cheaper runs",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("values", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_in_one_sentence(values, told):
    with pytest.raises(XanesflowError, match=told) as caught:
        load_config(values)
    assert len(str(caught.value).splitlines()) == 1
