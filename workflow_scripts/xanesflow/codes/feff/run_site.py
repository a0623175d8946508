"""Run FEFF on one site under custodian: one attempt after another, each in a fresh folder.

The run ends when an attempt is good, or when no correction is left to try.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from custodian.custodian import Custodian, CustodianError, Job, Validator

from xanesflow.codes.feff.attempt import AttemptOutcome, outcome_of, run_feff
from xanesflow.codes.feff.find_feff import Program
from xanesflow.codes.feff.handlers import HANDLERS, Correction
from xanesflow.codes.feff.pip_feff import ALL_ORDERS, OWN
from xanesflow.codes.feff.read_logs import LOG, Fault
from xanesflow.core.files import check_room, write_text

JOB, RESULT = "job.json", "result.json"

_INPUT, _SPECTRUM = "feff.inp", "xmu.dat"
_SETTLED = re.compile(r"Convergence reached in\s+(\d+) iterations")
_MODULE_SECONDS = re.compile(r"^xanesflow: (\w+): ([\d.]+) s$", re.MULTILINE)  # printed by `pip_feff`


@dataclass
class SiteRun:
    """A site with all its attempts."""

    folder: Path  # of the site, with its feff.inp
    program: Program  # FEFF
    time_limit: float  # seconds for all attempts together
    max_corrections: int  # attempts after the first
    smaller_radius: bool  # whether the radius of the self-consistent field may be reduced
    outcomes: list[AttemptOutcome] = field(default_factory=list)  # one for each attempt so far
    corrections: list[Correction] = field(default_factory=list)  # changes of feff.inp so far
    _begin: float = field(default_factory=time.monotonic)

    @property
    def attempt(self) -> Path:
        """Folder of the last attempt."""
        return self.folder / f"attempt-{len(self.outcomes)}"

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.time_limit - (time.monotonic() - self._begin)

    def fault(self) -> Fault | None:
        """Return what went wrong in the last attempt, if FEFF said it and a handler may correct it."""
        last = self.outcomes[-1]
        return last.fault if last.reason else None

    def may_go_on(self) -> bool:
        """Return whether another attempt is allowed."""
        return len(self.corrections) < self.max_corrections and self.left() > 0

    def read_input(self) -> str:
        """Return feff.inp of the last attempt."""
        return (self.folder / _INPUT).read_text(encoding="utf-8", errors="surrogateescape")

    def write_input(self, text: str, correction: Correction) -> None:
        """Set feff.inp for the next attempt."""
        (self.folder / _INPUT).write_text(text, encoding="utf-8", errors="surrogateescape")
        self.corrections.append(correction)

    def run_attempt(self) -> None:
        """Run FEFF in a folder that holds nothing but feff.inp, and check the files that it leaves.

        Raises:
            OSError: the disk is full, so the site itself may be fine.
        """
        if self.outcomes:
            shutil.rmtree(self.attempt)
        folder = self.folder / f"attempt-{len(self.outcomes) + 1}"
        folder.mkdir()
        shutil.copyfile(self.folder / _INPUT, folder / _INPUT)
        ended = run_feff(self.program, folder, time_limit=max(self.left(), 0.0))
        outcome = outcome_of(folder, ended, time_limit=self.time_limit)
        if outcome.reason:
            check_room(folder)
        self.outcomes.append(outcome)
        self.record(ended=False)

    def record(self, *, ended: bool) -> None:
        """Write result.json: what happened so far, and whether the run has ended."""
        last, path = self.outcomes[-1], self.attempt / LOG
        log = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        settled = _SETTLED.findall(log)
        seconds = {name: float(value) for name, value in _MODULE_SECONDS.findall(log)}
        content = {
            "attempts": len(self.outcomes),
            "tried": [outcome.as_dict() for outcome in self.outcomes],
            "corrections": [correction.as_dict() for correction in self.corrections],
            "scf_iterations": int(settled[-1]) if settled else None,
            "command": self.program.given,
            **({"module_seconds": seconds, "own_scattering": OWN in seconds} if seconds else {}),
            **({"all_orders": True} if ALL_ORDERS in log else {}),
            "reason": last.reason,
            "detail": last.detail,
            "ended": ended,
        }
        write_text(self.folder / RESULT, json.dumps(content, indent=1))


class FeffJob(Job):
    """Runs one attempt each time custodian asks for one."""

    def __init__(self, site: SiteRun) -> None:
        self._site = site

    def as_dict(self) -> dict[str, Any]:
        """Return the entry for custodian.json."""
        return {"@module": type(self).__module__, "@class": type(self).__name__, "command": self._site.program.given}

    def setup(self, directory: str = "./") -> None:
        """Do nothing: each attempt sets up its own folder."""

    def run(self, directory: str = "./") -> None:
        """Run an attempt to its end. No process is returned, because `outcome_of` checks the exit code too."""
        self._site.run_attempt()

    def postprocess(self, directory: str = "./") -> None:
        """Move the good spectrum from the attempt's folder to the site's."""
        shutil.move(self._site.attempt / _SPECTRUM, self._site.folder / _SPECTRUM)


class GoodRun(Validator):
    """Ends the run as failed where the last attempt is bad and no handler corrects it."""

    def __init__(self, site: SiteRun) -> None:
        self._site = site

    def as_dict(self) -> dict[str, Any]:
        """Return the entry for custodian.json."""
        return {"@module": type(self).__module__, "@class": type(self).__name__}

    def check(self, directory: str = "./") -> bool:
        """Return whether the last attempt is bad."""
        return bool(self._site.outcomes[-1].reason)


def run_site(folder: Path) -> bool:
    """Run FEFF on the site of a folder, and print the log of the last attempt.

    The folder holds feff.inp and job.json, which `write_job` wrote. Afterwards feff.inp is that of the last attempt,
    result.json records all attempts, and xmu.dat exists if one was good.

    Returns:
        Whether an attempt was good.

    Raises:
        OSError: the disk is full, or the machine has another fault.
        XanesflowError: FEFF cannot be started.
    """
    # The job is what `write_job` wrote; the site starts with no attempts.
    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    program = job.pop("program")
    program = Program(program["given"], tuple(program["command"]), tuple(program["modules"]))
    site = SiteRun(folder, program, **job)

    # custodian runs the attempts. Its own log lines are silenced, as they would mix with FEFF's output.
    logging.getLogger("custodian").addHandler(logging.NullHandler())
    logging.getLogger("custodian").propagate = False
    custodian = Custodian(
        [handler(site) for handler in HANDLERS],
        [FeffJob(site)],
        validators=[GoodRun(site)],
        # custodian counts each correction as an error, and after the last one it must make one more attempt.
        max_errors=site.max_corrections + 1,
        directory=str(folder),
    )
    try:
        with suppress(CustodianError):  # result.json holds the reason
            custodian.run()
        site.record(ended=True)
    finally:
        if (log := site.attempt / LOG).is_file():
            sys.stdout.buffer.write(log.read_bytes())
            sys.stdout.flush()
    return not site.outcomes[-1].reason


def write_job(site: SiteRun) -> None:
    """Write job.json, from which `run_site` makes the same `SiteRun`."""
    job = {
        "program": asdict(site.program),
        "time_limit": site.time_limit,
        "max_corrections": site.max_corrections,
        "smaller_radius": site.smaller_radius,
    }
    (site.folder / JOB).write_text(json.dumps(job), encoding="utf-8")
