"""A run of XSpectra that is killed goes on at its step; programs are made up here, and print what the real ones do."""

import json

import made_up_runs as made_up
import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xanesflow.codes.registry import engine_of, theory_of
from xanesflow.codes.xspectra import run_hole_step as steps
from xanesflow.codes.xspectra.engine import XspectraEngine
from xanesflow.codes.xspectra.hole_cell import hole_cell
from xanesflow.codes.xspectra.hole_job import GROUND_STATE, LANCZOS, HoleJob
from xanesflow.codes.xspectra.lanczos import inequivalent_pairs, keeps_grid
from xanesflow.codes.xspectra.pseudopotentials import Pseudopotential
from xanesflow.running.memory import sites_that_fit

FIELD = (
    "     Program PWSCF v.6.7 starts\n     the Fermi energy is     6.5000 ev\n"
    "!    total energy              =     -100.00000000 Ry\n     smearing contrib. (-TS)   =      -0.00000000 Ry\n"
    "     convergence has been achieved in  12 iterations\n   JOB DONE.\n"
)


class Killed(BaseException):
    pass


class Programs:
    """Stand-ins for the programs; `stops_at` is the number of the call that is killed."""

    def __init__(self, monkeypatch):
        self.calls, self.stops_at = [], 0
        monkeypatch.setattr(steps, "_run", self.run)
        monkeypatch.setattr(steps, "make_pseudopotential", self.make)
        monkeypatch.setattr(steps, "write_core_wave", lambda upf, path: path.write_text("wave"))

    def make(self, element, folder, *, hole):
        name = f"{element}{'.fch' if hole else ''}.upf"
        (folder / name).write_text("upf")
        return Pseudopotential(name, f"hash of {name}", -10.0, 0.0, 0.3, 0.0)

    def run(self, job, folder, program, given, output):
        self.calls.append(given)
        if len(self.calls) == self.stops_at:
            raise Killed
        if program == "pw.x":
            (folder / "tmp/pwscf.save").mkdir(parents=True)
            (folder / "tmp/pwscf.save/charge-density.dat").write_text("density")
            printed = FIELD
        else:
            assert (folder / "tmp/pwscf.save/charge-density.dat").read_text() == "density"
            head, counts, *_ = self.restart(folder, job)
            (folder / "xanes.sav").write_text(head)
            printed = "   => CONVERGED at iter  9\n" * counts + "END JOB XSpectra\n"
        (folder / output).write_text(printed)
        return printed

    def restart(self, folder, job):
        """What XSpectra saves: here two coefficients of each k-point that it was to compute."""
        lines = (folder / "xanes.sav").read_text().splitlines()
        done = [int(word) for word in lines[12].split()]
        n = len(done)
        norms = " ".join(["0.01"] * n)
        rows = [*lines[:12], norms, " ".join(["2"] * n), " ".join(["0.7"] * 4 * n)]
        return "\n".join([*rows, " ".join(["0.4"] * 4 * n)]), done.count(0)


def job_in(folder, *, spectrum_length=8.0, keep=False):
    """The core hole of rutile, whose steps are kept beside its folder."""
    folder.mkdir()
    steps_folder = folder.with_name("steps")
    engine = engine_of("XSPECTRA", {"inputs": {"supercell": None}, "spectrum_length": spectrum_length})
    engine.keep_steps_in(steps_folder, always=keep)
    engine.keep_steps_in(steps_folder / "elsewhere")  # the first folder counts
    figures = {"energy_ry": -101.0, "fermi_ev": 6.0, "smearing_ry": 0.0, "version": "6.7"}
    (folder / GROUND_STATE).write_text(json.dumps(figures))
    engine.write_inputs(folder, made_up.rutile(), 0)
    assert HoleJob.read(folder).steps_folder == str(steps_folder)
    return folder


def test_a_killed_run_goes_on_at_its_step(monkeypatch, tmp_path):
    programs, kept = Programs(monkeypatch), tmp_path / "steps"
    whole = steps.run_hole_step(job_in(tmp_path / "whole"))
    assert programs.calls == ["es.in", "xanes1.in", "xanes3.in"] and not whole["resumed"]
    assert not kept.exists(), "a finished run keeps nothing"
    for stops_at, then in (
        (1, ["es.in", "xanes1.in", "xanes3.in"]),
        (2, ["xanes1.in", "xanes3.in"]),
        (3, ["xanes3.in"]),
    ):
        programs.calls, programs.stops_at = [], stops_at
        with pytest.raises(Killed):
            steps.run_hole_step(job_in(tmp_path / f"killed{stops_at}"))
        programs.calls, programs.stops_at = [], 0
        folder = job_in(tmp_path / f"again{stops_at}")
        again = steps.run_hole_step(folder)
        assert programs.calls == then and again == whole | {"resumed": stops_at > 1}
        assert (folder / LANCZOS).read_text() == (tmp_path / "whole" / LANCZOS).read_text()
        assert (folder / "es.out").is_file() and (folder / "xanes1.out").is_file()
        assert not kept.exists()


def test_runs_of_a_convergence_study_that_differ_in_the_spectrum_share_a_field(monkeypatch, tmp_path):
    programs = Programs(monkeypatch)
    steps.run_hole_step(job_in(tmp_path / "a", keep=True))
    finer = steps.run_hole_step(job_in(tmp_path / "b", spectrum_length=12.0, keep=True))
    assert programs.calls == ["es.in", *["xanes1.in", "xanes3.in"] * 2] and finer["resumed"]
    programs.calls.clear()
    steps.run_hole_step(job_in(tmp_path / "c", spectrum_length=12.0, keep=True))
    assert programs.calls == []


def test_even_grids_are_moved_by_half_a_step_where_the_symmetry_allows_it():
    cell = hole_cell(made_up.rutile(), 0, supercell=[[1, 0, 0], [0, 1, 0], [0, 0, 1]], distance_a=0)
    assert cell.shift((4, 4, 2)) == (1, 1, 1) and cell.shift((3, 3, 4)) == (0, 0, 1)
    matrix = cell.structure.lattice.matrix
    moved, still = (inequivalent_pairs((4, 4, 2), shift, matrix, cell.rotations) for shift in ((1, 1, 1), (0, 0, 0)))
    assert sum(moved.values()) == sum(still.values()) == 96 and len(moved) < len(still)
    # In a hexagonal plane, a moved grid loses the threefold axis.
    hexagonal = Structure(Lattice.hexagonal(4, 6), ["Ti", "O"], [[0, 0, 0], [0, 0, 0.4]])
    found = hole_cell(hexagonal, 0, supercell=[[1, 0, 0], [0, 1, 0], [0, 0, 1]], distance_a=0)
    assert found.shift((4, 4, 2)) == (0, 0, 0) and found.shift((3, 3, 2)) == (0, 0, 1)
    assert keeps_grid((4, 4, 2), (1, 1, 1), found.structure.lattice.matrix, [np.eye(3)])


def test_sites_at_a_time_fit_into_the_memory_together():
    rutile = made_up.rutile()
    assert sites_that_fit(4, [700, 300, 700, 700], 3000.0) == 4
    assert sites_that_fit(4, [700, 300, 700, 700], 1500.0) == 2
    assert sites_that_fit(4, [700], 100.0) == 4, "a site that does not fit alone is refused in its turn"
    assert sites_that_fit(4, [700, 700], 100.0) == 1 and sites_that_fit(4, [1e9, 1e9], None) == 4
    engine = XspectraEngine(engine_of("XSPECTRA", {"inputs": {"supercell": None}}).options)
    assert engine.memory_mb(rutile, 0) == engine.memory_mb(rutile, -1) > 100
    rutile.replace(1, "Sr")
    assert engine.memory_mb(rutile, 0) == 0


def test_the_cell_of_a_material_is_searched_once(monkeypatch):
    from xanesflow.codes.xspectra import hole_cell as module

    searches = []
    search = module.smallest_matrix
    monkeypatch.setattr(module, "smallest_matrix", lambda *given: searches.append(1) or search(*given))
    module._remembered_matrix.cache_clear()
    for site in (0, 1, 0):
        hole_cell(made_up.rutile(), site, supercell=None, distance_a=5.0)
    assert len(searches) == 1


def test_a_run_says_that_it_was_computed_without_magnetism(tmp_path):
    (tmp_path / "result.json").write_text(json.dumps({"energy_ry": -100.0}))
    engine = engine_of("XSPECTRA", {"inputs": {"supercell": None}})
    assert engine.record(tmp_path)["spin"] == "none: computed non-spin-polarised"
    (tmp_path / "result.json").write_text(json.dumps({"reason": "not_converged", "detail": "no field"}))
    assert engine.record(tmp_path) == {}
    assert "non-spin-polarised and without a Hubbard U, also for magnetic oxides" in theory_of("XSPECTRA").limits
