"""XSpectra as an engine: pseudopotentials, cells, k-points and recursions, and one tiny cell for real."""

import dataclasses
import json
import shutil

import made_up_runs as made_up
import numpy as np
import pandas as pd
import pytest
from curated_runs import curate
from pymatgen.core import Lattice, Structure
from sentences import tells

from xanesflow.codes.common_scale import tabulated_jump
from xanesflow.codes.registry import engine_of
from xanesflow.codes.run_zip import read_chunk
from xanesflow.codes.xspectra import step_plan
from xanesflow.codes.xspectra.engine import PROGRAMS
from xanesflow.codes.xspectra.hole_cell import hole_cell, smallest_matrix
from xanesflow.codes.xspectra.lanczos import Chain, inequivalent_pairs, read_chains, restart_file, spectrum_of
from xanesflow.codes.xspectra.options import XspectraRunOptions
from xanesflow.codes.xspectra.pseudopotentials import check_tests, make_pseudopotential
from xanesflow.codes.xspectra.run_hole_step import check_recursions
from xanesflow.codes.xspectra.scf import START, ConvergedField, check_insulator, correct, hole_energy_ev, read_field
from xanesflow.core.errors import FailedRunError, XanesflowError
from xanesflow.simulations.run_chunk import simulate_chunk
from xanesflow.structures.material import describe
from xanesflow.structures.site_table import write_site_table, write_structures

TINY = {
    "inputs": {"supercell": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}, "ecutwfc": 25.0, "ecutrho": 200.0, "field_length": 2.0,
    "spectrum_length": 4.0,
}  # fmt: skip
needs_programs = pytest.mark.skipif(
    any(shutil.which(program) is None for program in PROGRAMS),
    reason="Quantum ESPRESSO is not installed (Debian: apt-get install quantum-espresso)",
)


def anatase():
    u = 0.2081
    titanium = [[0, 0, 0], [0.5, 0.5, 0.5], [0, 0.5, 0.25], [0.5, 0, 0.75]]
    oxygen = [[x, y, z + s * u] for x, y, z in titanium for s in (1, -1)]
    return Structure(Lattice.tetragonal(3.7842, 9.5146), ["Ti"] * 4 + ["O"] * 8, [*titanium, *oxygen])


def test_the_default_cell_of_anatase_has_24_atoms_and_keeps_its_symmetry():
    for structure in (anatase(), anatase().get_primitive_structure()):
        absorber = structure.indices_from_symbol("Ti")[0]
        cell = hole_cell(structure, absorber, supercell=None, distance_a=5.3)
        assert len(cell.structure) == 24 and len(cell.rotations) == 8
        assert sorted(cell.structure.lattice.abc) == pytest.approx([2**0.5 * 3.7842] * 2 + [9.5146])
        assert cell.structure.lattice.angles == pytest.approx((90, 90, 90))
        assert cell.structure[0].specie.symbol == "Ti" and cell.distance_a == pytest.approx(5.3517, abs=1e-3)
    given = hole_cell(anatase(), 0, supercell=[[1, 1, 0], [-1, 1, 0], [0, 0, 1]], distance_a=0)
    assert len(given.structure) == 24
    with pytest.raises(XanesflowError, match="no cell of up to 64 repetitions keeps the holes 90 Å apart"):
        smallest_matrix(anatase(), 90.0)


def test_pairs_stand_for_the_whole_grid_and_all_axes():
    cell = hole_cell(anatase(), 0, supercell=None, distance_a=5.3)
    grid = cell.grid(20.0)
    pairs = inequivalent_pairs(grid, (0, 0, 0), cell.structure.lattice.matrix, cell.rotations)
    assert grid == (4, 4, 3) and sum(pairs.values()) == 3 * 4 * 4 * 3 and len(pairs) < 30
    alone = inequivalent_pairs(grid, (0, 0, 0), cell.structure.lattice.matrix, [np.eye(3)])
    assert sum(alone.values()) == 144 and len(alone) == 3 * 26  # time reversal alone: 4·4·3 points, 4 of them fixed


def test_a_recursion_gives_the_resolvent_of_its_matrix():
    """Against the first diagonal element of (H − E − iγ)⁻¹, with states below the Fermi level taken out."""
    rng = np.random.default_rng(0)
    chain = Chain(1.0, 0.02, rng.normal(1.0, 0.5, 12), rng.uniform(0.2, 0.5, 11))
    matrix = np.diag(chain.a) + np.diag(chain.b, 1) + np.diag(chain.b, -1)
    energies, vectors = np.linalg.eigh(matrix)
    keep = energies * 13.605693122994 > 5.0
    above = (vectors[:, keep] * energies[keep]) @ vectors[:, keep].T
    first = vectors[:, keep] @ vectors[0, keep]
    at = np.array([2.0, 9.0, 20.0])
    rydberg = 13.605693122994
    shifted = [above - (e + 5.0 + 0.5j) / rydberg * np.eye(12) for e in at]
    wanted = [np.imag(first @ np.linalg.solve(each, first)) for each in shifted]
    got = spectrum_of([chain], core_ev=4966.0, fermi_ev=5.0, energy_ev=at, width_ev=1.0)
    scale = 4 * np.pi / 137.035999084 * (at + 5.0 + 4966.0) / rydberg * 2 * 0.02**2
    assert got == pytest.approx(np.array(wanted) * scale, rel=1e-9)


def test_the_restart_file_is_read_as_what_xspectra_saves():
    text = restart_file([1], 4, steps=100, core_ev=0.0, fermi_ev=7.5, axis=2).replace("\n1 0 1 1\n", "\n")
    with pytest.raises(FailedRunError, match="did not compute k-point 2"):
        read_chains(text, {1: 1.0})
    broken = text.replace("0.0 0.0 0.0 0.0", "0.1 nan 0.1 0.1", 1)
    with tells(match="hold NaN", reason="not_a_number", error=FailedRunError):
        read_chains(broken, {1: 1.0})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"levels": [1e-4, -0.2]}, "test of the atom: an eigenvalue is -0.2000 Ry"),
        ({"overlap": -0.02}, "test of the overlap: an eigenvalue of 1 . QG is -0.020"),
        ({"ions": [0.001, -77.0]}, "test of ions: an ion's energy is -77.0000 Ry"),
        ({"levels": []}, "printed no test"),
    ],
)
def test_a_pseudopotential_that_fails_a_test_is_refused(change, said):
    good = {"levels": [1e-4], "overlap": 0.3, "ions": [1e-3]}
    check_tests("X.upf", **good)
    with tells(match=said, reason="no_potential", error=FailedRunError):
        check_tests("X.upf", **(good | change))


def test_a_field_that_does_not_converge_is_corrected_and_then_given_up():
    printed = "convergence NOT achieved after  80 iterations: stopping\n"
    electrons, seen = dict(START), []
    while changes := correct(electrons, printed):
        electrons |= {key: new for key, (_, new) in changes.items()}
        seen.append(electrons["mixing_beta"])
    assert seen == [0.2, 0.1, 0.1] and electrons["diagonalization"] == "cg"
    assert correct(START, "S matrix not positive definite") == {"diagonalization": ["david", "cg"]}
    assert correct(START, "number of Kohn-Sham states=  50\n Error: charge is wrong")["nbnd"] == [None, 64]
    with tells(match="did not converge", reason="not_converged", error=FailedRunError):
        read_field(printed)


def test_a_metal_is_refused_and_energies_place_the_edge():
    check_insulator(ConvergedField(-10.0, 5.0, -1e-6, "6.7"))
    with pytest.raises(FailedRunError, match="is a metal in this calculation"):
        check_insulator(ConvergedField(-10.0, 5.0, -0.01, "6.7"))
    energy = hole_energy_ev(
        ConvergedField(-90.0, 5, 0, ""), ConvergedField(-100.0, 5, 0, ""), hole_core_ry=-900.0, core_ry=-1200.0
    )
    assert energy == pytest.approx(310 * 13.605693122994)


def test_recursions_that_fail_are_told_with_the_light():
    good = "        !   => CONVERGED at iter    150\n END JOB XSpectra\n"
    check_recursions(good, 1, 0)
    for printed, reason, said in (
        ("Estimated error at iter 50: NaN\n", "not_a_number", "NaN for light along z"),
        ("   Starting\n", "truncated", "broke off for light along z: Starting"),
        (good, "not_converged", "1 of 2 recursions converged for light along z"),
    ):
        with tells(match=said, reason=reason, error=FailedRunError):
            check_recursions(printed, 2, 2)


def test_what_is_missing_is_told_in_a_sentence(monkeypatch, tmp_path):
    engine = engine_of("XSPECTRA", {"inputs": {"supercell": None}})
    strontium = made_up.rutile()
    strontium.replace(1, "Sr")
    with tells(
        match=r"no pseudopotential for Sr: .* for O, Ti, V, Cr and Mn only", reason="no_potential", error=FailedRunError
    ):
        engine.write_inputs(tmp_path, strontium, 0)
    monkeypatch.setattr(step_plan, "free_memory_mb", lambda: 100.0)
    with pytest.raises(FailedRunError, match="of memory and 100 MB are free; run fewer sites at a time"):
        engine.write_inputs(tmp_path, made_up.rutile(), 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(XanesflowError, match=r"no program pw.x on the PATH; install it .*quantum-espresso"):
        engine.settings()


def test_a_script_named_from_the_working_directory_is_found_from_where_pw_runs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mpi.sh").touch()
    engine_of("XSPECTRA", {**TINY, "command": "./mpi.sh -n 2"}).write_inputs(tmp_path, made_up.rutile(), 0)
    assert json.loads((tmp_path / "job.json").read_text())["command"] == [str(tmp_path / "mpi.sh"), "-n", "2"]


@needs_programs
def test_the_pseudopotentials_pass_the_three_tests(tmp_path):
    for element, hole in [
        ("O", False),
        *((metal, hole) for metal in ("Ti", "V", "Cr", "Mn") for hole in (False, True)),
    ]:
        made = make_pseudopotential(element, tmp_path, hole=hole)
        assert abs(made.worst_level_ry) < 0.001 and made.least_overlap > 0.1 and abs(made.worst_ion_ry) < 0.002
    again = make_pseudopotential("Mn", tmp_path, hole=True)
    assert again == dataclasses.replace(made) and len(made.sha256) == 64


@needs_programs
def test_a_tiny_cell_is_computed_for_real(tmp_path):
    """Rutile in its own cell of six atoms, at one k-point in the field: from the structure to the spectrum."""
    material = describe("rutile", made_up.rutile(), symprec=0.01)
    structures, table = tmp_path / "structures.parquet", tmp_path / "sites.parquet"
    write_structures(structures, [material])
    write_site_table(table, [(material, 0)], chunks=1)
    pd.DataFrame(columns=["material_id", "site_index", "reason", "detail"]).to_parquet(tmp_path / "left_out.parquet")
    engine = engine_of("XSPECTRA", TINY)
    chunk = {"subset": "Ti_XSPECTRA", "chunk": 0, "engine": engine, "scratch": tmp_path}
    for _ in range(2):  # the second time everything is kept
        simulate_chunk(structures, table, tmp_path / "0.zip", tmp_path / "kept", **chunk)
    runs = {run.site_index: run for run in read_chunk(tmp_path / "0.zip", "XSPECTRA", shared=True)}
    ground, hole = runs[-1], runs[0]
    assert hole.record["outcome"] == "finished", hole.record.get("detail")
    assert hole.record["ground_state_energy_ry"] == ground.record["energy_ry"]
    assert hole.record["pseudopotentials"]["Ti.fch.upf"]["sha256"] and "non-spin-polarised" in hole.record["spin"]
    assert json.loads(hole.files["lanczos.json"])["chains"]
    given = {"chunks": [tmp_path / "0.zip"], "subset": "Ti_XSPECTRA", "structures": structures, "site_table": table}
    given["rejected"] = tmp_path / "left_out.parquet"
    spectra = curate(given, tmp_path, processing={"broadening": 0.89, "total_energy_shift": -19.0})
    assert spectra.spectra[0, 40:].mean() == pytest.approx(tabulated_jump("Ti")[1], rel=0.3)
    assert "by total energies" in spectra.described["processing"]
    assert hole.record["edge_ev"] == pytest.approx(4986, abs=4), "the free atom's 1s to 3d is 4985.5 eV"


def test_the_options_are_those_of_the_configuration():
    from xanesflow.config.simulations import XspectraRun

    defaults = dataclasses.asdict(XspectraRunOptions(inputs={}))
    assert XspectraRun().model_dump() == {k: v for k, v in defaults.items() if k not in ("inputs", "command")}
