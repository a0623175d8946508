"""Measured spectra in a campaign: from files to their ranking, by candidates whose spectra come with the package."""

import json

import numpy as np
import pandas as pd
import pytest
from measured_files import ENERGY, xdi
from workflow import run, write_run_config

from xanesflow.core.templates import environment
from xanesflow.matching.candidates import find_candidates
from xanesflow.matching.choice_model import read_match_calibration
from xanesflow.matching.compute_candidates import DEFAULT_THEORY, make_engine, plan_spectra
from xanesflow.matching.references import computed_references, computed_standards, material_spectra
from xanesflow.matching.spectrum_store import SpectrumStore
from xanesflow.matching.write_match import COLUMNS
from xanesflow.report.measured_section import measured_part

NAMES = ["fe-bcc", "fe2o3-hematite", "feo-rocksalt"]
SHIFT_EV = {"fe-bcc": -8.0, "fe2o3-hematite": -4.0}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    """Scans of iron and hematite, made of their shipped spectra as the calibration expects them to be measured, at
    other energies, and a file that is no spectrum.
    """
    folder = tmp_path_factory.mktemp("measured")
    scans = folder / "scans"
    scans.mkdir()
    theory = DEFAULT_THEORY
    candidates, _ = find_candidates(NAMES, "Fe")
    plan = plan_spectra(candidates, make_engine(theory, "Fe"), SpectrumStore(theory, folder / "none"))
    assert not plan.missing, "the spectra of the examples come with the package"
    spectra, _ = material_spectra(candidates, plan, plan.known)
    references = computed_references(candidates, spectra, folder / "none")
    for each in computed_standards(references, "Fe", read_match_calibration(theory)):
        if each.name in SHIFT_EV:
            values = np.interp(ENERGY - SHIFT_EV[each.name], each.energy_ev, each.values, left=0.0, right=1.0)
            xdi(scans / f"{each.name}.xdi", "mu", ENERGY, 0.2 + 1.1 * values)
    (scans / "notes.txt").write_text("no spectrum\n", encoding="utf-8")
    measured = {"files": "scans", "candidates": NAMES}
    write_run_config(folder, "Fe_FEFF8L", structures={"source": "examples"}, measured=measured)
    run(folder, "measured")
    return folder


def test_each_scan_is_ranked_and_what_cannot_be_used_is_named(campaign):
    results = campaign / "results/measured"
    rows = pd.read_csv(results / "ranking.csv")
    assert tuple(rows) == ("scan", *COLUMNS)
    best = rows[rows["rank"] == 1].set_index("scan")
    assert best["id"].to_dict() == {f"{name}.xdi": name for name in SHIFT_EV}
    for name, shift in SHIFT_EV.items():
        assert best["shift_ev"][f"{name}.xdi"] == pytest.approx(shift, abs=0.5)
    assert rows.groupby("scan")["certainty"].sum().tolist() == pytest.approx([1.0, 1.0], abs=1e-3)
    record = json.loads((results / "ranking.json").read_text("utf-8"))
    assert [scan["source"] for scan in record] == [f"{name}.xdi" for name in SHIFT_EV]
    left_out = pd.read_csv(results / "left_out.csv")
    assert left_out["file"].tolist() == ["scans/notes.txt"] and left_out["detail"][0].startswith("notes.txt")
    assert sorted(path.name for path in (results / "figures").glob("*.svg")) == ["0000.svg", "0001.svg"]
    log = (campaign / "results/logs/match_spectra.log").read_text()
    assert "3 candidates of Fe with 3 sites: 0 to compute" in log
    assert not (results / "kept/FEFF8L").exists()


def test_the_report_has_a_section_on_them(campaign):
    part = measured_part(campaign / "results/measured")
    page = environment("xanesflow.report").get_template("measured.html").render(measured=part)
    assert 'id="measured"' in page and page.count("data:image/svg+xml;base64,") == 2
    assert "hematite" in page and "Left out: notes.txt" in page
    assert not environment("xanesflow.report").get_template("measured.html").render(measured=None).strip()
    planned = run(campaign, "results/report/report.html", "--dry-run", "--forcerun", "match_spectra")
    assert "match_spectra" in planned


def test_it_is_made_again_when_a_scan_or_the_candidates_change(campaign):
    assert "Nothing to be done" in run(campaign, "measured", "--dry-run")
    text = (campaign / "campaign.yaml").read_text()
    (campaign / "campaign.yaml").write_text(text.replace("- feo-rocksalt", "- feco3-calcite"))
    try:
        assert "match_spectra" in run(campaign, "measured", "--dry-run")
    finally:
        (campaign / "campaign.yaml").write_text(text)
