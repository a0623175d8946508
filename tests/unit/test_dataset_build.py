"""The dataset is put together from what each stage left, and loses no site in silence."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
from feff_runs import cuprite, rocksalt

from xanesflow.core.errors import XanesflowError
from xanesflow.core.reasons import Rejected
from xanesflow.core.tables import write_rejected_group
from xanesflow.dataset.build import SubsetFiles, build_dataset
from xanesflow.dataset.compare_theories import DIFFERENT, PAIRED, compare_theories
from xanesflow.dataset.file import structure_json, structure_key
from xanesflow.dataset.read_dataset import load
from xanesflow.spectra.store import CuratedSpectra, write_spectra
from xanesflow.structures.material import describe
from xanesflow.structures.site_table import write_structures


@pytest.fixture
def files(tmp_path):
    """Make the files of a subset: six sites of six materials, one left out before."""

    def make(subset="Cu_FEFF", *, without_features=(), without_split=(), structure=None):
        folder = tmp_path / subset
        folder.mkdir()
        materials = [f"mp-{k}" for k in range(1, 7)]
        curated = CuratedSpectra(
            subset=subset,
            energy_ev=8983.173 + 0.25 * np.arange(141),
            spectra=np.arange(6)[:, None] + np.linspace(0, 1, 141),
            material_id=materials,
            site_index=np.zeros(6, dtype=np.int64),
            multiplicity=np.arange(1, 7),
            rejected=[Rejected("mp-9", 2, "no_output", "xmu.dat is missing or empty")],
            corrections=["", "SCF ca1 0.2 -> 0.1", "", "", "", "FOLP potential 1 automatic -> 1.0"],
        )
        write_spectra(folder / "s.h5", curated, {})
        described = [describe(m, structure or rocksalt(), symprec=0.01) for m in materials]
        write_structures(folder / "s.parquet", described)
        parts = ["train", "train", "train", "train", "val", "test"]
        rows = [(m, 0, p) for m, p in zip(materials, parts, strict=True) if m not in without_split]
        pd.DataFrame(rows, columns=["material_id", "site_index", "split"]).to_csv(folder / "split.csv", index=False)
        good = [m for m in reversed(materials) if m not in without_features]  # another order than the spectra's
        with h5py.File(folder / "f.h5", "w") as file:
            file.attrs.update(featurizer="f", meaning="made up", weights_hash="b" * 64, versions="{}")
            file.create_dataset("material_id", data=good, dtype=h5py.string_dtype())
            file["site_index"] = np.zeros(len(good), dtype=np.int64)
            file["features"] = np.array([[int(m[3:])] * 3 for m in good], dtype=np.float32)
            bad = [Rejected(m, 0, "no_features", "the element is unknown") for m in without_features]
            write_rejected_group(file, bad)
        return SubsetFiles(folder / "s.h5", folder / "s.parquet", folder / "split.csv", {"f": folder / "f.h5"})

    return make


def build(path, subsets):
    build_dataset(path, subsets, campaign="c", creator="me", licence="CC-BY-4.0", config='{"campaign": "c"}')
    return h5py.File(path)


def test_rows_of_all_stages_are_matched_by_site(files, tmp_path):
    with build(tmp_path / "d.h5", {"Cu_FEFF": files()}) as dataset:
        cu = dataset["Cu_FEFF"]
        assert cu["material_id"].asstr()[:].tolist() == [f"mp-{k}" for k in range(1, 7)]
        assert np.array_equal(cu["spectra"][:, 0], np.arange(6))
        assert np.array_equal(cu["features/f"][:], np.arange(1, 7)[:, None] * np.ones((1, 3)))
        assert cu["features/f"].dtype == np.float32
        assert cu["features/f"].attrs["weights_hash"] == "b" * 64
        assert np.array_equal(cu["multiplicity"][:], np.arange(1, 7))
        assert cu["split"].asstr()[:].tolist() == ["train"] * 4 + ["val", "test"]
        assert cu["corrections"].asstr()[[0, 1, 5]].tolist() == ["", "SCF ca1 0.2 -> 0.1",
                                                                 "FOLP potential 1 automatic -> 1.0"]  # fmt: skip
        assert cu["spectra"].attrs["units"] == "bohr^2"
        assert dataset.attrs["licence"] == "CC-BY-4.0"
        hashes = json.loads(dataset.attrs["inputs_sha256"])
        assert set(hashes) == {"Cu_FEFF/s.h5", "Cu_FEFF/s.parquet", "Cu_FEFF/split.csv", "Cu_FEFF/f.h5"}
        assert str(tmp_path) not in str(dict(dataset.attrs))


def test_a_site_that_lacks_something_is_listed_with_what_it_lacks(files, tmp_path):
    made = files(without_features=["mp-2"], without_split=["mp-3"])
    with build(tmp_path / "d.h5", {"Cu_FEFF": made}) as dataset:
        cu = dataset["Cu_FEFF"]
        assert cu["material_id"].asstr()[:].tolist() == ["mp-1", "mp-4", "mp-5", "mp-6"]
        assert np.array_equal(cu["spectra"][:, 0], [0, 3, 4, 5])
        assert np.array_equal(cu["features/f"][:, 0], [1, 4, 5, 6])
        left_out = list(
            zip(*(cu[f"rejected/{c}"].asstr()[:] for c in ("material_id", "reason", "detail")), strict=True)
        )
        assert left_out[0] == ("mp-2", "no_features", "f: the element is unknown")
        assert left_out[1][:2] == ("mp-3", "not_in_split")
        assert left_out[2] == ("mp-9", "no_output", "xmu.dat is missing or empty")
        assert json.loads(cu.attrs["counts"]) == {"kept": 4, "no_output": 1, "no_features": 1, "not_in_split": 1}


def test_subsets_that_number_atoms_differently_keep_a_structure_each(files, tmp_path):
    made = {"Cu_FEFF": files(), "Ni_FEFF": files("Ni_FEFF", structure=cuprite())}
    with build(tmp_path / "d.h5", made) as dataset:
        assert len(json.loads(structure_json(dataset, "Cu_FEFF", "mp-1"))["sites"]) == 2
        assert len(json.loads(structure_json(dataset, "Ni_FEFF", "mp-1"))["sites"]) == 6
        with pytest.raises(XanesflowError, match="no structure of mp-77"):
            structure_json(dataset, "Cu_FEFF", "mp-77")


def test_a_subset_without_structures_gets_none_of_another(files, tmp_path):
    made = {"Cu_FEFF": files(), "Cu_VASP": files("Cu_VASP")}
    table = pd.read_parquet(made["Cu_FEFF"].structures)
    table[table["material_id"] == "mp-2"].to_parquet(made["Cu_FEFF"].structures)
    with build(tmp_path / "d.h5", made) as dataset:
        assert structure_key(dataset, "Cu_FEFF", "mp-1") is None
        assert structure_key(dataset, "Cu_VASP", "mp-1") == "mp-1@Cu_VASP"
        assert structure_key(dataset, "Cu_FEFF", "mp-2") == structure_key(dataset, "Cu_VASP", "mp-2") == "mp-2"
    status = compare_theories(tmp_path / "d.h5", "Cu_FEFF", "Cu_VASP").set_index("material_id")["status"]
    assert status["mp-1"] == DIFFERENT and status["mp-2"] == PAIRED


def test_a_dataset_that_could_train_nothing_is_not_written(files, tmp_path):
    made = files(without_features=["mp-5"])  # the only validation site
    with pytest.raises(XanesflowError, match="Cu_FEFF: 5 spectra"):
        build(tmp_path / "d.h5", {"Cu_FEFF": made})
    assert not (tmp_path / "d.h5").exists()
    assert not list(tmp_path.glob(".*.tmp*"))


def test_names_references_and_parents_go_with_the_structures(tmp_path, files):
    given = files()
    table = pd.read_parquet(given.structures)
    named = [replace(describe(m, rocksalt(), symprec=0.01), name="Bunsenite", reference="Who (1990) What. Where 1, 2")
             for m in table["material_id"][:2]]  # fmt: skip
    others = [describe(m, rocksalt(), symprec=0.01) for m in table["material_id"][2:]]
    write_structures(given.structures, [*named, *others])
    build(tmp_path / "d.h5", {"Cu_FEFF": given}).close()
    with load(tmp_path / "d.h5") as data:
        about = {"name": "Bunsenite", "reference": "Who (1990) What. Where 1, 2"}
        assert data["Cu_FEFF"].about("mp-1") == about and data["Cu_FEFF"].about("mp-6") == {}
    # A file from before has no such columns.
    table[["material_id", "structure", "formula", "n_atoms"]].to_parquet(given.structures)
    build(tmp_path / "old.h5", {"Cu_FEFF": given}).close()
    with load(tmp_path / "old.h5") as data:
        assert data["Cu_FEFF"].about("mp-1") == {}
