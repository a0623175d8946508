"""The whole way, from runs to report, and what a user finds there."""

import json
import re

import h5py
import numpy as np
import pandas as pd
from feff_runs import write_archive
from workflow import run, write_config

from xanesflow.dataset.check.validate import validate


def test_the_dataset_is_valid_and_holds_all_that_was_found(finished, tmp_path):
    path = finished / "results/dataset/test.h5"
    assert validate(path, symmetry=True).valid
    with h5py.File(path) as file:
        assert json.loads(file.attrs["config"])["campaign"] == "test"
        cu = file["Cu_FEFF"]
        assert np.allclose(cu["energy"][:], 8983.173 + 0.25 * np.arange(141), rtol=0, atol=1e-9)
        assert {"energy_reference", "broadening", "normalization"} <= set(cu["spectra"].attrs)
        assert cu["features/chgnet"].shape[1] == 65
        assert len(cu["spectra"]) + len(cu["rejected/reason"]) == len(write_archive(tmp_path / "again"))


def test_error_bars_are_judged_or_it_is_said_why_there_are_none(finished):
    (row,) = pd.read_csv(finished / "results/evaluation/calibration.csv").to_dict("records")
    with h5py.File(finished / "results/evaluation/predictions/expert_chgnet_Cu_FEFF.h5") as file:
        calibrated = "uncertainty" in file
    assert row["n"] > 0 and row["members"] == 2
    assert calibrated == (row["coverage_68"] >= 0) == (row["fitted"] == "val") == (not isinstance(row["reason"], str))
    page = (finished / "results/report/report.html").read_text()
    assert ("<b>no error bars</b>" in page) == (not calibrated)


def test_the_report_needs_no_network_and_shows_what_was_left_out(finished):
    page = (finished / "results/report/report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert page.count("data:image/svg+xml") == 4  # two of curation, the model's few spectra, its learning curves
    assert "Results on fewer than 5 spectra" in page
    assert 'id="x-map-title"' in page  # the map is drawn in the page
    rejected = pd.read_csv(finished / "results/spectra/Cu_FEFF_rejected.csv")
    for reason, number in rejected["reason"].value_counts().items():
        assert f"<code>{reason}</code></td><td>{number}</td>" in page
    assert "says nothing about a model" in page


def test_snakemakes_own_report_needs_no_network(finished, tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody answers
    run(finished, "--report", str(tmp_path / "snakemake.html"))
    page = (tmp_path / "snakemake.html").read_text()
    assert len(page) > 100_000
    assert "expert_chgnet_Cu_FEFF/learning_curve.svg" in page
    assert "curation_Cu_FEFF.svg" in page
    assert "spectra_expert_chgnet_Cu_FEFF.svg" in page


def test_a_changed_envelope_makes_again_what_depends_on_it_and_no_more(finished):
    planned = run(finished, "--dry-run", "--config", "curation={envelope: {FEFF: 2.4}}")
    assert "curate_spectra" in planned
    assert "make_report" in planned
    assert "compute_features" not in planned
    assert "import_archive" not in planned


def test_another_seed_trains_only_that(finished):
    planned = run(finished, "--dry-run", "--config", "models={seeds: [0, 1, 2]}")
    assert re.search(r"^train_expert +1$", planned, re.MULTILINE)
    assert "build_dataset" not in planned


def test_one_file_makes_only_what_it_needs(tmp_path, runs):
    write_config(tmp_path, subsets=["Cu_FEFF"], simulations={"archive": str(runs)})
    run(tmp_path, "results/spectra/Cu_FEFF.h5")
    made = {path.name for path in (tmp_path / "results").iterdir() if not path.name.startswith(".")}
    assert made == {"structures", "simulations", "spectra", "logs", "benchmarks"}
    planned = run(tmp_path, "report", "--dry-run")  # which takes all stages
    assert "total" in planned and "curate_spectra" not in planned


def test_another_number_of_chunks_imports_again(finished):
    assert re.search(r"^import_archive_Cu_FEFF +1$", run(finished, "--dry-run", "--config", "chunks=2"), re.MULTILINE)
