"""Kernel ridge regression against scikit-learn's Gaussian process, and its choices against plain refitting."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern
from test_models_data import add_subset, make_dataset

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.errors import XanesflowError
from xanesflow.models import kernel_ridge as module
from xanesflow.models.kernel_model import fit_kernel_model
from xanesflow.models.kernel_ridge import KernelRidge, leave_out_materials
from xanesflow.models.network.checkpoint import load_checkpoint, save_checkpoint
from xanesflow.models.network.fit import train_model
from xanesflow.models.network.scaling import Scaling
from xanesflow.models.subset_data import read_subset

BLOCKS = [6, 3]


def sites(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of two blocks, smooth spectra that follow from them, and materials of one to three sites."""
    rng = np.random.default_rng(seed)
    features = np.hstack([rng.normal(size=(n, 6)), 50 + 20 * rng.normal(size=(n, 3))]).astype(np.float32)
    energy = np.linspace(0, 1, 30)
    hidden = features[:, :1] + 0.05 * (features[:, 6:7] - 50)
    spectra = 1e-3 * (2 + np.sin(3 * energy + hidden) + 0.2 * np.cos(9 * energy) * features[:, 1:2])
    return features, spectra, np.array([f"mp-{number}" for number in np.sort(rng.integers(0, n // 2, size=n))])


def test_predictions_are_those_of_a_gaussian_process_of_the_same_kernel():
    features, spectra, materials = sites()
    fitted = KernelRidge.fit(features[:90], spectra[:90], materials[:90], BLOCKS)
    mean, deviation = features[:90].mean(axis=0), features[:90].std(axis=0)
    inputs = np.clip((features - mean) / deviation, -6, 6) / np.repeat([6**0.5, 3**0.5 * 2**0.25], BLOCKS)
    reference = GaussianProcessRegressor(Matern(fitted.length, nu=1.5), alpha=fitted.noise, optimizer=None)
    reference.fit(inputs[:90], spectra[:90] - spectra[:90].mean(axis=0))
    expected = spectra[:90].mean(axis=0) + reference.predict(inputs[90:])
    assert fitted.predict(features[90:]) == pytest.approx(expected, abs=1e-8)


def test_errors_with_a_material_left_out_are_those_of_a_fit_without_it():
    rng = np.random.default_rng(1)
    points, targets = rng.normal(size=(40, 5)), rng.normal(size=(40, 7))
    materials = rng.integers(0, 15, size=40)
    matrix = np.exp(-((points[:, None] - points) ** 2).sum(axis=-1) / 8) + 0.01 * np.eye(40)
    errors = leave_out_materials(matrix.copy(), targets, materials)
    for material in range(15):
        out = materials == material
        predicted = matrix[np.ix_(out, ~out)] @ np.linalg.solve(matrix[np.ix_(~out, ~out)], targets[~out])
        assert errors[out] == pytest.approx(targets[out] - predicted, abs=1e-9)


def test_what_is_chosen_does_not_come_from_sites_of_the_same_material():
    """Of noisy spectra that are all there twice the least noise is best, unless both are left out together."""
    features, spectra, materials = sites(160)
    noisy = spectra + 3e-4 * np.random.default_rng(2).normal(size=spectra.shape)
    twice = [np.concatenate([each, each]) for each in (features, noisy, materials)]
    assert KernelRidge.fit(*twice, BLOCKS).noise == max(module.NOISES)
    apart = np.array([f"mp-{number}" for number in range(320)])
    assert KernelRidge.fit(*twice[:2], apart, BLOCKS).noise == min(module.NOISES)


def test_constant_features_and_values_from_far_outside_do_no_harm():
    features, spectra, materials = sites()
    features[:, 8] = 0.1
    fitted = KernelRidge.fit(features, spectra, materials, BLOCKS)
    far = features[:2].copy()
    far[0, 8], far[1, 0] = 7.0, 1e6
    assert fitted.predict(far)[0] == pytest.approx(fitted.predict(features[:1])[0], rel=1e-12)
    assert np.abs(fitted.predict(far)[1]).max() < 2 * spectra.max()


def test_with_many_sites_the_choice_is_made_on_some_of_them(monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(module, "SELECTION_SITES", 60)
    features, spectra, materials = sites()
    first, second = (KernelRidge.fit(features, spectra, materials, BLOCKS, seed=3) for _ in range(2))
    assert (first.length, first.noise) == (second.length, second.noise) and len(first.points) == 120
    assert "sites of 120" in caplog.text


def test_of_too_many_sites_whole_materials_are_drawn_and_it_is_said(monkeypatch, caplog):
    monkeypatch.setattr(module, "MOST_SITES", 60)
    features, spectra, materials = sites()
    fitted = KernelRidge.fit(features, spectra, materials, BLOCKS)
    assert 40 < len(fitted.points) < 80
    assert f"fitted to {len(fitted.points)} of the 120 training sites" in caplog.text


def test_sites_of_one_material_are_too_few():
    features, spectra, _ = sites(20)
    with pytest.raises(XanesflowError, match=r"at least two materials.*kernel_share: 0"):
        KernelRidge.fit(features, spectra, np.full(20, "mp-1"), BLOCKS)


def test_a_kernel_regression_alone_is_a_model_too(tmp_path):
    dataset = make_dataset(tmp_path / "d.h5")
    data = read_subset(dataset, "Cu_FEFF", "m3gnet+chgnet")
    model = fit_kernel_model(data)
    save_checkpoint(tmp_path / "k.safetensors", model)
    again = load_checkpoint(tmp_path / "k.safetensors")
    train = data.rows("train")
    kernel = KernelRidge.fit(data.features[train], data.spectra[train], data.materials[train], [3, 2])
    assert np.array_equal(again.predict(data.features), kernel.predict(data.features))
    assert again.card.kind == "kernel" and "kernel regression (Matérn 3/2, length" in again.describe()


def test_no_cross_section_is_predicted_below_zero(tmp_path):
    data = read_subset(make_dataset(tmp_path / "d.h5"), "Cu_FEFF", "m3gnet+chgnet")
    model = fit_kernel_model(replace(data, spectra=data.spectra - data.spectra.mean()))
    assert model._spectra(data.features).min() < 0 and model.predict(data.features).min() == 0


KERNEL = TrainingSettings(
    widths=(16, 8), batch_size=8, dropout=0.1, max_epochs=6, seed=2, schedule="one_cycle", learning_rate=1e-2,
    output="difference", kernel_share=0.25,
)  # fmt: skip


def test_a_checkpoint_predicts_the_networks_share_and_the_kernels(tmp_path):
    dataset = make_dataset(tmp_path / "d.h5")
    given = {"subsets": ["Cu_FEFF"], "features": "m3gnet+chgnet"}
    path, plain = tmp_path / "m.safetensors", tmp_path / "p.safetensors"
    [trained] = train_model("expert", dataset, {2: path}, settings=KERNEL, **given)
    train_model("expert", dataset, {2: plain}, settings=replace(KERNEL, kernel_share=0.0), **given)
    data = read_subset(dataset, "Cu_FEFF", "m3gnet+chgnet")
    train = data.rows("train")
    materials = [name.rpartition("_")[0] for name in data.ids]
    kernel = KernelRidge.fit(data.features[train], data.spectra[train], [materials[row] for row in train], [3, 2])
    expected = 0.75 * load_checkpoint(plain).predict(data.features) + 0.25 * kernel.predict(data.features)
    model = load_checkpoint(path)
    assert model.predict(data.features) == pytest.approx(expected, rel=1e-6)
    assert np.array_equal(model.predict(data.features), trained.predict(data.features))
    assert "kernel regression, share 0.25" in model.describe()
    assert load_checkpoint(plain).kernel is None


def test_a_universal_model_has_no_kernel_and_a_tuned_one_that_of_its_own_subset(tmp_path):
    dataset = make_dataset(tmp_path / "d.h5")
    add_subset(dataset, "Ti_FEFF", 4964.504, n=25, seed=1)
    universal, tuned = tmp_path / "u.safetensors", tmp_path / "t.safetensors"
    given = {"features": "chgnet", "settings": KERNEL}
    [whole] = train_model("universal", dataset, {2: universal}, subsets=["Cu_FEFF", "Ti_FEFF"], **given)
    [own] = train_model("tuned", dataset, {2: tuned}, starts={2: universal}, subsets=["Ti_FEFF"], **given)
    assert whole.kernel is None
    assert own.kernel is not None and len(own.kernel.points) == own.card.n_train < 25


def test_one_cycle_keeps_its_last_epoch_whatever_the_validation_part_says(tmp_path):
    dataset = make_dataset(tmp_path / "d.h5")
    with h5py.File(dataset, "a") as file:
        split = file["Cu_FEFF/split"].asstr()[:]
        spectra = file["Cu_FEFF/spectra"][:]
        spectra[split == "val"] = 1.0  # each epoch that learns is worse here
        file["Cu_FEFF/spectra"][...] = spectra
    given = {"subsets": ["Cu_FEFF"], "features": "chgnet", "settings": KERNEL}
    [model] = train_model("expert", dataset, {2: tmp_path / "m.safetensors"}, **given)
    assert model.card.best_epoch == KERNEL.max_epochs


def test_differences_from_the_mean_spectrum_are_learned_in_their_own_unit_and_far_inputs_cut():
    features, spectra, _ = sites(60)
    scaling = Scaling.fit("standardise", "m3gnet+chgnet", features, {"m3gnet": 6, "chgnet": 3}).for_differences(spectra)
    scaled = scaling.scale_spectra(spectra)
    assert (scaled - scaled.mean(axis=0)).std() == pytest.approx(1, rel=1e-4)
    assert scaling.unscale_spectra(scaled) == pytest.approx(spectra, rel=1e-6)
    assert np.abs(scaling.scale_features(features + 1e6)).max() == 6
