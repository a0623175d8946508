"""Find the first module of FEFF that failed, and its own last lines.

After a module has failed, the later ones complain about files that it did not write. Their words come last in the log
and explain nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from xanesflow.core.text import one_line

LAUNCH = "Launching FEFF version"
"""How the first module begins its output."""

MODULES = {
    "potentials": ("log1.dat", "Done with module: potentials."),
    "cross section and phases": ("log2.dat", "Done with module: cross-section and phases (XSPH)"),
    "full multiple scattering": ("log3.dat", "Done with module: FMS."),
    "trace of the Green's function": ("log3.dat", "Done with module: MKGTR."),
    "spectrum": ("log6.dat", "Done with module: XAS spectra (FF2X"),
}
"""Module that a XANES needs -> its log, and the line that it prints there and on stdout when done; in running order."""

SIGNAL = 128
"""Added to n, the exit code of a process that signal n ended."""

_OPENINGS = {
    "potentials": "Calculating SCF potentials",
    "screen": "Calculating screened core-hole potential",
    "cross section and phases": "Calculating cross-section and phases",
    "full multiple scattering": "FMS calculation of full Green's function",
    "trace of the Green's function": "MKGTR: Tracing",
    "path": "Pathfinder: finding",
    "genfmt": "Calculating EXAFS parameters",
    "spectrum": "Calculating XAS spectra",
}
"""Module -> the line with which it begins its output, in running order."""

_ENDED = re.compile(r"^xanesflow: (\w+)(?:: [\d.]+ s| failed with exit code (\d+))$", re.MULTILINE)
_NOISE = re.compile(
    r"^(?:\W*|STOP *|Note: The following floating-point.*|#\d+ .*|\s+at \.\./.*|Error termination\. Backtrace:)$"
)
_LAST_LINES = 3


@dataclass(frozen=True)
class FailedModule:
    """The first module that failed."""

    name: str  # as FEFF names its program (`pot`)
    code: int  # its exit code, 128 + n after signal n
    said: str  # what it printed

    @property
    def sentence(self) -> str:
        """Say which module failed and how, without its own words."""
        if self.code > SIGNAL:
            return f"the module {self.name} was ended by signal {self.code - SIGNAL}"
        how = f"with exit code {self.code}" if self.code else "though its exit code is 0"
        return f"the module {self.name} failed {how}"


def line_of(module: str, seconds: float, code: int, *, failed: bool) -> str:
    """Write the line that our own runs print after each module; `failed_module` reads it."""
    return f"xanesflow: {module} failed with exit code {code}" if failed else f"xanesflow: {module}: {seconds:.2f} s"


def failed_module(log: str) -> FailedModule | None:
    """Find the module that failed, in the log of a run that stops at the first such module; None if none did."""
    begin = 0
    for found in _ENDED.finditer(log):
        if found[2] is not None:
            return FailedModule(found[1], int(found[2]), log[begin : found.start()])
        begin = found.end()
    return None


def unfinished(log: str) -> list[str]:
    """Name the modules without the line that they print when done, in running order."""
    return [module for module, (_, line) in MODULES.items() if line not in log]


def up_to_first_failure(log: str) -> str:
    """Return a script's log up to where the first module after the failed one begins to print.

    All of the log if no module failed, or if none went on. FEFF's modules write their errors before the rest of their
    output, so an error of the module after the failed one may be included.
    """
    missing = unfinished(log)
    if not missing or failed_module(log):
        return log
    names = list(_OPENINGS)
    later = [log.find(_OPENINGS[name]) for name in names[names.index(missing[0]) + 1 :]]
    return log[: min((at for at in later if at >= 0), default=len(log))]


def said_by_first_failure(log: str) -> str:
    """Return what the first module that failed printed itself; the whole log if that cannot be found out."""
    if failed := failed_module(log):
        return failed.said
    missing = unfinished(log)
    if not missing:
        return log
    said = up_to_first_failure(log)
    before = said.rfind("Done with module:")
    return said[said.find("\n", before) + 1 :] if before >= 0 else said


def last_lines(said: str) -> str:
    """Return the last lines of a module as one, without backtraces and notes on floating-point exceptions."""
    lines = [line.strip() for line in said.splitlines() if not _NOISE.match(line)]
    return one_line(" | ".join(line[:120] for line in lines[-_LAST_LINES:]))
