"""Training from a dataset file, and the checkpoint that comes of it."""

import csv

import numpy as np
import pytest
import torch
from test_models_data import make_dataset

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import sha256_file
from xanesflow.models.network.checkpoint import load_checkpoint
from xanesflow.models.network.fit import train_model
from xanesflow.models.subset_data import read_subset

SMALL = TrainingSettings(widths=(16, 8), batch_size=8, dropout=0.1, max_epochs=5, seed=2)


def train(folder, features="m3gnet", settings=SMALL, dataset=None, **others):
    folder.mkdir(exist_ok=True)
    dataset = dataset or make_dataset(folder / "d.h5")
    outputs = {settings.seed: folder / "m.safetensors"}
    [model] = train_model(
        "expert", dataset, outputs, subsets=["Cu_FEFF"], features=features, settings=settings, **others
    )
    return dataset, model, folder / "m.safetensors"


@pytest.mark.parametrize("features", ["m3gnet", "m3gnet+chgnet"])
def test_a_checkpoint_alone_predicts_bit_by_bit_what_the_trained_model_did(tmp_path, features):
    dataset, model, path = train(tmp_path, features)
    inputs = read_subset(dataset, "Cu_FEFF", features).features
    state = torch.get_rng_state()
    loaded = load_checkpoint(path)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(loaded.predict(inputs), model.predict(inputs))
    assert loaded.predict(inputs).shape == (40, 7)
    assert loaded.predict(inputs).min() > 0
    assert np.array_equal(loaded.energy_of("Cu_FEFF"), model.energy_of("Cu_FEFF"))
    assert loaded.card == model.card


def test_a_checkpoint_says_what_it_is_and_where_it_came_from(tmp_path):
    dataset, _, path = train(tmp_path, "m3gnet+chgnet", config_json='{"campaign": "c"}')
    model = load_checkpoint(path)
    card = model.card
    assert (card.kind, card.subset, card.features, card.seed) == ("expert", "Cu_FEFF", "m3gnet+chgnet", 2)
    assert list(card.feature_dimensions) == ["m3gnet", "chgnet"]
    assert card.featurizers["m3gnet"]["weights_hash"] == "abc"
    assert card.dataset_sha256 == sha256_file(dataset)
    assert (card.n_train, card.n_val, card.scaling) == (28, 6, "standardise")
    assert card.config == {"campaign": "c"}
    assert {"xanesflow", "torch", "numpy", "python"} <= set(card.versions)
    assert len(card.history) == 5 and card.val_mse == card.history[card.best_epoch - 1][2]
    assert TrainingSettings.from_dict(card.settings) == SMALL
    for word in ("expert", "Cu_FEFF", "m3gnet (3) + chgnet (2)", "16-8", "28 spectra", "8983.173"):
        assert word in model.describe()


def test_figure_and_history_are_written(tmp_path):
    train(tmp_path, figure=tmp_path / "f.svg", history=tmp_path / "h.csv")
    svg = (tmp_path / "f.svg").read_text()
    assert "<svg" in svg
    train(tmp_path, figure=tmp_path / "f.svg")
    assert (tmp_path / "f.svg").read_text() == svg, "the same training draws the same file"
    train(tmp_path, figure=tmp_path / "f.png", settings=TrainingSettings(widths=(4,), learning_rate=1e-3, max_epochs=2))
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((tmp_path / "h.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert rows[0].keys() == {"seed", "epoch", "train_mse", "val_mse", "kept"}
    assert sum(row["kept"] == "True" for row in rows) == 1


def test_a_part_with_too_few_spectra_is_told_with_the_counts(tmp_path):
    for split, words in {("train", "val"): "train 1, val 1", ("train", "train"): "train 2, val 0"}.items():
        path = make_dataset(tmp_path / "d.h5", n=2, split=split)
        with pytest.raises(XanesflowError, match=f"Cu_FEFF .*too few spectra .*{words}"):
            train(tmp_path / "m", dataset=path)
    assert not (tmp_path / "m/m.safetensors").exists()


def test_a_model_refuses_features_of_another_size_or_that_are_no_numbers(tmp_path):
    _, model, _ = train(tmp_path)
    with pytest.raises(XanesflowError, match=r"takes m3gnet features of shape \(n, 3\), but was given \(2, 5\)"):
        model.predict(np.zeros((2, 5)))
    with pytest.raises(XanesflowError, match="no finite numbers"):
        model.predict(np.full((2, 3), np.nan))


def _replaced(content, old, new):
    assert old in content
    return content.replace(old, new)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: b"not a model at all, but text",
        lambda content: content[:-4],
        lambda content: content + b"more",
        lambda content: _replaced(content, b'"F32"', b'"F99"'),
        lambda content: _replaced(content, b"xanesflow model 1", b"xanesflow model 9"),
        lambda content: _replaced(content, b"network.output.bias", b"network.output.hias"),
        lambda content: _replaced(content, b'"best_epoch":', b'"pest_epoch":'),
        lambda content: (12).to_bytes(8, "little") + b"[1, 2, 3, 4]",
    ],
)
def test_a_damaged_or_foreign_file_is_told_by_name_and_a_missing_one(tmp_path, spoil):
    path = train(tmp_path)[2]
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(XanesflowError, match=r"m\.safetensors"):
        load_checkpoint(path)
    path.unlink()
    with pytest.raises(XanesflowError, match="cannot be read"):
        load_checkpoint(path)
