"""The whole way on a part of the published Cu runs, against the published spectra and features."""

import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
from pack_archives import pack
from published_runs import files_of_materials, first_materials
from shared_data import shared
from workflow import run, write_import_config

from xanesflow.dataset.check.validate import validate


@pytest.fixture(scope="module")
def part_of_archive(tmp_path_factory):
    """A .tar.gz of the real runs of 150 materials with a published validation spectrum, and of 60 training ones."""
    wanted = first_materials("val", 150) | first_materials("train", 60)
    folder = tmp_path_factory.mktemp("archive")
    return pack("tar.gz", folder / "part.tar.gz", files_of_materials(wanted))


def test_spectra_and_features_are_the_published_ones(tmp_path, part_of_archive):
    weights = shared("m3gnet/M3GNet-MP-2021.2.8-PES")
    published = np.load(shared("3dtm_xanes_ml2024/Cu_FEFF_val.npz"))
    # Relative paths are seen from the working directory.
    shutil.copytree(weights, tmp_path / "weights")
    write_import_config(
        tmp_path,
        part_of_archive,
        envelope=None,
        features={"m3gnet_weights": "weights"},
        splits={"files": str(shared("3dtm_xanes_ml2024/splits"))},
        evaluation={"part": "val"},
    )
    run(tmp_path, "report", "package")
    with h5py.File(tmp_path / "results/dataset/test.h5") as file:
        cu = file["Cu_FEFF"]
        ids = [f"{m}_{i:03d}" for m, i in zip(cu["material_id"].asstr()[:], cu["site_index"][:], strict=True)]
        spectra = dict(zip(ids, cu["spectra"][:], strict=True))
        features = dict(zip(ids, cu["features/m3gnet"][:], strict=True))
    common = [k for k, site in enumerate(published["ids"]) if site in spectra]
    assert len(common) >= 150
    ours = np.array([spectra[site] for site in published["ids"][common]])
    theirs = published["spectra"][common]
    assert (np.abs(ours - theirs).max(axis=1) <= 1e-8 * theirs.max(axis=1)).all()
    ours = np.array([features[site] for site in published["ids"][common]])
    assert np.abs(ours - published["features"][common]).max() <= 1e-5 * np.abs(published["features"]).max()
    placed = pd.read_parquet(tmp_path / "results/report/map_m3gnet.parquet")
    assert set(placed["method"]) == {"umap"} and placed[["x", "y"]].notna().all(axis=None)
    known = pd.read_parquet(tmp_path / "results/interpretation/sites.parquet")
    assert known["cn"].notna().mean() > 0.99 and known["oxidation_state"].isin([1, 2]).mean() > 0.7
    assert "val" in (tmp_path / "results/report/report.html").read_text()
    package = tmp_path / "results/package/test"
    assert validate(package / "test.h5", symmetry=True).valid
    assert not any(str(part_of_archive).encode() in path.read_bytes() for path in package.iterdir())
