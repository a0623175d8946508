"""Runs a command on a hostile file in a process of its own, with little memory and time, and judges how it ends."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import resource
import shutil
import signal
import traceback
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from command_line import invoke

from xanesflow.core.errors import XanesflowError

SECONDS = 8
"""Processor time that a command may take; honest files need far less than one second."""

MEMORY = 3 * 2**29
"""Bytes that a command may add to what its libraries take."""

NO_WORDS = re.compile(
    r"Traceback|fault of xanesflow|out of range|out of bounds|Singular|NoneType|has no attribute|has no len|recursion"
    r"|could not convert|invalid literal|inhomogeneous|not subscriptable|not iterable|unhashable|keyword argument"
    r"|positional argument|not supported between|unsupported operand|object cannot be|cannot be interpreted"
    r"|broadcast|dimension mismatch|size mismatch|zip\(\)|unpack \(|to unpack|codec can't|must be str|not 'str'"
    r"|ufunc|<class|len\(|MemoryError|KeyError|ValueError|TypeError|IndexError|AttributeError|RuntimeError"
    r"|convert float|NaN to integer|infinity to integer|Exceeds the limit|allocate|_object_|no sentence$",
)
"""Words of Python and its libraries, which help no user."""


LIBRARIES = (
    *("ase.io.extxyz", "larch.xafs", "matplotlib.backends.backend_svg", "matplotlib.figure", "pandas"),
    *("pymatgen.io.vasp", "xraydb"),
    *(
        f"xanesflow.{name}"
        for name in (
            *("structures.choose_site", "cli.compute_spectra", "cli.measured", "cli.show_dataset", "cli.show_model"),
            *("dataset.check.validate", "dataset.compare_releases", "dataset.share.export_dataset", "measured.draw"),
            *("prediction.predict_files", "simulations.check_runs", "structures.read_vasprun", "structures.read_xyz"),
            *("cli.plan", "cli.search_structures", "cli.show_match", "cli.show_mix"),
        )
    ),
)


def import_libraries() -> None:
    """The commands import their libraries when they run; here each runs in a process of its own, forked from this."""
    for name in LIBRARIES:
        import_module(name)
    invoke()  # makes the commands
    gc.freeze()  # the collector would touch, and so copy, all that the processes share


class End(NamedTuple):
    """How a command ended: its exit code (negative: the signal that killed it), what it printed, and its cost."""

    code: int
    output: str
    seconds: float
    bytes: int


def run(task: Iterable[object] | Callable[[], object], folder: Path) -> End:
    """Run a command of xanesflow, or a function of the library, in a folder and in a process of its own."""
    printed = folder / "printed.txt"
    child = os.fork()
    if not child:
        code = 99
        with contextlib.suppress(BaseException):
            os.chdir(folder)
            os.environ.update(HOME=str(folder), XDG_CACHE_HOME=str(folder), TMPDIR=str(folder))
            used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            signal.alarm(120 * SECONDS)  # for one that waits; the machine may be busy
            code, output = _call(task)
            printed.write_text(output, encoding="utf-8", errors="replace")
        os._exit(code)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, status, used = os.wait4(child, 0)
    output = printed.read_text(encoding="utf-8") if printed.is_file() else ""
    printed.unlink(missing_ok=True)
    more = max(0, used.ru_maxrss - before) * 1024
    return End(os.waitstatus_to_exitcode(status), output, used.ru_utime + used.ru_stime, more)


def _call(task: Iterable[object] | Callable[[], object]) -> tuple[int, str]:
    if callable(task):
        try:
            task()
        except XanesflowError as error:
            return 1, f"{error}\n"
        except BaseException:
            return 1, traceback.format_exc()
        return 0, ""
    done = invoke(*task, columns=300)
    output = done.stdout + done.stderr
    if done.exit_code and not done.stdout.strip() and not done.stderr.strip().endswith((".", "?", "╯")):
        output += "no sentence"
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        output += "".join(traceback.format_exception(done.exception))
    return done.exit_code, output


def fault_of(end: End) -> str:
    """What is wrong with the end of a command; empty if nothing is."""
    if end.code < 0:
        return f"killed by signal {-end.code} after {end.seconds:.1f} s"
    if found := NO_WORDS.search(end.output):
        return f"words of a library: {found[0]}"
    if any(ord(sign) < 32 and sign not in "\n\t" for sign in end.output):
        return "control characters"
    if len(end.output) > 100_000:
        return f"{len(end.output):,} characters are printed"
    if end.bytes > MEMORY // 2:
        return f"{end.bytes / 2**20:.0f} MiB"
    return ""


def try_all(cases: Iterable[tuple[str, Path, Iterable[object] | Callable[[], object]]], folder: Path) -> dict[str, End]:
    """Run all cases (name, file, command) and return those that ended badly, with the fault before the output.

    A command runs in `folder/work`, which is emptied before each; nothing else in `folder` may change.
    """
    bad, work = {}, folder / "work"
    for name, path, task in cases:
        work.mkdir()
        there = _listing(folder, work)
        end = run(task, work)
        fault = fault_of(end) or ("something was written elsewhere" if _listing(folder, work) != there else "")
        if fault:
            shown = "" if callable(task) else " ".join(map(str, task)).replace(str(path), path.name)
            bad[f"{name}: {shown}"] = end._replace(output=f"{fault}: {end.output[-600:]}")
        shutil.rmtree(work)
    return bad


def _listing(folder: Path, without: Path) -> list[tuple[str, int]]:
    return sorted(
        (str(path), path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if not path.is_relative_to(without) and not path.is_dir()
    )
