"""Delta models on a world in which shift and difference are known, their checkpoints and learning curves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from delta_data import DIMENSIONS, FERMI, edge, eta, shifts_of, world

from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import parse_site_id
from xanesflow.features.cheap_runs.columns import FRAME_POINTS, NUMBERS
from xanesflow.models.delta import learning_curve as module_of_curve
from xanesflow.models.delta import train_delta as module
from xanesflow.models.delta.delta_model import FEWEST_PAIRS, DeltaModel, DeltaSettings, fit_delta
from xanesflow.models.delta.learning_curve import draw_learning_curve, draw_sites, learning_curve, only_train_on
from xanesflow.models.delta.train_delta import train_delta
from xanesflow.models.network.checkpoint import load_checkpoint, save_checkpoint
from xanesflow.models.network.fit import Start

SETTINGS = DeltaSettings("feff8l")


@pytest.fixture(scope="module")
def data():
    return world()


@pytest.fixture(scope="module")
def model(data):
    return fit_delta(data, SETTINGS)


def test_the_shift_of_a_site_that_it_never_saw_is_found(data, model):
    features = data.features[data.rows("test")]
    wrong = model.shifts_ev(features) - shifts_of(features.astype(float))
    assert np.sqrt(np.mean(wrong**2)) < 0.25
    assert model.card.settings["found"]["shift_error_ev"] < 0.25


def test_it_is_much_better_than_the_structure_alone_and_than_the_cheap_spectra(data, model):
    features = data.features[data.rows("test")]
    whole = eta(data, model.predict(features))
    assert whole > 3 * eta(data, model.from_structure_alone(features))
    assert whole > 1.5 * eta(data, model.moved_cheap_spectra(features))


@pytest.mark.parametrize("cheap", ["feffq", "feff"])
def test_a_run_with_one_block_of_numbers_or_none_is_learned_from_as_well(data, cheap):
    """Quick FEFF gives one Fermi level, a FEFF below VASP none; the engine's is what half of the shift depends on."""
    level, others = data.features[:, [FERMI]], data.features[:, FERMI + 1 :]
    numbers = np.hstack([level, others])[:, : NUMBERS[cheap]]
    features = np.hstack([data.features[:, : 6 + FRAME_POINTS], numbers])
    dimensions = {"radial": 6, cheap: FRAME_POINTS + NUMBERS[cheap]}
    names = {
        "features_name": f"radial+{cheap}",
        "feature_dimensions": dimensions,
        "featurizers": {name: {} for name in dimensions},
    }
    other = replace(data, features=features, **names)
    model = fit_delta(other, DeltaSettings(cheap))
    rows = other.rows("test")
    wrong = model.shifts_ev(features[rows]) - shifts_of(data.features[rows].astype(float))
    assert np.sqrt(np.mean(wrong**2)) < (0.3 if NUMBERS[cheap] else 0.6)
    assert eta(other, model.predict(features[rows])) > eta(other, model.moved_cheap_spectra(features[rows]))


def test_a_perfect_cheap_spectrum_is_left_as_it_is(data):
    """Its own spectra stand in the cheap columns, so there is nothing to move and nothing to correct."""
    start = data.energy_ev[0]
    features = data.features.copy()
    rng = np.random.default_rng(5)
    middle, wave = start + 9 + 1.5 * rng.normal(size=len(features)), rng.uniform(0.3, 1.2, size=len(features))
    frame = start + 0.25 * (np.arange(FRAME_POINTS) - 24)
    features[:, 6 : 6 + FRAME_POINTS] = edge(frame, middle, wave)
    same = replace(data, features=features, spectra=edge(data.energy_ev, middle, wave))
    model = fit_delta(same, SETTINGS)
    rows = same.rows("test")
    assert model.predict(features[rows]) == pytest.approx(same.spectra[rows], abs=2e-5)


def test_sites_without_a_cheap_run_are_predicted_from_the_structure_with_an_error_of_its_own(data, model):
    rows = data.rows("test")
    spoiled = data.features[rows].copy()
    spoiled[:, DIMENSIONS["radial"] :] = np.nan
    predicted = model.from_structure_alone(spoiled)
    assert np.isfinite(predicted).all()
    told = np.sqrt(np.mean(model.structure_error**2))
    assert told == pytest.approx(np.sqrt(np.mean((predicted - data.spectra[rows]) ** 2)), rel=0.3)
    with pytest.raises(XanesflowError, match="no finite numbers"):
        model.predict(spoiled)


def test_of_no_sites_there_are_no_spectra(data, model):
    for spectra in (model.predict(data.features[:0]), model.from_structure_alone(data.features[:0])):
        assert spectra.shape == (0, len(data.energy_ev))


def test_fewer_than_twenty_pairs_and_features_without_the_cheap_run_are_refused(data):
    few = only_train_on(data, data.rows("train")[: FEWEST_PAIRS - 1])
    with pytest.raises(XanesflowError, match=r"has 19 training sites .* needs 20; add finished simulations"):
        fit_delta(few, SETTINGS)
    enough = only_train_on(data, data.rows("train")[:FEWEST_PAIRS])
    assert fit_delta(enough, replace(SETTINGS, share=0.8)).card.n_train < FEWEST_PAIRS, "of one seed of several"
    with pytest.raises(XanesflowError, match=r"features of the structure and then feff, not radial\+feff8l"):
        fit_delta(data, DeltaSettings("feff"))


def one_large_material(data):
    """The same sites, the first 40 of the training part of one material, which is drawn whole for a short curve."""
    return replace(data, ids=[f"mp-0_{k:03d}" if k < 40 else name for k, name in enumerate(data.ids)])


def test_sites_of_one_material_are_refused_with_a_remedy_that_delta_models_have(data):
    large = one_large_material(data)
    with pytest.raises(XanesflowError, match=r"all 40 training sites are of mp-0, .* two materials") as caught:
        fit_delta(only_train_on(large, np.arange(40)), SETTINGS)
    assert "kernel_share" not in str(caught.value)


def test_a_checkpoint_gives_the_same_spectra_and_no_training_can_go_on_from_it(tmp_path, data, model):
    path, recorded = tmp_path / "seed0.safetensors", {"models": {"baseline": "FEFF8L"}, "simulations": {"engine": {}}}
    save_checkpoint(path, replace(model, card=replace(model.card, config=recorded)))
    again = load_checkpoint(path)
    assert again.card.config == recorded, "with the keys of earlier versions, too"
    assert isinstance(again, DeltaModel)
    assert (again.predict(data.features) == model.predict(data.features)).all()
    assert (again.from_structure_alone(data.features) == model.from_structure_alone(data.features)).all()
    assert "difference to feff8l" in again.describe()
    assert again.card.settings["baseline"] == "feff8l", "as checkpoints of earlier versions have it"
    with pytest.raises(XanesflowError, match="is a delta model, which has no network to start from"):
        Start.read(path)


def test_a_checkpoint_that_lacks_a_part_is_damaged(tmp_path, model, monkeypatch):
    path = tmp_path / "seed0.safetensors"
    kept = {name: value for name, value in model.tensors().items() if not name.startswith("shift.")}
    monkeypatch.setattr(DeltaModel, "tensors", lambda self: kept)
    save_checkpoint(path, model)
    with pytest.raises(XanesflowError, match=r"seed0.safetensors is damaged .*shift"):
        load_checkpoint(path)


def test_two_fits_are_the_same_and_seeds_learn_from_materials_of_their_own(data):
    first, again, other = (fit_delta(data, DeltaSettings("feff8l", seed, 0.8)) for seed in (1, 1, 2))
    assert (first.predict(data.features) == again.predict(data.features)).all()
    assert not (first.predict(data.features) == other.predict(data.features)).all()
    assert 0.7 * 120 < first.card.n_train < 0.9 * 120


def test_a_good_checkpoint_is_kept_and_one_of_other_data_is_not(tmp_path, data, monkeypatch):
    given = {"data": data}
    monkeypatch.setattr(module, "read_subset", lambda *_: given["data"])
    outputs = {0: tmp_path / "seed0.safetensors"}
    options = {"subset": "Cu_FEFF", "features": "radial+feff8l", "cheap_features": "feff8l"}
    train_delta("dataset.h5", outputs, **options)
    before = outputs[0].read_bytes()
    monkeypatch.setattr(module, "fit_delta", lambda *_, **__: pytest.fail("fitted again"))
    train_delta("dataset.h5", outputs, **options)
    assert outputs[0].read_bytes() == before
    given["data"] = replace(data, data_sha256="2" * 64)
    with pytest.raises(pytest.fail.Exception, match="fitted again"):
        train_delta("dataset.h5", outputs, **options)


def test_the_learning_curve_rises_and_is_higher_with_the_cheap_runs(data):
    curve = learning_curve(data, SETTINGS, sizes=(30, 60), draws=2)
    assert curve["n_train"].tolist() == [30, 30, 60, 60, 120]
    assert (curve["eta"] > curve["eta_structure"]).all()
    assert curve["eta"].iloc[-1] > curve["eta"].iloc[:2].mean()


def test_draws_of_a_single_material_are_left_out_of_the_curve(data, monkeypatch):
    large = one_large_material(data)
    draws = iter([np.arange(25), large.rows("train")[30:55]])
    monkeypatch.setattr(module_of_curve, "draw_sites", lambda *_: next(draws))
    curve = learning_curve(large, SETTINGS, sizes=(25,), draws=2)
    assert curve[["n_train", "draw"]].to_numpy().tolist() == [[25, 1], [120, 0]]


def test_no_curve_is_made_where_too_few_spectra_could_judge_it(data, tmp_path):
    split = np.where(data.split == "val", "", data.split)
    none = learning_curve(replace(data, split=split), SETTINGS)
    assert none.empty
    draw_learning_curve(tmp_path / "none.svg", none, "delta of Cu_FEFF")
    assert "too few validation spectra" in (tmp_path / "none.svg").read_text()


def test_draws_are_of_whole_materials_but_for_the_last(data):
    drawn = draw_sites(data, data.rows("train"), 41, np.random.default_rng(3))
    materials = [parse_site_id(data.ids[row])[0] for row in drawn]
    assert len(set(drawn)) == 41
    assert sorted(materials.count(name) for name in set(materials)) == [1] + [2] * 20
