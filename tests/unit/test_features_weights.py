"""Weights are the published ones, in whatever file they come, or they are not used."""

from __future__ import annotations

import pickle

import pytest
import torch
from features_data import m3gnet_folder

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import sha256_file
from xanesflow.features.graph_networks import weights


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    return torch.load(m3gnet_folder() / "state.pt", weights_only=True)


def test_the_published_file_is_known_by_its_content():
    file = m3gnet_folder() / "state.pt"
    assert sha256_file(file) == "b0bbb07e93642d0b632fb98f7af9d6905d366b94844e3141e81440cf518e3120"
    assert weights.content_hash(weights.m3gnet_weights(file)) == weights.M3GNET_HASH
    assert weights.find_m3gnet_weights(m3gnet_folder()) == file


def test_another_container_of_the_same_tensors_is_accepted(tmp_path, state):
    content = {name.removeprefix("model."): tensor for name, tensor in reversed(state.items())}
    content["element_refs.property_offset"] = torch.zeros(89)  # a table that the network does not calculate with
    torch.save(content, tmp_path / "other.pt", _use_new_zipfile_serialization=False)
    assert len(weights.m3gnet_weights(tmp_path / "other.pt")) == len(state)


@pytest.mark.parametrize("change", ["value", "name", "missing"])
def test_changed_weights_are_refused_with_both_hashes(tmp_path, state, change):
    name = "model.graph_layers.1.conv.node_weight_func.weight"
    if change == "value":
        state[name][3, 4] += 1e-6
    else:
        tensor = state.pop(name)
        if change == "name":
            state[f"{name}s"] = tensor
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(XanesflowError) as error:
        weights.m3gnet_weights(tmp_path)
    found = {part.removeprefix("model."): tensor for part, tensor in state.items()}
    for part in (str(tmp_path / "state.pt"), weights.content_hash(found), weights.M3GNET_HASH, "m3gnet_weights"):
        assert part in str(error.value)


def test_a_file_that_would_run_code_is_refused_and_does_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (tmp_path / "state.pt").write_bytes(pickle.dumps({"model.a": Trap()}))
    torch.save({"model.a": Trap()}, tmp_path / "zipped.pt")
    for name in ("state.pt", "zipped.pt"):
        with pytest.raises(XanesflowError, match="more than tensors"):
            weights.m3gnet_weights(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_a_damaged_file_is_refused(tmp_path):
    whole = (m3gnet_folder() / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(XanesflowError, match="damaged"):
        weights.m3gnet_weights(tmp_path)


def test_missing_weights_name_the_place_and_the_setting(tmp_path):
    with pytest.raises(XanesflowError, match=r"features\.m3gnet_weights"):
        weights.m3gnet_weights(tmp_path)


def test_without_cache_and_internet_one_sentence_names_the_setting(tmp_path, monkeypatch):
    monkeypatch.setattr(weights.Path, "home", lambda: tmp_path)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", no_internet)
    with pytest.raises(XanesflowError, match=r"could not be downloaded.*features\.m3gnet_weights"):
        weights.m3gnet_weights()


def no_internet(*_, **__):
    raise ConnectionError("no internet")


@pytest.mark.parametrize("layout", ["flat", "hub"])
def test_matgls_cache_is_used_before_a_download(tmp_path, monkeypatch, layout):
    cache = tmp_path / ".cache" / "matgl"
    if layout == "flat":
        folder = cache / weights.M3GNET_NAME
    else:  # as huggingface_hub lays it out
        repository = cache / f"models--materialyze--{weights.M3GNET_NAME}"
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text("0123abcd")
        folder = repository / "snapshots" / "0123abcd"
    folder.mkdir(parents=True)
    (folder / "state.pt").symlink_to(m3gnet_folder() / "state.pt")
    monkeypatch.setattr(weights.Path, "home", lambda: tmp_path)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", no_internet)
    assert weights.find_m3gnet_weights() == folder / "state.pt"
    assert len(weights.m3gnet_weights()) == 109
