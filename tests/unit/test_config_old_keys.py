"""Renamed keys: the old ones are still read, with a sentence that names the new one."""

import json
import logging

import h5py
import pytest
import yaml
from dataset_files import write_dataset

from xanesflow.config.load import default_yaml, load_config, read_config_file
from xanesflow.core.errors import XanesflowError
from xanesflow.dataset.check.validate import validate
from xanesflow.dataset.share.package import package_dataset

DELTA = {"subsets": ["Cu_FEFF"], "features": {"models": ["chgnet"]}}


def merged(**values):
    """A configuration as Snakemake hands it over: what is given, over all of config.yaml."""
    written = yaml.safe_load(default_yaml())
    for section, given in values.items():
        written[section] = {**written[section], **given} if isinstance(given, dict) else given
    return written


@pytest.mark.parametrize("whole", [False, True], ids=["by itself", "over config.yaml"])
@pytest.mark.parametrize(
    ("section", "old", "new"),
    [
        ("models", {"kinds": ["delta"], "baseline": "FEFF8L"}, {"kinds": ["delta"], "delta_from": "FEFF8L"}),
        ("models", {"baseline": "mean"}, {"delta_from": None}),
        ("models", {"baselines": ["trees"]}, {"simple_models": ["trees"]}),
        ("simulations", {"engine": {"l_max": 2}}, {"feff8l": {"l_max": 2}}),
    ],
)
def test_an_old_key_means_the_new_one_and_a_warning_names_it(caplog, whole, section, old, new):
    make = merged if whole else dict
    wanted = load_config(make(**DELTA, **{section: new}))
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        assert load_config(make(**DELTA, **{section: old})) == wanted
    (key,), (name,) = old.keys() - new, new.keys() - old
    assert [record.message for record in caplog.records] == [
        f"Configuration: {section}.{key} is now {section}.{name}; only this version still reads the old name, so "
        "change it."
    ]


@pytest.mark.parametrize(
    ("section", "given"),
    [
        ("models", {"kinds": ["delta"], "baseline": "FEFF8L", "delta_from": "FEFF8L"}),
        ("models", {"baselines": ["trees"], "simple_models": ["linear"]}),
        ("simulations", {"engine": {"l_max": 2}, "feff8l": {"l_max": 3}}),
    ],
)
def test_an_old_key_beside_the_new_one_is_refused(section, given):
    with pytest.raises(XanesflowError, match=rf"{section}\.\w+ is the old name of {section}\.\w+, and both are given"):
        load_config({**DELTA, section: given})


def test_a_mistake_below_an_old_key_is_told_with_the_new_name():
    with pytest.raises(XanesflowError, match=r"'simulations\.feff8l\.lmax' is not a known key; did you mean 'l_max'"):
        load_config({"simulations": {"engine": {"lmax": 3}}})
    with pytest.raises(XanesflowError, match=r"'models' is 3"):
        load_config({"models": 3})


def test_a_file_with_an_old_key_is_read(tmp_path, caplog):
    path = tmp_path / "mine.yaml"
    path.write_text("subsets: [Cu_FEFF]\nmodels: {kinds: [delta], baseline: Cu_FEFF8L}\n")
    assert read_config_file(path).models.delta_from == "Cu_FEFF8L"
    assert "models.baseline is now models.delta_from" in caplog.text


def test_a_dataset_that_was_recorded_with_old_keys_is_checked_and_packaged(tmp_path):
    path = write_dataset(tmp_path, config={"structures": {"symprec": 0.02}})
    with h5py.File(path, "a") as file:
        recorded = json.loads(file.attrs["config"])
        for section, new, old in (
            ("models", "delta_from", "baseline"),
            ("models", "simple_models", "baselines"),
            ("simulations", "feff8l", "engine"),
        ):
            recorded[section][old] = recorded[section].pop(new)
        recorded["models"]["baseline"] = "mean"
        file.attrs["config"] = json.dumps(recorded, sort_keys=True)
    assert validate(path, symmetry=True).valid
    package_dataset(path, tmp_path / "package", version="1.0.0")
    with h5py.File(next((tmp_path / "package").glob("*.h5"))) as file:
        kept = json.loads(file.attrs["config"])
    assert kept["models"]["baseline"] == "mean" and kept["simulations"]["engine"] == recorded["simulations"]["engine"]
    assert "balanced by material" in (tmp_path / "package/README.md").read_text()
