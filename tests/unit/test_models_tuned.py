"""A universal model trained on with one subset, of its own level of theory or of another."""

import hashlib
from dataclasses import replace

import h5py
import numpy as np
import pytest
from safetensors.numpy import load_file
from sentences import tells
from test_models_data import add_subset, change, make_dataset

from xanesflow.config.load import load_config
from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.errors import XanesflowError
from xanesflow.evaluation.predict_spectra import predict_spectra
from xanesflow.models.network.checkpoint import load_checkpoint
from xanesflow.models.network.fit import train_model

SETTINGS = TrainingSettings(widths=(16, 8), batch_size=8, dropout=0.1, max_epochs=5, seed=2)
VASP_START_EV = 4967.5


@pytest.fixture
def trained(tmp_path):
    """A dataset of Cu_FEFF, Ti_FEFF and Ti_VASP, and the checkpoint of a universal model of FEFF."""
    dataset = make_dataset(tmp_path / "d.h5")
    add_subset(dataset, "Ti_FEFF", 4964.504, n=25, seed=1)
    add_subset(dataset, "Ti_VASP", VASP_START_EV, n=30, seed=2)
    with h5py.File(dataset, "a") as file:
        file["Ti_VASP/features/m3gnet"].attrs["weights_hash"] = "abc"
    universal = tmp_path / "u.safetensors"
    train_model(
        "universal", dataset, {2: universal}, subsets=["Cu_FEFF", "Ti_FEFF"], features="chgnet", settings=SETTINGS
    )
    return dataset, universal


def tune(trained, tmp_path, *, features="chgnet", settings=SETTINGS):
    output = tmp_path / "t.safetensors"
    given = {"subsets": ["Ti_VASP"], "features": features, "settings": settings}
    [model] = train_model("tuned", trained[0], {2: output}, starts={2: trained[1]}, **given)
    return model, output


def weights(path):
    return {name: array for name, array in load_file(path).items() if name.startswith("network.")}


def test_the_universal_models_weights_are_where_the_training_begins(trained, tmp_path):
    """With steps too small to see, its weights are found again; with others they are not."""
    _, output = tune(trained, tmp_path, settings=replace(SETTINGS, learning_rate=1e-20))
    idle = ("running", "num_batches", "linear.bias")  # a bias before a normalisation is zero
    learned = {name for name in weights(output) if not any(word in name for word in idle)}
    assert len(learned) == 8  # three linear layers, the output's bias, two normalisations with weight and bias each
    assert all(np.array_equal(weights(output)[name], weights(trained[1])[name]) for name in learned)
    _, output = tune(trained, tmp_path, settings=replace(SETTINGS, learning_rate=1e-2))
    assert not any(np.array_equal(weights(output)[name], weights(trained[1])[name]) for name in learned)


def test_the_universal_models_statistics_are_kept_where_that_is_asked_for(trained, tmp_path):
    """Then the first step begins where the universal model is, and its running means are never changed."""
    few = replace(SETTINGS, learning_rate=1e-3, max_epochs=2, dropout=0.0)
    start, running = weights(trained[1]), [n for n in weights(trained[1]) if "running" in n]
    assert len(running) == 4
    own, output = tune(trained, tmp_path, settings=few)
    assert not any(np.array_equal(weights(output)[name], start[name]) for name in running)
    kept, output = tune(trained, tmp_path, settings=replace(few, keep_statistics=True))
    assert all(np.array_equal(weights(output)[name], start[name]) for name in running)
    assert not np.array_equal(weights(output)["network.output.weight"], start["network.output.weight"])
    assert kept.card.settings["keep_statistics"] and not own.card.settings["keep_statistics"]
    still, _ = tune(trained, tmp_path, settings=replace(few, keep_statistics=True, learning_rate=1e-20))
    features = np.random.default_rng(0).normal(size=(7, 2))
    assert np.allclose(still.predict(features), load_checkpoint(trained[1]).predict(features), rtol=1e-5)


def test_a_training_from_scratch_has_statistics_of_its_own(trained, tmp_path):
    settings = replace(SETTINGS, max_epochs=2, keep_statistics=True)
    output = {2: tmp_path / "s.safetensors"}
    train_model("universal", trained[0], output, subsets=["Ti_FEFF"], features="chgnet", settings=settings)
    stored = weights(tmp_path / "s.safetensors")
    assert all(array.any() for name, array in stored.items() if "running_mean" in name)


def test_layers_and_scaling_are_the_universal_models_and_energies_the_subsets(trained, tmp_path):
    model, output = tune(trained, tmp_path, settings=replace(SETTINGS, widths=(5,)))
    universal = load_checkpoint(trained[1])
    assert model.card.settings["widths"] == [16, 8]
    assert np.array_equal(model.scaling.feature_mean, universal.scaling.feature_mean)
    assert (model.card.kind, model.card.subset, list(model.energies_ev)) == ("tuned", "Ti_VASP", ["Ti_VASP"])
    assert np.allclose(model.energy_of("Ti_VASP"), VASP_START_EV + 0.25 * np.arange(7), rtol=0, atol=1e-9)
    assert (model.card.n_train, model.card.n_val) == (18, 6)
    found = predict_spectra(trained[0], [output], tmp_path / "p.h5")
    assert (found.model, found.subset, len(found.ids)) == ("tuned", "Ti_VASP", 6)


def test_its_card_names_the_model_that_it_began_with(trained, tmp_path):
    model, output = tune(trained, tmp_path)
    digest = hashlib.sha256(trained[1].read_bytes()).hexdigest()
    assert model.card.start == {"kind": "universal", "subset": "FEFF", "seed": 2, "sha256": digest}
    assert load_checkpoint(output).card == model.card
    assert load_checkpoint(trained[1]).card.start is None


def test_a_seed_finds_its_learning_rate_from_its_own_start_whichever_others_are_trained(trained, tmp_path):
    given = {"subsets": ["Cu_FEFF"], "features": "chgnet"}
    starts = {seed: tmp_path / f"u{seed}" for seed in (0, 1)}
    train_model("universal", trained[0], starts, settings=SETTINGS, **given)
    given |= {"settings": replace(SETTINGS, learning_rate=None)}
    both = {seed: tmp_path / f"t{seed}" for seed in starts}
    train_model("tuned", trained[0], both, starts=starts, **given)
    train_model("tuned", trained[0], {1: tmp_path / "alone"}, starts=starts, **given)
    found, alone = weights(both[1]), weights(tmp_path / "alone")
    assert all(np.array_equal(found[name], alone[name]) for name in found)


def test_a_universal_model_of_other_features_or_other_weights_of_them_is_refused(trained, tmp_path):
    with pytest.raises(XanesflowError, match="has features chgnet, but Ti_VASP needs m3gnet, so no training can start"):
        tune(trained, tmp_path, features="m3gnet")
    with h5py.File(trained[0], "a") as file:
        file["Ti_VASP/features/chgnet"].attrs["weights_hash"] = "other"
    with pytest.raises(XanesflowError, match=r"has features made with .*, but Ti_VASP needs .*'other'"):
        tune(trained, tmp_path)
    change(trained[0], "Ti_VASP/features/chgnet", np.ones((30, 4), "f4"))
    with pytest.raises(XanesflowError, match="features of the sizes"):
        tune(trained, tmp_path)
    (tmp_path / "u.safetensors").write_bytes(b"nothing")
    with pytest.raises(XanesflowError, match=r"u\.safetensors is not a model file"):
        tune(trained, tmp_path)
    assert not (tmp_path / "t.safetensors").exists()


def test_what_is_tuned_from_which_theory():
    given = {"subsets": ["Ti_VASP", "Ti_FEFF"], "models": {"kinds": ["tuned"]}}
    assert [load_config(given).models.universal_of(name) for name in given["subsets"]] == ["FEFF", "FEFF"]
    own = load_config({**given, "models": {"kinds": ["tuned"], "tuned_from": {}}})
    assert own.models.universal_of("Ti_VASP") == "VASP"
    with tells(match="Ti_VASP starts from the universal model of FEFF, but no subset is of FEFF"):
        load_config({**given, "subsets": ["Ti_VASP"]})
