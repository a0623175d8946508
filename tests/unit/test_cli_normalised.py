"""`--normalised` and `--broaden` of `xanes` and `predict`: background, spectrum in units of its step, width."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
from command_line import answer, sentence
from larch.io import read_ascii
from measured_files import xdi
from trained_campaign import campaign, model_of

from xanesflow.codes.feff8l import XanesResult
from xanesflow.core.errors import WrongCallError, XanesflowError
from xanesflow.matching.candidates import find_candidates
from xanesflow.matching.compute_candidates import make_engine, plan_spectra
from xanesflow.matching.material_spectrum import average_sites
from xanesflow.matching.spectrum_store import SpectrumStore, StoredSpectrum
from xanesflow.matching.write_normalised import read_broadening, write_normalised, write_spectrum
from xanesflow.measured import read_measured
from xanesflow.spectra.compute_sites import SiteResult
from xanesflow.structures.choose_site import Absorber

ENERGY = np.arange(8320.0, 8372.0, 0.1)


def outcome(index, multiplicity, scale):
    """A step of height `scale` at 8335 eV with a line 10 eV above it."""
    background = scale * (0.5 + np.arctan((ENERGY - 8335) / 0.5) / np.pi)
    line = scale * 0.6 * np.exp(-((ENERGY - 8345) ** 2) / 8)
    return SiteResult(
        Absorber("Ni", index, multiplicity), XanesResult(ENERGY, background + line, background, {}), "", 1
    )


def test_the_table_has_the_weighted_mean_in_units_of_its_step(tmp_path):
    path = tmp_path / "out.csv"
    assert write_normalised(path, [outcome(0, 1, 1e-3), outcome(1, 3, 2e-3)], read_broadening("gaussian:1.5"))
    table = pd.read_csv(path, comment="#")
    assert list(table) == ["energy_ev", "cross_section", "background", "normalised", "broadened"]
    far = table[table["energy_ev"] > 8360]
    assert far["background"].to_numpy() == pytest.approx(1.75e-3, rel=0.02)
    assert far["normalised"].to_numpy() == pytest.approx(1.0, abs=0.02)
    at = table.iloc[(table["energy_ev"] - 8345).abs().idxmin()]
    assert at["normalised"] == pytest.approx(1.6, abs=0.03)
    # A Gaussian line of σ = 2 eV broadened by 1.5 eV keeps its area: 0.6 × 2 / 2.5 high
    assert at["broadened"] == pytest.approx(1.0 + 0.6 * 2 / 2.5, abs=0.03)
    header = path.read_text(encoding="utf-8")
    assert "broadened: gaussian, width 1.5 eV" in header
    widths = {"gaussian:1.5": "1.5 eV (standard deviation)", "lorentzian:1": "1 eV (full width at half maximum), rise"}
    for kind, said in widths.items():
        write_normalised(path, [outcome(0, 1, 1e-3)], read_broadening(kind))
        assert f"width {said}" in path.read_text(encoding="utf-8")
    assert write_normalised(tmp_path / "out.dat", [outcome(0, 1, 1e-3), outcome(1, 3, 2e-3)], None)
    assert np.loadtxt(tmp_path / "out.dat") == pytest.approx(table[["energy_ev", "normalised"]].to_numpy(), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "element"),
    [("nio-rocksalt", "Ni"), ("tio2-anatase", "Ti"), ("cu2o-cuprite", "Cu"), ("fecr2o4-spinel", "Fe")],
)
@pytest.mark.parametrize("end", [".dat", ".csv"])
def test_measured_reads_what_is_normalised_as_it_stands_although_it_ends_soon_after_the_edge(
    name, element, end, tmp_path
):
    engine, shipped = make_engine("FEFF8L", element), SpectrumStore("FEFF8L", tmp_path / "none")
    plan = plan_spectra(find_candidates([name], element)[0], engine, shipped)
    mean = average_sites([plan.known[site.key] for site in plan.sites], [1] * len(plan.sites))
    path = tmp_path / f"computed{end}"
    write_spectrum(path, mean, None, element=element)
    (found,) = read_measured(path)
    assert (found.element, found.edge, found.parameters["mode"]) == (element, "K", "normalised")
    assert found.energy_ev == pytest.approx(mean.energy_ev) and found.normalised == pytest.approx(mean.values, abs=1e-5)
    assert found.parameters["post_edge_range_ev"][0] == 10.0  # there is nothing beyond 50 eV
    if end == ".dat":
        assert read_ascii(str(path)).array_labels == ["energy", "norm"]
        # The same file with another height is not normalised.
        rows = np.column_stack([mean.energy_ev, 1.6 * mean.values])
        np.savetxt(path, rows, header="energy norm")
        with pytest.raises(XanesflowError, match="not about 0 before and 1 after the edge"):
            read_measured(path)
    if name == "nio-rocksalt":
        rows = np.column_stack([mean.energy_ev, mean.values])[mean.energy_ev < found.half_step_ev + 15]
        np.savetxt(path, rows, header="energy,norm", delimiter=",")
        with pytest.raises(XanesflowError, match=r"ends 15 eV after the edge.*at least 20 eV"):
            read_measured(path)


def test_without_a_background_nothing_is_written(tmp_path):
    failed = SiteResult(Absorber("Ni", 0, 1), None, "it crashed", 1)
    assert not write_normalised(tmp_path / "out.csv", [failed, outcome(1, 1, 1e-3)], None)
    assert list(tmp_path.iterdir()) == []


def test_broadenings_are_read_or_refused_in_a_sentence():
    rising = read_broadening("arctangent:1:4:25")
    assert (rising.kind, rising.width_ev, rising.rise_ev, rising.centre_ev) == ("arctangent", 1.0, 4.0, 25.0)
    assert read_broadening("lorentzian:1").rise_ev == 5.0
    for wrong in (
        "gaussian",
        "gaussian:1:2",
        "box:1",
        "lorentzian:x",
        "gaussian:-1",
        "arctangent:1:2:0",
        "gaussian:nan",
        "gaussian:1e9",
        "lorentzian:1:51",
        "",
    ):
        with pytest.raises(WrongCallError, match="--broaden"):
            read_broadening(wrong)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The engine's spectra of two oxides of copper: a flat background of 8e-4 bohr² above the edge at 8988 eV."""
    folder = tmp_path_factory.mktemp("kept")
    store, engine = SpectrumStore("FEFF8L", folder, shipped=folder), make_engine("FEFF8L", "Cu")
    energy = np.arange(8970.0, 9022.0, 0.1)
    background = 8e-4 * (0.5 + np.arctan((energy - 8988) / 0.1) / np.pi)
    for name in OXIDES:
        for site in plan_spectra(find_candidates([name], "Cu")[0], engine, store).sites:
            store.put(site.key, StoredSpectrum(energy, background, background))
    return folder


OXIDES = ("cu2o-cuprite", "cuo-tenorite")


def test_predictions_are_divided_by_the_step_of_the_engines_background(kept, tmp_path):
    output = tmp_path / "out.h5"
    arguments = ["predict", *OXIDES, "-m", model_of(), "-o", output, "--broaden", "gaussian:2", "--cache", kept]
    code, said = answer(*arguments)
    assert code == 0, said
    with h5py.File(output) as file:
        averages, energy = file["Cu_FEFF/averages/spectra"][()], file["Cu_FEFF/energy"][()]
        ids = file["Cu_FEFF/averages/material_id"].asstr()[()].tolist()
    for name in OXIDES:
        path = tmp_path / f"out_{name}_Cu_FEFF_normalised.csv"
        assert path.name in said.replace("\n", "")
        table = pd.read_csv(path, comment="#")
        expected = np.interp(table["energy_ev"], energy, averages[ids.index(name)])
        assert table["cross_section"].to_numpy() == pytest.approx(expected, rel=1e-5)
        above = (table["energy_ev"] > 8995).to_numpy()
        assert table["normalised"].to_numpy()[above] == pytest.approx(expected[above] / 8e-4, rel=0.02)
        assert table["broadened"].std() < table["normalised"].std()
        assert "by FEFF8L" in path.read_text()
        head = [line for line in path.read_text().splitlines() if line.startswith("#")]
        assert any("Cu_FEFF predicted by expert" in line for line in head)
        for key in ("# models: ", "# versions: ", "# structure_sha256: "):
            assert sum(line.startswith(key) for line in head) == 1


def test_a_cell_of_a_disordered_crystal_is_normalised_without_the_crystal_itself(kept, tmp_path):
    cell = tmp_path / "foo.cell1.json"
    cell.write_text(find_candidates([OXIDES[0]], "Cu")[0][0].material.structure)
    arguments = ["predict", cell, "-m", model_of(), "-o", tmp_path / "out.h5", "--normalised", "--cache", kept]
    code, said = answer(*arguments)
    assert code == 0, said
    assert [path.name for path in tmp_path.glob("*.csv")] == ["out_foo.cell1_Cu_FEFF_normalised.csv"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--normalised"], "--output"),
        (["--normalised", "-o", "out.h5", "--site", "0"], "--site cannot be used"),
        (["--broaden", "gaussian:1"], "--broaden writes its tables beside the spectra; name their file with --output"),
        (["--broaden", "gaussian:1", "-o", "out.h5", "--site", "0"], "--site cannot be used with --broaden"),
        (["-o", "out.h5", "--cache", "kept"], "--cache keeps what --normalised computes; add --normalised"),
        (["--broaden", "box:1", "-o", "out.h5"], "--broaden 'box:1'"),
        (["--broaden", "", "-o", "out.h5"], "--broaden '' is not understood"),
    ],
)
def test_normalised_predictions_that_cannot_be_made_are_refused_first(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words in sentence("predict", OXIDES[0], "-m", model_of(), *arguments, code=2)
    assert list(tmp_path.iterdir()) == []


def test_candidates_that_a_model_predicts_are_ranked(kept, tmp_path):
    with h5py.File(campaign() / "d.h5") as file:
        energy = file["Cu_FEFF/energy"][()]
    away = np.arange(energy[0] - 100, energy[-1] + 200, 0.5)
    scan = xdi(tmp_path / "scan.xdi", "mu", away, 0.3 + 0.5 + np.arctan((away - 8988) / 0.8) / np.pi)
    output = tmp_path / "out.json"
    arguments = ["match", scan, *OXIDES, "-m", model_of(), "-o", output, "--cache", kept, "--element", "Cu"]
    code, said = answer(*arguments)
    assert code == 0, said
    assert "normalised by the engine's background" in said and "may not hold" in said
    record = json.loads(output.read_text())
    assert {row["id"] for row in record["rows"]} == set(OXIDES)
    # The ranking lays the model's spectra over the scan, not the engine's, which has no structure above the edge.
    assert all(np.ptp([value for value in row["fitted"][-40:] if value is not None]) > 0.02 for row in record["rows"])
