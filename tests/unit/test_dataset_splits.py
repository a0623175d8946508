"""Splits by material: the published ones are reproduced in sizes, and files that are wrong are told."""

import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from shared_data import shared

from xanesflow.core.errors import XanesflowError
from xanesflow.core.reasons import Rejected
from xanesflow.dataset.splits import balanced_split, check_site_count, check_split, read_split_files, split_sites
from xanesflow.spectra.store import CuratedSpectra, write_spectra

SUBSETS = [f"{e}_FEFF" for e in ("Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu")] + ["Ti_VASP", "Cu_VASP"]
PARTS = ("train", "val", "test")


def published(subset):
    folder = shared("3dtm_xanes_ml2024/splits")
    return {part: (folder / f"{subset}_{part}.txt").read_text().split() for part in PARTS}


def histogram(sites):
    """How many materials have one site, two, and so on."""
    return Counter(Counter(site.rsplit("_", 1)[0] for site in sites).values())


@pytest.mark.parametrize("subset", SUBSETS)
def test_the_balanced_split_has_the_published_sizes(subset):
    named = published(subset)
    sites = [(s.rsplit("_", 1)[0], int(s.rsplit("_", 1)[1])) for part in PARTS for s in named[part]]
    split = balanced_split(sites, seed=7)
    for part in PARTS:
        ours = [f"{m}_{i:03d}" for (m, i), where in split.items() if where == part]
        assert len(ours) == len(named[part])
        assert histogram(ours) == histogram(named[part])


@pytest.mark.parametrize("subset", SUBSETS)
def test_the_published_files_can_be_read(subset):
    named = published(subset)
    split = read_split_files(shared("3dtm_xanes_ml2024/splits"), subset)
    assert Counter(split.values()) == {part: len(named[part]) for part in PARTS}


def made_up_sites(materials=60):
    random = np.random.default_rng(0)
    return [(f"mp-{k}", i) for k in range(materials) for i in range(random.integers(1, 5))]


def test_no_material_is_in_two_parts_and_a_seed_is_a_split():
    sites = made_up_sites()
    split = balanced_split(sites, seed=1)
    assert split.keys() == set(sites)
    parts = pd.DataFrame([(m, part) for (m, _), part in split.items()], columns=["material", "part"])
    assert parts.groupby("material")["part"].nunique().max() == 1
    assert balanced_split(sites[::-1], seed=1) == split
    assert balanced_split(sites, seed=2) != split


def test_too_few_spectra_are_told_with_their_numbers():
    sites = [("mp-1", 0), ("mp-2", 0), ("mp-3", 0)]
    with pytest.raises(XanesflowError, match=r"Cu_FEFF: 3 spectra of 3 materials are too few .* 3 would train, 0 val"):
        check_split(balanced_split(sites, seed=0), "Cu_FEFF")


def test_too_few_sites_are_refused_before_anything_is_simulated(tmp_path):
    sites = pd.DataFrame(made_up_sites(), columns=["material_id", "site_index"])
    sites.to_parquet(tmp_path / "sites.parquet")
    options = {"subset": "Cu_FEFF", "only": None, "files": None, "seed": 0}
    check_site_count(tmp_path / "sites.parquet", tmp_path / "count.json", **options)
    counts = json.loads((tmp_path / "count.json").read_text())
    assert sum(counts.values()) == len(sites) and min(counts.values()) > 0
    sites.head(5).to_csv(tmp_path / "plan.csv", index=False)
    with pytest.raises(XanesflowError, match=r"^Even if every simulation succeeds: Cu_FEFF: 5 spectra of \d materials"):
        check_site_count(
            tmp_path / "sites.parquet", tmp_path / "none.json", **options | {"only": tmp_path / "plan.csv"}
        )
    (tmp_path / "plan.csv").write_text("material_id,site_index\nmp-x,7\nmp-y,0\n")
    with pytest.raises(XanesflowError, match=r"plan\.csv names mp-x_007 \(and 1 more\), which is no site of Cu_FEFF"):
        check_site_count(
            tmp_path / "sites.parquet", tmp_path / "none.json", **options | {"only": tmp_path / "plan.csv"}
        )
    assert not (tmp_path / "none.json").exists()


def test_a_material_in_two_parts_is_refused():
    with pytest.raises(XanesflowError, match="material mp-1 is in two parts"):
        check_split({("mp-1", 0): "train", ("mp-1", 1): "val"}, "Cu_FEFF")


@pytest.mark.parametrize(
    ("train", "val", "told"),
    [
        ("mp-1_000\nmp-2_zero\n", "mp-3_000\n", r"Cu_FEFF_train.txt, line 2: 'mp-2_zero' is not a site"),
        ("mp-1_000\nmp-1_000\n", "mp-3_000\n", r"Cu_FEFF_train.txt, line 2: mp-1_000 is listed twice"),
        ("mp-1_000\n", "mp-3_000\nmp-1_000\n", r"Cu_FEFF_val.txt, line 2: mp-1_000 is listed twice"),
        ("mp-1_000\n", "mp-1_001\n", r"Cu_FEFF_val.txt, line 1: material mp-1 is in train and in val"),
        ("mp-1_000\n", None, r"Cu_FEFF_val.txt cannot be read"),
        ("mp-1_000\n", b"\xff\xfe\x00", r"Cu_FEFF_val.txt cannot be read"),
    ],
)
def test_wrong_files_are_told_by_file_and_line(tmp_path, train, val, told):
    for part, content in (("train", train), ("val", val), ("test", "")):
        if content is not None:
            as_bytes = content if isinstance(content, bytes) else content.encode()
            (tmp_path / f"Cu_FEFF_{part}.txt").write_bytes(as_bytes)
    with pytest.raises(XanesflowError, match=told):
        read_split_files(tmp_path, "Cu_FEFF")


def write_curated(path, sites, rejected=()):
    spectra, multiplicity = np.ones((len(sites), 141)), np.ones(len(sites), dtype=np.int64)
    materials, atoms = zip(*sites, strict=True)
    curated = CuratedSpectra(
        "Cu_FEFF", np.arange(141.0), spectra, list(materials), np.array(atoms), multiplicity, list(rejected)
    )
    write_spectra(path, curated, {})


def test_files_of_editors_that_mark_utf_8_can_be_read(tmp_path):
    for part in ("train", "val", "test"):
        (tmp_path / f"Cu_FEFF_{part}.txt").write_text(f"{part}_001\r\n", encoding="utf-8-sig", newline="")
    assert read_split_files(tmp_path, "Cu_FEFF") == {(part, 1): part for part in ("train", "val", "test")}


def test_where_runs_failed_the_sentence_on_too_few_spectra_names_retry(tmp_path):
    rejected = [Rejected("mp-2", 0, "timed_out", "it did not end within 60 s and was stopped")]
    write_curated(tmp_path / "s.h5", [("mp-1", 0)], rejected)
    with pytest.raises(XanesflowError, match=r"too few for a split.* `xanesflow retry Cu_FEFF` computes failed sites"):
        split_sites(tmp_path / "s.h5", tmp_path / "o.csv", tmp_path / "u.csv", subset="Cu_FEFF", files=None, seed=0)


def test_what_files_and_spectra_do_not_share_is_listed_on_both_sides(tmp_path):
    write_curated(tmp_path / "s.h5", [("mp-1", 0), ("mp-1", 3), ("mp-2", 0), ("mp-3", 1)])
    for part, text in (("train", "mp-1_000 \n\nmp-1_003\n"), ("val", "mp-2_000\n"), ("test", "mp-8_000\n")):
        (tmp_path / f"Cu_FEFF_{part}.txt").write_text(text)
    split_sites(tmp_path / "s.h5", tmp_path / "o.csv", tmp_path / "u.csv", subset="Cu_FEFF", files=tmp_path, seed=0)
    assert (tmp_path / "o.csv").read_text().split() == [
        "material_id,site_index,split",
        "mp-1,0,train",
        "mp-1,3,train",
        "mp-2,0,val",
    ]
    lacking = pd.read_csv(tmp_path / "u.csv")
    assert lacking["material_id"].tolist() == ["mp-3", "mp-8"]
    assert lacking["lacks"].tolist() == ["not named by the split files", "named for test, without a spectrum"]
