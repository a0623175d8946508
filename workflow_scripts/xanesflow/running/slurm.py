"""What Slurm can tell a job of itself and of others; all of it may be missing, as Slurm may."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import time

log = logging.getLogger(__name__)

JOB_ID = "SLURM_JOB_ID"

UNDER_WAY = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"})
"""States of a job whose processes may live."""

ENDED = "ENDED"
"""What `job_state` gives for a job that Slurm does not know any more."""

_TIMEOUT_S = 20.0  # a busy controller answers late
_UNKNOWN = "invalid job id"
_LEFT = re.compile(r"(?:(?P<days>\d+)-)?(?:(?P<hours>\d+):)?(?P<minutes>\d+):(?P<seconds>\d+)")


def own_job() -> str | None:
    """The id of the Slurm job that this process runs in; of a job array, its task's own."""
    return os.environ.get(JOB_ID) or None


def job_state(job_id: str) -> str | None:
    """The state of a job, asked of squeue and, where that is silent, of sacct.

    Args:
        job_id: as Slurm gives it.

    Returns:
        Such as `RUNNING`; `ENDED` if Slurm knows no such job any more; None if it cannot be asked.
    """
    code, said, complaint = ask("squeue", "--noheader", "--jobs", job_id, "--format", "%T")
    if code == 0 and said:
        return said.split()[0]
    forgotten = code == 0 or _UNKNOWN in complaint.lower()
    code, said, _ = ask("sacct", "--noheader", "--allocations", "--parsable2", "--jobs", job_id, "--format", "State")
    if code == 0 and said:
        return said.split()[0]
    return ENDED if forgotten else None


def job_end() -> float | None:
    """When the time of this process's Slurm job is over, in seconds since 1970; None if there is no job or no limit."""
    job_id = own_job()
    if job_id is None:
        return None
    end = os.environ.get("SLURM_JOB_END_TIME", "")  # not in every version, nor in every step
    if end.isdigit() and int(end) > 0:
        return float(end)
    # The time that is left, not the end: that would be in the time zone of whoever is asked.
    code, said, _ = ask("squeue", "--noheader", "--jobs", job_id, "--format", "%L")
    left = seconds_of(said) if code == 0 else None
    return None if left is None else time.time() + left


def seconds_of(text: str) -> float | None:
    """Seconds in a time as Slurm writes it: `2-03:04:05`, `3:04:05`, `4:05`; None for `UNLIMITED` and the like."""
    match = _LEFT.fullmatch(text.strip())
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def ask(program: str, *arguments: str) -> tuple[int, str, str]:
    """Run one of Slurm's commands.

    Returns:
        Exit code, what it printed, what it complained about; code 127 if it is not there or does not answer.
    """
    if shutil.which(program) is None:
        return 127, "", f"{program} is not there"
    try:
        done = subprocess.run(
            [program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, "", f"{program}: {error}"
    return done.returncode, done.stdout.strip(), done.stderr.strip()
