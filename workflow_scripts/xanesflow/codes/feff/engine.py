"""FEFF 9 and 10 as an engine of the workflow (see `xanesflow.codes.engine`)."""

from __future__ import annotations

import sys
import tempfile
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.feff.find_feff import Program, find_program, version_of
from xanesflow.codes.feff.options import FeffOptions
from xanesflow.codes.feff.read_logs import OF_THE_MACHINE, diagnose
from xanesflow.codes.feff.read_run import read_run
from xanesflow.codes.feff.run_site import RESULT, SiteRun, write_job
from xanesflow.codes.feff.write_inputs import Feff
from xanesflow.codes.registry import FEFF
from xanesflow.codes.run_description import read_files
from xanesflow.codes.run_files import RUN_FILES
from xanesflow.codes.run_in_folder import read_json
from xanesflow.core.errors import FailedRunError, NoInputError
from xanesflow.core.files import check_room
from xanesflow.core.text import plural

_OVERHEAD_S = 120.0  # for everything that is not FEFF itself


class FeffEngine:
    """Runs `python -m xanesflow.codes.feff run` in the site's folder."""

    theory = "FEFF"
    log_name = "feff.out"
    keep = RUN_FILES

    def __init__(self, options: FeffOptions) -> None:
        self.options = options
        self._writing = threading.Lock()  # Lightshow's parameters hold the site that is being written

    @property
    def limits(self) -> tuple[float, int, bool]:
        """Time limit in seconds, number of corrections, and whether the radius of the field may be made smaller."""
        return self.options.time_limit, self.options.max_corrections, self.options.smaller_scf_radius

    @property
    def time_limit(self) -> float:
        """Seconds after which a site counts as hung. FEFF's own limit is shorter, so the command ends by itself."""
        return self.limits[0] + _OVERHEAD_S

    def settings(self) -> dict[str, Any]:
        """Return what a good result depends on: cards, radius and FEFF's version.

        The path of FEFF and the limits are left out. So the runs of a campaign stay valid when FEFF moves to another
        folder, or when you allow more corrections.
        """
        return {"code": f"FEFF {version_of(self.program)}", "inputs": dict(self.options.inputs)}

    def write_inputs(self, folder: Path, structure: Structure, site_index: int) -> None:
        """Write feff.inp and job.json."""
        self.write_feff_inp(folder, structure, site_index)
        write_job(SiteRun(folder, self.program, *self.limits))

    def write_feff_inp(self, folder: Path, structure: Structure, site_index: int) -> None:
        """Write feff.inp.

        Raises:
            FailedRunError: the site has no input.
        """
        with tempfile.TemporaryDirectory(dir=folder) as name, self._writing:
            try:
                left_out = self._writer.write(Path(name), structure, [site_index])
            except NoInputError as error:
                raise FailedRunError(error.reason, error.detail) from None
            if site_index in left_out:
                raise FailedRunError(left_out[site_index].reason, left_out[site_index].detail)
            (written,) = Path(name).rglob("feff.inp")
            written.rename(folder / "feff.inp")

    def command(self, folder: Path) -> list[str]:
        """Run the engine's module with this Python."""
        return [sys.executable, "-m", "xanesflow.codes.feff", "run"]

    def validate(self, folder: Path) -> None:
        """Check the run by its result.json, and check its spectrum once more.

        Raises:
            FailedRunError: the run is bad, for the reason that result.json gives.
            BadRunError: result.json calls the run good, but its files do not.
        """
        result = _result(folder)
        if not result.get("ended") or result["reason"]:
            check_room(folder)
        if not result.get("ended"):
            log = (folder / self.log_name).read_text(encoding="utf-8", errors="replace").strip()
            said, fault = log.rpartition("\n")[2], diagnose(log)
            # An error that `__main__` reports is a fault of the machine, for example that FEFF has been removed. So is
            # too little memory to start.
            of_the_machine = said.startswith("ERROR: ") or (fault is not None and fault.kind in OF_THE_MACHINE)
            reason = "killed" if of_the_machine else "engine_failed"
            raise FailedRunError(reason, said.removeprefix("ERROR: ") or "it left no record")
        if result["reason"]:
            tried = len(result["corrections"])
            after = f" (after {plural(tried, 'correction')})" if tried else ""
            raise FailedRunError(result["reason"], result["detail"] + after)
        read_run(read_files(folder, FEFF.files))

    def record(self, folder: Path) -> dict[str, Any]:
        """Return attempts and corrections, as the run wrote them."""
        return {name: value for name, value in _result(folder).items() if name not in {"reason", "detail", "ended"}}

    @cached_property
    def program(self) -> Program:
        """How FEFF is run."""
        return find_program(self.options.command, own_scattering=self.options.own_scattering)

    @cached_property
    def _writer(self) -> Feff:
        return Feff(self.options.inputs, element="")  # it takes the element from the structure


def _result(folder: Path) -> dict[str, Any]:
    """Read result.json; empty if it is missing or cannot be read."""
    content = read_json(folder / RESULT)
    return content if isinstance(content, dict) else {}
