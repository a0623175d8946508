"""The embedded engine as an engine of the workflow (see `xanesflow.codes.engine`)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.feff8l import programs
from xanesflow.codes.feff8l.options import ENGINE_VERSION, EngineSettings, ladder
from xanesflow.codes.run_in_folder import RESULT, lines_of, read_json
from xanesflow.core.errors import FailedRunError, XanesflowError

_BESIDES = 300.0  # seconds for everything except the program of the potentials


class Feff8lEngine:
    """Runs `python -m xanesflow.codes.feff8l run` in the site's folder.

    Args:
        options: of the engine.
    """

    theory = "FEFF8L"
    log_name = "feff.out"
    keep = ("site.json", "feff.inp", "feff.out", "xmu.dat")

    def __init__(self, options: EngineSettings) -> None:
        self.options = options

    @property
    def time_limit(self) -> float:
        """Seconds after which the site counts as hung. A job ends earlier by itself, as each rung has its own limit."""
        spectra = 2 if self.options.core_hole == "average" else 1
        return spectra * len(ladder(self.options)) * self.options.time_limit + _BESIDES

    def settings(self) -> dict[str, Any]:
        """What a result depends on: the options, the engine's own version and the programs' bytes."""
        code = f"engine {ENGINE_VERSION}, feff8l of xraylarch {programs.version()}"
        return {**self.options.as_dict(), "code": code, "programs": programs.digest()}

    def write_inputs(self, folder: Path, structure: Structure, site_index: int) -> None:
        """Write site.json."""
        from xanesflow.codes.feff8l.job import write_job
        from xanesflow.core.errors import BadSiteError

        try:
            write_job(folder, structure, site_index, self.options)
        except BadSiteError as error:
            raise FailedRunError(error.reason, str(error)) from None
        except XanesflowError as error:
            raise FailedRunError("cannot_simulate", str(error)) from None

    def command(self, folder: Path) -> list[str]:
        """Runs the engine's module with this Python."""
        return [sys.executable, "-m", "xanesflow.codes.feff8l", "run"]

    def validate(self, folder: Path) -> None:
        """Check that the run left a spectrum and a record; if not, the last line of its log says why."""
        missing = [name for name in ("xmu.dat", RESULT) if not _size(folder / name)]
        if missing:
            raise FailedRunError("engine_failed", _complaint(folder / self.log_name) or f"it left no {missing[0]}")

    def record(self, folder: Path) -> dict[str, Any]:
        """result.json, as the engine wrote it."""
        record: dict[str, Any] = read_json(folder / RESULT) or {}
        return record


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _complaint(log: Path) -> str:
    """The text after the last `ERROR: ` of the log; empty if there is none."""
    said = [line for line in lines_of(log) if line.startswith("ERROR: ")]
    return said[-1].removeprefix("ERROR: ") if said else ""
