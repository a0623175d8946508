"""Linear regression and gradient-boosted trees, and the prediction file that they write."""

import json
import logging

import h5py
import numpy as np
import pytest
from test_models_data import change, make_dataset
from test_models_reduction import wide, wide_dataset

from xanesflow.core.errors import XanesflowError
from xanesflow.evaluation.evaluate import evaluate_models
from xanesflow.evaluation.predict_simple_models import predict_simple_models
from xanesflow.evaluation.predictions_file import read_predictions
from xanesflow.models.simple_models import PENALTIES, fit_linear, fit_trees


def parts(k=4, noise=0.0):
    """Training and validation part of a linear law with 9 energies."""
    rng = np.random.default_rng(0)
    weights, inputs = rng.normal(size=(k, 9)), rng.normal(size=(80, k))
    spectra = 5 + inputs @ weights + noise * rng.normal(size=(80, 9))
    return (inputs[:60], spectra[:60]), (inputs[60:], spectra[60:])


def ridge(train, inputs, penalty):
    """Ridge regression by its normal equations."""
    origin, mean = train[0].mean(axis=0), train[1].mean(axis=0)
    centred = train[0] - origin
    normal = centred.T @ centred + penalty * 60 * np.eye(50)
    return (inputs - origin) @ np.linalg.solve(normal, centred.T @ (train[1] - mean)) + mean


def predicted(dataset, folder, **options):
    """What a simple model predicts of Cu_FEFF, read from its file."""
    given = {"model": "linear", "features": "m3gnet", "subset": "Cu_FEFF", **options}
    predict_simple_models(dataset, folder / "p.h5", **given)
    return read_predictions(folder / "p.h5")


def test_without_a_penalty_linear_is_least_squares():
    train, val = parts()
    fitted = fit_linear(train, val)
    with_one = np.c_[train[0], np.ones(60)]
    wanted, *_ = np.linalg.lstsq(with_one, train[1], rcond=None)
    assert fitted.settings["penalty"] == 0
    assert np.allclose(fitted.predict(val[0]), np.c_[val[0], np.ones(20)] @ wanted, atol=1e-10)


def test_with_a_penalty_linear_is_ridge_regression_with_the_best_one_of_the_validation_part():
    train, val = parts(k=50, noise=3.0)
    fitted = fit_linear(train, val)
    penalty = fitted.settings["penalty"]
    assert penalty > 0, "nearly as many inputs as spectra, and much noise"
    assert np.allclose(fitted.predict(val[0]), ridge(train, val[0], penalty), atol=1e-8)
    assert penalty == min(PENALTIES, key=lambda each: np.mean((ridge(train, val[0], each) - val[1]) ** 2))


def test_trees_find_a_step_that_no_line_can_follow():
    rng = np.random.default_rng(1)
    inputs = rng.uniform(-1, 1, size=(400, 3))
    spectra = np.where(inputs[:, :1] * inputs[:, 1:2] > 0, 1.0, 0.0) * np.linspace(1, 2, 7) * 1e-3
    train, val, test = ((inputs[rows], spectra[rows]) for rows in (slice(240), slice(240, 320), slice(320, 400)))
    trees, line = fit_trees(train, val), fit_linear(train, val)
    assert trees.settings["components"] == 1, "all spectra are multiples of one"
    of_trees, of_line = (np.mean((each.predict(test[0]) - test[1]) ** 2) for each in (trees, line))
    assert of_trees < 0.1 * of_line


@pytest.mark.parametrize("model", ["linear", "trees"])
def test_a_simple_model_writes_the_prediction_file_of_a_model(tmp_path, model):
    path = make_dataset(tmp_path / "d.h5")
    found, output = (
        predicted(path, tmp_path, model=model, features="m3gnet+chgnet", config_json="{}"),
        tmp_path / "p.h5",
    )
    assert (found.model, found.features, found.part, found.seeds) == (model, "m3gnet+chgnet", "test", [0])
    assert found.predictions.shape == (6, 7) and found.by_seed.shape == (1, 6, 7) and found.n_train == 28
    with h5py.File(path) as file, h5py.File(output) as written:
        rows = file["Cu_FEFF/split"].asstr()[:] == "test"
        assert np.array_equal(found.spectra, file["Cu_FEFF/spectra"][:][rows])
        assert json.loads(written.attrs["settings"])["inputs"] == 5
        assert "scikit-learn" in json.loads(written.attrs["versions"])
    rows = evaluate_models([output], tmp_path / "m.csv")
    assert [(row["model"], row["n_test"], row["seed"]) for row in rows] == [(model, 6, 0)]
    assert rows[0]["eta"] > (2 if model == "linear" else 0)


@pytest.mark.parametrize("model", ["linear", "trees"])
def test_test_spectra_and_features_change_nothing_of_a_simple_model(tmp_path, model):
    predictions = []
    for name in "ab":
        values = wide(40)
        path = wide_dataset(tmp_path / f"{name}.h5", values if name == "a" else np.r_[values[:34], 9 * values[34:]])
        if name == "b":
            with h5py.File(path) as file:
                spectra = file["Cu_FEFF/spectra"][:]
            change(path, "Cu_FEFF/spectra", np.r_[spectra[:34], 7 * spectra[34:]])
        predictions.append(predicted(path, tmp_path, model=model, features="soap", part="val").predictions)
    assert np.array_equal(*predictions)


@pytest.mark.parametrize("model", ["linear", "trees"])
def test_twelve_spectra_a_constant_spectrum_and_a_constant_feature_are_borne(tmp_path, model):
    path = make_dataset(tmp_path / "d.h5", n=12, split=["train"] * 8 + ["val"] * 2 + ["test"] * 2)
    assert np.isfinite(predicted(path, tmp_path, model=model).predictions).all()
    with h5py.File(path) as file:
        features = file["Cu_FEFF/features/m3gnet"][:]
    change(path, "Cu_FEFF/features/m3gnet", np.c_[np.full(12, 0.1), features[:, 1:]].astype("f4"))
    assert np.isfinite(predicted(path, tmp_path, model=model).predictions).all()
    change(path, "Cu_FEFF/spectra", np.full((12, 7), 2e-3))
    assert np.allclose(predicted(path, tmp_path, model=model).predictions, 2e-3, rtol=1e-9)


@pytest.mark.parametrize("model", ["linear", "trees"])
def test_a_part_without_spectra_gives_an_empty_file_and_a_warning(tmp_path, caplog, model):
    path = make_dataset(tmp_path / "d.h5", split=["train"] * 30 + ["val"] * 10)
    with caplog.at_level(logging.WARNING):
        assert predicted(path, tmp_path, model=model).predictions.shape == (0, 7)
    assert "no spectrum in its test part" in caplog.text


def test_bad_data_are_told_in_a_sentence_and_nothing_is_written(tmp_path):
    path = make_dataset(tmp_path / "d.h5", split=["train"] * 40)
    with pytest.raises(XanesflowError, match=r"Cu_FEFF .*too few spectra .*train 40, val 0"):
        predicted(path, tmp_path)
    path = make_dataset(tmp_path / "d.h5")
    change(path, "Cu_FEFF/features/m3gnet", np.full((40, 3), np.nan, dtype="f4"))
    with pytest.raises(XanesflowError, match=r"m3gnet features of mp-0_000 .* no finite numbers"):
        predicted(path, tmp_path, model="trees")
    assert not (tmp_path / "p.h5").exists()
