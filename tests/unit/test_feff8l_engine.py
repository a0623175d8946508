"""The embedded engine with the real programs: against tabulated and independent values, and what can go wrong."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from published_runs import files_of_archive
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Poscar
from shared_data import shared

from xanesflow.codes.feff8l import EngineSettings, NoSpectrumError, compute_xanes, programs
from xanesflow.codes.feff8l import xanes as engine
from xanesflow.codes.feff8l.cluster import cut_cluster
from xanesflow.codes.feff8l.fermi_level import FIELD_TOO_LOW_EV
from xanesflow.codes.feff8l.job import read_job, write_job
from xanesflow.codes.feff8l.options import Rung, ladder
from xanesflow.codes.feff8l.xanes import compute_cluster
from xanesflow.core.errors import ProgramError, XanesflowError
from xanesflow.structures.examples import load_examples

CHEAP = EngineSettings(scf_radius=1.5, scf_iterations=3, fms_radius=3.0, energy_step=0.25, time_limit=60)
BOHR_CM = 0.529177210903e-8
EDGES = {  # a structure of each element
    "Ti": "tio-rocksalt", "V": "vo-rocksalt", "Cr": "cr-bcc", "Mn": "mno-rocksalt", "Fe": "feo-rocksalt",
    "Co": "coo-rocksalt", "Ni": "nio-rocksalt", "Cu": "cu-fcc",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _programs():
    try:
        programs.folder_of_programs()
    except XanesflowError as error:
        pytest.skip(f"the engine cannot run here: {error}")


@cache
def examples():
    return {example.id: example for example in load_examples()}


def structure_of(name):
    return examples()[name].structure()


def sites_of(structure, element):
    return [k for k, site in enumerate(structure) if site.specie.symbol == element]


@cache
def computed(name, element, settings):
    """The spectrum of an example's first site of an element, computed once for the tests that only look at it."""
    structure = structure_of(name)
    return compute_xanes(structure, sites_of(structure, element)[0], settings)


def cheap(name, element, **options):
    return computed(name, element, replace(CHEAP, **options))


@pytest.fixture
def any_field(monkeypatch):
    """The field of three iterations is taken although it still moves: what is compared has the same one."""
    monkeypatch.setattr(engine, "UNSETTLED_EV", np.inf)


@pytest.fixture
def same_field(monkeypatch, tmp_path):
    """A folder in which the program of the potentials, the slowest, runs once for the same input."""
    real, kept = engine.run_program, {}

    def run_program(name, folder, **options):
        if name != "feff8l_pot":
            return real(name, folder, **options)
        asked, path = (folder / "feff.inp").read_text(), folder / "pot.pad"
        if asked not in kept:
            kept[asked] = (real(name, folder, **options), path.read_bytes())
        path.write_bytes(kept[asked][1])
        return kept[asked][0]

    monkeypatch.setattr(engine, "run_program", run_program)
    return tmp_path


@pytest.fixture(scope="module")
def nickel_oxide():
    return compute_xanes(
        structure_of("nio-rocksalt"), 0, EngineSettings(scf_radius=2.2, scf_iterations=5, fms_radius=5.0)
    )


def is_a_spectrum(result):
    assert np.isfinite(result.cross_section).all()
    assert (result.cross_section > 0).all()
    above = result.energy_ev > result.record["edge_ev"] + 5
    below = result.energy_ev < result.record["edge_ev"] - 8
    assert result.cross_section[above].min() > 5 * result.cross_section[below].max()
    return True


def relative_difference(one, other):
    return np.abs(one - other).max() / np.abs(other).max()


def edge_of(element):
    """Tabulated energy of the K edge in eV."""
    import xraydb  # heavy

    return xraydb.xray_edge(element, "K").energy


def k_shell_cross_section(element, above):
    """Tabulated photoabsorption of the K shell in bohr² an atom: the total less what the others continue to give."""
    import xraydb  # heavy

    edge = edge_of(element)
    others = xraydb.mu_elam(element, edge - 50.0, kind="photo") * ((edge - 50) / (edge + above)) ** 2.8
    per_gram = xraydb.mu_elam(element, edge + above, kind="photo") - others
    return per_gram * xraydb.atomic_mass(element) / 6.02214076e23 / BOHR_CM**2


def test_nickel_oxide_has_its_edge_white_line_and_record(nickel_oxide):
    assert is_a_spectrum(nickel_oxide)
    energy, mu, record = nickel_oxide.energy_ev, nickel_oxide.cross_section, nickel_oxide.record
    assert 8340 < energy[mu.argmax()] < 8360
    assert mu.max() > 1.4 * nickel_oxide.background[-1], "the white line stands out of the background"
    np.testing.assert_allclose(np.diff(energy), record["settings"]["energy_step"], atol=1e-9)
    np.testing.assert_allclose(energy[[0, -1]] - record["edge_ev"], record["settings"]["energy_range"], atol=2.5)
    assert -25 < record["fermi_ev"] < 0
    assert 1.0 < record["gamma_ev"] < 2.0, "tabulated: 1.44 eV"
    assert record["rung_number"] == 1
    assert record["attempts"][0]["outcome"] == "done"
    assert record["convergence"]["iterations"] > 1
    assert json.loads(json.dumps(record)) == record


def test_edges_follow_the_table_of_x_ray_edges_from_titanium_to_copper(monkeypatch):
    monkeypatch.setattr(engine, "ladder", lambda settings: [Rung(None, 0, 0.0)])
    edges = []
    for element, name in EDGES.items():
        result = cheap(name, element, energy_step=1.0, l_max=2)
        assert is_a_spectrum(result), element
        edges.append(result.record["edge_ev"])
        assert abs(edges[-1] - edge_of(element)) < 20, element
        at = np.interp(result.record["edge_ev"] + 30, result.energy_ev, result.background)
        assert at == pytest.approx(k_shell_cross_section(element, 30.0), rel=0.15), element
    assert edges == sorted(edges)
    computed.cache_clear()


def test_the_same_site_gives_the_same_bits_again(any_field):
    one, other = cheap("nio-rocksalt", "Ni"), compute_xanes(structure_of("nio-rocksalt"), 0, CHEAP)
    assert one.cross_section.tobytes() == other.cross_section.tobytes()
    assert one.energy_ev.tobytes() == other.energy_ev.tobytes()


def test_equivalent_sites_have_the_same_spectrum(any_field):
    structure = structure_of("fe2o3-hematite")
    first, *_, last = sites_of(structure, "Fe")
    one, other = compute_xanes(structure, first, CHEAP), compute_xanes(structure, last, CHEAP)
    np.testing.assert_allclose(one.energy_ev, other.energy_ev, atol=0.02)
    assert relative_difference(one.cross_section, other.cross_section) < 3e-3


@pytest.mark.parametrize("site", ["mp-1147636_002", "mp-4711_002"])
def test_spectra_are_those_of_an_independent_implementation(site):
    """One shift is allowed: the Fermi level of pot is not settled to better than some tenths of an eV."""
    probe = np.load(shared("engine-probe/spectra.npz"))
    material, index = site.rsplit("_", 1)
    content = next(content for *place, content in files_of_archive() if place == [material, "POSCAR"])
    structure = Poscar.from_str(content.decode()).structure
    settings = EngineSettings(scf_radius=1.5, scf_iterations=10, fermi_level="scf", fermi_offset=0.0, single_radius=6.0)
    result = compute_xanes(structure, int(index), settings)
    row = list(probe["ids"]).index(site)
    assert result.record["edge_ev"] == pytest.approx(probe["emu"][row], abs=0.05)
    valid = (probe["e"] > probe["emu"][row] - 8) & (probe["e"] < probe["emu"][row] + 33)
    energy, expected = probe["e"][valid], probe["mu"][row][valid]
    shifts = np.arange(-1.0, 1.01, 0.05)
    misses = [
        relative_difference(np.interp(energy + s, result.energy_ev, result.cross_section), expected) for s in shifts
    ]
    assert min(misses) < 0.06, dict(zip(shifts.round(2), np.round(misses, 3), strict=True))


def test_a_core_hole_changes_the_spectrum_and_the_average_lies_between(any_field):
    off, on, average = (cheap("nio-rocksalt", "Ni", core_hole=hole) for hole in ("off", "on", "average"))
    assert is_a_spectrum(on)
    assert relative_difference(on.cross_section, off.cross_section) > 0.03
    mean = (off.cross_section + np.interp(off.energy_ev, on.energy_ev, on.cross_section)) / 2
    assert relative_difference(average.cross_section, mean) < 1e-9
    assert [off.record["core_hole"], on.record["core_hole"], average.record["core_hole"]] == [False, True, "average"]
    assert average.record["with_hole"]["core_hole"] is True


def test_the_size_of_the_cell_does_not_matter(any_field):
    primitive = structure_of("nio-rocksalt")
    large = primitive.make_supercell([5, 5, 6], in_place=False)
    assert len(large) == 300
    one, other = cheap("nio-rocksalt", "Ni"), compute_xanes(large, sites_of(large, "Ni")[77], CHEAP)
    np.testing.assert_allclose(one.energy_ev, other.energy_ev, atol=1e-3)
    assert relative_difference(other.cross_section, one.cross_section) < 1e-3


def uranate():
    """CuUO4: chains of uranyl, distances as known of it, the rest idealised."""
    positions = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.16], [0.5, 0.5, 0.84], [0.5, 0, 0.2], [0, 0.5, 0.8]]
    return Structure(Lattice.orthorhombic(4.0, 4.0, 5.6), ["Cu", "U", "O", "O", "O", "O"], positions)


def hydroxide():
    """β-Ni(OH)2, P-3m1 (the brucite structure)."""
    z_o, z_h = 0.2221, 0.4275
    positions = [[0, 0, 0], [1 / 3, 2 / 3, z_o], [2 / 3, 1 / 3, -z_o], [1 / 3, 2 / 3, z_h], [2 / 3, 1 / 3, -z_h]]
    return Structure(Lattice.hexagonal(3.126, 4.605), ["Ni", "O", "O", "H", "H"], positions)


@pytest.mark.parametrize(
    ("structure", "element"), [(uranate, "Cu"), (hydroxide, "Ni"), (lambda: structure_of("cu-fcc"), "Cu")],
    ids=["uranium", "hydrogen", "a cell of one atom"],
)  # fmt: skip
def test_unusual_cells_give_a_spectrum(structure, element):
    result = compute_xanes(structure(), 0, CHEAP)
    assert is_a_spectrum(result)
    edge = edge_of(element)
    assert edge - 10 < result.energy_ev[result.cross_section.argmax()] < edge + 50
    at = np.interp(result.record["edge_ev"] + 30, result.energy_ev, result.background)
    assert at == pytest.approx(k_shell_cross_section(element, 30.0), rel=0.15)


@pytest.mark.parametrize(("moved", "rung"), [(2.5, 2), (0.7, 1)])
def test_a_field_whose_fermi_level_still_moves_is_given_more_iterations(monkeypatch, tmp_path, moved, rung):
    real, told = engine._run, []

    def run(cluster, rung, folder, **options):
        atomic, convergence, added = real(cluster, rung, folder, **options)
        change = moved if rung.scf_iterations == CHEAP.scf_iterations else 3.0  # only the first rung is judged
        return atomic, replace(convergence, last_change_ev=change), added

    monkeypatch.setattr(engine, "_run", run)
    record = compute_xanes(structure_of("nio-rocksalt"), 0, CHEAP, folder=tmp_path, progress=told.append).record
    assert record["rung_number"] == rung
    assert record["rung"] == str(ladder(CHEAP)[rung - 1])
    assert ("the Fermi level still moves, by 2.5 eV in the last iteration" in told) == (rung == 2)


def test_the_learned_level_moves_the_edge_of_copper_alone(same_field):
    structure = structure_of("cuo-tenorite")
    site = sites_of(structure, "Cu")[0]
    small = EngineSettings(fms_radius=3.0, single_radius=3.0, energy_step=0.25)  # with the field that it knows
    learned = compute_xanes(structure, site, small, folder=same_field).record
    own = compute_xanes(structure, site, replace(small, fermi_level="scf"), folder=same_field).record
    said = learned["fermi_learned"]
    assert said["weight"] == 1
    assert learned["fermi_offset_ev"] == pytest.approx(small.fermi_offset + said["added_ev"] - FIELD_TOO_LOW_EV)
    assert own["fermi_learned"] is None and own["fermi_offset_ev"] == small.fermi_offset
    moved = learned["fermi_offset_ev"] - own["fermi_offset_ev"]
    assert learned["fermi_ev"] == pytest.approx(own["fermi_ev"] + moved, abs=1e-3)
    assert learned["edge_ev"] == pytest.approx(own["edge_ev"], abs=1e-3), "the energy of the edge stays"
    assert cheap("nio-rocksalt", "Ni").record["fermi_learned"] is None
    assert cheap("cuo-tenorite", "Cu").record["fermi_learned"] is None, "of another field it knows nothing"


def test_where_first_order_makes_the_absorption_negative_all_orders_are_taken(same_field):
    # The straight V-O-V chains of a cubic perovskite: the vanadium 7.7 Å away counts too much to first order.
    structure, told = structure_of("srvo3-cubic"), []
    result = compute_xanes(structure, 1, folder=same_field, progress=told.append)
    near = compute_xanes(structure, 1, replace(EngineSettings(), single_radius=5.5), folder=same_field)
    assert any("negative" in one for one in told)
    assert result.cross_section.min() > 0
    assert (result.record["fms_radius"], near.record["fms_radius"]) == (8.0, 5.5)
    # The atoms between 5.5 and 8 Å do scatter: the spectrum is not that of the small sphere.
    assert np.abs(result.cross_section - near.cross_section).max() > 0.05 * near.cross_section.max()


def test_the_ladder_climbs_until_a_rung_gives_potentials(monkeypatch, tmp_path):
    real, failures, told = engine._run, iter(["pot left no pot.pad", "pot did not end within 60 s"]), []

    def run(cluster, rung, folder, **options):
        for failure in failures:
            raise ProgramError(failure)
        return real(cluster, rung, folder, **options)

    monkeypatch.setattr(engine, "_run", run)
    record = compute_xanes(structure_of("nio-rocksalt"), 0, CHEAP, folder=tmp_path, progress=told.append).record
    rungs = [str(rung) for rung in ladder(CHEAP)]
    assert (record["rung_number"], record["rung"]) == (3, rungs[2])
    assert [one["rung"] for one in record["attempts"]] == rungs[:3]
    outcomes = ["pot left no pot.pad", "pot did not end within 60 s", "done"]
    assert [one["outcome"] for one in record["attempts"]] == outcomes
    assert "failed: pot did not end within 60 s" in told
    assert any("multiple scattering" in line for line in told)


def test_when_all_rungs_fail_the_error_tells_what_was_tried(monkeypatch):
    def run_program(name, folder, **options):
        raise ProgramError(f"{name} left nothing")

    monkeypatch.setattr(engine, "run_program", run_program)
    with pytest.raises(NoSpectrumError) as told:
        compute_xanes(structure_of("nio-rocksalt"), 0, CHEAP)
    assert [one.rung for one in told.value.attempts] == [str(rung) for rung in ladder(CHEAP)]
    assert f"none of {len(ladder(CHEAP))} settings gave potentials" in str(told.value)
    assert all(f"{rung}: feff8l_rdinp left nothing" in str(told.value) for rung in ladder(CHEAP))


def test_a_damaged_file_between_the_programs_is_a_failed_rung(monkeypatch, tmp_path):
    """rdinp was stopped by a full disk, say: the ladder goes on, and the end is a sentence."""

    def run_program(name, folder, *, outputs, **options):
        for output in outputs:
            (folder / output).write_text("{")
        return ""

    monkeypatch.setattr(engine, "run_program", run_program)
    with pytest.raises(NoSpectrumError, match="damaged"):
        compute_xanes(structure_of("nio-rocksalt"), 0, CHEAP, folder=tmp_path)


def do_job(folder):
    path = str(Path(engine.__file__).parents[3])
    return subprocess.run(
        [sys.executable, "-m", "xanesflow.codes.feff8l", "run"], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}, encoding="utf-8", check=False,
    )  # fmt: skip


def test_a_job_leaves_its_results_and_nothing_else(tmp_path):
    structure = structure_of("cu-fcc")
    write_job(tmp_path, structure, 0, CHEAP)
    assert [entry.name for entry in tmp_path.iterdir()] == ["site.json"]
    done = do_job(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["feff.inp", "result.json", "site.json", "xmu.dat"]
    table = np.loadtxt(tmp_path / "xmu.dat")
    (tmp_path / "here").mkdir()
    here = compute_cluster(*read_job(tmp_path), tmp_path / "here")
    np.testing.assert_allclose(table[:, 0], here.energy_ev, atol=6e-5)
    np.testing.assert_allclose(table[:, 1], here.cross_section, rtol=1e-7)
    np.testing.assert_allclose(table[:, 2], here.background, rtol=1e-7)
    record = json.loads((tmp_path / "result.json").read_text())
    assert record["settings"] == CHEAP.as_dict()
    assert read_job(tmp_path)[1] == CHEAP
    np.testing.assert_array_equal(read_job(tmp_path)[0].positions, cut_cluster(structure, 0).positions)


def test_a_job_that_fails_says_why_in_its_last_line_and_leaves_no_old_spectrum(tmp_path):
    write_job(tmp_path, structure_of("cu-fcc"), 0, EngineSettings(**{**vars(CHEAP), "time_limit": 1e-3}))
    (tmp_path / "xmu.dat").write_text("of an earlier run")
    (tmp_path / "result.json").write_text("{}")
    done = do_job(tmp_path)
    assert done.returncode == 1
    last = done.stdout.splitlines()[-1]
    assert last.startswith(f"ERROR: none of {len(ladder(CHEAP))} settings gave potentials")
    assert "did not end within 0.001 s" in last
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["feff.inp", "site.json"]


@pytest.mark.parametrize("content", [None, "{", "[]", '{"settings": {}}', '{"cluster": {"positions": []}}'])
def test_a_job_without_a_usable_site_json_fails_with_a_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / "site.json").write_text(content)
    with pytest.raises(XanesflowError, match=r"site\.json cannot be read as a job of the engine"):
        read_job(tmp_path)


def test_a_job_fails_with_exit_code_1_and_a_wrong_call_with_2(tmp_path):
    from xanesflow.codes.feff8l.__main__ import main

    assert main(["walk"]) == 2
    done = do_job(tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1][:7]) == (1, "ERROR: ")
    assert "Traceback" not in done.stderr
