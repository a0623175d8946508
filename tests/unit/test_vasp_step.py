"""One step of VASP under custodian, by the stand-in: a fault is corrected, or ends with its reason."""

import json
import os
import signal
import time
from dataclasses import replace

import pytest
from pymatgen.io.vasp.inputs import Incar
from pymatgen.io.vasp.outputs import Oszicar, Vasprun
from sentences import tells
from vasp_runs import MARK, engine, go_wrong, make_library, starts, strontium_titanate, two_titania

from xanesflow.codes.vasp.run_step import run_step
from xanesflow.codes.vasp.step_job import CORRECTIONS, Job
from xanesflow.codes.vasp.step_outputs import read_epsilon2
from xanesflow.core.errors import FailedRunError, NotStartedError
from xanesflow.core.sites import WHOLE_MATERIAL

pytestmark = pytest.mark.filterwarnings("ignore")  # pymatgen warns of POTCARs that it does not know


class Bench:
    """Folders of steps, computed in this process."""

    def __init__(self, folder):
        self.folder, self.marks = folder, folder / "marks"

    def _begin(self, step, faults, options):
        go_wrong(self.marks, **{step: list(faults)})
        place = self.folder / step
        place.mkdir()
        return engine(self.marks, **options), place

    def scf(self, *faults, **options):
        made, place = self._begin("SCF", faults, options)
        made.shared.write_inputs(place, two_titania(), WHOLE_MATERIAL)
        return made.shared, place

    def hole(self, *faults, site=1, ground_state=None, **options):
        made, place = self._begin("hole", faults, options)
        made.take_shared(
            place, {"energy_ev": -51.0, "cutoff_ev": 400.0, "volume_a3": 75.768, "atoms": 6, "potcars": {},
                    **(ground_state or {})}
        )  # fmt: skip
        made.write_inputs(place, two_titania(), site)
        return made, place


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr("pymatgen.core.SETTINGS", {"PMG_VASP_PSP_DIR": str(make_library(tmp_path / "library"))})
    return Bench(tmp_path)


def changes(folder):
    return [each["changes"] for each in json.loads((folder / CORRECTIONS).read_text()) if "refused" not in each]


def fails(folder, reason, words):
    with tells(match=words, reason=reason, error=FailedRunError):
        run_step(folder)


def test_a_good_ground_state_gives_its_energy_and_its_figures(bench):
    made, folder = bench.scf()
    figures = run_step(folder)
    # The stand-in's: -8.5 eV an atom, half of 12 electrons an atom as bands and half an atom more; 4.1 x 4.4 x 4.2 Å³.
    assert figures["energy_ev"] == pytest.approx(-51.0) and figures["fermi_ev"] == pytest.approx(4.321)
    assert figures["bands"] == 43 and figures["atoms"] == 6 and figures["cutoff_ev"] == 400
    assert figures["volume_a3"] == pytest.approx(4.1 * 4.4 * 4.2, abs=1e-3)
    record = made.record(folder)
    assert record["attempts"] == 1 and record["corrections"] == [] and record["vasp_version"] == "6.4.2"
    assert record["potcars"]["Ti_sv_GW"]["titel"] == "PAW_PBE Ti_sv_GW 01Jan2026"
    assert len(record["potcars"]["O_GW"]["sha256"]) == 64


def test_a_good_core_hole_gives_the_difference_to_the_ground_state(bench):
    _, folder = bench.hole()
    figures = run_step(folder)
    assert figures["ground_state_energy_ev"] == -51.0
    assert figures["delta_scf_ev"] == pytest.approx(-147.0, abs=0.3)
    energies, components = read_epsilon2(folder / "OUTCAR")
    assert len(energies) == 60 and components.shape == (60, 6)
    assert energies[0] == pytest.approx(4377.9) and components[:, 2].max() > components[:, 0].max() > 0


def test_files_are_kept_whole_but_for_potcars_and_projections_and_pymatgen_reads_them(bench):
    """With as many energies as in the published runs OUTCAR and vasprun.xml are larger than a log may be."""
    made, folder = bench.hole(inputs={"core_hole": {"CH_NEDOS": 40000}})
    figures = run_step(folder)
    assert MARK in (folder / "OUTCAR").read_text()  # as VASP does
    for name in made.keep:
        if (folder / name).exists():
            content = made.kept_content(folder / name)
            assert MARK.encode() not in content
            (folder / name).write_bytes(content)
    outcar = (folder / "OUTCAR").read_text()
    assert len(outcar) > 8e6 and outcar.startswith(" vasp.6")
    assert "COPYR" not in outcar and "Description" not in outcar
    assert outcar.count(" POTCAR:    PAW_PBE Ti_sv_GW") == 4 and "number of bands    NBANDS=    112" in outcar
    assert (folder / "vasprun.xml").stat().st_size > 4 * 2**20
    assert len(Vasprun(folder / "vasprun.xml", parse_potcar_file=False, parse_eigen=False).dielectric[0]) == 40000
    assert len(read_epsilon2(folder / "OUTCAR")[0]) == 40000
    assert Oszicar(folder / "OSZICAR").final_energy == pytest.approx(figures["energy_ev"])


def test_a_ground_states_vasprun_is_kept_without_projections_and_is_still_one(bench):
    made, folder = bench.scf()
    run_step(folder)
    assert b"<projected>" in (folder / "vasprun.xml").read_bytes()
    content = made.kept_content(folder / "vasprun.xml")
    assert b"projected" not in content and b"a large part" not in content
    (folder / "vasprun.xml").write_bytes(content)
    assert Vasprun(folder / "vasprun.xml", parse_potcar_file=False, parse_eigen=False).converged


@pytest.mark.parametrize(
    ("fault", "corrected"),
    [
        ("zbrent", {"EDIFF": [1e-05, 1e-06], "NELMIN": [6, 8]}),
        ("edddav", {"ALGO": ["Normal", "All"], "ISEARCH": [None, 1]}),
        ("bands", {"NBANDS": [None, 47]}),
        ("brmix", {"IMIX": [None, 1]}),
        ("unconverged", {"ALGO": ["Normal", "All"], "ISEARCH": [None, 1]}),
    ],
)
def test_a_known_failure_is_corrected_and_the_correction_recorded(bench, fault, corrected):
    made, folder = bench.scf(fault)
    assert run_step(folder)["energy_ev"] == pytest.approx(-51.0)
    (changed,) = changes(folder)
    assert changed | corrected == changed  # NCORE too, by the number of cores here
    assert made.record(folder)["attempts"] == 2 and starts(bench.marks) == {"O2Ti SCF": 2}
    incar = Incar.from_file(folder / "INCAR")
    assert all(incar.get(tag) == new for tag, (_, new) in corrected.items())


def test_bands_are_added_to_the_core_hole_up_to_the_limit(bench):
    _, folder = bench.hole("bands", inputs={"max_bands": 120})
    before = (folder / "POSCAR").read_bytes()
    assert run_step(folder)["bands"] == 120
    assert changes(folder) == [{"NBANDS": [112, 120]}]  # a tenth more would be 123
    assert (folder / "POSCAR").read_bytes() == before


def test_more_bands_than_the_limit_are_refused(bench):
    _, folder = bench.hole("bands", inputs={"max_bands": 112})
    fails(folder, "too_many_bands", "112 bands are too few, and inputs.vasp.max_bands allows 112")
    assert Incar.from_file(folder / "INCAR")["NBANDS"] == 112


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("real_space", "real_optlay: the correction would change LREAL from Auto to False"),
        ("k_mesh", "the correction would change nothing"),
    ],
)
def test_a_correction_that_would_change_the_physics_is_refused_and_its_inputs_put_back(bench, fault, words):
    made, folder = bench.scf(fault)
    before = {name: (folder / name).read_bytes() for name in ("INCAR", "KPOINTS", "POSCAR")}
    fails(folder, "engine_failed", words)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert starts(bench.marks) == {"O2Ti SCF": 1}
    assert words.rpartition(": ")[2] in made.record(folder)["corrections"][-1]["refused"]


def test_electrons_that_never_converge_end_with_that_reason(bench):
    made, folder = bench.scf(*["unconverged"] * 9)
    fails(folder, "not_converged", "Unconverged: the correction would repeat inputs that have failed before")
    # Another algorithm, other mixing, both; custodian would now go around in circles.
    assert [sorted(change) for change in changes(folder)] == [
        ["ALGO", "ISEARCH"],
        ["ALGO", "AMIX_MAG", "BMIX", "BMIX_MAG", "ISTART", "NELMDL"],
        ["ALGO"],
    ]
    assert made.record(folder)["attempts"] == 4 and "energy_ev" not in made.record(folder)


def test_of_a_correction_only_what_is_allowed_is_taken(bench):
    """Custodian meets a second ZBRENT with tighter EDIFF and IBRION, which moves atoms in another way."""
    made, folder = bench.scf("zbrent", "zbrent")
    run_step(folder)
    first, second = made.record(folder)["corrections"]
    assert first["left_out"] == {} and second["changes"] == {"EDIFF": [1e-06, 1e-07]}
    assert second["left_out"] == {"IBRION": [2, 1]}
    assert Incar.from_file(folder / "INCAR")["IBRION"] == 2


def test_a_warning_that_vasp_survives_stops_nothing(bench):
    made, folder = bench.scf("not_hermitian")
    assert run_step(folder)["energy_ev"] == pytest.approx(-51.0) and made.record(folder)["corrections"] == []


def test_corrections_end_at_the_limit(bench):
    _, folder = bench.scf(*["zbrent", "edddav"] * 3, max_errors=2)
    fails(folder, "engine_failed", "2 corrections did not help, the last of edddav")


@pytest.mark.parametrize(
    ("step", "fault", "reason", "words"),
    [
        ("scf", "killed", "killed", "VASP was ended by signal 9; the machine may have run out of memory"),
        ("scf", "memory", "killed", "VASP ran out of memory: .*exceed memory limit"),
        ("scf", "full", "engine_failed", "exit code 38: .*No space left on device"),
        ("scf", "truncated", "truncated", "vasprun.xml ends before its time"),
        ("scf", "cut", "truncated", "OUTCAR ends before its time"),
        ("scf", "no_energy", "truncated", "OSZICAR ends without the line of the total energy"),
        ("scf", "moved", "wrong_absorber", "another structure than that of POSCAR"),
        ("scf", "spin", "engine_failed", "spin-polarised"),
        ("hole", "no_table", "no_output", "no imaginary part of the dielectric function"),
        ("hole", "short_table", "truncated", "has 30 of 60 energies"),
        ("hole", "zeros", "all_zero", "zero everywhere"),
        ("hole", "fewer_bands", "engine_failed", "VASP took 107 bands where INCAR asks for 112"),
    ],
)
def test_a_step_that_went_wrong_has_its_reason(bench, step, fault, reason, words):
    _, folder = getattr(bench, step)(fault)
    fails(folder, reason, words)
    assert list(starts(bench.marks).values()) == [1]


def test_a_hole_in_another_atom_is_refused(bench):
    _, folder = bench.hole(site=1)
    job = Job.read(folder)
    replace(job, absorber=[0.0, 0.0, 0.0]).write(folder)
    fails(folder, "wrong_absorber", "lies 3.668 Å from the absorber")  # half the cell's diagonal


def test_steps_that_cannot_be_compared_are_refused(bench):
    _, folder = bench.hole(ground_state={"cutoff_ev": 500.0})
    fails(folder, "steps_differ", "ground state and core hole differ in cutoff_ev: 500 and 400")


def test_a_run_that_hangs_is_ended_with_all_that_it_started(bench):
    _, folder = bench.scf("hang", frozen_after=0.4)
    began = time.monotonic()
    fails(folder, "timed_out", "VASP printed nothing for 0.4 s and was stopped")
    assert time.monotonic() - began < 20
    pid = json.loads((bench.marks / "O2Ti SCF 0").read_text())["pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIG_DFL)


def test_a_command_that_does_not_start_vasp_says_nothing_about_the_site(bench):
    _, folder = bench.scf("not_started")
    with pytest.raises(NotStartedError, match=r"exit code 127 before VASP wrote anything: .*libmpi\.so\.40"):
        run_step(folder)


def test_the_inputs_are_those_of_the_rule_that_writes_inputs(bench, tmp_path):
    from xanesflow.codes.vasp.write_inputs import Vasp

    made, folder = bench.hole(site=0)
    Vasp(made.options.inputs, "Ti").write(tmp_path / "whole", two_titania(), [0, 1])
    for name in ("INCAR", "KPOINTS", "POSCAR", "POTCAR.spec"):
        assert (folder / name).read_bytes() == (tmp_path / "whole/VASP/000_Ti" / name).read_bytes()


def test_a_potcar_that_the_library_lacks_is_told_for_its_material(bench):
    made = engine(bench.marks)
    (bench.folder / "library/POT_GGA_PAW_PBE_54/Sr_sv_GW/POTCAR").unlink()
    place = bench.folder / "sr"
    place.mkdir()
    with tells("holds no Sr_sv_GW of PBE_54; add it", reason="no_potcar", error=FailedRunError):
        made.write_inputs(place, strontium_titanate(), 1)
    assert not (place / "POTCAR").exists()


def test_a_core_hole_is_not_compared_with_a_ground_state_of_other_potcars(bench):
    made, folder = bench.scf()
    before = {**run_step(folder), "potcars": made.record(folder)["potcars"]}
    place = bench.folder / "library/POT_GGA_PAW_PBE_54/O_GW/POTCAR"
    place.write_text(place.read_text().replace("01Jan2026", "02Feb2026"))
    with tells(
        match=r"O_GW of your library is not the one .*PAW_PBE O_GW 01Jan2026", reason="no_potcar", error=FailedRunError
    ):
        bench.hole(ground_state=before)
