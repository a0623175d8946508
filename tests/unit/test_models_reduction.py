"""Principal components of wide descriptors, fitted on the training part alone."""

import h5py
import numpy as np
from test_models_data import make_dataset

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.models.network.checkpoint import load_checkpoint
from xanesflow.models.network.fit import train_model
from xanesflow.models.network.reduction import fit_projection, principal_axes
from xanesflow.models.network.scaling import Scaling

SMALL = TrainingSettings(widths=(8,), batch_size=8, dropout=0.1, max_epochs=3, learning_rate=1e-2)


def wide(n):
    """(n, 60) numbers that lie on three axes but for little noise, with a mean that is no part of them."""
    rng = np.random.default_rng(0)
    axes = np.random.default_rng(9).normal(size=(3, 60))
    return (50 + rng.normal(size=(n, 3)) * [9, 4, 1] @ axes + 1e-3 * rng.normal(size=(n, 60))).astype("f4")


def test_the_axes_are_the_eigenvectors_of_the_covariance_that_hold_99_percent():
    for n in (40, 400):  # fewer and more rows than columns
        values = wide(n).astype(float)
        axes = principal_axes(values)
        eigenvalues, vectors = np.linalg.eigh(np.cov(values.T))
        eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
        wanted = 1 + int(np.argmax(np.cumsum(eigenvalues) / eigenvalues.sum() >= 0.99))
        assert axes.shape == (60, wanted)
        assert np.allclose(np.abs(axes.T @ vectors[:, :wanted]), np.eye(wanted), atol=1e-6)


def test_constant_features_keep_one_axis_that_the_scaling_switches_off():
    values = np.full((12, 5), 3.7, dtype="f4")
    assert principal_axes(values).shape == (5, 1)
    scaling = Scaling.fit("standardise", "soap", values, {"soap": 5})
    assert np.array_equal(scaling.scale_features(values + 1), np.zeros((12, 1)))


def test_only_wide_descriptors_are_reduced_and_the_others_stay_in_their_columns():
    assert fit_projection({"m3gnet": 64}, np.zeros((9, 64))) is None
    values = np.c_[np.arange(30.0)[:, None] ** [1, 2], wide(30)]
    scaling = Scaling.fit("auto", "m3gnet+acsf", values, {"m3gnet": 2, "acsf": 60})
    inputs = scaling.scale_features(values)
    assert inputs.shape == (30, scaling.n_inputs) and 4 <= scaling.n_inputs <= 5
    assert np.allclose(inputs.mean(axis=0), 0, atol=1e-5) and np.allclose(inputs.std(axis=0), 1, atol=1e-4)
    plain = Scaling.fit("standardise", "m3gnet", values[:, :2]).scale_features(values[:, :2])
    assert np.allclose(inputs[:, :2], plain, atol=1e-5)
    centred = values[:, 2:] - values[:, 2:].mean(axis=0)
    first = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    assert np.isclose(abs(np.corrcoef(inputs[:, 2], first)[0, 1]), 1)


def wide_dataset(path, values):
    """A dataset file whose soap features are `values`."""
    make_dataset(path, n=len(values))
    with h5py.File(path, "a") as file:
        file["Cu_FEFF/features/soap"] = values
    return path


def train(dataset, path, features="soap"):
    given = {"subsets": ["Cu_FEFF"], "features": features, "settings": SMALL}
    return train_model("expert", dataset, {SMALL.seed: path}, **given)[0]


def test_other_parts_than_the_training_part_change_nothing_of_the_axes(tmp_path):
    models = []
    for name in "ab":
        values = wide(40)
        if name == "b":
            values[28:] *= 7  # validation and test part
        models.append(train(wide_dataset(tmp_path / f"{name}.h5", values), tmp_path / f"{name}.st"))
    first, second = (model.scaling for model in models)
    assert np.array_equal(first.projection, second.projection)
    assert np.array_equal(first.feature_mean, second.feature_mean)


def test_a_checkpoint_keeps_the_axes(tmp_path):
    model = train(wide_dataset(tmp_path / "d.h5", wide(40)), tmp_path / "m.st", "m3gnet+soap")
    loaded = load_checkpoint(tmp_path / "m.st")
    values = np.c_[np.ones((40, 3)), wide(40)]
    assert loaded.scaling.projection.shape == (63, 3 + principal_axes(wide(40)[:28]).shape[1])
    assert np.array_equal(loaded.predict(values), model.predict(values))
