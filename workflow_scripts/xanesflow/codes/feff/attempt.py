"""One attempt at a site: FEFF in a folder of its own, and what came of it."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xanesflow.codes.feff.find_feff import Program
from xanesflow.codes.feff.read_logs import LAUNCH, LOG, Fault
from xanesflow.codes.feff.read_run import read_folder, read_run
from xanesflow.codes.registry import FEFF_LOGS
from xanesflow.core.errors import BadRunError
from xanesflow.running.process import SIGNAL, Ended, run_command

_CRASH_FLAG = ".feff.error"  # each module but crpa writes it at its start and deletes it at a normal end
_PROBE = 2**20  # bytes
_LOADER = {126, 127}  # of a program that could not be started


@dataclass(frozen=True)
class AttemptOutcome:
    """How an attempt ended.

    Attributes:
        reason: one of `xanesflow.core.reasons.REASONS`; empty if it is good.
        detail: one sentence on it.
        exit_code: of FEFF, or of its last module that ran.
        seconds: it took.
        fault: what FEFF said that went wrong.
    """

    reason: str
    detail: str
    exit_code: int
    seconds: float
    fault: Fault | None = None

    def as_dict(self) -> dict[str, Any]:
        """As run.json holds it."""
        told = {"reason": self.reason, "detail": self.detail} if self.reason else {}
        return {"exit_code": self.exit_code, "seconds": round(self.seconds, 3), **told}


def run_feff(program: Program, folder: Path, *, time_limit: float) -> Ended:
    """Run FEFF in a folder; what its modules print is in its feff.out.

    Of modules that are run one by one, the first that fails by its exit code, or that leaves the flag of a crash, is
    the last: FEFF's own script goes on, and its later modules make a plausible spectrum of what is there.

    Args:
        program: FEFF.
        folder: with feff.inp and nothing else.
        time_limit: seconds for all of it.
    """
    begin = time.monotonic()
    printed = folder.with_name(f"{folder.name}.out")
    said = b""
    for step in program.steps:
        left = time_limit - (time.monotonic() - begin)
        ended = run_command(step, folder, log=printed, time_limit=max(left, 0.0))
        said += printed.read_bytes()
        if ended.code or ended.timed_out or (program.modules and (folder / _CRASH_FLAG).exists()):
            break
    printed.unlink()
    (folder / LOG).write_bytes(_completed(folder, said))
    return Ended(ended.code, time.monotonic() - begin, ended.timed_out)


def _completed(folder: Path, said: bytes) -> bytes:
    """What was printed, behind the feff.out of a script or FEFF's own logs where it lacks what the modules printed."""
    if LAUNCH.encode() in said:
        return said
    for names in ((LOG,), FEFF_LOGS):
        own = b"".join((folder / name).read_bytes() for name in names if (folder / name).is_file())
        if LAUNCH.encode() in own:
            return own + said
    return said


def judge_attempt(folder: Path, ended: Ended, *, time_limit: float) -> AttemptOutcome:
    """Say how an attempt ended; faults of the machine get a reason that another attempt may not meet.

    Args:
        folder: of the attempt.
        ended: how FEFF ended.
        time_limit: of the site, in seconds.
    """

    def outcome(reason: str, detail: str, fault: Fault | None = None) -> AttemptOutcome:
        return AttemptOutcome(reason, detail, ended.code, ended.seconds, fault)

    if ended.timed_out:
        return outcome("timed_out", f"it did not end within {time_limit:g} s and was stopped")
    if ended.from_outside:
        return outcome("killed", f"FEFF was {ended.from_outside}")
    try:
        read_run(read_folder(folder))
    except BadRunError as error:
        return outcome(*_told(error, ended.code))
    if ended.code:
        return outcome("engine_failed", f"exit code {ended.code}, though its files tell of no fault")
    return outcome("", "")


def _told(error: BadRunError, code: int) -> tuple[str, str, Fault | None]:
    """Reason, detail and fault of a bad run, by what its files and its exit code tell together."""
    fault = error.fault if isinstance(error.fault, Fault) else None
    if fault and fault.kind in {"no_memory", "killed"}:
        return "killed", error.detail, None
    if code > SIGNAL:
        return "engine_failed", f"FEFF crashed with signal {code - SIGNAL}: {error.detail}", None
    if code in _LOADER or (code and fault is None):
        return "engine_failed", f"exit code {code}: {error.detail}", None
    if (fault is None or fault.kind == "cut") and error.reason in {"no_output", "truncated", "module_failed"}:
        guess = "FEFF left no message of its own, so it was ended from outside, or found no memory or room"
        return "killed", f"{error.detail}; {guess}", None
    return error.reason, error.detail, fault


def check_room(folder: Path) -> None:
    """Check that a folder can take more, since FEFF does not notice a full disk.

    Raises:
        OSError: it is full.
    """
    probe = folder / "room"
    try:
        with probe.open("wb") as opened:
            opened.write(bytes(_PROBE))
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(error.errno, os.strerror(error.errno), str(folder)) from None
        raise
    finally:
        probe.unlink(missing_ok=True)
