"""FEFF under custodian, a site at a time: what is corrected and how, and what is never believed.

The program is tests/support/stand_in_feff.py, which behaves like FEFF at its files and knows no physics. These cases a
real FEFF cannot be made to do on demand: to converge at one convergence factor and not at another, to count electrons
wrongly, to lose a module in the middle, to fill a disk. What it can be made to do, the real FEFF 10 does in
test_feff_pip.py and tests/workflow/test_feff.py: run as a command and module by module, stop with exit code 0, be
corrected, killed, continued and timed out, and run out of memory. A run of the stand-in takes 0.1 s, one of FEFF
seconds.
"""

import json
import subprocess
import sys

import pytest
import stand_in_feff
from feff_runs import feff_inp, perovskite
from small_disk import mounted

from xanesflow.codes.feff import attempt
from xanesflow.codes.feff.cards import scf_of
from xanesflow.codes.feff.find_feff import Program
from xanesflow.codes.feff.read_run import read_run
from xanesflow.codes.feff.run_site import SiteRun, run_site, write_job
from xanesflow.codes.registry import FEFF
from xanesflow.codes.run_description import read_files
from xanesflow.core.errors import XanesflowError
from xanesflow.core.reasons import REASONS

SCF = "SCF 7.0 0 100 0.2 3"


class Site:
    """A site's folder, and a stand-in that does as it is told."""

    def __init__(self, folder, **told):
        self.folder, self.control = folder / "site", folder / "control"
        for made in (self.folder, self.control):
            made.mkdir()
        (self.control / "control.json").write_text(json.dumps({"Sr": told}))
        self.inp = feff_inp(perovskite("Cu", "Sr"), 1, "Cu")

    def modules(self):
        """The stand-in as a folder with a program for each module."""
        stand_in_feff.write_modules(self.control / "bin", self.control)
        return Program("bin", modules=tuple(str(self.control / "bin" / name) for name in stand_in_feff.MODULES))

    def run(self, *, scf=SCF, modules=False, program=None, time_limit=60.0, corrections=5, smaller_radius=False):
        """Run it; whether it was good."""
        assert SCF in self.inp
        (self.folder / "feff.inp").write_text(self.inp.replace(SCF, scf))
        command = (sys.executable, "-I", "-S", stand_in_feff.__file__, str(self.control))
        program = program or (self.modules() if modules else Program("stand-in", command=command))
        write_job(SiteRun(self.folder, program, time_limit, corrections, smaller_radius))
        good = run_site(self.folder)
        assert good == (self.folder / "xmu.dat").exists()
        assert good == (not self.result()["reason"])
        return good

    def result(self):
        return json.loads((self.folder / "result.json").read_text())

    def corrections(self):
        return [(each["what"], each["from"], each["to"]) for each in self.result()["corrections"]]

    def marks(self):
        """What FEFF found at each start."""
        return [json.loads(path.read_text()) for path in sorted(self.control.glob("Sr.*.json"))]


@pytest.mark.parametrize("modules", [False, True], ids=["script", "modules"])
def test_a_plain_run_is_one_attempt_and_no_correction(tmp_path, capfdbinary, modules):
    site = Site(tmp_path)
    assert site.run(modules=modules)
    result = site.result()
    assert (result["attempts"], result["corrections"], result["scf_iterations"]) == (1, [], 3)
    printed = capfdbinary.readouterr().out
    assert printed.startswith(b"Launching FEFF version FEFF 10.0.0") and b"Done with module: XAS spectra" in printed
    files = {**read_files(site.folder, FEFF.files), "feff.out": printed}
    read_run(files, element="Cu", structure=perovskite("Cu", "Sr"), site_index=1)


ORDER = {
    "iterations": ({"iterations": 60}, "SCF 7.0 0 30 0.2 1", False, [("SCF iterations", 30, 100)]),
    "factor": ({"ca1": 0.05}, SCF, False, [("SCF ca1", 0.2, 0.1), ("SCF ca1", 0.1, 0.05)]),
    "iterations, then factor": ({"iterations": 60, "ca1": 0.1}, "SCF 7.0 0 30 0.2 1", False,
                                [("SCF iterations", 30, 100), ("SCF ca1", 0.2, 0.1)]),
    "radius last": ({"radius": 6}, "SCF 7.0 0 30 0.2 1", True,
                    [("SCF iterations", 30, 100), ("SCF ca1", 0.2, 0.1), ("SCF ca1", 0.1, 0.05),
                     ("SCF radius", 7.0, 5.6)]),
    "factor refused": ({}, "SCF 7.0 0 100 0.9 3", False, [("SCF ca1", 0.9, 0.2)]),
    "refused, then not converged": ({"ca1": 0.1}, "SCF 7.0 0 100 0.9", False,
                                    [("SCF ca1", 0.9, 0.2), ("SCF ca1", 0.2, 0.1)]),
}  # fmt: skip


@pytest.mark.parametrize(("converges", "scf", "smaller", "expected"), ORDER.values(), ids=ORDER.keys())
def test_corrections_come_in_their_order_and_are_told(tmp_path, converges, scf, smaller, expected):
    site = Site(tmp_path, converges=converges)
    assert site.run(scf=scf, smaller_radius=smaller)
    assert site.corrections() == expected
    result, marks = site.result(), site.marks()
    assert result["attempts"] == len(marks) == len(expected) + 1
    assert [bool(each.get("reason")) for each in result["tried"]] == [True] * len(expected) + [False]
    used = scf_of((site.folder / "feff.inp").read_text())
    name = {"SCF iterations": "iterations", "SCF ca1": "ca1", "SCF radius": "radius_a"}
    for what, _, after in {what: each for each in expected for what in [each[0]]}.values():
        assert getattr(used, name[what]) == after
    assert [float(word) for word in marks[-1]["scf"][:4]] == [used.radius_a, 0, used.iterations, used.ca1]


def test_no_attempt_sees_a_file_of_the_one_before(tmp_path):
    """The stand-in, as FEFF, takes a pot.bin that it finds for its own."""
    site = Site(tmp_path, converges={"ca1": 0.05})
    assert site.run()
    marks = site.marks()
    assert [mark["files"] for mark in marks] == [[".feff.error", "feff.inp", "log.dat"]] * 3  # the last is its own
    assert len({mark["folder"] for mark in marks}) == 3
    pot = site.folder / "attempt-3/pot.bin"
    assert json.loads(pot.read_text())[3] == "0.05"
    assert [path.name for path in sorted(site.folder.glob("attempt-*"))] == ["attempt-3"]


def test_the_stand_in_does_take_an_old_file_for_its_own(tmp_path):
    """So the test above would notice."""
    site = Site(tmp_path)
    (site.folder / "pot.bin").write_text('"old"')
    (site.folder / "feff.inp").write_text(site.inp)
    subprocess.run([sys.executable, stand_in_feff.__file__, site.control], cwd=site.folder, check=True)
    assert (site.folder / "pot.bin").read_text() == '"old"' and (site.folder / "xmu.dat").exists()


@pytest.mark.parametrize("modules", [False, True], ids=["script", "modules"])
def test_muffin_tins_that_overlap_are_not_corrected_as_folp_changes_nothing(tmp_path, modules):
    site = Site(tmp_path, folp={"1": 0.9, "2": 1.0})
    assert not site.run(modules=modules)
    result = site.result()
    assert (result["reason"], result["corrections"], result["attempts"]) == ("module_failed", [], 1)
    assert "the muffin tins of potential 1 overlap too much" in result["detail"]
    assert site.marks()[-1]["folp"] == {} and "FOLP" not in (site.folder / "feff.inp").read_text()


def test_electrons_that_are_counted_wrongly_get_a_smaller_factor_at_once(tmp_path):
    site = Site(tmp_path, do="bad_counts")
    assert site.run(scf="SCF 7.0 0 30 0.2 1")
    assert site.corrections() == [("SCF ca1", 0.2, 0.1)]


HOPELESS = {
    "never converges": ({"converges": {"ca1": 0.001}}, {}, "not_converged", "ran out of iterations", 3),
    "radius does not help": ({"converges": {"radius": 3}}, {"smaller_radius": True}, "not_converged", "ran out", 4),
    "too many corrections": ({"converges": {"ca1": 0.05}}, {"corrections": 1}, "not_converged", "ran out", 2),
    "no correction allowed": ({"converges": {"ca1": 0.1}}, {"corrections": 0}, "not_converged", "ran out", 1),
    "muffin tins": ({"folp": {"2": 0.1}}, {}, "module_failed", "muffin tins of potential 2", 1),
    "a cluster cut": ({"do": "cut"}, {}, "cluster_cut", "took 15 atoms", 1),
    "fms killed, script went on": ({"do": "fms killed"}, {}, "killed", "left no message of its own", 1),
    "no memory, script went on": ({"do": "no memory"}, {}, "killed", "Cannot allocate memory", 1),
    "killed": ({"do": "kill"}, {}, "killed", "signal 9; the machine may have run out of memory", 1),
    "hangs": ({"do": "hang"}, {"time_limit": 1.5}, "timed_out", "did not end within 1.5 s", 1),
}  # fmt: skip


@pytest.mark.parametrize("case", HOPELESS.values(), ids=HOPELESS.keys())
def test_what_cannot_be_corrected_fails_with_its_reason(tmp_path, case):
    told, limits, reason, said, attempts = case
    site = Site(tmp_path, **told)
    assert not site.run(**limits)
    result = site.result()
    assert (result["reason"], result["attempts"]) == (reason, attempts) and said in result["detail"]
    assert reason in REASONS and len(result["corrections"]) == attempts - 1
    assert len(site.marks()) == attempts


def test_of_modules_the_first_that_is_killed_is_the_last(tmp_path):
    site = Site(tmp_path, do="fms killed")
    assert not site.run(modules=True)
    assert site.result()["reason"] == "killed" and "signal 9" in site.result()["detail"]
    assert site.result()["detail"].startswith("FEFF, in its module fms, was ended by")
    left = site.folder / "attempt-1"
    assert (left / "phase.bin").exists() and "MKGTR" not in (left / "feff.out").read_text()


CRASHES = {
    "loader": ("exit 127", None, "killed", "a program could not be started (exit code 127)"),
    "crash": ("kill -SEGV $$", None, "engine_failed", "the module pot was ended by signal 11"),
    "crash with limited memory": ("kill -SEGV $$", 2**40, "killed", "its memory is limited to 1,048,576 MiB"),
    "gives up": ("echo the last words; exit 2", None, "engine_failed", "pot failed with exit code 2: the last words"),
}


@pytest.mark.parametrize("case", CRASHES.values(), ids=CRASHES.keys())
def test_a_module_that_cannot_be_loaded_or_crashes_for_want_of_memory_is_tried_again(tmp_path, monkeypatch, case):
    does, limit, reason, said = case
    monkeypatch.setattr(attempt, "_memory_limit", lambda: limit)
    site = Site(tmp_path)
    program = site.modules()
    (site.control / "bin/pot").write_text(f"#!/bin/sh\n{does}\n")
    assert not site.run(program=program)
    result = site.result()
    assert (result["reason"], result["attempts"]) == (reason, 1) and said in result["detail"]
    assert "xsph" not in result["detail"] and not (site.folder / "attempt-1/phase.bin").exists()


def test_a_module_that_may_not_be_executed_is_a_fault_of_the_machine(tmp_path):
    """As any error that ends the run: `FeffEngine.validate` calls it killed, so the site is tried again."""
    site = Site(tmp_path)
    wrong = tmp_path / "pot"
    wrong.write_text("#!/bin/sh\nexit 126\n")
    wrong.chmod(0o755)
    with pytest.raises(XanesflowError, match=r"pot ended as a program that cannot be started; fix or replace it\.$"):
        site.run(program=Program("bin", modules=(str(wrong),)))


def test_a_full_disk_is_no_fault_of_the_site(tmp_path):
    """The stand-in ends with exit code 0 after it has written a part of xmu.dat, as FEFF does."""
    with mounted(tmp_path / "small", "size=1m") as small:
        site = Site(small, do="disk")
        with pytest.raises(OSError, match="No space left on device"):
            site.run()
        assert not (site.folder / "result.json").exists() and not (site.folder / "xmu.dat").exists()


@pytest.mark.parametrize("name", ["log", "feff.out"])
def test_where_a_script_keeps_what_the_modules_print_it_is_found(tmp_path, capfdbinary, name):
    """In FEFF's own logs, or in the file that is called as it should be."""
    site = Site(tmp_path)
    quiet = tmp_path / "quiet.sh"
    command = f'"{sys.executable}" "{stand_in_feff.__file__}" "{site.control}" > {name} 2>&1'
    quiet.write_text(f"#!/bin/sh\n{command}\necho ended\n")
    quiet.chmod(0o755)
    assert site.run(program=Program("quiet", command=(str(quiet),)))
    printed = capfdbinary.readouterr().out
    assert printed.count(b"Convergence reached") == 1 and printed.endswith(b"ended\n")
