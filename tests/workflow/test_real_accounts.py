"""On the first 150 materials of the real archive: each run that is in it is either kept or in the rejected table."""

import re
import tarfile

import h5py
import numpy as np
import pandas as pd
import pytest
from shared_data import shared
from workflow import run, write_config

MATERIALS = 150


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Directory with curated spectra and split; runs and materials by the archive's names; what was printed."""
    splits = shared("3dtm_xanes_ml2024/splits")
    directory = tmp_path_factory.mktemp("real")
    runs, materials = set(), set()
    with (
        tarfile.open(shared("feff9-cu.tar.xz")) as source,
        tarfile.open(directory / "part.tar.gz", "w:gz", compresslevel=1) as packed,
    ):
        for member in source:
            if not member.isfile():
                continue
            material = member.name.split("/")[1]
            if material not in materials and len(materials) == MATERIALS:
                break
            materials.add(material)
            packed.addfile(member, source.extractfile(member))
            if site := re.search(r"/FEFF-XANES/(\d+)_Cu/", member.name):
                runs.add((material, int(site[1])))
    write_config(directory, subsets=["Cu_FEFF"], simulations={"archive": "part.tar.gz"}, splits={"files": str(splits)})
    printed = run(directory, "results/dataset/splits/Cu_FEFF.csv")
    return directory, runs, materials, printed


def test_found_is_kept_and_rejected(imported):
    directory, runs, materials, printed = imported
    rejected = pd.read_csv(directory / "results/spectra/Cu_FEFF_rejected.csv")
    left_out = list(zip(rejected["material_id"], rejected["site_index"].tolist(), strict=True))
    with h5py.File(directory / "results/spectra/Cu_FEFF.h5") as file:
        kept = list(zip(file["material_id"].asstr()[:], file["site_index"][:].tolist(), strict=True))
        in_file = list(zip(file["rejected/material_id"].asstr()[:], file["rejected/site_index"][:], strict=True))
    without_run = {(material, -1) for material in materials - {material for material, _ in runs}}
    assert len(set(kept)) == len(kept)
    assert not set(kept) & set(left_out)
    assert set(kept) | set(left_out) == runs | without_run
    assert len(kept) + len(left_out) == len(runs | without_run)
    assert sorted(left_out) == sorted(in_file)
    assert {
        site for site, reason in zip(left_out, rejected["reason"], strict=True) if reason == "no_run"
    } == without_run
    assert f"{len(kept)} spectra kept, {len(left_out)} left out" in printed


def test_the_runs_without_output_are_told(imported):
    """Both are faults of the published archive."""
    directory, *_ = imported
    rejected = pd.read_csv(directory / "results/spectra/Cu_FEFF_rejected.csv")
    lost = rejected[rejected["material_id"] == "mp-1101124"]
    assert lost["reason"].tolist() == ["no_output"] * 2


def test_each_kept_spectrum_is_the_published_one_to_a_part_in_1e8_of_its_maximum(imported):
    directory, *_ = imported
    with h5py.File(directory / "results/spectra/Cu_FEFF.h5") as file:
        ids = [f"{m}_{i:03d}" for m, i in zip(file["material_id"].asstr()[:], file["site_index"][:], strict=True)]
        ours = dict(zip(ids, file["spectra"][:], strict=True))
    with np.load(shared("3dtm_xanes_ml2024/Cu_FEFF_val.npz")) as published:
        common = [k for k, site in enumerate(published["ids"]) if site in ours]
        assert len(common) >= 10
        for k in common:
            spectrum = published["spectra"][k]
            assert np.abs(ours[str(published["ids"][k])] - spectrum).max() <= 1e-8 * spectrum.max()


def test_each_site_has_its_part_or_stands_among_the_unmatched(imported):
    directory, *_ = imported
    split = pd.read_csv(directory / "results/dataset/splits/Cu_FEFF.csv")
    unmatched = pd.read_csv(directory / "results/dataset/splits/Cu_FEFF_unmatched.csv")
    files = {
        part: set((shared("3dtm_xanes_ml2024/splits") / f"Cu_FEFF_{part}.txt").read_text().split())
        for part in ("train", "val", "test")
    }
    for material, site, part in split.itertuples(index=False):
        assert f"{material}_{site:03d}" in files[part]
    with h5py.File(directory / "results/spectra/Cu_FEFF.h5") as file:
        kept = set(zip(file["material_id"].asstr()[:], file["site_index"][:].tolist(), strict=True))
    placed = set(split[["material_id", "site_index"]].itertuples(index=False, name=None))
    nowhere = unmatched[unmatched["lacks"] == "not named by the split files"]
    assert placed | set(nowhere[["material_id", "site_index"]].itertuples(index=False, name=None)) == kept
    assert len(placed) + len(nowhere) == len(kept)
    assert len(unmatched) == len(nowhere) + sum(map(len, files.values())) - len(placed)
