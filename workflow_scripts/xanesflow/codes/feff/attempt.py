"""One attempt at a site: run FEFF in a folder of its own, and decide how it ended."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xanesflow.codes.feff.find_feff import Program
from xanesflow.codes.feff.first_failure import LAUNCH, failed_module, line_of
from xanesflow.codes.feff.read_logs import LOG, OF_THE_MACHINE, Fault
from xanesflow.codes.feff.read_run import read_run
from xanesflow.codes.registry import FEFF
from xanesflow.codes.run_description import read_files
from xanesflow.codes.run_files import FEFF_LOGS
from xanesflow.core.errors import BadRunError
from xanesflow.running.process import SIGNAL, Ended, run_command

_CRASH_FLAG = ".feff.error"  # each module but crpa writes it at its start and deletes it at a normal end
_LOADER = {126, 127}  # exit codes of a program that could not be started


@dataclass(frozen=True)
class AttemptOutcome:
    """How an attempt ended."""

    reason: str  # one of `xanesflow.core.reasons.REASONS`; empty if the attempt is good
    detail: str  # one sentence that explains the reason
    exit_code: int  # of FEFF, or of its last module that ran
    seconds: float  # duration
    fault: Fault | None = None  # what went wrong, if FEFF said it

    def as_dict(self) -> dict[str, Any]:
        """Return the entry for run.json."""
        why = {"reason": self.reason, "detail": self.detail} if self.reason else {}
        return {"exit_code": self.exit_code, "seconds": round(self.seconds, 3), **why}


def run_feff(program: Program, folder: Path, *, time_limit: float) -> Ended:
    """Run FEFF in a folder, and write what its modules print into feff.out there.

    When the modules run one by one, the run stops at the first that ends with an exit code or leaves its crash flag.
    FEFF's own script would go on, and the later modules would make a plausible spectrum from incomplete files.

    Args:
        program: FEFF.
        folder: with feff.inp and nothing else.
        time_limit: seconds for all modules together.
    """
    begin = time.monotonic()
    printed = folder.with_name(f"{folder.name}.out")
    said = b""
    for step in program.steps:
        left = time_limit - (time.monotonic() - begin)
        ended = run_command(step, folder, log=printed, time_limit=max(left, 0.0))
        said += printed.read_bytes()
        failed = bool(ended.code or ended.timed_out or (program.modules and (folder / _CRASH_FLAG).exists()))
        if program.modules:
            line = line_of(Path(step[0]).name, ended.seconds, ended.code, failed=failed)
            said += (b"" if said.endswith(b"\n") or not said else b"\n") + f"{line}\n".encode()
        if failed:
            break
    printed.unlink()
    (folder / LOG).write_bytes(_completed(folder, said))
    return Ended(ended.code, time.monotonic() - begin, ended.timed_out)


def _completed(folder: Path, said: bytes) -> bytes:
    """Put feff.out of a script, or FEFF's own logs, before what was printed, if that lacks the modules' output."""
    if LAUNCH.encode() in said:
        return said
    for names in ((LOG,), FEFF_LOGS):
        own = b"".join((folder / name).read_bytes() for name in names if (folder / name).is_file())
        if LAUNCH.encode() in own:
            return own + said
    return said


def outcome_of(folder: Path, ended: Ended, *, time_limit: float) -> AttemptOutcome:
    """Decide how an attempt ended.

    A fault of the machine gets a reason of its own (`killed`, `timed_out`, `engine_failed`), because another run may
    not meet it.

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
        module = failed_module((folder / LOG).read_text(encoding="utf-8", errors="replace"))
        return outcome("killed", f"FEFF{f', in its module {module.name},' if module else ''} was {ended.from_outside}")
    try:
        read_run(read_files(folder, FEFF.files))
    except BadRunError as error:
        return outcome(*_explain(error, ended.code))
    if ended.code:
        return outcome("engine_failed", f"exit code {ended.code}, though its files show no fault")
    return outcome("", "")


def _explain(error: BadRunError, code: int) -> tuple[str, str, Fault | None]:
    """Find reason, detail and fault of a bad run from its files and its exit code together."""
    fault = error.fault if isinstance(error.fault, Fault) else None
    kind = fault.kind if fault else ""
    if kind in OF_THE_MACHINE:
        return "killed", error.detail, None
    if code > SIGNAL or kind == "crashed":
        crash = error.detail if kind == "crashed" else f"FEFF crashed with signal {code - SIGNAL}: {error.detail}"
        limit = _memory_limit()
        hint = f"; its memory is limited to {limit / 2**20:,.0f} MiB, which may be too little" if limit else ""
        return "killed" if limit else "engine_failed", crash + hint, None
    if code in _LOADER:
        return "killed", f"a program could not be started (exit code {code}): {error.detail}", None
    if kind == "gave_up" or (code and fault is None):
        return "engine_failed", error.detail if fault else f"exit code {code}: {error.detail}", None
    if kind in {"", "cut", "silent"} and error.reason in {"no_output", "truncated", "module_failed"}:
        guess = "FEFF left no message of its own, so something outside ended it, or it ran out of memory or disk space"
        return "killed", f"{error.detail}; {guess}", None
    return error.reason, error.detail, fault


def _memory_limit() -> int | None:
    """Return the limit on the memory of this process and its children in bytes; None if there is none."""
    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return min((limit for limit in limits if limit != resource.RLIM_INFINITY), default=None)
