"""The programs of FEFF 8 Lite: found, or a sentence why not; run, ended in time, believed only for what they write."""

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from processes import is_alive, until

from xanesflow.codes.feff8l import programs
from xanesflow.codes.feff8l.programs import folder_of_programs, run_program
from xanesflow.core.errors import ProgramError, TimeLimitError, XanesflowError

posix = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins for the programs are shell scripts")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An xraylarch whose bin folder is empty."""
    folder = tmp_path / "larch" / "bin" / "linux64"
    folder.mkdir(parents=True)
    spec = SimpleNamespace(origin=str(tmp_path / "larch" / "__init__.py"))
    monkeypatch.setattr(programs, "find_spec", lambda name: spec)
    monkeypatch.setattr(programs, "version", lambda: "2026.1")
    monkeypatch.setattr(programs.platform, "system", lambda: "Linux")
    return folder


def add(folder: Path, name: str, script: str = "exit 0", *, mode: int = 0o755) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(mode)


@pytest.fixture
def run(package, tmp_path):
    """Run a shell script in place of pot, in a folder of its own."""
    for name in programs.PROGRAMS:
        add(package, name)
    folder = tmp_path / "site"
    folder.mkdir()

    def run(script: str, *, outputs=("pot.pad",), time_limit=20.0):
        add(package, "feff8l_pot", script)
        return run_program("feff8l_pot", folder, outputs=outputs, time_limit=time_limit)

    run.folder = folder
    return run


@pytest.mark.parametrize("found", [None, SimpleNamespace(origin=None)], ids=["nothing", "a folder of that name"])
def test_without_xraylarch_the_user_is_told_to_install_it(monkeypatch, found):
    monkeypatch.setattr(programs, "find_spec", lambda name: found)
    with pytest.raises(XanesflowError, match=r"xraylarch, which is not installed; install requirements\.txt"):
        folder_of_programs()


@pytest.mark.parametrize("system", ["Linux", "FreeBSD"])
def test_a_platform_without_programs_is_named(package, monkeypatch, system):
    monkeypatch.setattr(programs.platform, "system", lambda: system)
    monkeypatch.setattr(programs.platform, "machine", lambda: "riscv64")
    with pytest.raises(XanesflowError, match=rf"xraylarch 2026\.1 has no feff8l_rdinp for {system} riscv64"):
        folder_of_programs()


@pytest.mark.parametrize("missing", programs.PROGRAMS)
def test_each_program_must_be_there(package, missing):
    for name in programs.PROGRAMS:
        if name != missing:
            add(package, name)
    with pytest.raises(XanesflowError, match=missing):
        folder_of_programs()
    add(package, missing)
    assert folder_of_programs() == package


def test_on_windows_the_programs_end_in_exe(package, monkeypatch):
    monkeypatch.setattr(programs.platform, "system", lambda: "Windows")
    windows = package.parent / "win64"
    windows.mkdir()
    for name in programs.PROGRAMS:
        add(windows, f"{name}.exe")
    assert folder_of_programs() == windows


@posix
def test_a_program_that_may_not_be_executed_is_named_with_the_remedy(package):
    for name in programs.PROGRAMS:
        add(package, name)
    (package / "feff8l_xsph").chmod(0o644)
    with pytest.raises(XanesflowError, match=r"feff8l_xsph is not executable; .*chmod \+x"):
        folder_of_programs()


@posix
def test_a_program_of_another_machine_is_told_in_one_sentence(run, package):
    (package / "feff8l_pot").write_bytes(b"\x7fELF\x02\x01\x01 of no machine that there is")
    with pytest.raises(XanesflowError, match=r"feff8l_pot cannot be run in .*: .+\.") as told:
        run_program("feff8l_pot", run.folder, outputs=("pot.pad",), time_limit=5)
    assert not isinstance(told.value, ProgramError)


def test_a_folder_that_is_gone_is_told_in_one_sentence(run):
    with pytest.raises(XanesflowError, match="cannot be run in"):
        run_program("feff8l_pot", run.folder / "gone", outputs=(), time_limit=5)


@posix
def test_what_a_program_prints_is_returned_and_kept_beside_its_outputs(run):
    assert (
        run("echo mu_new= -7.1; echo warning >&2; pwd; echo data > pot.pad") == f"mu_new= -7.1\nwarning\n{run.folder}\n"
    )
    assert (run.folder / "feff8l_pot.log").read_text().startswith("mu_new= -7.1")
    assert (run.folder / "pot.pad").read_text() == "data\n"


@posix
def test_a_program_gets_no_input_to_wait_for(run):
    assert run("cat; echo done > pot.pad", time_limit=10) == ""


@posix
@pytest.mark.parametrize(
    ("script", "outputs", "said"),
    [
        (
            "echo Keyword unrecognized",
            ["pot.pad"],
            r"pot left no pot\.pad \(exit code 0\): Keyword unrecognized",
        ),
        (": > pot.pad", ["pot.pad"], r"left no pot\.pad .*it printed nothing"),
        ("echo x > phase.pad", ["phase.pad", "xsect.json"], r"left no xsect\.json"),
        ("kill -SEGV $$", ["pot.pad"], r"exit code -11"),
    ],
    ids=["nothing is written", "an empty output", "one of two", "killed"],
)
def test_a_program_that_leaves_an_output_out_has_failed(run, script, outputs, said):
    with pytest.raises(ProgramError, match=said):
        run(script, outputs=outputs)


@posix
def test_an_output_from_an_earlier_run_is_not_taken_for_this_ones(run):
    """When pot crashes, the next program silently takes the pot.pad that stands there."""
    (run.folder / "pot.pad").write_text("of the run before")
    with pytest.raises(ProgramError, match=r"left no pot\.pad \(exit code 3\): At line 12 \| Fortran runtime error"):
        run("echo At line 12; echo Fortran runtime error; exit 3")
    assert not (run.folder / "pot.pad").exists()


@posix
def test_an_output_is_gone_before_the_program_starts_but_other_files_stay(run):
    (run.folder / "pot.pad").write_text("old")
    (run.folder / "pot.json").write_text("input")
    assert run("ls; echo new > pot.pad").split() == ["feff8l_pot.log", "pot.json"]


@posix
def test_a_program_that_hangs_is_ended_at_the_time_limit_with_its_children(run):
    begin = time.monotonic()
    with pytest.raises(TimeLimitError, match=r"feff8l_pot did not end within 1 s"):
        run(
            "echo half > pot.pad; sleep 300 & echo $! > child; echo $$ > own; trap '' TERM INT; wait; sleep 300",
            time_limit=1,
        )
    assert time.monotonic() - begin < 15
    assert issubclass(TimeLimitError, ProgramError), "so that the ladder goes on"
    pids = [int((run.folder / name).read_text()) for name in ("own", "child")]
    until(lambda: not any(map(is_alive, pids)), "the end of both", 5)


@posix
def test_ctrl_c_ends_the_program_too(run, monkeypatch):
    waits = iter([KeyboardInterrupt])
    original = subprocess.Popen.wait

    def interrupted(self, timeout=None):
        until((run.folder / "own").exists)
        for error in waits:
            raise error
        return original(self, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("echo $$ > new; mv new own; exec sleep 300")
    assert not is_alive(int((run.folder / "own").read_text()))


@posix
def test_output_that_is_no_utf_8_is_read_all_the_same(run):
    assert "Norman radius 1.2 \ufffd" in run(r"printf 'Norman radius 1.2 \305\n\377\376\000\n'; echo x > pot.pad")
    with pytest.raises(ProgramError, match="\ufffdngstr\ufffdm"):
        run(r"printf '\305ngstr\366m'")


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_told_or_counts_as_no_output(run):
    (run.folder / "pot.pad").symlink_to("/dev/full")
    with pytest.raises(ProgramError, match=r"left no pot\.pad .*error"):
        run("echo data > /dev/full")


def test_the_last_lines_of_a_crash_leave_the_stack_out():
    printed = "iteration 3\n\n  error in   Norman radius\n#0  0x7f\n#1  main\nBacktrace for this error:\nSTOP 1\n"
    assert programs.last_lines(printed) == "iteration 3 | error in Norman radius"
    assert programs.last_lines(printed, 1) == "error in Norman radius"
    assert programs.last_lines("\n \n") == "it printed nothing"


def test_the_digest_tells_programs_apart(package):
    for name in programs.PROGRAMS:
        add(package, name)
    programs.digest.cache_clear()
    try:
        first = programs.digest()
        add(package, "feff8l_pot", "exit 1")
        assert programs.digest() == first, "it is computed once"
        programs.digest.cache_clear()
        assert programs.digest() != first
    finally:
        programs.digest.cache_clear()
