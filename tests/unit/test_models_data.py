"""The subset of the dataset file that a model sees, and the scaling of it."""

import h5py
import numpy as np
import pytest
from sentences import tells
from subset_groups import write_subset

from xanesflow.config.training_settings import PAPER_EXPERTS, TrainingSettings
from xanesflow.core.errors import XanesflowError
from xanesflow.dataset.check.validate import validate
from xanesflow.dataset.file import seal
from xanesflow.models.network.scaling import Scaling
from xanesflow.models.subset_data import read_subset


def make_dataset(path, **choices):
    """A tiny dataset file of the contract's layout with one subset, Cu_FEFF unless told otherwise."""
    path.unlink(missing_ok=True)
    return add_subset(path, **choices)


def add_subset(path, subset="Cu_FEFF", start_ev=8983.173, *, n=40, n_energies=7, split=None, seed=0):
    """Add a subset to a dataset file, with spectra that are a positive function of the features."""
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(n, 3)).astype("f4"), (50 + 9 * rng.normal(size=(n, 2))).astype("f4")
    both = np.c_[first, (second - 50) / 9]
    spectra = 1e-3 * np.exp(0.3 * both @ rng.normal(size=(5, n_energies)))
    parts = split if split is not None else ["train"] * (n - 12) + ["val"] * 6 + ["test"] * 6
    return write_subset(
        path, subset, spectra, [f"mp-{i // 2}" for i in range(n)], parts, start_ev=start_ev,
        site_index=np.arange(n) % 2, features={"m3gnet": (first, "abc"), "chgnet": (second, "")},
    )  # fmt: skip


def change(path, name, values):
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = values


def test_a_combination_is_the_blocks_side_by_side_in_the_order_of_its_name(tmp_path):
    path = make_dataset(tmp_path / "d.h5")
    data = read_subset(path, "Cu_FEFF", "chgnet+m3gnet")
    with h5py.File(path) as file:
        assert np.array_equal(data.features[:, :2], file["Cu_FEFF/features/chgnet"][:])
        assert np.array_equal(data.features[:, 2:], file["Cu_FEFF/features/m3gnet"][:])
    assert list(data.feature_dimensions.items()) == [("chgnet", 2), ("m3gnet", 3)]
    assert data.featurizers["m3gnet"] == {"weights_hash": "abc"}
    assert data.ids[:3] == ["mp-0_000", "mp-0_001", "mp-1_000"]
    assert data.counts() == "train 28, val 6, test 6"


def test_features_of_two_subsets_are_of_one_kind_though_each_has_a_hash_of_its_values(tmp_path):
    path = add_subset(make_dataset(tmp_path / "d.h5"), "Ti_FEFF", 4964.504, seed=1)
    with h5py.File(path, "a") as file:
        seal(file)
        assert file["Cu_FEFF/features/m3gnet"].attrs["sha256"] != file["Ti_FEFF/features/m3gnet"].attrs["sha256"]
    cu, ti = (read_subset(path, subset, "m3gnet") for subset in ("Cu_FEFF", "Ti_FEFF"))
    assert cu.featurizers == ti.featurizers


def test_data_hash_follows_the_subset_and_not_the_file(tmp_path):
    path = make_dataset(tmp_path / "d.h5")
    before = read_subset(path, "Cu_FEFF", "m3gnet")
    with h5py.File(path, "a") as file:
        file.attrs["created"] = "later"
    renewed = read_subset(path, "Cu_FEFF", "m3gnet")
    assert renewed.file_sha256 != before.file_sha256
    assert renewed.data_sha256 == before.data_sha256
    change(path, "Cu_FEFF/spectra", before.spectra * (1 + 1e-15))
    assert read_subset(path, "Cu_FEFF", "m3gnet").data_sha256 != before.data_sha256


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("features/m3gnet", np.zeros((3, 3), "f4"), ["40 spectra", "3 rows of m3gnet", "Cu_FEFF"]),
        ("features/m3gnet", np.full((40, 3), np.nan, "f4"), ["m3gnet features of mp-0_000", "finite"]),
        ("spectra", np.full((40, 7), np.inf), ["spectra", "finite"]),
        ("spectra", np.ones((40, 6)), ["6 numbers", "7 energies"]),
        ("split", ["train"] * 39 + ["teest"], ["'teest'", "train, val, test"]),
        ("split", np.zeros(40), ["not laid out"]),
    ],
)
def test_faulty_arrays_are_told_by_name_and_place(tmp_path, name, values, words):
    path = make_dataset(tmp_path / "d.h5")
    change(path, f"Cu_FEFF/{name}", values)
    with tells(*words, str(path)):
        read_subset(path, "Cu_FEFF", "m3gnet")


def test_a_file_that_is_no_dataset_is_told_alike_by_whatever_reads_it(tmp_path):
    for read in (lambda path: read_subset(path, "Cu_FEFF", "m3gnet"), validate):
        with pytest.raises(XanesflowError, match="No such file or directory; name a dataset file"):
            read(tmp_path / "d.h5")


def test_missing_subset_and_features_are_told_with_what_is_there(tmp_path):
    path = make_dataset(tmp_path / "d.h5")
    with pytest.raises(XanesflowError, match=r"has no subset Ti_FEFF; it has Cu_FEFF"):
        read_subset(path, "Ti_FEFF", "m3gnet")
    with pytest.raises(XanesflowError, match=r"Cu_FEFF in .* has no features 'soap'; it has chgnet, m3gnet"):
        read_subset(path, "Cu_FEFF", "m3gnet+soap")


def test_paper_scaling_is_a_thousand_and_auto_keeps_it_for_m3gnet_alone():
    values = np.array([[1.0, 20.0], [3.0, 60.0]])
    paper = Scaling.fit("auto", "m3gnet", values)
    assert paper.name == "paper"
    assert np.array_equal(paper.scale_features(values), np.float32(values * 1000))
    assert np.array_equal(paper.scale_spectra(values), np.float32(values * 1000))
    assert np.allclose(paper.unscale_spectra(paper.scale_spectra(values)), values, rtol=1e-7)
    for name in ("m3gnet_all", "chgnet", "m3gnet+chgnet"):
        assert Scaling.fit("auto", name, values).name == "standardise"


def test_standardised_features_have_mean_0_and_deviation_1_and_constant_ones_are_off():
    training = np.array([[1.0, 20.0, 0.1], [3.0, 60.0, 0.1]], dtype=np.float32)
    scaling = Scaling.fit("standardise", "m3gnet", training)
    assert np.array_equal(scaling.scale_features(training), [[-1, -1, 0], [1, 1, 0]])
    assert np.array_equal(scaling.scale_features(np.array([[5.0, 40.0, 9.0]])), [[3, 0, 0]])


def test_settings_take_the_papers_widths_unless_told_otherwise():
    assert TrainingSettings.of_model("Ni_FEFF").widths == (600, 300)
    assert TrainingSettings.of_model("Ti_VASP").batch_size == 64
    for name in ("universal", "Mn_VASP"):
        settings = TrainingSettings.of_model(name)
        assert (settings.widths, settings.batch_size) == ((500, 500, 550), 32)
    assert TrainingSettings.of_model("Cu_FEFF", widths=[8], seed=3) == TrainingSettings((8,), 32, seed=3)
    assert len(PAPER_EXPERTS) == 10
    settings = TrainingSettings.of_model("Cu_FEFF", learning_rate=1e-3)
    assert TrainingSettings.from_dict(settings.as_dict()) == settings


@pytest.mark.parametrize(
    ("field", "value"),
    [("widths", ()), ("batch_size", 1), ("dropout", 1.0), ("learning_rate", 0.0), ("max_epochs", 0), ("device", "tpu")],
)
def test_settings_out_of_range_are_told_with_their_config_key(field, value):
    with pytest.raises(XanesflowError, match=f"models.{field} is "):
        TrainingSettings(**{field: value})
