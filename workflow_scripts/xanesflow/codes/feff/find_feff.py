"""Find FEFF: a command that runs it in the current folder, or the folder with its modules."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from xanesflow.codes.feff.pip_feff import MODULES, PACKAGE, package_version
from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import quoted
from xanesflow.running.process import command_words, run_command

NEEDED = ("rdinp", "pot", "xsph", "fms", "mkgtr", "path", "genfmt", "ff2x")
"""The modules that a XANES calculation needs in every version."""

OTHER_WAYS = (
    "or to null for the FEFF 10 of pip; or compute with the embedded engine (subsets such as Cu_FEFF8L), or import "
    "finished runs (simulations.source: archive)"
)
"""What you can do without FEFF; ends error messages."""

_VERSION = re.compile(r"Launching FEFF version\s+(?:FEFF\s*)?(\d\S*)")
_TIME_LIMIT_S = 120.0
_QUESTION = """TITLE which version are you
EDGE K
CONTROL 0 0 0 0 0 0
XANES 4
POTENTIALS
  0 29 Cu
  1 29 Cu
ATOMS
  0.0 0.0 0.0 0
  2.5 0.0 0.0 1
END
"""
"""A feff.inp that makes only rdinp work, which prints the version."""


@dataclass(frozen=True)
class Program:
    """How FEFF is run.

    Attributes:
        given: as the configuration names it.
        command: program and arguments of a script or an MPI command; empty: the modules run one by one.
        modules: paths of FEFF's modules, in the order in which they run.
    """

    given: str
    command: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[tuple[str, ...], ...]:
        """The commands to run, in order."""
        return (self.command,) if self.command else tuple((module,) for module in self.modules)


def find_program(given: str | None, *, own_scattering: bool = True, far_radius: float = 0.0) -> Program:
    """Find FEFF; paths in the command are relative to the current folder.

    Args:
        given: `simulations.feff_command`; None: the FEFF 10 of pip.
        own_scattering: `simulations.feff.own_scattering`, for the FEFF 10 of pip.
        far_radius: in Å, up to which atoms beyond the radius of FMS scatter once, for our own scattering.

    Raises:
        XanesflowError: there is no such program; names what was looked for, and the other ways to a spectrum.
    """
    if given is None:
        option: tuple[str, ...] = ("--own-scattering",) if own_scattering else ()
        option += ("--far-radius", f"{far_radius:g}") if own_scattering and far_radius else ()
        command = (sys.executable, "-m", "xanesflow.codes.feff.pip_feff", *option)
        return Program(f"FEFF 10 of pip ({PACKAGE} {package_version()})", command=command)
    folder = Path(given).expanduser()
    if given.strip() and folder.is_dir():
        return _modules_in(given, folder)
    try:
        words = command_words(given)
    except ValueError as error:
        raise XanesflowError(f"simulations.feff_command is {quoted(given)}, which is no command ({error}).") from None
    if not words or shutil.which(words[0]) is None:
        name = shlex.split(given)[0] if words else ""
        where = f"looked from {Path.cwd()}" if os.sep in name else "looked for on the PATH"
        if os.sep in name and Path(words[0]).is_file():
            where = "the file is there, but may not be executed"
        raise XanesflowError(
            f"There is no program {quoted(name)} ({where}) to run FEFF with: set simulations.feff_command to the "
            "script or "
            f"command that runs your FEFF 9 or 10 in a folder, or to the folder with its modules, {OTHER_WAYS}."
        )
    return Program(given, command=tuple(words))


def _modules_in(given: str, folder: Path) -> Program:
    there = {name: str((folder / name).resolve()) for name in MODULES if os.access(folder / name, os.X_OK)}
    if missing := [name for name in NEEDED if name not in there]:
        raise XanesflowError(
            f"simulations.feff_command is the folder {given}, which lacks FEFF's {', '.join(missing)}: name the folder "
            f"with all modules of FEFF 9 or 10, or the script that runs them, {OTHER_WAYS}."
        )
    return Program(given, modules=tuple(there.values()))


@lru_cache
def version_of(program: Program) -> str:
    """Ask FEFF for its version, such as `10.0.0`. This takes a moment, so the answer is cached.

    Raises:
        XanesflowError: FEFF cannot be run, or does not answer as FEFF 9 or 10 does; quotes its answer.
    """
    with tempfile.TemporaryDirectory(prefix="xanesflow-feff-") as name:
        folder = Path(name)
        (folder / "feff.inp").write_text(_QUESTION, encoding="ascii")
        log = folder / "answer"
        ended = run_command(program.steps[0], folder, log=log, time_limit=_TIME_LIMIT_S)
        said = _text(log) + _text(folder / "log.dat")
    if found := _VERSION.search(said):
        return found[1]
    last = [line.strip() for line in said.splitlines() if line.strip()][-1:]
    how = "it did not end" if ended.timed_out else f"it said: {last[0][:200]}" if last else "it said nothing"
    raise XanesflowError(
        f"{quoted(program.given)} (simulations.feff_command) does not answer as FEFF 9 or 10 does ({how}, exit code "
        f"{ended.code}); try it by hand in a folder with a feff.inp, and fix or replace it."
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
