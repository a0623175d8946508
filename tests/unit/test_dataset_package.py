"""The packaged dataset: whole, valid, citable, and without anything of the machine that it was made on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from dataset_files import attributes, copy_of_dataset, seal_again, write_dataset

import xanesflow
from xanesflow.core.errors import XanesflowError
from xanesflow.dataset.check.validate import validate
from xanesflow.dataset.share.package import package_dataset
from xanesflow.dataset.share.scrub import Scrubber

FILES = [
    "CITATION.cff",
    "LICENSE",
    "README.md",
    "SHA256SUMS",
    "croissant.json",
    "rejected.csv",
    "sites.csv",
    "small.h5",
]


@pytest.fixture(scope="module")
def packaged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packaged")
    package_dataset(copy_of_dataset(folder, "small.h5"), folder / "p", version="1.2.0", url="https://example.org/x")
    return folder / "p"


def test_the_package_holds_the_dataset_and_all_that_belongs_to_it(packaged):
    assert sorted(path.name for path in packaged.iterdir()) == FILES
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=packaged, capture_output=True, text=True, check=True)
    assert done.stdout.count(": OK") == len(FILES) - 1
    assert validate(packaged / "small.h5").valid


def test_file_and_datacard_say_how_feff_is_cited(packaged):
    assert (packaged / "README.md").read_text().count("J. Synchrotron Rad. 28, 1801 (2021)") == 1
    with h5py.File(packaged / "small.h5") as file:
        for name in (name for name in file if name.endswith("_FEFF")):
            assert "Cite FEFF" in file[name]["spectra"].attrs["reference"]


def test_the_datacard_lists_the_papers_of_the_structures(tmp_path):
    source = copy_of_dataset(tmp_path, "small.h5")
    with h5py.File(source, "a") as file:
        first, second, *_ = sorted(key for key in file["structures"] if "@" not in key)
        for key, name in ((first, "Hematite"), (second, "<b>Rust</b>")):
            file["structures"][key].attrs.update(name=name, reference="Blake R L (1966) On hematite. Am Min 51, 123")
    package_dataset(source, tmp_path / "p", version="1.0.0", url=None)
    card = (tmp_path / "p/README.md").read_text()
    assert "## Papers of the structures" in card and card.count("Blake R L (1966)") == 1
    assert f"Hematite, {first}; &lt;b&gt;Rust&lt;/b&gt;, {second}" in card
    with xanesflow.load(tmp_path / "p/small.h5") as data:
        kept = next(data[name].about(first) for name in data if data[name].about(first))
    assert kept["name"] == "Hematite" and validate(source).valid


def test_the_packaged_data_are_those_of_the_dataset(packaged, tmp_path):
    source = copy_of_dataset(tmp_path)
    assert attributes(source)["content_sha256"] == attributes(packaged / "small.h5")["content_sha256"]
    with xanesflow.load(source) as one, xanesflow.load(packaged / "small.h5") as other:
        for name in one:
            assert np.array_equal(one[name].spectra[:], other[name].spectra[:])
            assert one[name].attributes == other[name].attributes
            assert one[name].structure(12) == other[name].structure(12)


def test_the_table_of_sites_leads_to_each_spectrum(packaged):
    sites = pd.read_csv(packaged / "sites.csv", keep_default_na=False)
    assert len(sites) == 26 and sites["key"].is_unique
    with xanesflow.load(packaged / "small.h5") as data:
        for row in sites.itertuples():
            site = data[row.subset][row.row]
            assert (f"{row.subset}/{site.id}", site.split, site.multiplicity) == (row.key, row.split, row.multiplicity)
    assert sites.query("key == 'Cu_FEFF/mp-12_000'")[["formula", "n_atoms"]].values.tolist() == [["Cu2O", 6]]
    rejected = pd.read_csv(packaged / "rejected.csv")
    assert rejected[["subset", "material_id", "site_index", "reason"]].values.tolist() == [
        ["Cu_FEFF", "mp-99", 2, "no_output"], ["Ni_FEFF", "mp-99", 2, "no_output"]]  # fmt: skip


def test_the_datacard_tells_counts_settings_and_how_to_read(packaged):
    card = (packaged / "README.md").read_text()
    for said in ("26 simulated K-edge", "| Cu_FEFF | 13 | 13 | 9 / 2 / 2 |", "| `no_output` | 1 | 1 |", "b" * 64,
                 "within mean ± 2.5 σ", "CC-BY-4.0", "Version 1.2.0", "imported from finished runs", "arXiv:2409.19552",
                 "Home: https://example.org/x", 'h5py.File("small.h5")'):  # fmt: skip
        assert said in card, said
    code = card.split("```python")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", code], cwd=packaged, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_citation_is_one_of_the_format(packaged):
    cited = yaml.safe_load((packaged / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()  # what the format wants at least
    assert (cited["type"], cited["version"], cited["license"]) == ("dataset", "1.2.0", "CC-BY-4.0")
    assert cited["authors"] == [{"name": "the makers"}]
    assert "Creative Commons Attribution 4.0" in (packaged / "LICENSE").read_text()


def test_mlcroissant_takes_the_metadata_for_croissant_1_1_and_reads_the_records(packaged):
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed (requirements-dev.txt)")
    data = mlcroissant.Dataset(jsonld=packaged / "croissant.json")
    issues = data.metadata.ctx.issues
    assert not issues.errors and not issues.warnings
    assert str(data.metadata.ctx.conforms_to.value) == "http://mlcommons.org/croissant/1.1"
    assert data.metadata.version == "1.2.0" and data.metadata.url == "https://example.org/x"
    sites = list(data.records("sites"))
    assert len(sites) == 26 and sites[12]["sites/key"] == b"Cu_FEFF/mp-12_000" and sites[12]["sites/row"] == 12
    assert next(iter(data.records("rejected")))["rejected/reason"] == b"no_output"


def test_the_metadata_tell_size_and_hash_of_each_file(packaged):
    metadata = json.loads((packaged / "croissant.json").read_text())
    sums = dict(line.split("  ")[::-1] for line in (packaged / "SHA256SUMS").read_text().splitlines())
    for each in metadata["distribution"]:
        assert each["sha256"] == sums[each["name"]]
        assert each["contentSize"] == f"{(packaged / each['name']).stat().st_size} B"


def test_nothing_of_the_machine_is_in_the_package(tmp_path, monkeypatch):
    key = "Zx81fakefakefakefakefakefake1234"
    monkeypatch.setenv("MP_API_KEY", key)
    secret = tmp_path / "My Runs" / "of user42"
    config = {
        "structures": {"source": "directory", "directory": str(secret / "structures")},
        "simulations": {"source": "run", "archive": {"Cu_FEFF": "../user42/cu.tar.xz", "Ni_FEFF": str(secret)},
                        "feff_command": f"mpirun -n 4 '{secret}/feff9'",
                        "vasp_command": f"MP_API_KEY={key} /opt/user42/vasp_std"},
        "features": {"m3gnet_weights": "user42/weights"},
        "splits": {"files": "user42_splits"},
    }  # fmt: skip
    detail = f"xmu.dat in {secret}/Cu/mp-99 is empty, as /data/user42/log.txt says (key {key}, ~/user42/x)"
    source = write_dataset(tmp_path, config=config, rejected_detail=detail, name="small.h5")
    assert key.encode() in source.read_bytes() and b"user42" in source.read_bytes()
    package_dataset(source, tmp_path / "p", version="1.0.0")
    for path in (tmp_path / "p").iterdir():
        content = path.read_bytes()
        for leaked in (key, "user42", str(tmp_path), "My Runs", str(Path.cwd())):
            assert leaked.encode() not in content, f"{leaked} in {path.name}"
    config = attributes(tmp_path / "p/small.h5")["config"]
    assert config["structures"]["directory"] == "<local>"
    assert config["simulations"]["archive"] == {"Cu_FEFF": "<local>", "Ni_FEFF": "<local>"}
    assert config["simulations"]["feff_command"] == "mpirun -n 4 <local>"
    assert config["curation"]["envelope"]["FEFF"] == 2.5  # what tells how the data were made stays
    with xanesflow.load(tmp_path / "p/small.h5") as data:
        (rejected,) = data["Cu_FEFF"].rejected()
        assert rejected.detail.startswith("xmu.dat in <local>") and "says (key <secret>, <local>)" in rejected.detail


def test_texts_that_look_like_paths_and_are_none_stay():
    scrub = Scrubber("{}").text
    for text in (
        "meV/Å/atom", "mean ± c / σ", "https://doi.org/10.1/x", "Cu/mp-1/FEFF-XANES", "1/2 and 3/4", "a ~ b",
        "magnetic moment, µB", "features/m3gnet", "SCF ca1 0.2 -> 0.1", '{"element": "O", "occu": 1}',
    ):  # fmt: skip
        assert scrub(text) == text
    for text, scrubbed in {
        "in /data/runs/x, and": "in <local>, and", "file:///data/x/y": "<local>", "'C:\\runs\\x'": "'<local>'",
        "at=/data/a.b/c": "at=<local>", "https://me:word@host/x": "https://host/x", "TOKEN=abc x": "TOKEN=<secret> x",
    }.items():  # fmt: skip
        assert scrub(text) == scrubbed


def test_html_in_a_name_stays_text_in_the_datacard(tmp_path):
    source = write_dataset(tmp_path, creator="<script>alert(1)</script>", subsets=["Cu_FEFF"], name="small.h5")
    package_dataset(source, tmp_path / "p", version="1.0.0")
    card = (tmp_path / "p/README.md").read_text()
    assert "by &lt;script&gt;alert(1)" in card and "<script" not in card
    assert "<script>" in json.loads((tmp_path / "p/croissant.json").read_text())["creator"]["name"]


def test_a_dataset_taken_from_a_file_of_features_is_packaged_and_says_so(tmp_path):
    source = copy_of_dataset(tmp_path, "small.h5")
    with h5py.File(source, "r+") as file:
        config = json.loads(file.attrs["config"])
        config["dataset"] |= {"source": "features_file", "features_file": str(tmp_path / "given.npz")}
        file.attrs["config"] = json.dumps(config)
        file["Cu_FEFF/spectra"].attrs["origin"] = "taken from given.npz"
        del file["structures/mp-3"]
        seal_again(file)
    package_dataset(source, tmp_path / "p", version="1.0.0")
    sites = pd.read_csv(tmp_path / "p/sites.csv", index_col="key", keep_default_na=False)
    assert sites.loc["Cu_FEFF/mp-3_001", ["formula", "n_atoms"]].tolist() == ["", ""]
    assert attributes(tmp_path / "p/small.h5")["config"]["dataset"]["features_file"] == "<local>"
    card = (tmp_path / "p/README.md").read_text()
    assert "taken from a file of features and spectra" in card and "Origin: taken from given.npz" in card


def test_text_of_a_potcar_is_refused(tmp_path):
    source = write_dataset(tmp_path, rejected_detail="VRHFIN =Cu: d10 p1", name="small.h5")
    with pytest.raises(XanesflowError, match="rejected/detail holds text of a POTCAR"):
        package_dataset(source, tmp_path / "p", version="1.0.0")
    assert not (tmp_path / "p/small.h5").exists()


def test_a_dataset_that_is_not_valid_is_refused(tmp_path):
    source = copy_of_dataset(tmp_path, "small.h5")
    with h5py.File(source, "r+") as file:
        file["Cu_FEFF/spectra"][3, 3] = np.nan
        seal_again(file)
    with pytest.raises(XanesflowError, match=r"small.h5 is not valid: numbers: Cu_FEFF/spectra: 1 row holds NaN"):
        package_dataset(source, tmp_path / "p", version="1.0.0")
    assert not (tmp_path / "p").exists()


def test_the_same_dataset_gives_the_same_bytes(packaged, tmp_path):
    source = copy_of_dataset(tmp_path, "small.h5")
    os.utime(source, (1e9, 1e9))
    package_dataset(source, tmp_path / "p", version="1.2.0", url="https://example.org/x")
    for path in packaged.iterdir():
        assert (tmp_path / "p" / path.name).read_bytes() == path.read_bytes(), path.name
