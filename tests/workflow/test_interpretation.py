"""From published runs to interpreters, the report that shows them, and what they say of a measured spectrum."""

import csv
import subprocess
import sys
import tarfile

import pandas as pd
import pytest
from shared_data import shared
from workflow import QUICK, run, write_config

from xanesflow.interpretation.interpret_spectra import OUTPUT_COLUMNS
from xanesflow.interpretation.site_descriptors import DESCRIPTORS

MATERIALS = 45


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    """The real runs of some materials, up to the report, with trees alone."""
    archive = shared("feff9-cu.tar.xz")
    sites = (shared("3dtm_xanes_ml2024/splits") / "Cu_FEFF_val.txt").read_text().split()
    wanted = set(sorted({site.rsplit("_", 1)[0] for site in sites})[:MATERIALS])
    folder = tmp_path_factory.mktemp("interpretation")
    packed = folder / "part.tar.gz"
    with tarfile.open(archive) as source, tarfile.open(packed, "w:gz", compresslevel=1) as target:
        for member in source:
            if member.name.split("/")[1] > max(wanted):
                break  # the archive is sorted
            if member.name.split("/")[1] in wanted:
                target.addfile(member, source.extractfile(member))
    write_config(
        folder,
        subsets=["Cu_FEFF"],
        simulations={"archive": str(packed)},
        curation={"envelope": {"FEFF": None}},
        features={"models": ["radial"]},
        splits={"fractions": [0.6, 0.2, 0.2]},
        models=QUICK,
        interpretation={"models": ["trees"]},
    )
    run(folder, "interpretation")
    run(folder, "report")
    return folder


def interpret(folder, *arguments):
    command = [sys.executable, "-m", "xanesflow", "interpret", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


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


def test_a_measured_oxide_is_read_and_what_cannot_be_read_is_a_sentence(campaign):
    measured = shared("measured/Cu")
    done = interpret(campaign, measured / "CuO_tenorite_13K_01.xdi", "--output", "site.csv")
    assert done.returncode == 0, done.stderr
    with (campaign / "site.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == OUTPUT_COLUMNS and {row["descriptor"] for row in rows} == set(DESCRIPTORS)
    oxidation = next(row for row in rows if row["descriptor"] == "oxidation_state")
    assert float(oxidation["low_90"]) <= 2 <= float(oxidation["high_90"])
    assert "Nearest simulated sites" in done.stdout
    refused = interpret(campaign, shared("measured/Fe/Fe2O3_rt_01.xdi"))
    assert refused.returncode and "is the K edge of Fe" in refused.stderr and "--model" in refused.stderr
    assert "Traceback" not in refused.stderr
    missing = interpret(campaign.parent, measured / "CuO_tenorite_13K_01.xdi")
    assert missing.returncode == 2 and "run snakemake interpretation" in missing.stderr
    table = "energy_eV,one\n" + "".join(f"{8980 + k},{k / 60}\n" for k in range(12))
    (campaign / "short.csv").write_text(table)
    short = interpret(campaign, "short.csv")
    assert short.returncode and "short.csv runs from" in short.stderr and "covers that" in short.stderr
