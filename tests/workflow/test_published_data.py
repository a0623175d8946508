"""The whole way on a part of the published Cu runs, against the published spectra and features."""

import shutil
import tarfile

import h5py
import numpy as np
import pandas as pd
import pytest
from shared_data import shared
from workflow import QUICK, run, write_config

from xanesflow.dataset.check.validate import validate


@pytest.fixture(scope="module")
def part_of_archive(tmp_path_factory):
    """A .tar.gz of the real runs of 150 materials with a published validation spectrum, and of 60 training ones."""
    archive = shared("feff9-cu.tar.xz")
    splits = shared("3dtm_xanes_ml2024/splits")
    wanted = set()
    for part, number in (("val", 150), ("train", 60)):
        sites = (splits / f"Cu_FEFF_{part}.txt").read_text().split()
        wanted |= set(sorted({site.rsplit("_", 1)[0] for site in sites})[:number])
    packed = tmp_path_factory.mktemp("archive") / "part.tar.gz"
    with tarfile.open(archive) as source, tarfile.open(packed, "w:gz", compresslevel=1) as target:
        for member in source:
            if member.name.split("/")[1] > max(wanted):
                break  # the archive is sorted
            if member.name.split("/")[1] in wanted:
                target.addfile(member, source.extractfile(member))
    return packed


def test_spectra_and_features_are_the_published_ones(tmp_path, part_of_archive):
    weights = shared("m3gnet/M3GNet-MP-2021.2.8-PES")
    published = np.load(shared("3dtm_xanes_ml2024/Cu_FEFF_val.npz"))
    # Relative paths are seen from the working directory.
    shutil.copytree(weights, tmp_path / "weights")
    write_config(
        tmp_path,
        subsets=["Cu_FEFF"],
        simulations={"archive": str(part_of_archive)},
        curation={"envelope": {"FEFF": None}},
        features={"m3gnet_weights": "weights"},
        splits={"files": str(shared("3dtm_xanes_ml2024/splits"))},
        evaluation={"part": "val"},
        models=QUICK,
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
    assert np.abs(ours - published["spectra"][common]).max() <= 1e-8 * published["spectra"].max()
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
