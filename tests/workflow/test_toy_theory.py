"""A level of theory that another package adds by an entry point: a campaign of it runs to the report.

The package is tests/support/toy_code: a record and the four files of a room, found where Python looks for packages.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import forked_snakemake
import h5py
import pandas as pd
import pytest
from workflow import CALL, command, write_run_config

import xanesflow

LIBRARY = Path(xanesflow.__file__).parents[1]
TOY_CODE = Path(__file__).parents[1] / "support/toy_code"


def run_with_toy(directory, *arguments):
    """Run the workflow where Python finds the package, and leave the own environment as it is: others fork from it."""
    path = {**os.environ, "PYTHONPATH": str(TOY_CODE)}
    words = command(directory, *arguments)[len(CALL) :]
    code, printed = forked_snakemake.call(words, folder=directory, environment=path, seconds=600)
    assert code == 0, printed[-6000:]


def test_a_campaign_of_a_theory_of_another_package_runs_to_the_report(tmp_path):
    write_run_config(tmp_path, "Cu_TOY", chunks=2, structures={"source": "examples"}, features={"models": ["radial"]})
    run_with_toy(tmp_path)
    results = tmp_path / "results"
    with h5py.File(results / "dataset/test.h5") as file:
        told = dict(file["Cu_TOY/spectra"].attrs)
        assert len(file["Cu_TOY/spectra"]) > 20 and told["broadening"] == "2 eV"
    (metrics,) = pd.read_csv(results / "evaluation/metrics.csv").itertuples()
    assert (metrics.element, metrics.theory) == ("Cu", "TOY")
    assert "Cu_TOY" in (results / "report/report.html").read_text()
    failed = pd.read_csv(results / "simulations/Cu_TOY/failed.csv")
    assert failed.empty
    run_with_toy(tmp_path, "structures", "inputs", "package")
    (cost,) = pd.read_csv(results / "structures/cost.csv").itertuples()
    assert cost.basis == "a guess"
    with zipfile.ZipFile(results / "inputs/Cu_TOY/0000.zip") as packed:
        assert any(name.endswith("_Cu/toy.in") for name in packed.namelist())
    (card,) = results.rglob("README.md")
    assert "a toy: an edge" in card.read_text() and "Spectra of the toy mean nothing." in card.read_text()


def test_the_quick_look_takes_a_theory_of_another_package(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "xanesflow", "xanes", "cu2o-cuprite", "--theory", "TOY", "-o", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(LIBRARY), str(TOY_CODE)])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Theory: a toy: an edge, and a peak for each neighbour." in ended.stderr
    table = pd.read_csv(tmp_path / "cu2o-cuprite_Cu_xanes.csv", comment="#")
    assert len(table) == 121 and (table["average"] > 0).all()


@pytest.mark.parametrize("record", ["toy_theory:__doc__", "toy_theory.options:ToyOptions"])
def test_an_entry_point_that_is_no_record_is_reported_in_a_sentence(tmp_path, record):
    (tmp_path / "other-1.0.dist-info").mkdir()
    (tmp_path / "other-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (tmp_path / "other-1.0.dist-info/entry_points.txt").write_text(f"[xanesflow.theories]\nOTHER = {record}\n")
    ask = "from xanesflow.codes.registry import theory_of\ntheory_of('OTHER')"
    ended = subprocess.run(
        [sys.executable, "-c", ask],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(TOY_CODE)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (
        f"The entry point OTHER of the group xanesflow.theories is {record}, which is no record of OTHER"
        in ended.stderr
    )
