"""Files of two columns for Athena: Larch reads back the numbers that `xanes`, `predict` and `dataset export` wrote."""

import h5py
import numpy as np
import pandas as pd
import pytest
from command_line import answer
from dataset_files import write_dataset
from feff_runs import bent_chain, poscar
from larch.io import read_ascii
from trained_campaign import model_of

import xanesflow
from xanesflow.codes.quick_look import quick_look_of
from xanesflow.codes.run_engine import SiteSpectrum
from xanesflow.config.campaign import Campaign
from xanesflow.config.model import Config
from xanesflow.core.errors import XanesflowError
from xanesflow.interpretation.computed_file import read_computed
from xanesflow.matching.spectrum_store import SHIPPED, read_library
from xanesflow.measured import Normalisation, Reading, read_measured
from xanesflow.measured.write_athena import athena_text
from xanesflow.prediction.read import read_prediction
from xanesflow.spectra.compute_sites import SiteResult
from xanesflow.spectra.write_xanes import common_grid, write_spectra
from xanesflow.structures.choose_site import Absorber, make_request


def same_numbers(file, energy_ev, mu):
    """Larch's group of a file, once it holds these numbers."""
    group = read_ascii(str(file))
    assert group.array_labels == ["energy", "mu"]
    assert np.allclose(group.energy, energy_ev, rtol=0, atol=1e-6) and np.allclose(group.mu, mu, rtol=1e-9, atol=0)
    return group


def test_larch_and_measured_read_a_spectrum_its_element_and_what_it_is(tmp_path):
    energy = 8279.0 + np.linspace(0, 240, 481) + 1 / 3
    mu = 2e-3 * (0.5 + np.arctan((energy - 8340) / 0.8) / np.pi) + 1e-3 * np.exp(-((energy - 8351) ** 2) / 30)
    (tmp_path / "a.dat").write_text(athena_text(energy, mu, "Ni", ["sample: NiO\nwith a \x1b[31mbreak", "by hand"]))
    group = same_numbers(tmp_path / "a.dat", energy, mu)
    assert group.attrs.Element_symbol == "Ni" and group.attrs.Element_edge == "K"
    assert "\x1b" not in (tmp_path / "a.dat").read_text() and group.header[0].startswith("# sample: NiO with a")
    (spectrum,) = read_measured(tmp_path / "a.dat", Reading(), Normalisation())
    assert (spectrum.element, spectrum.edge) == ("Ni", "K") and spectrum.edge_step == pytest.approx(2e-3, rel=0.1)


def test_computed_spectra_are_read_back_unless_they_are_too_short(tmp_path):
    written, reasons = tmp_path / "a.dat", []
    spectra = [each for each in read_library(SHIPPED / "FEFF8L.npz").values() if 8330 < each.energy_ev[-1] < 8400]
    for each in spectra[::3]:
        written.write_text(athena_text(each.energy_ev, each.cross_section, "Ni", []))
        try:
            assert read_measured(written)[0].element == "Ni"
        except XanesflowError as error:
            reasons.append(str(error))
    assert all("to be normalised; give a" in each for each in reasons) and len(reasons) < 0.2 * len(spectra[::3])
    # Energies of FEFF may begin above the tabulated edge, and half the step lies 20 eV after it.
    energy = 8979.0 + np.arange(2.0, 70.0, 0.5)
    mu = 2e-3 * (0.5 + np.arctan((energy - 8997) / 0.8) / np.pi)
    for column, values in (("mu", mu), ("norm", mu / 2e-3)):
        written.write_text(athena_text(energy, values, "Cu", [], column=column))
        assert read_measured(written)[0].e0_ev == pytest.approx(8997, abs=0.3)
    late = energy > 8990  # as of copper that a model predicts
    written.write_text(athena_text(energy[late], mu[late] / 2e-3, "Cu", [], column="norm"))
    assert read_measured(written)[0].e0_ev == pytest.approx(8997, abs=0.3)


def test_a_computed_file_is_interpreted_as_one(tmp_path):
    energy = 8979.0 + 0.5 * np.arange(120)
    path, mu = tmp_path / "cu.dat", np.linspace(1e-4, 8e-4, 120)
    path.write_text(athena_text(energy, mu, "Cu", ["K-edge XANES, a test"]))
    (found,) = read_computed(path)
    assert found.energy_ev == pytest.approx(energy) and found.cross_section == pytest.approx(mu)
    for about, column, sentence in (
        ("energies moved by -3.31 ± 1.2 eV to experiment", "mu", r"cu\.dat has energies that were moved"),
        ("cross sections in bohr^2, mean of the sites", "norm", r"cu\.dat holds a normalised spectrum.*column mu"),
    ):
        path.write_text(athena_text(energy, mu, "Cu", [about], column=column), encoding="utf-8")
        with pytest.raises(XanesflowError, match=sentence):
            read_computed(path)


def test_xanes_writes_a_file_for_each_site_and_their_average(tmp_path):
    request = make_request("mn3o4-hausmannite", "Mn", None, symprec=0.01)
    look = quick_look_of("FEFF8L", Campaign(Config()).engine_options("Mn_FEFF8L"), {})
    grid = 6540.0 + 0.1 * np.arange(500)
    outcomes = [
        SiteResult(site, SiteSpectrum(grid, 1e-3 * (1 + n + np.sin(grid)), {"rung": "SCF"}), "", 1.0)
        for n, site in enumerate(request.sites)
    ]
    look = type("Look", (), {"basis": "a test", "engine": look.engine, "packages": (), "describe": lambda _, r: "ok"})()
    files = write_spectra(
        tmp_path / "a_xanes.csv", request, look, outcomes, common_grid(outcomes, average=True), athena=True
    )
    names = [f"a_xanes_{site.folder}.dat" for site in request.sites]
    assert [path.name for path in files] == [*names, "a_xanes_average.dat"] and len(names) == 2
    for path, outcome in zip(files[:-1], outcomes, strict=True):
        same_numbers(path, grid, outcome.result.cross_section)
    weights = [site.multiplicity for site in request.sites]
    mean = np.average([each.result.cross_section for each in outcomes], axis=0, weights=weights)
    assert "# structure:" in files[-1].read_text() and "weighted" in files[-1].read_text()
    same_numbers(files[-1], grid, mean)
    (table,) = write_spectra(tmp_path / "a.csv", request, look, outcomes, common_grid(outcomes, average=True))
    athena = [each.cross_section for path in files for each in read_computed(path)]
    assert [each.cross_section for each in read_computed(table)] == [pytest.approx(each, rel=1e-6) for each in athena]
    one = common_grid(outcomes[:1], average=True)
    alone = write_spectra(tmp_path / "b.csv", request, look, outcomes[:1], one, athena=True)
    assert [path.name for path in alone] == [f"b_{Absorber('Mn', request.sites[0].index, 1).folder}.dat"]


def test_predict_writes_a_folder_once(tmp_path):
    (tmp_path / "POSCAR_good").write_text(poscar(bent_chain()))
    common = ("predict", tmp_path / "POSCAR_good", "-m", model_of())
    assert answer(*common, "-o", tmp_path / "out.h5")[0] == 0
    assert answer(*common, "-o", tmp_path / "out", "--format", "athena")[0] == 0
    wanted = read_prediction(tmp_path / "out.h5")["Cu_FEFF"]
    files = sorted(path.name for path in (tmp_path / "out/Cu_FEFF").iterdir())
    assert files == sorted([*(f"{name}.dat" for name in wanted.ids), "good_average.dat"]) and len(wanted.ids) == 3
    for name, spectrum in zip(wanted.ids, wanted.spectra, strict=True):
        same_numbers(tmp_path / f"out/Cu_FEFF/{name}.dat", wanted.energy_ev, spectrum)
    same_numbers(tmp_path / "out/Cu_FEFF/good_average.dat", wanted.energy_ev, wanted.averages.spectra[0])
    code, said = answer(*common, "-o", tmp_path / "out", "--format", "athena")
    assert code == 2 and "nothing is overwritten" in said
    code, said = answer(*common, "--format", "athena")
    assert code == 2 and "name it with --output DIR" in said


def test_a_dataset_is_exported_as_a_file_for_each_site(tmp_path):
    path = write_dataset(tmp_path)
    assert answer("dataset", "export", path, "--format", "athena", "-s", "Cu_FEFF", "--out", tmp_path / "out")[0] == 0
    with xanesflow.load(path) as data:
        cu = data["Cu_FEFF"]
        for site, spectrum in zip(cu.ids, cu.spectra[:], strict=True):
            same_numbers(tmp_path / f"out/Cu_FEFF/{site}.dat", cu.energy, spectrum)
        assert len(list((tmp_path / "out/Cu_FEFF").glob("*.dat"))) == len(cu)
    assert len(pd.read_csv(tmp_path / "out/Cu_FEFF/rejected.csv")) > 0
    assert "Athena" in (tmp_path / "out/README.txt").read_text()


@pytest.mark.parametrize("layout", ["athena", "csv", "npz", "npy"])
def test_spectra_are_exported_normalised_in_each_format(tmp_path, layout):
    path = write_dataset(tmp_path)
    common = ("dataset", "export", path, "--format", layout, "-s", "Cu_FEFF", "--normalised", "--out", tmp_path / "out")
    assert answer(*common)[0] == 0
    with xanesflow.load(path) as data:
        cu = data["Cu_FEFF"]
        wanted, energy, site = cu.spectra[3] / cu.spectra[3][-40:].mean(), cu.energy, cu.ids[3]
    folder = tmp_path / "out/Cu_FEFF"
    if layout == "athena":
        same_numbers(folder / f"{site}.dat", energy, wanted)
    elif layout == "csv":
        assert np.allclose(pd.read_csv(folder / "spectra.csv", index_col=0).loc[site], wanted)
    else:
        found = np.load(folder / "spectra.npy") if layout == "npy" else np.load(tmp_path / "out/Cu_FEFF.npz")["spectra"]
        assert np.allclose(found[3], wanted)
    assert "normalised" in (tmp_path / "out/README.txt").read_text()


def test_an_id_that_leads_out_of_the_folder_is_refused(tmp_path):
    path = write_dataset(tmp_path)
    with h5py.File(path, "r+") as file:
        file["Cu_FEFF/material_id"][0] = "../../escaped"
    code, said = answer("dataset", "export", path, "--format", "athena", "--out", tmp_path / "out")
    assert code == 2 and "'../../escaped' in Cu_FEFF cannot name a file" in said
    assert not (tmp_path / "out").exists() and sorted(tmp_path.iterdir()) == [path]
