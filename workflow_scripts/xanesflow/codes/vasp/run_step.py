"""Run one step of VASP in one folder under custodian, and check the result."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from custodian.custodian import Custodian, CustodianError, MaxCorrectionsError, MaxCorrectionsPerJobError
from custodian.vasp.handlers import (
    FrozenJobErrorHandler,
    MeshSymmetryErrorHandler,
    StdErrHandler,
    UnconvergedErrorHandler,
    VaspErrorHandler,
)
from custodian.vasp.jobs import VaspJob
from custodian.vasp.validators import VaspFilesValidator, VasprunXMLValidator
from pymatgen.io.vasp.inputs import Incar

from xanesflow.codes.vasp.check_step import check_core_hole, check_step
from xanesflow.codes.vasp.corrections import Guarded, read_corrections
from xanesflow.codes.vasp.step_job import GROUND_STATE, RESULT, STARTS, Job
from xanesflow.core.errors import FailedRunError, NotStartedError
from xanesflow.core.files import write_text
from xanesflow.core.text import plural, quoted
from xanesflow.running.process import SIGNAL, from_outside

STDOUT, STDERR = "vasp.out", "std_err.txt"
"""Files for VASP's output."""

_SURVIVED = {"subspacematrix"}  # a warning; custodian would stop VASP and change LREAL, which is not allowed
_MEMORY = ("out_of_memory", "Cannot allocate memory", "insufficient virtual memory", "oom-kill", "oom_kill")
_WORDS = 300  # characters of VASP's output to quote


class _CountedJob(VaspJob):
    """A VaspJob that writes a line for each start."""

    def run(self, directory: str = "./") -> Any:
        with Path(directory, STARTS).open("a", encoding="ascii") as opened:
            opened.write(f"{datetime.now(UTC).isoformat(timespec='seconds')}\n")
        return super().run(directory=directory)


def run_step(folder: Path) -> Mapping[str, Any]:
    """Run VASP in a folder until it is good or cannot be corrected, and write result.json.

    Returns:
        The figures of the step (see `check_step`).

    Raises:
        FailedRunError: the step is not good; holds the reason.
        NotStartedError: the command did not start VASP at all.
        OSError: the disk is full, or the machine has another fault.
    """
    # Set up custodian: the job, the handlers of electronic errors, and validators of the files.
    job = Job.read(folder)
    vasp = _CountedJob(job.command, output_file=STDOUT, stderr_file=STDERR, backup=False, auto_gamma=False)
    tried: list[Incar] = []
    handlers = (
        VaspErrorHandler(STDOUT, errors_subset_to_catch=sorted(VaspErrorHandler.error_msgs.keys() - _SURVIVED)),
        StdErrHandler(STDERR),
        MeshSymmetryErrorHandler(STDOUT),
        UnconvergedErrorHandler(),
        FrozenJobErrorHandler(STDOUT, timeout=job.frozen_after),
    )
    custodian = Custodian(
        [Guarded(handler, folder, job.max_bands, tried) for handler in handlers],
        [vasp],
        validators=[VaspFilesValidator(), VasprunXMLValidator(STDOUT, STDERR)],
        max_errors=job.max_errors,
        polling_time_step=job.poll,
        monitor_freq=max(1, round(job.monitor_every / job.poll)),
        directory=str(folder),
    )
    logging.getLogger("VasprunXMLValidator").setLevel(logging.CRITICAL)  # it would print a traceback

    # Run VASP, explain a failure, and check the outputs of a success ourselves.
    try:
        custodian.run()
    except CustodianError as error:
        raise _why(error, folder, job, vasp) from None
    result = _check(folder, job)
    write_text(folder / RESULT, json.dumps(result, indent=1))
    return result


def _check(folder: Path, job: Job) -> dict[str, Any]:
    if job.absorber is None:
        return asdict(check_step(folder))
    ground_state = json.loads((folder / GROUND_STATE).read_text(encoding="utf-8"))
    return check_core_hole(folder, absorber=job.absorber, ground_state=ground_state)


def _why(error: CustodianError, folder: Path, job: Job, vasp: Any) -> Exception:
    """Turn an error of custodian into the site's reason."""
    code = int(vasp._vasp_process.returncode or 0)
    said = last_words(folder)
    if code and not (folder / "OUTCAR").exists():
        command = " ".join(job.command)
        return NotStartedError(f"{quoted(command)} ended with exit code {code} before VASP wrote anything: {said}")
    last = (read_corrections(folder) or [{}])[-1]
    errors = ", ".join(last.get("errors", []))
    if "Frozen job" in errors:
        return FailedRunError("timed_out", f"VASP printed nothing for {job.frozen_after:g} s and was stopped")
    if any(words in f"{errors} {said}" for words in _MEMORY):
        return FailedRunError("killed", f"VASP ran out of memory: {said}")
    if isinstance(error, MaxCorrectionsError | MaxCorrectionsPerJobError) or "refused" in last:
        reason = "not_converged" if "Unconverged" in errors else last.get("reason", "engine_failed")
        gave_up = f"{plural(job.max_errors, 'correction')} did not help, the last of {errors}"
        return FailedRunError(reason, f"{errors}: {last['refused']}" if "refused" in last else gave_up)
    return _broken_off(folder, job, code, said)


def _broken_off(folder: Path, job: Job, code: int, said: str) -> FailedRunError:
    """Explain why VASP left no good output, although no handler of custodian found an error."""
    if signalled := from_outside(SIGNAL - code if code < 0 else code):  # a launcher reports a signal as 128 + n
        return FailedRunError("killed", f"VASP was {signalled}")
    try:
        _check(folder, job)
    except FailedRunError as found:
        return found if not code else FailedRunError("engine_failed", f"VASP ended with exit code {code}: {said}")
    return FailedRunError("engine_failed", f"VASP ended with exit code {code}: {said}")


def last_words(folder: Path) -> str:
    """Quote the last lines of VASP's output, then of its errors, as one line."""
    lines: list[str] = []
    for name in (STDOUT, STDERR):
        path = folder / name
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        lines += [" ".join(line.split()) for line in text.splitlines() if line.strip()][-3:]
    return " | ".join(lines)[-_WORDS:] or "it printed nothing"
