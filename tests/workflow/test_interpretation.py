"""From published runs to interpreters, the report that shows them, and what they say of a measured spectrum."""

import csv

import pandas as pd
import pytest
from command_line import answer
from pack_archives import pack
from published_runs import files_of_materials, first_materials
from shared_data import shared
from workflow import run, write_import_config

from xanesflow.interpretation.interpret_spectra import OUTPUT_COLUMNS
from xanesflow.interpretation.site_descriptors import DESCRIPTORS

MATERIALS = 45


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    """The real runs of some materials, up to the report, with trees alone."""
    folder, wanted = tmp_path_factory.mktemp("interpretation"), first_materials("val", MATERIALS)
    packed = pack("tar.gz", folder / "part.tar.gz", files_of_materials(wanted))
    more = {"splits": {"fractions": [0.6, 0.2, 0.2]}, "interpretation": {"models": ["trees"]}}
    write_import_config(folder, packed, "radial", envelope=None, **more)
    run(folder, "interpretation")
    run(folder, "report")
    return folder


def test_tables_figures_and_report(campaign):
    results = campaign / "results/interpretation"
    metrics = pd.read_csv(results / "metrics.csv")
    assert list(metrics) == [
        "subset", "model", "descriptor", "split", "seed", "n_test", "spearman", "r2", "mae", "f1", "coverage_90"
    ]  # fmt: skip
    assert set(metrics["split"]) == {"campaign"} and set(metrics["descriptor"]) == set(DESCRIPTORS)
    assert set(metrics["model"]) == {"trees", "trees_exact", "trees_aligned"}
    assert metrics["coverage_90"].mean() > 0.7 and (metrics["n_test"] > 5).all()
    robust = pd.read_csv(results / "robustness.csv")
    assert {-2.0, -1.0, 0.0, 1.0, 2.0} <= set(robust["shift_ev"]) and {0.0, 2.0} <= set(robust["fwhm_ev"])
    assert not len(pd.read_csv(results / "axes.csv"))
    read = pd.read_parquet(results / "predictions/trees-Cu_FEFF-campaign-0.parquet")
    assert (read["low_90"] <= read["value"]).all() and (read["value"] <= read["high_90"]).all()
    page = (campaign / "results/report/report.html").read_text()
    assert 'id="interpretation"' in page and "Confusion matrices" in page
    assert "Nothing to be done" in run(campaign, "interpretation", "report")


def test_a_measured_oxide_is_read(campaign, monkeypatch):
    monkeypatch.chdir(campaign)
    code, said = answer("interpret", shared("measured/Cu/CuO_tenorite_13K_01.xdi"), "--output", "site.csv")
    assert code == 0, said
    with (campaign / "site.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == OUTPUT_COLUMNS and {row["descriptor"] for row in rows} == set(DESCRIPTORS)
    oxidation = next(row for row in rows if row["descriptor"] == "oxidation_state")
    assert float(oxidation["low_90"]) <= 2 <= float(oxidation["high_90"])
    assert "Nearest simulated sites" in said
