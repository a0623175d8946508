"""Prediction files and the table made of them."""

import csv
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
from test_models_data import change, make_dataset

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.errors import XanesflowError
from xanesflow.evaluation.error_bars.calibrate import calibrate_model
from xanesflow.evaluation.error_bars.calibration_file import read_calibration
from xanesflow.evaluation.evaluate import COLUMNS, evaluate_models
from xanesflow.evaluation.metrics import compute_metrics
from xanesflow.evaluation.predict_spectra import predict_spectra
from xanesflow.evaluation.predictions_file import read_predictions
from xanesflow.models.network.fit import train_model

SMALL = TrainingSettings(widths=(8,), batch_size=8, dropout=0.0, max_epochs=3, learning_rate=1e-2)


def train(dataset, *paths, features="m3gnet", seeds=(0, 1), settings=SMALL):
    files = dict(zip(seeds, paths, strict=False))
    train_model("expert", dataset, files, subsets=["Cu_FEFF"], features=features, settings=settings)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A dataset and the checkpoints of two seeds."""
    folder = tmp_path_factory.mktemp("trained")
    dataset = make_dataset(folder / "d.h5")
    paths = [folder / f"{seed}.safetensors" for seed in (10, 9)]
    train(dataset, *paths, seeds=(10, 9))
    return dataset, paths


def test_a_prediction_file_holds_the_part_its_baseline_and_every_seed(trained, tmp_path):
    dataset, paths = trained
    result = predict_spectra(dataset, paths, tmp_path / "p.h5")
    with h5py.File(dataset) as file:
        spectra = file["Cu_FEFF/spectra"][:]
    with h5py.File(tmp_path / "p.h5") as file:
        assert file["ids"].asstr()[:].tolist()[:2] == ["mp-17_000", "mp-17_001"]
        assert np.array_equal(file["spectra"][:], spectra[34:])
        assert np.allclose(file["baseline"][:], spectra[:28].mean(axis=0), rtol=1e-14)
        assert file["predictions_by_seed"].shape == (2, 6, 7)
        assert np.allclose(file["predictions"][:], file["predictions_by_seed"][:].mean(axis=0), rtol=1e-14)
        assert file["seeds"][:].tolist() == [10, 9]
        attributes = dict(file.attrs)
        assert file["spectra"].attrs["units"] == "bohr^2"
    wanted = {"model": "expert", "features": "m3gnet", "subset": "Cu_FEFF", "element": "Cu", "theory": "FEFF"}
    wanted |= {"part": "test", "n_train": 28}
    assert {key: attributes[key] for key in wanted} == wanted
    assert "d.h5" in attributes["inputs_sha256"] and "torch" in attributes["versions"]
    again = read_predictions(tmp_path / "p.h5")
    assert again.ids == result.ids and np.array_equal(again.by_seed, result.by_seed)


def test_the_validation_part_can_be_judged_instead(trained, tmp_path):
    dataset, paths = trained
    assert predict_spectra(dataset, paths[:1], tmp_path / "p.h5", part="val").ids[0] == "mp-14_000"
    assert evaluate_models([tmp_path / "p.h5"], tmp_path / "m.csv")[0]["part"] == "val"


@pytest.mark.parametrize("kernel_share", [0.0, 0.5])
def test_an_empty_part_is_told_with_counts_and_both_remedies_and_leaves_undefined_figures(
    tmp_path, caplog, kernel_share
):
    dataset = make_dataset(tmp_path / "d.h5", split=["train"] * 30 + ["val"] * 10)
    train(dataset, tmp_path / "0", tmp_path / "1", settings=replace(SMALL, kernel_share=kernel_share))
    predict_spectra(dataset, [tmp_path / "0", tmp_path / "1"], tmp_path / "p.h5")
    for words in ("train 30, val 10, test 0", "`evaluation.part: val`", "`splits.files: null`"):
        assert words in caplog.text
    evaluate_models([tmp_path / "p.h5"], tmp_path / "m.csv")
    table = pd.read_csv(tmp_path / "m.csv")
    assert table["seed"].tolist() == ["0", "1", "ensemble"]
    assert (table["n_train"] == 30).all() and (table["n_test"] == 0).all()
    assert table[["xi", "xi_baseline", "eta", "w_e", "w_s", "mse_mean"]].isna().all(axis=None)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_figures_of_very_few_spectra_are_those_of_numpy_and_the_log_says_how_few(tmp_path, caplog, n):
    dataset = make_dataset(tmp_path / "d.h5", split=["train"] * 30 + ["val"] * (10 - n) + ["test"] * n)
    train(dataset, tmp_path / "m")
    predict_spectra(dataset, [tmp_path / "m"], tmp_path / "p.h5")
    (row,) = evaluate_models([tmp_path / "p.h5"], tmp_path / "m.csv")
    with h5py.File(tmp_path / "p.h5") as file, h5py.File(dataset) as made:
        truth, predicted, mean = file["spectra"][:], file["predictions"][:], made["Cu_FEFF/spectra"][:30].mean(axis=0)
    mse, of_mean = ((truth - predicted) ** 2).mean(1), ((truth - mean) ** 2).mean(1)
    assert row["n_test"] == n
    assert row["xi"] == pytest.approx(np.median(mse), rel=1e-12)
    assert row["eta"] == pytest.approx(np.median(of_mean) / np.median(mse), rel=1e-12)
    assert row["w_e"] == pytest.approx((mse < of_mean).mean())
    assert f"Cu_FEFF: 30 training and {n} test spectra are too few to judge a model" in caplog.text


def test_models_of_other_features_or_other_data_are_refused(trained, tmp_path):
    _, paths = trained
    changed = make_dataset(tmp_path / "d.h5")
    with h5py.File(changed) as file:
        values = file["Cu_FEFF/features/m3gnet"][:]
    change(changed, "Cu_FEFF/features/m3gnet", values * np.float32(1.001))
    with pytest.raises(XanesflowError, match=r"trained on other data of Cu_FEFF .* train it again"):
        predict_spectra(changed, paths, tmp_path / "p.h5")
    change(changed, "Cu_FEFF/features/m3gnet", np.c_[values, values])
    with pytest.raises(XanesflowError, match=r"'m3gnet': 3.*'m3gnet': 6"):
        predict_spectra(changed, paths, tmp_path / "p.h5")


def test_checkpoints_must_be_different_seeds_of_one_model(trained, tmp_path):
    dataset, paths = trained
    with pytest.raises(XanesflowError, match="same seed 10"):
        predict_spectra(dataset, [paths[0], paths[0]], tmp_path / "p.h5")
    train(dataset, tmp_path / "c", features="chgnet")
    with pytest.raises(XanesflowError, match="one model at a time"):
        predict_spectra(dataset, [paths[0], tmp_path / "c"], tmp_path / "p.h5")
    train(dataset, tmp_path / "d", seeds=(12,), settings=replace(SMALL, dropout=0.25))
    with pytest.raises(
        XanesflowError, match=r"d is no seed of the same model as .* dropout 0.25 \(not 0.0\); delete the one"
    ):
        predict_spectra(dataset, [paths[0], tmp_path / "d"], tmp_path / "p.h5")
    with pytest.raises(XanesflowError, match="no checkpoint"):
        predict_spectra(dataset, [], tmp_path / "p.h5")


def test_the_table_has_a_row_per_seed_and_one_of_the_ensemble_in_a_stable_order(trained, tmp_path):
    dataset, paths = trained
    train(dataset, tmp_path / "c", features="chgnet")
    files = [tmp_path / "m3gnet.h5", tmp_path / "chgnet.h5"]
    result = predict_spectra(dataset, paths, files[0])
    predict_spectra(dataset, [tmp_path / "c"], files[1])
    evaluate_models(files, tmp_path / "a.csv")
    evaluate_models(files[::-1], tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    with (tmp_path / "a.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert tuple(rows[0]) == COLUMNS
    assert (
        ",".join(COLUMNS)
        == "model,features,element,theory,n_train,n_test,xi,xi_baseline,eta,w_e,w_s,mse_mean,seed,part"
    )
    assert [(r["features"], r["seed"]) for r in rows] == [
        ("chgnet", "0"), ("m3gnet", "9"), ("m3gnet", "10"), ("m3gnet", "ensemble"),
    ]  # fmt: skip
    figures = compute_metrics(result.spectra, result.predictions, result.baseline)
    assert float(rows[3]["xi"]) == figures.xi and float(rows[3]["eta"]) == figures.eta, "written in full precision"
    by_seed = compute_metrics(result.spectra, result.by_seed[1], result.baseline)
    assert float(rows[1]["mse_mean"]) == by_seed.mse_mean
    assert (rows[1]["n_train"], rows[1]["n_test"], rows[1]["part"]) == ("28", "6", "test")


def test_a_model_given_twice_or_a_foreign_file_is_refused(trained, tmp_path):
    dataset, paths = trained
    for name in ("p.h5", "q.h5"):
        predict_spectra(dataset, paths, tmp_path / name)
    with pytest.raises(XanesflowError, match="both hold predictions of expert m3gnet Cu_FEFF"):
        evaluate_models([tmp_path / "p.h5", tmp_path / "q.h5"], tmp_path / "m.csv")
    for foreign in (dataset, paths[0], tmp_path / "none.h5"):
        with pytest.raises(XanesflowError, match="is not a prediction file"):
            evaluate_models([foreign], tmp_path / "m.csv")


def test_error_bars_come_from_the_validation_part_and_from_other_materials_of_it_where_it_is_judged(tmp_path, caplog):
    dataset = make_dataset(tmp_path / "d.h5", split=["train"] * 20 + ["val"] * 14 + ["test"] * 6)
    paths = [tmp_path / f"{seed}.safetensors" for seed in (0, 1)]
    train(dataset, *paths)
    calibration = calibrate_model(dataset, paths, tmp_path / "c.h5")
    again = read_calibration(tmp_path / "c.h5")
    assert (again.n_spectra, again.n_materials, sorted(again.owner.checkpoints)) == (14, 7, [0, 1])
    with h5py.File(dataset) as file:
        features = file["Cu_FEFF/features/m3gnet"][34:]
    test = predict_spectra(dataset, paths, tmp_path / "t.h5", calibration=tmp_path / "c.h5")
    distance = again.sites.distance(features)
    assert (test.uncertainty.fitted, test.uncertainty.n_spectra) == ("val", 14)
    assert np.array_equal(test.uncertainty.distance, distance)
    assert np.array_equal(test.uncertainty.band_95, calibration.bands(test.by_seed, distance, 0.95))
    val = predict_spectra(dataset, paths, tmp_path / "v.h5", part="val", calibration=tmp_path / "c.h5")
    assert val.uncertainty.fitted == "cross-fitted" and val.uncertainty.n_materials < 7
    assert not np.allclose(val.uncertainty.sigma, calibration.sigma(val.by_seed, val.uncertainty.distance), rtol=1e-6)
    evaluate_models([tmp_path / "t.h5"], tmp_path / "m.csv", tmp_path / "k.csv")
    assert pd.read_csv(tmp_path / "k.csv")["fitted"].tolist() == ["val"]
    with pytest.raises(XanesflowError, match=r"calibration of another model .of the seeds \[0, 1\], not \[0\]"):
        predict_spectra(dataset, paths[:1], tmp_path / "t.h5", calibration=tmp_path / "c.h5")
    assert "no error bars" not in caplog.text


def test_a_validation_part_too_small_to_calibrate_on_is_told_and_predictions_have_no_error_bars(
    trained, tmp_path, caplog
):
    dataset, paths = trained
    assert calibrate_model(dataset, paths, tmp_path / "c.h5") is None
    assert "Cu_FEFF: no error bars: 6 spectra of 3 materials are too few" in caplog.text
    for part in ("test", "val"):
        found = predict_spectra(dataset, paths, tmp_path / "p.h5", part=part, calibration=tmp_path / "c.h5")
        assert found.uncertainty is None and "6 spectra of 3 materials" in found.uncalibrated
    evaluate_models([tmp_path / "p.h5"], tmp_path / "m.csv", tmp_path / "k.csv")
    table = pd.read_csv(tmp_path / "k.csv")
    assert table["coverage_68"].isna().all() and "too few" in table["reason"][0]
