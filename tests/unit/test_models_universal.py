"""One model over all subsets of a level of theory, and what it predicts of each."""

import h5py
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from test_models_data import add_subset, change, make_dataset
from test_models_training import train_network

from xanesflow.config.load import load_config
from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.errors import XanesflowError
from xanesflow.evaluation.predict_spectra import predict_spectra
from xanesflow.models.network.checkpoint import load_checkpoint
from xanesflow.models.network.fit import train_model

SMALL = TrainingSettings(widths=(16, 8), batch_size=8, dropout=0.1, max_epochs=5, seed=2)
SUBSETS = ["Cu_FEFF", "Ti_FEFF"]
STARTS_EV = {"Cu_FEFF": 8983.173, "Ti_FEFF": 4964.504}


def two_subsets(path, *, ti_split=None, **choices):
    """40 spectra of Cu (28 train, 6 validate, 6 test) and 25 of Ti (13, 6, 6)."""
    make_dataset(path)
    return add_subset(path, "Ti_FEFF", STARTS_EV["Ti_FEFF"], n=25, seed=1, split=ti_split, **choices)


def train(folder, *, features="m3gnet", subsets=SUBSETS, name="u.safetensors", **choices):
    folder.mkdir(exist_ok=True)
    dataset, path = two_subsets(folder / "d.h5", **choices), folder / name
    [model] = train_model("universal", dataset, {SMALL.seed: path}, subsets=subsets, features=features, settings=SMALL)
    return dataset, model, path


def stored(dataset, name):
    """An array of both subsets and the part of each row, read without xanesflow, Cu before Ti."""
    with h5py.File(dataset) as file:
        values = np.concatenate([file[f"{subset}/{name}"][:] for subset in SUBSETS])
        return values, np.concatenate([file[f"{subset}/split"].asstr()[:] for subset in SUBSETS])


def test_it_is_the_network_trained_on_both_subsets_joined(tmp_path):
    dataset, model, _ = train(tmp_path)
    features, split = stored(dataset, "features/m3gnet")
    spectra, _ = stored(dataset, "spectra")
    parts = [tuple((1000 * a[split == part].astype("f8")).astype("f4") for a in (features, spectra))
             for part in ("train", "val")]  # fmt: skip
    by_hand = train_network(*parts, SMALL).network.state_dict()
    assert all(np.array_equal(by_hand[name], tensor) for name, tensor in model.network.state_dict().items())
    assert (model.card.kind, model.card.subset) == ("universal", "FEFF")
    assert (model.card.n_train, model.card.n_val) == (28 + 13, 12)
    assert {name: (share["n_train"], share["n_val"]) for name, share in model.card.subsets.items()} == {
        "Cu_FEFF": (28, 6),
        "Ti_FEFF": (13, 6),
    }
    error = np.mean((model.predict(features[split == "val"]) - spectra[split == "val"]) ** 2)
    assert np.isclose(model.card.val_mse, error, rtol=1e-4)


def test_features_are_standardised_over_the_joined_training_part(tmp_path):
    dataset, model, _ = train(tmp_path, features="chgnet")
    values, split = stored(dataset, "features/chgnet")
    assert np.allclose(model.scaling.feature_mean, values[split == "train"].mean(axis=0, dtype="f8"), rtol=1e-12)
    assert np.allclose(1 / model.scaling.feature_scale, values[split == "train"].std(axis=0, dtype="f8"), rtol=1e-12)


def test_a_checkpoint_alone_predicts_the_same_and_knows_each_subsets_energies(tmp_path):
    dataset, model, path = train(tmp_path)
    loaded = load_checkpoint(path)
    features, _ = stored(dataset, "features/m3gnet")
    assert np.array_equal(loaded.predict(features), model.predict(features))
    assert loaded.card == model.card
    for subset, start_ev in STARTS_EV.items():
        assert np.allclose(loaded.energy_of(subset), start_ev + 0.25 * np.arange(7), rtol=0, atol=1e-9)
    for words in ("universal", "Cu_FEFF 7 energies, 8983.173", "Ti_FEFF 7 energies, 4964.504", "41 spectra"):
        assert words in loaded.describe()
    with pytest.raises(XanesflowError, match="covers Cu_FEFF, Ti_FEFF, but not Ni_FEFF"):
        loaded.energy_of("Ni_FEFF")


def test_of_one_subset_it_has_that_ones_energies(tmp_path):
    model = train(tmp_path, subsets=["Ti_FEFF"])[1]
    assert model.card.subset == "FEFF" and list(model.card.subsets) == ["Ti_FEFF"]
    assert np.array_equal(load_checkpoint(tmp_path / "u.safetensors").energy_of("Ti_FEFF"), model.energy_of("Ti_FEFF"))


def test_training_twice_or_naming_the_subsets_in_another_order_writes_the_same_weights(tmp_path):
    first, second, turned = (
        load_file(train(tmp_path / name, subsets=subsets)[2])
        for name, subsets in {"a": SUBSETS, "b": SUBSETS, "c": SUBSETS[::-1]}.items()
    )
    for other in (second, turned):
        assert first.keys() == other.keys()
        assert all(np.array_equal(first[name], other[name]) for name in first)


def test_a_subset_without_validation_spectra_learns_along(tmp_path, caplog):
    _, model, _ = train(tmp_path, ti_split=["train"] * 20 + ["test"] * 5)
    assert (model.card.n_train, model.card.n_val) == (28 + 20, 6)
    assert "Ti_FEFF has no spectrum in its val part (train 20, val 0, test 5)" in caplog.text


def test_without_any_validation_spectra_it_is_told_with_the_counts(tmp_path):
    dataset = make_dataset(tmp_path / "d.h5", split=["train"] * 40)
    add_subset(dataset, "Ti_FEFF", split=["train"] * 25 + ["test"] * 15)
    with pytest.raises(XanesflowError, match=r"Cu_FEFF, Ti_FEFF in .* too few spectra .*train 65, val 0, test 15"):
        train_model("universal", dataset, {0: tmp_path / "u"}, subsets=SUBSETS, features="m3gnet", settings=SMALL)
    assert not (tmp_path / "u").exists()


def test_subsets_that_do_not_fit_each_other_are_told(tmp_path):
    def fails(subsets, words):
        with pytest.raises(XanesflowError, match=words):
            train_model("universal", dataset, {0: tmp_path / "u"}, subsets=subsets, features="m3gnet", settings=SMALL)

    dataset = two_subsets(tmp_path / "d.h5", n_energies=6)
    fails(["Cu_FEFF", "Ti_VASP"], "one level of theory, but was given Cu_FEFF, Ti_VASP")
    fails([], "given none")
    fails(SUBSETS, "Ti_FEFF has spectra of the points 6, but Cu_FEFF 7")
    with h5py.File(dataset, "a") as file:
        file["Ti_FEFF/features/m3gnet"].attrs.update(weights_hash="other", meaning="a text for people")
    fails(SUBSETS, "features made with .*other.*abc")
    change(dataset, "Ti_FEFF/features/m3gnet", np.zeros((25, 5), "f4"))
    fails(SUBSETS, "m3gnet': 5.*m3gnet': 3")


def test_features_of_the_same_weights_fit_each_other_however_they_are_described(tmp_path):
    dataset, _, universal = train(tmp_path)
    for text in ("node features", "node features; computed elsewhere, taken from a file"):
        with h5py.File(dataset, "a") as file:
            file["Ti_FEFF/features/m3gnet"].attrs["meaning"] = text
        given = {"features": "m3gnet", "settings": SMALL}
        train_model("universal", dataset, {2: tmp_path / "again"}, subsets=SUBSETS, **given)
        train_model("tuned", dataset, {2: tmp_path / "t"}, starts={2: universal}, subsets=["Ti_FEFF"], **given)


def test_predicting_asks_for_a_subset_that_the_model_covers_and_data_that_it_saw(tmp_path):
    dataset, _, path = train(tmp_path)
    add_subset(dataset, "Ni_FEFF")
    with pytest.raises(XanesflowError, match="covers Cu_FEFF, Ti_FEFF; name the subset to predict"):
        predict_spectra(dataset, [path], tmp_path / "p.h5")
    with pytest.raises(XanesflowError, match="covers Cu_FEFF, Ti_FEFF and was not trained on Ni_FEFF; train it again"):
        predict_spectra(dataset, [path], tmp_path / "p.h5", subset="Ni_FEFF")
    with h5py.File(dataset) as file:
        spectra = file["Ti_FEFF/spectra"][:]
    change(dataset, "Ti_FEFF/spectra", spectra * 1.001)
    predict_spectra(dataset, [path], tmp_path / "p.h5", subset="Cu_FEFF")
    with pytest.raises(XanesflowError, match="trained on other data of Ti_FEFF"):
        predict_spectra(dataset, [path], tmp_path / "p.h5", subset="Ti_FEFF")


def test_a_checkpoint_of_an_expert_from_before_there_were_universal_and_tuned_ones_is_read(tmp_path):
    dataset = make_dataset(tmp_path / "d.h5")
    path, old = tmp_path / "m.safetensors", tmp_path / "old.safetensors"
    [model] = train_model("expert", dataset, {SMALL.seed: path}, subsets=["Cu_FEFF"], features="m3gnet", settings=SMALL)
    with safe_open(path, framework="numpy") as file:
        metadata = {name: value for name, value in file.metadata().items() if name not in ("subsets", "start")}
    tensors = load_file(path)
    assert {"energy", "scaling.feature_mean", "scaling.feature_scale"} <= set(tensors)
    save_file(tensors, old, metadata=metadata)
    loaded = load_checkpoint(old)
    assert loaded.card == model.card
    assert np.array_equal(loaded.energy_of("Cu_FEFF"), model.energy_of("Cu_FEFF"))


def test_the_configuration_knows_its_kind_and_its_widths_and_batch_size():
    chosen = {"kinds": ["expert", "universal"], "widths": {"universal": [8]}, "batch_size": {"universal": 64}}
    models = load_config({"models": chosen}).models
    assert (models.kinds, models.widths, models.batch_size) == tuple(chosen.values())
    assert load_config({}).models.kinds == ["expert"]
    for wrong, place in (({"kinds": ["univrsal"]}, "models.kinds.0"), ({"widths": {"univrsal": [8]}}, "models.widths")):
        with pytest.raises(XanesflowError, match=rf"{place}.*univrsal"):
            load_config({"models": wrong})
