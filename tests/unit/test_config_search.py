"""The configuration of a search, and settings of single models from it or from files that searches wrote."""

from dataclasses import fields
from pathlib import Path

import optuna
import pytest

from xanesflow.config.campaign import Campaign
from xanesflow.config.load import load_config
from xanesflow.config.presets import LAYERS, PRESETS
from xanesflow.config.search_space import SETTINGS, SearchSpace
from xanesflow.config.settings_file import Found, write_found
from xanesflow.config.training_settings import PAPER_EXPERTS, PAPER_UNIVERSAL, TrainingSettings
from xanesflow.core.errors import XanesflowError

CU = {"subsets": ["Cu_FEFF"]}


def config(**models):
    return Campaign(load_config({"subsets": ["Cu_FEFF", "Ti_FEFF"], "models": models}))


def found_file(folder, model="Cu_FEFF", features="m3gnet", name="best.yaml", **settings):
    path = folder / name
    write_found(path, Found(model, features, settings or {"widths": (8, 4), "dropout": 0.1}), "By hand.")
    return str(path)


def test_the_default_space_holds_the_models_of_the_presets():
    space = SearchSpace.parse(None)
    widths, batch_size = LAYERS["best"]
    best = TrainingSettings(widths=widths, batch_size=batch_size, dropout=PRESETS["best"]["dropout"])
    assert space.suggest(optuna.trial.FixedTrial(space.parameters(best)))["widths"] == widths
    for name in [*PAPER_EXPERTS, "universal"]:
        widths, batch_size = PAPER_EXPERTS.get(name, PAPER_UNIVERSAL)
        settings = TrainingSettings.of_model(name)
        trial = optuna.trial.FixedTrial(space.parameters(settings))
        assert space.suggest(trial) == {"widths": widths, "batch_size": batch_size, "dropout": 0.5}


def test_all_that_a_training_depends_on_can_be_searched_but_where_and_how_long_it_runs():
    others = {"device", "threads", "seed", "max_epochs", "keep_statistics"}  # the last is of tuned models
    assert {field.name for field in fields(TrainingSettings)} - set(SETTINGS) == others


def test_a_sampled_number_is_a_round_one():
    space = SearchSpace.parse({"dropout": {"low": 0, "high": 0.5, "step": 0.1}})
    assert space.suggest(optuna.trial.FixedTrial({"dropout": 0.30000000000000004})) == {"dropout": 0.3}


@pytest.mark.parametrize(
    ("space", "told"),
    [
        ({}, "it is empty, so there is nothing to search"),
        ({"dropout": None}, "it is empty"),
        ({"drop_out": [0.1]}, "'drop_out' is not a training setting .* did you mean 'dropout'"),
        ({"seed": [1, 2]}, "'seed' is not a training setting"),
        ({"kernel_share": [0, 0.5]}, "kernel_share cannot be searched, because the value of a trial is the error of"),
        ({"batch_size": [1]}, "batch_size is 1; give 2 or more"),
        ({"batch_size": []}, "batch_size is \\[\\]; give a list of values, or a range"),
        ({"batch_size": [32, 32]}, "batch_size has a value twice"),
        ({"batch_size": [True]}, "batch_size cannot be True; it takes a whole number"),
        ({"batch_size": 32}, "batch_size is 32; give a list"),
        ({"dropout": {"low": 0.5, "high": 0.1}}, "low is 0.5 and high is 0.1; swap the two"),
        ({"dropout": {"low": 0, "high": 1}}, "dropout is 1.0; give at least 0 and below 1"),
        ({"dropout": {"low": 0}}, "dropout has no 'high'"),
        ({"dropout": {"low": 0, "high": 0.5, "stepp": 0.1}}, "dropout does not take 'stepp'"),
        ({"dropout": {"low": 0, "high": 0.5, "step": 0.2}}, "a whole number of steps"),
        ({"dropout": {"low": 0, "high": 0.5, "step": 0}}, "step is 0.0, and must be positive"),
        ({"dropout": {"low": "a", "high": 0.5}}, "dropout: low is 'a', and must be a number"),
        ({"learning_rate": {"low": 0, "high": 0.1, "log": True}}, "low must be positive"),
        ({"learning_rate": {"low": 0.1, "high": 0.2, "log": True, "step": 0.1}}, "do not go together"),
        ({"learning_rate": {"low": 0.1, "high": 0.2, "log": "yes"}}, "must be true or false"),
        ({"scaling": {"low": 1, "high": 2}}, "scaling is no number, so it has no range"),
        ({"scaling": ["papers"]}, "scaling cannot be 'papers'; it takes one of auto, paper, standardise"),
        ({"batch_size": {"low": 2.5, "high": 8}}, "whole ones"),
        ({"widths": [100, 200]}, "widths is .*; give {layers: ..., units: ...}"),
        ({"widths": {"layers": {"low": 0, "high": 2}, "units": {"low": 1, "high": 2}}}, "layers begins at 0"),
        ({"widths": {"layers": {"low": 1, "high": 2}}}, "widths has no 'units'"),
    ],
)
def test_a_space_that_is_wrong_is_told_in_one_sentence(space, told):
    with pytest.raises(XanesflowError, match=told) as raised:
        load_config({**CU, "models": {"search": {"space": space}}})
    assert str(raised.value).startswith("Configuration: 'models.search.space' is ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("search", "told"),
    [
        ({"trial": 3}, "'models.search.trial' is not a known key; did you mean 'trials'"),
        ({"models": ["Ni_FEFF"]}, "models.search.models names Ni_FEFF, but the campaign's models are Cu_FEFF"),
        ({"models": ["universal"]}, "models.search.models names universal"),
    ],
)
def test_a_wrong_search_is_told_in_one_sentence(search, told):
    with pytest.raises(XanesflowError, match=told):
        load_config({**CU, "models": {"search": search}})


DELTA = {"kinds": ["delta"], "delta_from": "FEFF8L"}


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ({"settings": {"Cu_FEFFQ": {"dropout": 0.3}}}, "models.settings names Cu_FEFFQ, but the campaign.s models"),
        ({"widths": {"Ti_FEFF": [3]}}, "models.widths names Ti_FEFF, .* add it to subsets or models.kinds"),
        ({"batch_size": {"universal": 8}}, "models.batch_size names universal, but the campaign's models are Cu_FEFF;"),
        ({"kinds": ["tuned"], "settings": {"Cu_FEFF": {"dropout": 0.1}}}, "are universal; .* add expert to models"),
        ({"kinds": ["tuned"], "widths": {"Cu_FEFF": [8]}}, "models.widths names Cu_FEFF"),
        (DELTA | {"batch_size": {"Cu_FEFF": 8}}, "models.batch_size names Cu_FEFF, but no model has settings"),
        (DELTA | {"search": {"models": ["Cu_FEFF"]}}, "models.search.models names Cu_FEFF, but no model has settings"),
    ],
)
def test_settings_of_a_model_that_the_campaign_lacks_are_told_in_one_sentence(models, told):
    with pytest.raises(XanesflowError, match=told):
        load_config({**CU, "models": models})


def test_the_batch_of_a_tuned_model_is_its_own():
    given = load_config({**CU, "models": {"kinds": ["tuned"], "batch_size": {"Cu_FEFF": 8}}})
    assert Campaign(given).training_of("tuned", "Cu_FEFF", "m3gnet")["batch_size"] == 8


def test_delta_models_leave_nothing_to_search():
    with pytest.raises(XanesflowError, match=r"Delta models have no settings to search for; add expert or universal"):
        Campaign(load_config({**CU, "models": DELTA})).searched_models()


def test_what_is_searched_follows_the_kinds_of_models():
    assert config().searched_models() == ["Cu_FEFF", "Ti_FEFF"]
    assert config(kinds=["expert", "universal"]).searched_models() == ["Cu_FEFF", "Ti_FEFF", "universal"]
    assert config(kinds=["universal", "tuned"]).searched_models() == ["universal"]
    assert config(search={"models": ["Ti_FEFF"]}).searched_models() == ["Ti_FEFF"]
    several = Campaign(load_config({"subsets": ["Cu_VASP", "Ti_FEFF", "Cu_FEFF"], "models": {"kinds": ["universal"]}}))
    assert several.searched_subsets("universal") == ["Cu_FEFF", "Ti_FEFF"]
    assert several.searched_subsets("Cu_VASP") == ["Cu_VASP"]


def test_settings_come_from_the_model_s_own_keys_then_from_files_then_from_what_holds_for_all(tmp_path):
    path = found_file(tmp_path, widths=(8, 4), batch_size=16, dropout=0.1, learning_rate=0.01)
    given = config(
        settings_files=[path], widths={"Cu_FEFF": [5]}, settings={"Cu_FEFF": {"dropout": 0.2}}, dropout=0.4, patience=7
    )
    mine = TrainingSettings.of_model("Cu_FEFF", **given.training_of("expert", "Cu_FEFF", "m3gnet"))
    assert (mine.widths, mine.batch_size, mine.dropout, mine.learning_rate, mine.patience) == ((5,), 16, 0.2, 0.01, 7)
    without = given.training_of("expert", "Cu_FEFF", "m3gnet", found=False)
    assert (without["batch_size"], without["learning_rate"]) == (None, None)
    for model, features in (("Ti_FEFF", "m3gnet"), ("Cu_FEFF", "chgnet")):
        assert given.training_of("expert", model, features)["learning_rate"] is None
    assert given.training_of("tuned", "Cu_FEFF", "m3gnet")["dropout"] == 0.4, "a subset in settings is its expert"
    paper = TrainingSettings.of_model("Ti_FEFF", **given.training_of("expert", "Ti_FEFF", "m3gnet"))
    assert (paper.widths, paper.batch_size, paper.dropout) == (*PAPER_EXPERTS["Ti_FEFF"], 0.4)


def test_a_file_takes_the_place_of_the_preset(tmp_path):
    features = PRESETS["best"]["features"][0]
    path = found_file(tmp_path, features=features, widths=(8,), learning_rate=None)
    best = config(preset="best", settings_files=[path]).training_of("expert", "Cu_FEFF", features)
    assert (best["widths"], best["learning_rate"], best["batch_size"]) == ((8,), None, LAYERS["best"][1])


def test_a_trial_is_trained_as_the_model_but_shorter_unless_its_schedule_has_a_length(tmp_path):
    path = found_file(tmp_path, dropout=0.3)
    trial = config(settings_files=[path], search={"seed": 7, "max_epochs": 20}).trial_of("Cu_FEFF", "m3gnet")
    assert (trial["seed"], trial["max_epochs"], trial["dropout"], trial["patience"]) == (7, 20, 0.5, 50)
    best = config(preset="best", search={"max_epochs": 20}).trial_of("Cu_FEFF", "m3gnet")
    assert (best["schedule"], best["max_epochs"]) == ("one_cycle", PRESETS["best"]["max_epochs"])
    searched = config(max_epochs=99, search={"space": {"schedule": ["constant", "one_cycle"]}})
    assert searched.trial_of("Cu_FEFF", "m3gnet")["max_epochs"] == 99


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"Cu_FEFF": {"dropout": 1}}, "dropout is 1.0; give at least 0 and below 1"),
        ({"Cu_FEFF": {"dropot": 0.1}}, "'dropot' is not a training setting .* did you mean 'dropout'"),
        ({"Cu_FEFF": {"widths": [8]}}, "widths has its own key, models.widths"),
        ({"Cu": {"dropout": 0.1}}, "'Cu' is not a subset"),
    ],
)
def test_wrong_settings_of_a_model_are_told_in_one_sentence(settings, told):
    with pytest.raises(XanesflowError, match=told):
        load_config({**CU, "models": {"settings": settings}})


def test_a_settings_file_that_does_not_fit_is_told_in_one_sentence(tmp_path):
    by_hand = tmp_path / "by_hand.yaml"
    by_hand.write_text("models: {dropout: 0.1}\n")
    damaged = tmp_path / "damaged.yaml"
    text = Path(found_file(tmp_path)).read_text()
    damaged.write_text(text.replace("dropout: 0.1", "dropout: 7"))
    cut = tmp_path / "cut.yaml"
    cut.write_text(text[: text.index("models:")])
    newer = tmp_path / "newer.yaml"
    newer.write_text(text.replace("xanesflow search 1", "xanesflow search 2"))
    for files, told in (
        ([str(tmp_path / "none.yaml")], r"none.yaml of models.settings_files does not exist .*snakemake search"),
        ([str(tmp_path)], "cannot be read"),
        ([str(by_hand)], "by_hand.yaml of models.settings_files was not made by `snakemake search`"),
        ([str(newer)], "was not made by `snakemake search` .* of this version"),
        ([str(damaged)], r"damaged.yaml of models.settings_files is damaged: dropout is 7.0; give at least 0"),
        ([str(cut)], "cut.yaml of models.settings_files is damaged: it does not have the form"),
        (
            [found_file(tmp_path, "Ni_FEFF", name="3.yaml")],
            r"the model Ni_FEFF, which .* \(it has Cu_FEFF, Ti",
        ),
        (
            [found_file(tmp_path, "universal", name="4.yaml")],
            "for the model universal, which this campaign does not have",
        ),
        ([found_file(tmp_path, features="chgnet", name="5.yaml")], r"for features chgnet, which .* \(it has m3gnet\)"),
        ([found_file(tmp_path), found_file(tmp_path, name="2.yaml")], "both of Cu_FEFF on m3gnet; remove one"),
    ):
        with pytest.raises(XanesflowError, match=told) as raised:
            config(settings_files=files).found_settings()
        assert "\n" not in str(raised.value)
