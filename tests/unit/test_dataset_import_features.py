"""Features and spectra from files: taken as they are, and what cannot be taken is refused or listed with its reason."""

import json
import re
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
from dataset_files import write_dataset
from feff_runs import rocksalt
from shared_data import shared

from xanesflow.config.campaign import Campaign
from xanesflow.config.load import load_config
from xanesflow.core import limits
from xanesflow.core.errors import XanesflowError
from xanesflow.core.feature_names import DIMENSIONS, KNOWN
from xanesflow.core.tables import read_rejected_group
from xanesflow.dataset.build import SubsetFiles, build_dataset
from xanesflow.dataset.check.contents import read_contents
from xanesflow.dataset.check.validate_structures import check_structures
from xanesflow.dataset.feature_files import check_feature_file, read_feature_file
from xanesflow.dataset.import_features import import_features
from xanesflow.features.compute_features import read_features
from xanesflow.features.featurizers import get_featurizer
from xanesflow.models.subset_data import read_subset
from xanesflow.spectra.store import read_spectra

START_EV = 8983.173
GRID_EV = START_EV + 0.25 * np.arange(141)


def good(n=24, d=3, **changes):
    """Arrays of n sites in n / 2 materials."""
    rng = np.random.default_rng(0)
    arrays = {
        "ids": np.array([f"mp-{k // 2}_{k % 2:03d}" for k in range(n)]),
        "features": rng.normal(size=(n, d)).astype(np.float32),
        "spectra": rng.uniform(1e-4, 1e-3, size=(n, 141)),
    }
    return {name: values for name, values in (arrays | changes).items() if values is not None}


def take(folder, arrays=None, *, source=None, features=("mine",)):
    """Import a file and give spectra and the first features, read back."""
    if source is None:
        source = folder / "given.npz"
        np.savez(source, **arrays)
    out = {name: folder / f"{name}.h5" for name in features}
    import_features(
        source,
        subset="Cu_FEFF",
        energy_start_ev=START_EV,
        spectra=folder / "spectra.h5",
        rejected_csv=folder / "rejected.csv",
        structures=folder / "structures.parquet",
        features=out,
        config="{}",
    )
    return read_spectra(folder / "spectra.h5"), read_features(out[features[0]])


def dataset_of(folder):
    """The dataset of an imported subset, with a split that a model can be trained on."""
    curated = read_spectra(folder / "spectra.h5")
    sites = zip(curated.material_id, curated.site_index, strict=True)
    rows = [(m, i, {"mp-0": "val", "mp-1": "test"}.get(m, "train")) for m, i in sites]
    pd.DataFrame(rows, columns=["material_id", "site_index", "split"]).to_csv(folder / "split.csv", index=False)
    files = [folder / name for name in ("spectra.h5", "structures.parquet", "split.csv")]
    given = {"Cu_FEFF": SubsetFiles(*files, {"mine": folder / "mine.h5"})}
    path = folder / "dataset.h5"
    build_dataset(path, given, campaign="c", creator="me", licence="CC-BY-4.0", config="{}")
    return path


def test_a_good_file_is_taken_as_it_is_in_the_order_of_its_sites(tmp_path):
    arrays = good()
    shuffled = np.random.default_rng(1).permutation(24)
    spectra, features = take(tmp_path, {name: values[shuffled] for name, values in arrays.items()})
    names = [f"{m}_{i:03d}" for m, i in zip(spectra.material_id, spectra.site_index, strict=True)]
    assert names == sorted(arrays["ids"], key=lambda name: (name.rsplit("_", 1)[0], name))
    order = [arrays["ids"].tolist().index(name) for name in names]
    assert np.array_equal(spectra.spectra, arrays["spectra"][order])
    assert np.array_equal(features.features, arrays["features"][order]) and features.features.dtype == np.float32
    assert np.allclose(spectra.energy_ev, GRID_EV, rtol=0, atol=1e-9)
    assert spectra.rejected == [] and features.rejected == []
    assert len(pd.read_parquet(tmp_path / "structures.parquet")) == 0


def test_the_dataset_says_where_its_numbers_come_from_and_models_can_read_it(tmp_path):
    take(tmp_path, good(weights_hash=np.array("a" * 64)))
    path = dataset_of(tmp_path)
    with h5py.File(path) as file:
        cu = file["Cu_FEFF"]
        assert "given.npz" in cu["spectra"].attrs["origin"] and str(tmp_path) not in cu["spectra"].attrs["origin"]
        assert (cu["spectra"].attrs["units"], cu["multiplicity"][:].tolist()) == ("bohr^2", [1] * 24)
        assert cu["multiplicity"].attrs["meaning"].startswith("not known")
        assert "curation.energy_start" in cu["spectra"].attrs["energy_reference"]
        assert len(file["structures"]) == 0
    with h5py.File(path) as file:
        findings = list(check_structures(read_contents(file)))
    assert [found.fault for found in findings] == [False]
    data = read_subset(path, "Cu_FEFF", "mine")
    assert data.features.shape == (24, 3) and data.featurizers["mine"]["weights_hash"] == "a" * 64


def test_what_is_no_good_row_is_listed_with_its_reason_and_the_rest_taken(tmp_path):
    arrays = good()
    arrays["ids"][[3, 5]] = ["mp-7", arrays["ids"][4]]
    arrays["spectra"][8, 7] = np.nan
    arrays["spectra"][9] = 0
    arrays["spectra"][10, 0] = -1e-5
    arrays["features"][11, 1] = np.inf
    spectra, features = take(tmp_path, arrays)
    found = {(r.material_id, r.site_index): (r.reason, r.detail) for r in spectra.rejected}
    assert {site: reason for site, (reason, _) in found.items()} == {
        ("mp-7", -1): "bad_id",
        ("mp-2", 0): "duplicate",
        ("mp-4", 0): "not_a_number",
        ("mp-4", 1): "all_zero",
        ("mp-5", 0): "negative",
    }
    assert found["mp-2", 0][1] == "row 5 has the id of row 4 and another spectrum"
    assert [(r.material_id, r.site_index, r.reason) for r in features.rejected] == [("mp-5", 1, "no_features")]
    assert len(spectra.spectra) == 19 and len(features.features) == 18
    assert sorted(pd.read_csv(tmp_path / "rejected.csv")["reason"]) == sorted(r.reason for r in spectra.rejected)
    with h5py.File(dataset_of(tmp_path)) as file:
        counts = json.loads(file["Cu_FEFF"].attrs["counts"])
    assert counts["kept"] == 18 and counts["no_features"] == counts["duplicate"] == 1


def test_a_good_row_after_a_bad_one_of_the_same_site_is_taken(tmp_path):
    arrays = good()
    arrays["ids"][[1, 2, 3]] = arrays["ids"][0]
    arrays["spectra"][0], arrays["spectra"][1] = np.nan, 0
    spectra, _ = take(tmp_path, arrays)
    assert [(r.reason, r.detail.split(":")[0]) for r in spectra.rejected] == [
        ("all_zero", "row 1"),
        ("duplicate", "row 3 has the id of row 2 and another spectrum"),
        ("not_a_number", "row 0"),
    ]
    assert np.array_equal(spectra.spectra[0], arrays["spectra"][2]) and spectra.material_id[0] == "mp-0"


BAD = {
    "no spectra": (good(spectra=None), "has no array spectra \\(it has ids, features\\)"),
    "spectra of another length": (good(spectra=np.ones((23, 141))), r"24 ids of Cu_FEFF, but its spectra .*\(23"),
    "features of another length": (good(features=np.ones((5, 3))), r"24 ids .* mine features .*\(5, 3\)"),
    "features in one row": (good(features=np.ones(24)), r"mine features have the shape \(24,\)"),
    "spectra of 100 points": (good(spectra=np.ones((24, 100))), "100 points, but the dataset's grid has 141"),
    "energies of 100 points": (good(energy=GRID_EV[:100]), "not 141 absolute energies in eV"),
    "energies of another step": (good(energy=START_EV + 0.2 * np.arange(141)), "not 141 absolute energies in eV"),
    "energies that are NaN": (good(energy=np.full(141, np.nan)), "not 141 absolute energies"),
    "ids that are numbers": (good(ids=np.arange(24)), r"array ids .* is int64 .*must be \(n,\) text"),
    "pickled ids": (good(ids=np.array([f"mp-{k}_000" for k in range(24)], dtype=object)),
                    "array ids .* holds Python objects, which are not read.*dtype=str"),
    "spectra of text": (good(spectra=np.full((24, 141), "x")), "array spectra .* is <U1; it must hold real numbers"),
    "complex spectra": (good(spectra=np.ones((24, 141), dtype=complex)), "complex128; it must hold real numbers"),
    "no site": (good(n=0, ids=np.array([], dtype=str)), "holds no site of Cu_FEFF"),
    "no good site": (good(ids=np.array(["x"] * 24)), "0 spectra kept, 24 left out: 24 bad_id. For example x: row 0"),
    "multiplicity of zero": (good(multiplicity=np.zeros(24, dtype=int)), "a multiplicity of 0"),
    "multiplicities of fewer": (good(multiplicity=np.ones(3, dtype=int)), r"but its multiplicity has the shape \(3,\)"),
}  # fmt: skip


@pytest.mark.parametrize(("arrays", "said"), BAD.values(), ids=BAD.keys())
def test_a_file_that_cannot_be_taken_is_refused_in_one_sentence(tmp_path, arrays, said):
    with pytest.raises(XanesflowError, match=said) as caught:
        take(tmp_path, arrays)
    assert "\n" not in str(caught.value) and "given.npz" in str(caught.value)
    assert not (tmp_path / "spectra.h5").exists()


@pytest.mark.parametrize("cut", [0, 10, 2000])
def test_a_damaged_npz_file_is_named(tmp_path, cut):
    np.savez(tmp_path / "whole.npz", **good())
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:cut])
    with pytest.raises(XanesflowError, match=r"cut\.npz cannot be read as an npz file"):
        take(tmp_path, source=tmp_path / "cut.npz")


def test_an_array_without_names_is_no_features_file(tmp_path):
    np.save(tmp_path / "one.npy", np.ones(3))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    with pytest.raises(XanesflowError, match="a single array, not several named ones"):
        take(tmp_path, source=tmp_path / "one.npz")


def test_features_under_a_known_name_have_its_dimension(tmp_path):
    with pytest.raises(XanesflowError, match="features of 3 numbers for Cu_FEFF, but m3gnet has 64"):
        take(tmp_path, good(), features=["m3gnet"])
    assert take(tmp_path, good(d=64), features=["m3gnet"])[1].featurizer == "m3gnet"
    with pytest.raises(XanesflowError, match="features of 3 numbers for Cu_FEFF, but radial has 30"):
        take(tmp_path, good(), features=["radial"])


def test_every_known_feature_has_a_dimension():
    assert {name: int(re.search(r"\((\d+)", what)[1]) for name, what in KNOWN.items()} == DIMENSIONS
    for name in ("radial", "angular", "acsf", "soap", "chgnet", "chgnet_cell"):  # M3GNet's needs its weights
        assert get_featurizer(name).dimension == DIMENSIONS[name]


def test_several_featurizers_have_an_array_each(tmp_path):
    two = good(features=None, features_mine=np.ones((24, 2)), features_other=np.full((24, 5), 2.0))
    take(tmp_path, two, features=["mine", "other"])
    assert read_features(tmp_path / "other.h5").features.shape == (24, 5)
    with pytest.raises(XanesflowError, match="no array features_third"):
        take(tmp_path, two, features=["mine", "third"])


def test_energies_of_the_file_are_taken_and_told_where_they_begin_elsewhere(tmp_path, caplog):
    assert np.array_equal(take(tmp_path, good(energy=GRID_EV + 2))[0].energy_ev, GRID_EV + 2)
    assert "begin at 8985.173 eV, not at curation.energy_start (8983.173 eV)" in caplog.text


def test_spectra_that_are_multiplied_by_1000_are_told(tmp_path, caplog):
    take(tmp_path, good())
    assert not caplog.records or "are they multiplied" not in caplog.text
    take(tmp_path, good(spectra=good()["spectra"] * 1000))
    assert "are they multiplied by a factor" in caplog.text


def test_somebody_elses_dataset_is_taken_with_structures_and_multiplicities(tmp_path):
    first, again = tmp_path / "first", tmp_path / "again"
    first.mkdir(), again.mkdir()
    take(first, good(multiplicity=np.arange(1, 25), energy=GRID_EV))
    path = dataset_of(first)
    with h5py.File(path, "a") as file:
        as_json = json.dumps(rocksalt().as_dict())
        file["structures"].create_dataset("mp-3", data=as_json, dtype=h5py.string_dtype())
        file["structures"].create_dataset("mp-3@Cu_FEFF", data=as_json, dtype=h5py.string_dtype())
    spectra, features = take(again, source=path)
    before = read_spectra(first / "spectra.h5")
    assert np.array_equal(spectra.spectra, before.spectra) and np.array_equal(spectra.multiplicity, before.multiplicity)
    assert features.weights_hash == "unknown"
    table = pd.read_parquet(again / "structures.parquet")
    assert table["material_id"].tolist() == ["mp-3"] and table["formula"].tolist() == ["CuO"]
    with h5py.File(dataset_of(again)) as file:
        assert (
            "dataset.h5" in file["Cu_FEFF/spectra"].attrs["origin"]
            and "meaning" not in file["Cu_FEFF/multiplicity"].attrs
        )


def test_a_dataset_keeps_what_it_knew_of_structures_spectra_and_sites_left_out(tmp_path):
    path = write_dataset(tmp_path)
    with h5py.File(path, "a") as file:
        file["structures/mp-0"].attrs.update(name="Tenorite", reference="Smith 1999")
        file["Cu_FEFF/spectra"].attrs["processing"] = "shifted by 3 eV"
        file.move("Cu_FEFF/features/m3gnet", "Cu_FEFF/features/mine")  # of another length than m3gnet's
        before = read_rejected_group(file["Cu_FEFF"])
    spectra, _ = take(tmp_path, source=path)
    table = pd.read_parquet(tmp_path / "structures.parquet").set_index("material_id")
    assert table.loc["mp-0", ["name", "reference"]].tolist() == ["Tenorite", "Smith 1999"]
    assert table.loc["mp-1", ["name", "reference"]].tolist() == ["", ""]
    assert spectra.described["processing"] == "shifted by 3 eV"
    assert before and spectra.rejected == before
    assert pd.read_csv(tmp_path / "rejected.csv")["material_id"].tolist() == [each.material_id for each in before]


def test_an_hdf5_file_that_lacks_what_is_wanted_is_told_what_it_has(tmp_path):
    take(tmp_path, good())
    path = dataset_of(tmp_path)
    with pytest.raises(XanesflowError, match=r"has no subset Ti_FEFF; it has Cu_FEFF"):
        read_feature_file(path, "Ti_FEFF", ["mine"])
    with pytest.raises(XanesflowError, match=r"Cu_FEFF in .* has no features 'other'; it has mine"):
        read_feature_file(path, "Cu_FEFF", ["other"])
    with h5py.File(path, "a") as file:
        del file["Cu_FEFF/site_index"]
    with pytest.raises(
        XanesflowError, match=r"dataset\.h5 has no site_index of Cu_FEFF; see `xanesflow dataset validate`"
    ):
        read_feature_file(path, "Cu_FEFF", ["mine"])
    with h5py.File(tmp_path / "other.h5", "w"):
        pass
    (tmp_path / "text.h5").write_text("no HDF5")
    for name, said in (("other.h5", "no dataset of xanesflow"), ("text.h5", "is no HDF5 file")):
        with pytest.raises(XanesflowError, match=said):
            read_feature_file(tmp_path / name, "Cu_FEFF", ["mine"])


def test_files_that_cannot_serve_are_told_before_anything_runs(tmp_path):
    for name, alone, said in (
        ("absent.npz", True, "does not exist.*looked from"),
        ("given.csv", True, r"takes \.npz, \.h5, \.hdf5"),
        ("given.npz", False, "but an npz file holds only one"),
    ):
        if name != "absent.npz":
            (tmp_path / name).touch()
        with pytest.raises(XanesflowError, match=said):
            check_feature_file(tmp_path / name, "Cu_FEFF", alone=alone)
    check_feature_file(tmp_path / "given.npz", "Cu_FEFF", alone=True)


FILES = {"subsets": ["Cu_FEFF", "Ti_VASP"], "dataset": {"source": "features_file", "files": "parts/{subset}_val.npz"}}


def test_a_path_for_all_subsets_has_the_name_of_each_in_it():
    config = load_config({**FILES, "features": {"models": ["mine_1+m3gnet"]}})
    assert Campaign(config).features_file("Ti_VASP") == "parts/Ti_VASP_val.npz"
    each = {"Cu_FEFF": "a.npz", "Ti_VASP": "b.h5"}
    config = load_config({**FILES, "dataset": {"source": "features_file", "files": each}})
    assert [Campaign(config).features_file(name) for name in config.subsets] == ["a.npz", "b.h5"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dataset": {"source": "features_file"}}, "dataset.files must name the files"),
        ({"dataset": {"source": "features_file", "files": {"Cu_FEFF": "x"}}}, "dataset.files has no entry for Ti_VASP"),
        ({"dataset": {"files": "x.h5"}}, "dataset.source: workflow reads none"),
        ({"simulations": {"archive": "runs"}}, "simulations.archive names some; remove one of the two"),
        ({"convergence": {"subset": "Cu_FEFF"}}, "convergence of Cu_FEFF cannot be tried; remove convergence.subset"),
        ({"features": {"models": ["My-Own"]}}, "small letters, digits and _"),
        ({"dataset": {}, "features": {"models": ["mine"]}}, "'features.models.0' is \"mine\"; .*m3gnet, m3gnet_all"),
    ],
)
def test_a_configuration_of_files_that_does_not_go_together_is_told(changes, said):
    with pytest.raises(XanesflowError, match=said) as caught:
        load_config(FILES | changes)
    assert len(str(caught.value).splitlines()) == 1


def test_the_published_validation_parts_are_taken_whole(tmp_path):
    source = shared("3dtm_xanes_ml2024/Cu_FEFF_val.npz")
    spectra, features = take(tmp_path, source=source, features=["m3gnet"])
    assert spectra.spectra.shape == (416, 141) and features.features.shape == (416, 64) and not spectra.rejected


def npz_with(path, header: bytes):
    """A good npz file whose spectra have another header."""
    np.savez(path, **{name: values for name, values in good().items() if name != "spectra"})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("spectra.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


LYING = {
    "rows that are not there": (b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000, 141), }",
                                r"announces 11,280,000,000,000 bytes and has \d+"),
    "a shape that overflows": (b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, " + b"9" * 60 + b"), }",
                               "announces"),
    "a negative shape": (b"{'descr': '<f8', 'fortran_order': False, 'shape': (-3, 141), }", "cannot be read"),
    "a header nested deep": (b"(" * 5000, "cannot be read as an npz file"),
    "a header that is no header": (b"__import__('os')", "cannot be read as an npz file"),
    "a type that does not exist": (b"{'descr': 'zz', 'fortran_order': False, 'shape': (3,), }", "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize(("header", "said"), LYING.values(), ids=LYING.keys())
def test_a_header_that_announces_what_is_not_there_is_refused_before_memory_is_asked_for(tmp_path, header, said):
    npz_with(tmp_path / "given.npz", header)
    with pytest.raises(XanesflowError, match=said) as caught:
        read_feature_file(tmp_path / "given.npz", "Cu_FEFF", ["mine"])
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_arrays_beyond_the_limit_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "ARRAYS_OF_NPZ", 1000)
    np.savez(tmp_path / "given.npz", **good())
    with pytest.raises(XanesflowError, match="and at most 0 GiB are read; write a file for each subset"):
        read_feature_file(tmp_path / "given.npz", "Cu_FEFF", ["mine"])


def test_ids_that_would_break_a_table_are_listed_as_bad(tmp_path):
    arrays = good()
    arrays["ids"] = arrays["ids"].astype("U60")
    arrays["ids"][[3, 5, 7]] = ["mp-9\r_000", "=cmd|'/C calc'!A0_000", "mp-1_" + "9" * 40]
    spectra, _ = take(tmp_path, arrays)
    assert [r.reason for r in spectra.rejected] == ["bad_id"] * 3
    assert all(r.material_id.isprintable() and r.detail.isprintable() for r in spectra.rejected)
