"""FEFF 9 and 10 as an engine of the workflow (see `xanesflow.codes.engine`)."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.feff.find_feff import Program, find_program, version_of
from xanesflow.codes.feff.options import FeffOptions
from xanesflow.codes.feff.read_run import read_folder, read_run
from xanesflow.codes.feff.run_site import RESULT, SiteRun, check_room, write_job
from xanesflow.codes.feff.write_inputs import Feff
from xanesflow.codes.registry import RUN_FILES
from xanesflow.core.errors import FailedRunError, NoInputError
from xanesflow.core.text import plural

_BESIDES = 120.0  # seconds for all but FEFF


class FeffEngine:
    """Runs `python -m xanesflow.codes.feff run` in the site's folder.

    Args:
        options: of the engine.
    """

    theory = "FEFF"
    log_name = "feff.out"
    keep = RUN_FILES

    def __init__(self, options: FeffOptions) -> None:
        self.options = options
        self._writing = threading.Lock()  # Lightshow's parameters hold the site that is being written

    @property
    def time_limit(self) -> float:
        """Seconds after which a site has hung: FEFF has its own limit within it, so the command ends by itself."""
        return self.options.time_limit + _BESIDES

    def settings(self) -> dict[str, Any]:
        """Cards, radius and FEFF's version: what a good result depends on.

        Neither the path of FEFF nor the limits are among them, so that the runs of a campaign stay when FEFF moves to
        another folder, or when more corrections are allowed.
        """
        return {"code": f"FEFF {version_of(self._program)}", "inputs": dict(self.options.inputs)}

    def write_inputs(self, folder: Path, structure: Structure, site_index: int) -> None:
        """Write feff.inp and job.json."""
        with tempfile.TemporaryDirectory(dir=folder) as name, self._writing:
            try:
                left_out = self._writer.write(Path(name), structure, [site_index])
            except NoInputError as error:
                raise FailedRunError(error.reason, error.detail) from None
            if site_index in left_out:
                raise FailedRunError(left_out[site_index].reason, left_out[site_index].detail)
            (written,) = Path(name).rglob("feff.inp")
            written.rename(folder / "feff.inp")
        limits = (self.options.time_limit, self.options.max_corrections, self.options.smaller_scf_radius)
        write_job(SiteRun(folder, self._program, *limits))

    def command(self, folder: Path) -> list[str]:
        """This Python on the engine's module."""
        return [sys.executable, "-m", "xanesflow.codes.feff", "run"]

    def validate(self, folder: Path) -> None:
        """A good run has a spectrum that is judged good once more; why there is none, result.json tells."""
        result = _result(folder)
        if not result.get("ended") or result["reason"]:
            check_room(folder)
        if not result.get("ended"):
            said = (folder / self.log_name).read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
            # What `__main__` tells as an error is one of the machine, such as a FEFF that is not there any more.
            reason = "killed" if said.startswith("ERROR: ") else "engine_failed"
            raise FailedRunError(reason, said.removeprefix("ERROR: ") or "it left no record")
        if result["reason"]:
            tried = len(result["corrections"])
            after = f" (after {plural(tried, 'correction')})" if tried else ""
            raise FailedRunError(result["reason"], result["detail"] + after)
        read_run(read_folder(folder))

    def record(self, folder: Path) -> dict[str, Any]:
        """Attempts and corrections, as the run wrote them."""
        return {name: value for name, value in _result(folder).items() if name not in {"reason", "detail", "ended"}}

    @cached_property
    def _program(self) -> Program:
        return find_program(self.options.command)

    @cached_property
    def _writer(self) -> Feff:
        return Feff(self.options.inputs, element="")  # the structure tells it


def _result(folder: Path) -> dict[str, Any]:
    """result.json; empty if it is not there or cannot be read."""
    try:
        content = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
