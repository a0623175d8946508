"""`xanesflow.load`: arrays are read when asked for, and each row belongs to its site."""

import hashlib
import pickle

import h5py
import numpy as np
import pytest
from dataset_files import attributes, copy_of_dataset, spectra_of, write_dataset

import xanesflow
from xanesflow.core.errors import XanesflowError
from xanesflow.dataset.file import hash_of


@pytest.fixture
def path(tmp_path):
    return copy_of_dataset(tmp_path)


def test_every_row_belongs_to_its_site(path):
    with xanesflow.load(path) as data:
        assert data.subsets == ("Cu_FEFF", "Ni_FEFF") and "Cu_FEFF" in data and len(data) == 2
        assert data.attributes["licence"] == "CC-BY-4.0"
        cu = data["Cu_FEFF"]
        truth = spectra_of("Cu", 13)
        assert (cu.element, cu.theory, len(cu)) == ("Cu", "FEFF", 13)
        assert cu.energy[0] == 8983.173 and cu.attributes["units"] == "bohr^2"
        assert np.array_equal(cu.spectra[:], truth) and np.array_equal(np.asarray(cu.spectra), truth)
        for index in (4, -1, slice(2, 9, 3), [7, 1, 7], np.arange(13) % 5 == 0, [0, 12]):
            assert np.array_equal(cu.spectra[index], truth[index]), index
            assert cu.features("m3gnet")[index].shape[-1] == 4
        assert cu.spectra[[]].shape == (0, 141) and len(cu[[]]) == 0
        assert cu.spectra.shape == (13, 141) and cu.features("chgnet+m3gnet").shape == (13, 7)
        both = np.concatenate([cu.features("chgnet")[:], cu.features("m3gnet")[:]], axis=1)
        assert np.array_equal(cu.features("chgnet+m3gnet")[:], both)
        site = cu["mp-12_000"]
        assert (site.row, site.multiplicity, site.split, site.id) == (12, 4, "test", "mp-12_000")
        assert np.array_equal(site.spectrum, truth[12]) and np.array_equal(site.features("m3gnet"), both[12, 3:])
        assert site.structure().composition.reduced_formula == "Cu2O"
        assert cu.structure(3).sites[1].specie.symbol == "Cu"
        assert cu.corrections.tolist() == ["SCF ca1 0.2 -> 0.1"] + [""] * 12
        assert [r.reason for r in cu.rejected()] == ["no_output"]


def test_parts_and_slices_are_views_that_can_be_cut_again(path):
    with xanesflow.load(path) as data:
        cu = data["Cu_FEFF"]
        val = cu.part("val")
        assert val.ids == ["mp-9_001", "mp-10_001"] and set(val.split) == {"val"}
        assert np.array_equal(val[1:].spectra[:], cu.spectra[10:11])
        assert [site.id for site in val] == val.ids
        assert all(np.array_equal(site.spectrum, cu.spectra[site.row]) for site in val)
        assert val[cu.part("val").multiplicity == 1].ids == val.ids
        features, spectra = cu.part("train").torch("m3gnet").tensors
        assert features.shape == (9, 4) and spectra.shape == (9, 141) and str(spectra.dtype) == "torch.float32"
        table = val.pandas(spectra=True, features="chgnet")
        assert table.index.tolist() == val.ids and table.loc["mp-9_001", "split"] == "val"
        assert table.loc["mp-10_001", "8983.173"] == cu.spectra[10][0]
        assert table.filter(like="chgnet_").shape == (2, 3)


def test_a_dataset_goes_to_another_process(path):
    with xanesflow.load(path) as data:
        assert pickle.loads(pickle.dumps(data))["Cu_FEFF"].ids == data["Cu_FEFF"].ids


def test_what_is_not_there_is_told_in_a_sentence(path):
    data = xanesflow.load(path)
    cu = data["Cu_FEFF"]
    for call, said in {
        lambda: data["Ti_FEFF"]: "has no subset Ti_FEFF; it has Cu_FEFF, Ni_FEFF",
        lambda: cu["mp-77_000"]: "has no site mp-77_000",
        lambda: cu["mp-77"]: "'mp-77' is not a site",
        lambda: cu.features("soap"): "no features 'soap'; it has chgnet, m3gnet",
        cu.features: "features of chgnet, m3gnet; say which",
        lambda: cu.part("dev"): "'dev' is no part of a split",
    }.items():
        with pytest.raises(XanesflowError, match=said):
            call()
    with pytest.raises(IndexError, match="13 sites"):
        cu[13]
    spectra = cu.spectra[:]
    data.close()
    with pytest.raises(XanesflowError, match="has been closed"):
        data["Cu_FEFF"]
    assert spectra.shape == (13, 141)


def test_what_is_no_dataset_is_told_in_a_sentence(path, tmp_path):
    whole = path.read_bytes()
    (tmp_path / "short.h5").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.h5").write_text("energy,spectrum\n")
    (tmp_path / "empty.h5").touch()
    (tmp_path / "zeroed.h5").write_bytes(whole[:8] + bytes(4000))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    for name, version in {"old.h5": "0.9", "later.h5": "2.0"}.items():
        with h5py.File(copy_of_dataset(tmp_path, name), "r+") as file:
            file.attrs["schema_version"] = version
    for name, said in {
        "nowhere.h5": "cannot be read: No such file",
        "short.h5": "short.h5 is cut short",
        "text.h5": "text.h5 is no HDF5 file",
        "empty.h5": "empty.h5 is empty",
        "zeroed.h5": "zeroed.h5 is damaged",
        "other.h5": "is an HDF5 file, but no dataset of xanesflow: it has no attribute `schema`",
        "old.h5": "has schema version 0.9, but this xanesflow reads 1.x",
        "later.h5": "has schema version 2.0, but this xanesflow reads 1.x",
        "": "is a folder",
    }.items():
        with pytest.raises(XanesflowError, match=said):
            xanesflow.load(tmp_path / name)
    with h5py.File(copy_of_dataset(tmp_path, "later.h5"), "r+") as file:
        file.attrs["schema_version"] = "1.9"
    assert xanesflow.load(tmp_path / "later.h5").subsets == ("Cu_FEFF", "Ni_FEFF")


def test_the_hash_of_an_array_is_the_documented_one(path):
    with h5py.File(path) as file:
        energy = file["Cu_FEFF/energy"]
        by_hand = hashlib.sha256(b"<f8(141,)" + energy[:].tobytes()).hexdigest()
        assert energy.attrs["sha256"] == by_hand == hash_of(energy)
        parts = "".join(f"{len(p)}:{p}" for p in file["Cu_FEFF/split"].asstr()[:])
        assert file["Cu_FEFF/split"].attrs["sha256"] == hashlib.sha256(f"str(13,){parts}".encode()).hexdigest()
        names = [name for name in _all(file) if not name.startswith("structures")]
        lines = [f"{file[name].attrs['sha256']}  {name}\n" for name in [*names, "structures"]]
        lines.sort(key=lambda line: line.split("  ")[1])
        assert file.attrs["content_sha256"] == hashlib.sha256("".join(lines).encode()).hexdigest()


def _all(file):
    names = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


def test_the_same_content_has_the_same_hash_whoever_made_it_and_other_content_another(path, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    again = attributes(write_dataset(tmp_path / "a", creator="others"))
    assert again["content_sha256"] == attributes(path)["content_sha256"] and again["creator"] == "others"
    assert attributes(write_dataset(tmp_path / "b", seed=1))["content_sha256"] != again["content_sha256"]
