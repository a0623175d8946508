"""`--align experiment` of `xanes` and `predict`: how far energies are moved, and that every file says so."""

import re

import numpy as np
import pandas as pd
import pytest
from command_line import call
from feff_runs import rocksalt
from pymatgen.core import Lattice, Structure
from trained_campaign import model_of

from xanesflow.codes.run_engine import SiteSpectrum
from xanesflow.core.errors import WrongCallError
from xanesflow.matching import experiment_energies
from xanesflow.matching.choice_model import HIGHEST, PIVOT, read_match_calibration
from xanesflow.matching.experiment_energies import expected_shift, known_theories
from xanesflow.measured import read_measured
from xanesflow.prediction.read import read_prediction
from xanesflow.spectra import compute_sites
from xanesflow.structures.material import describe

ORIGIN = re.compile("# (structure|formula|structure_sha256|engine|versions): ")
ENERGY = 8970 + 0.1 * np.arange(521)


@pytest.fixture
def at_once(monkeypatch):
    """An engine that gives a step with an edge in its record at once."""
    background = 1e-3 * (0.5 + np.arctan(ENERGY - 8985) / np.pi)
    field = {"converged": True, "iterations": 8, "last_change_ev": 0.01}
    record = {"rung": "SCF 2.6 Å", "rung_number": 1, "convergence": field, "fermi_ev": -3.0}
    result = SiteSpectrum(ENERGY, background, record, background)
    monkeypatch.setattr(compute_sites, "compute_site", lambda *_: result)


def shift(theory, structure, element):
    material = describe("x", structure, symprec=0.01)
    first = material.elements.index(element)
    return expected_shift(theory, element, material, [(first, material.multiplicity(first))])


def test_metals_have_their_own_shift_and_compounds_one_that_rises_with_the_oxidation_state():
    known = read_match_calibration("FEFF8L")
    copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.615), ["Cu"], [[0, 0, 0]])
    assert shift("FEFF8L", copper, "Cu") == known.expected["metal"]["Cu"]
    manganese = known.expected["compound"]["Mn"]
    oxides = {
        2: rocksalt("Mn", 4.44),
        4: Structure.from_spacegroup(
            "P4_2/mnm", Lattice.tetragonal(4.40, 2.87), ["Mn", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
        ),
    }
    for state, oxide in oxides.items():
        expected = manganese.mean_ev + known.slope_ev * (min(state, HIGHEST) - PIVOT)
        assert shift("FEFF8L", oxide, "Mn").mean_ev == pytest.approx(expected)
    assert shift("FEFF8L", oxides[2], "Mn").sd_ev == manganese.sd_ev


def test_levels_of_theory_without_a_comparison_are_refused():
    with pytest.raises(WrongCallError, match=r"Energies of VASP were never compared with experiment.* FEFF8L"):
        shift("VASP", rocksalt("Ni"), "Ni")
    assert "measured" not in known_theories()


def test_table_and_terminal_say_by_how_much_and_how_surely(at_once, tmp_path):
    code, _, plain = call("xanes", "cu-fcc", "--output", tmp_path / "plain")
    assert code == 0 and "to experiment" not in plain
    code, _, said = call("xanes", "cu-fcc", "--align", "experiment", "--normalised", "--output", tmp_path / "moved")
    known = read_match_calibration("FEFF8L").expected["metal"]["Cu"]
    sentence = f"energies moved by {known.mean_ev:+.2f} ± {known.sd_ev:.1f} eV to experiment"
    assert code == 0 and sentence in said
    files = [next((tmp_path / each).glob("*_xanes.csv")) for each in ("plain", "moved")]
    one, other = (pd.read_csv(file, comment="#") for file in files)
    assert other["energy_eV"].to_numpy() == pytest.approx(one["energy_eV"].to_numpy() + known.mean_ev, abs=1e-3)
    (beside,) = (tmp_path / "moved").glob("*_normalised.csv")
    for file in (files[1], beside):
        assert sentence in file.read_text()
    for folder, label in (("plain", "Photon energy"), ("moved", "Photon energy, moved to experiment")):
        assert f">{label} (eV)<" in next((tmp_path / folder).glob("*_xanes.svg")).read_text()
    # Both say in the same lines what was computed, and how; read by `xanesflow measured`, they are of copper.
    origins = [[line for line in file.read_text().splitlines() if ORIGIN.match(line)] for file in (files[1], beside)]
    assert len(origins[0]) == 5 and origins[0] == origins[1]
    (found,) = read_measured(beside)
    assert (found.element, found.edge) == ("Cu", "K")
    assert "to experiment" not in files[0].read_text()


def test_energies_with_a_core_hole_are_not_known(at_once, tmp_path):
    words = ("--align", "experiment", "--core-hole", "on", "--output", tmp_path)
    code, _, said = call("xanes", "cu-fcc", *words)
    assert code == 2 and "knows no energies with a core hole" in said


def test_energies_at_settings_whose_field_is_off_are_not_known(tmp_path):
    words = ("--align", "experiment", "--theory", "FEFF", "--settings", "quick", "--output", tmp_path)
    code, _, said = call("xanes", "cu-fcc", *words)
    assert code == 2 and "knows no energies with the settings quick" in said
    assert list(tmp_path.iterdir()) == []


def predict(*words):
    return call("predict", "cu2o-cuprite", "cu-fcc", "--model", model_of(), *words)


def test_predictions_of_each_material_move_by_its_own_shift(tmp_path):
    known = read_match_calibration("FEFF", experiment_energies.ENERGIES)
    metal, oxide = known.expected["metal"]["Cu"].mean_ev, known.expected["compound"]["Cu"].mean_ev
    expected = {"cu-fcc": metal, "cu2o-cuprite": oxide + known.slope_ev * (1 - PIVOT)}
    assert metal < oxide - 2
    for name in ("plain.h5", "moved.h5", "plain.csv", "moved.csv"):
        code, _, said = predict("-o", tmp_path / name, *(["--align", "experiment"] if "moved" in name else []))
        assert code == 0, said
        assert ("Energies are moved to experiment" in said) == ("moved" in name)
    for name, option in (("plain", ()), ("moved", ("--align", "experiment"))):
        for end in ("svg", "html"):
            assert predict("-o", tmp_path / "again.csv", "--plot", tmp_path / f"{name}.{end}", *option)[0] == 0
            text = (tmp_path / f"{name}.{end}").read_text("utf-8")
            assert "Photon energy" in text and ("moved to experiment (eV)" in text) == (name == "moved")
    plain, moved = (read_prediction(tmp_path / f"{name}.h5")["Cu_FEFF"] for name in ("plain", "moved"))
    assert moved.spectra == pytest.approx(plain.spectra) and moved.energy_ev == pytest.approx(plain.energy_ev)
    assert plain.shift_ev == {} and moved.shift_ev == pytest.approx(expected)
    tables = [pd.read_csv(tmp_path / f"{name}.csv", comment="#") for name in ("plain", "moved")]
    by = (tables[1]["energy_eV"] - tables[0]["energy_eV"]).groupby(tables[0]["material_id"]).agg(["min", "max"])
    for name, shift_ev in expected.items():
        assert by.loc[name].to_numpy() == pytest.approx(shift_ev, abs=1e-3)
    assert "moved to experiment, each material by its shift, right to ±" in (tmp_path / "moved.csv").read_text()


def test_files_of_a_prediction_that_was_there_before_are_named(tmp_path):
    arguments = ("-o", tmp_path / "c.csv", "--plot", tmp_path / "c.svg")
    assert "Replaced" not in predict(*arguments)[2]
    code, _, said = predict(*arguments)
    assert code == 0 and "Replaced what was there before: c.csv and c.svg." in said


def test_predictions_for_athena_move_too(tmp_path):
    for name, words in {"plain": (), "moved": ("--align", "experiment")}.items():
        assert predict("-o", tmp_path / name, "--format", "athena", *words)[0] == 0
    files = [next((tmp_path / name / "Cu_FEFF").glob("cu-fcc*.dat")) for name in ("plain", "moved")]
    one, other = map(np.loadtxt, files)
    shift_ev = read_match_calibration("FEFF", experiment_energies.ENERGIES).expected["metal"]["Cu"].mean_ev
    assert other[:, 0] - one[:, 0] == pytest.approx(shift_ev, abs=1e-3) and other[:, 1] == pytest.approx(one[:, 1])
    assert "moved to experiment" in files[1].read_text()


def test_models_of_a_theory_without_a_comparison_are_refused_before_the_work(monkeypatch, tmp_path):
    monkeypatch.setattr(experiment_energies, "known_theories", lambda: ["FEFFQ"])
    code, _, said = predict("--align", "experiment", "-o", tmp_path / "out.csv")
    assert code == 2 and "Energies of FEFF were never compared with experiment" in said
    assert list(tmp_path.iterdir()) == []
