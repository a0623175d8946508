"""How similar two codes' spectra are, against scipy and shifts that are known; which sites are the same."""

from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure
from scipy.stats import spearmanr
from subset_groups import write_subset

from xanesflow.core.figures import read_note
from xanesflow.core.sites import pairs_of_theories
from xanesflow.core.templates import environment
from xanesflow.dataset.compare_codes import compare_codes
from xanesflow.dataset.compare_theories import BY_NAME, DIFFERENT, NO_SPECTRUM, PAIRED, agree, compare_theories
from xanesflow.dataset.file import structure_json
from xanesflow.report.figures.codes import codes_part, draw_codes
from xanesflow.report.figures.theories import draw_theories, theories_part
from xanesflow.spectra.similarity import compare_spectra
from xanesflow.spectra.store import CuratedSpectra, read_spectra, write_spectra

ENERGY_EV = 8983.173 + 0.25 * np.arange(141)
render = environment("xanesflow.report").get_template("theories.html").render


def some_spectrum(seed=0, *, shift=0.0, energy=ENERGY_EV):
    """An edge with three peaks, whatever the seed says."""
    rng = np.random.default_rng(seed)
    x = energy - energy[0] - shift
    peaks = [(5 + 7 * k + rng.uniform(0, 3), rng.uniform(0.2, 0.8), rng.uniform(0.8, 2)) for k in range(3)]
    edge = 0.5 + np.arctan((x - 8) / 1.5) / np.pi
    return 1e-3 * (edge + sum(height * np.exp(-(((x - at) / width) ** 2)) for at, height, width in peaks))


@pytest.mark.parametrize("shift", [-3.5, 0.0, 1.26, 7.3])
def test_a_known_shift_is_found_whatever_the_scale_and_the_energies(shift):
    fine = 100.0 + 0.1 * np.arange(500)
    one, other = (ENERGY_EV, some_spectrum()), (fine, 42.0 * some_spectrum(energy=fine, shift=shift))
    found = compare_spectra(one, other)
    assert found.shift_ev == pytest.approx(ENERGY_EV[0] - fine[0] - shift, abs=0.03)
    assert found.spearman > 0.999 and found.cosine > 0.9999


def test_the_rank_correlation_is_scipys_at_the_shift_that_it_tells():
    one, other = some_spectrum(1), some_spectrum(2)
    found = compare_spectra((ENERGY_EV, one), (ENERGY_EV, other))
    first, second = (values > 0.02 * values.max() for values in (one, other))
    low = max(ENERGY_EV[first][0], ENERGY_EV[second][0] + found.shift_ev)
    high = min(ENERGY_EV[-1], ENERGY_EV[-1] + found.shift_ev)
    grid = np.linspace(low, high, 300)
    expected = spearmanr(np.interp(grid, ENERGY_EV, one), np.interp(grid - found.shift_ev, ENERGY_EV, other)).statistic
    assert found.spearman == pytest.approx(expected, abs=5e-3), "linear between the points, not by splines"
    for nearby in (-0.5, 0.5):
        a, b = np.interp(grid, ENERGY_EV, one), np.interp(grid - found.shift_ev - nearby, ENERGY_EV, other)
        assert a @ b / np.sqrt((a @ a) * (b @ b)) < found.cosine


def test_what_is_no_spectrum_is_told():
    with pytest.raises(ValueError, match="nowhere positive"):
        compare_spectra((ENERGY_EV, np.zeros(141)), (ENERGY_EV, some_spectrum()))
    with pytest.raises(ValueError, match="right after its onset"):
        compare_spectra((ENERGY_EV, np.repeat([0.0, 1.0], [139, 2])), (ENERGY_EV, some_spectrum()))


def test_structures_agree_atom_by_atom():
    rutile = Structure(Lattice.tetragonal(4.6, 2.96), ["Ti", "Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.3, 0.3, 0]])
    nudged = Structure(
        rutile.lattice, rutile.species, np.add(rutile.frac_coords, [[1, 0, 0.001], [0, 0, 0], [0, -1, 0]])
    )
    swapped = Structure(rutile.lattice, rutile.species, rutile.frac_coords[[1, 0, 2]])
    assert agree(rutile, rutile) and agree(rutile, nudged) and not agree(rutile, swapped)
    assert not agree(rutile, rutile * (2, 1, 1))
    assert not agree(rutile, Structure(Lattice.tetragonal(4.65, 2.96), rutile.species, rutile.frac_coords))


def test_pairs_are_of_one_element():
    assert pairs_of_theories(["Cu_FEFF", "Ti_FEFF", "Cu_VASP", "Cu_FEFF8L"]) == [
        ("Cu_FEFF", "Cu_VASP"), ("Cu_FEFF", "Cu_FEFF8L"), ("Cu_VASP", "Cu_FEFF8L"),
    ]  # fmt: skip
    assert pairs_of_theories(["Cu_FEFF", "Ti_VASP"]) == []


@pytest.fixture
def dataset(tmp_path):
    """A dataset of two theories of Cu: sites that agree, that differ in numbering, without a shape, in one only."""
    cell = Structure(Lattice.cubic(4.2), ["Cu", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    other = Structure(Lattice.cubic(4.2), ["O", "Cu"], [[0.5, 0.5, 0.5], [0, 0, 0]])
    path = tmp_path / "d.h5"
    for name, last, seed in (("Cu_FEFF", "mp-4", 0), ("Cu_FEFF8L", "mp-5", 10)):
        spectra = np.array([some_spectrum(k + seed, shift=seed / 10) for k in range(4)])
        spectra[2] = 0.0
        write_subset(path, name, spectra, ["mp-1", "mp-2", "mp-3", last], ["train"] * 4, start_ev=ENERGY_EV[0])
    with h5py.File(path, "a") as file:
        for key, structure in (("mp-1", cell), ("mp-2", cell), ("mp-2@Cu_FEFF8L", other)):
            file.create_dataset(f"structures/{key}", data=structure.to_json(), dtype=h5py.string_dtype())
    return path


def test_sites_are_compared_only_where_their_structures_agree(dataset, tmp_path):
    table = compare_theories(dataset, "Cu_FEFF", "Cu_FEFF8L", tmp_path / "t.csv").set_index("material_id")
    assert table["status"].to_dict() == {
        "mp-1": PAIRED, "mp-2": DIFFERENT, "mp-3": NO_SPECTRUM, "mp-4": "only in Cu_FEFF", "mp-5": "only in Cu_FEFF8L",
    }  # fmt: skip
    assert table["spearman"].notna().to_dict() == {f"mp-{k}": k == 1 for k in range(1, 6)}
    assert len(pd.read_csv(tmp_path / "t.csv")) == 5


def test_the_page_tells_median_worst_and_what_was_not_compared(dataset, tmp_path):
    paths = {"table": tmp_path / "t.csv", "output": tmp_path / "f.svg"}
    draw_theories(dataset, "Cu_FEFF", "Cu_FEFF8L", **paths)
    svg = (tmp_path / "f.svg").read_text()
    assert ">mp-1_000</text>" in svg and "Shift of Cu_FEFF8L (eV)" in svg
    parts = theories_part({("Cu_FEFF", "Cu_FEFF8L"): (tmp_path / "t.csv", "data:x")})
    assert parts[0]["n"] == 1 and parts[0]["worst_site"] == "mp-1_000" and parts[0]["median"] == parts[0]["worst"]
    page = render(theories=parts)
    assert "1 structures differ" in page and "by name alone" not in page and "nan" not in page
    rows = [("mp-9", 0, BY_NAME, 0.5, 0.99, 0.9)]
    pd.DataFrame(rows, columns=pd.read_csv(tmp_path / "t.csv").columns).to_csv(tmp_path / "n.csv", index=False)
    parts = theories_part({("Cu_FEFF", "Cu_VASP"): (tmp_path / "n.csv", "data:x")})
    assert "by name alone" in render(theories=parts)


def test_without_a_common_site_the_figure_and_the_page_say_so(dataset, tmp_path):
    with h5py.File(dataset, "a") as file:
        file["Cu_FEFF8L/material_id"][:] = [f"x-{k}" for k in range(4)]
    draw_theories(dataset, "Cu_FEFF", "Cu_FEFF8L", table=tmp_path / "t.csv", output=tmp_path / "f.svg")
    assert "share no site that could be compared" in (tmp_path / "f.svg").read_text()
    page = render(theories=theories_part({("Cu_FEFF", "Cu_FEFF8L"): (tmp_path / "t.csv", "data:x")}))
    assert "4 only in Cu_FEFF;" in page and "<img" not in page
    assert not render(theories=[]).strip()


def test_all_theories_of_a_site_are_compared_and_drawn(dataset, tmp_path):
    """Against the pair's own comparison, and scipy's difference of spectra that are scaled alike."""
    spectra, structures = {}, {}
    with h5py.File(dataset) as file:
        for name in ("Cu_FEFF", "Cu_FEFF8L"):
            arrays = [file[name][key][:] for key in ("energy", "spectra", "site_index", "multiplicity")]
            energy, values, *numbers = arrays
            ids = file[name]["material_id"].asstr()[:].tolist()
            spectra[name], structures[name] = tmp_path / f"{name}.h5", tmp_path / f"{name}.parquet"
            write_spectra(spectra[name], CuratedSpectra(name, energy, values, ids, *numbers, rejected=[]), {})
            texts = {material: structure_json(file, name, material) for material in ("mp-1", "mp-2")}
            pd.DataFrame(texts.items(), columns=["material_id", "structure"]).to_parquet(structures[name])
    by_name = compare_codes({name: read_spectra(path) for name, path in spectra.items()}, {}, tmp_path / "n.csv")
    assert by_name["site"].tolist() == ["mp-1_000", "mp-2_000"], "without structures, and mp-3 has no shape"
    draw_codes(spectra, structures, table=tmp_path / "c.csv", output=tmp_path / "c.svg")
    table = pd.read_csv(tmp_path / "c.csv")
    pair = compare_theories(dataset, "Cu_FEFF", "Cu_FEFF8L").set_index("material_id").loc["mp-1"]
    assert table["site"].tolist() == ["mp-1_000"] and table["spearman"][0] == pytest.approx(pair["spearman"])
    one, other, shift = some_spectrum(0), some_spectrum(10, shift=1.0), table["shift_ev"][0]
    onsets = [ENERGY_EV[values > 0.02 * values.max()][0] for values in (one, other)]
    grid = np.linspace(max(onsets[0], onsets[1] + shift), min(ENERGY_EV[-1], ENERGY_EV[-1] + shift), 300)
    a, b = np.interp(grid, ENERGY_EV, one), np.interp(grid - shift, ENERGY_EV, other)
    assert table["rms"][0] == pytest.approx(np.sqrt(np.mean((a / a.mean() - b / b.mean()) ** 2)), abs=5e-3)
    part = codes_part({"Cu": (tmp_path / "c.csv", "data:x")})[0]
    page = environment("xanesflow.report").get_template("codes.html").render(codes=[part], convergence={})
    assert (
        f"{table['spearman'][0]:.3f} / {table['rms'][0]:.3f}" in page
        and ">mp-1_000</text>" in (tmp_path / "c.svg").read_text()
    )
    assert "at the one shared site, each pair" in page

    # Without a common site
    other = read_spectra(spectra["Cu_FEFF8L"])
    write_spectra(spectra["Cu_FEFF8L"], replace(other, material_id=[f"x-{each}" for each in other.material_id]), {})
    draw_codes(spectra, {}, table=tmp_path / "c.csv", output=tmp_path / "c.svg")
    assert read_note(tmp_path / "c.svg") == "Cu_FEFF, Cu_FEFF8L share no site."
