"""Ask Slurm about this job and others. Every answer may be missing, as Slurm itself may be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time

JOB_ID = "SLURM_JOB_ID"

UNDER_WAY = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"})
"""States of a job whose processes may be alive."""

ENDED = "ENDED"
"""The state that `job_state` returns for a job that Slurm no longer knows."""

_TIMEOUT_S = 20.0  # a busy controller answers slowly
_UNKNOWN = "invalid job id"
_LEFT = re.compile(r"(?:(?P<days>\d+)-)?(?:(?P<hours>\d+):)?(?P<minutes>\d+):(?P<seconds>\d+)")


def own_job() -> str | None:
    """Return the id of the Slurm job that this process runs in; in a job array, that of its own task."""
    return os.environ.get(JOB_ID) or None


def job_state(job_id: str) -> str | None:
    """Ask squeue, and if it has no answer sacct, for the state of a job.

    Args:
        job_id: as Slurm writes it.

    Returns:
        A state such as `RUNNING`; `ENDED` if Slurm no longer knows the job; None if Slurm cannot be reached.
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
    """Return when the time of this Slurm job is over, in seconds since 1970; None if there is no job or no limit."""
    job_id = own_job()
    if job_id is None:
        return None
    end = os.environ.get("SLURM_JOB_END_TIME", "")  # not in every version, nor in every step
    if end.isdigit() and int(end) > 0:
        return float(end)
    # Ask for the time that is left, because squeue gives the end in its own time zone.
    code, said, _ = ask("squeue", "--noheader", "--jobs", job_id, "--format", "%L")
    left = seconds_of(said) if code == 0 else None
    return None if left is None else time.time() + left


def seconds_of(text: str) -> float | None:
    """Convert a time as Slurm writes it, `2-03:04:05`, `3:04:05` or `4:05`, to seconds; None for `UNLIMITED` etc."""
    match = _LEFT.fullmatch(text.strip())
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def ask(program: str, *arguments: str) -> tuple[int, str, str]:
    """Run one of Slurm's commands.

    Returns:
        Exit code, standard output, standard error; code 127 if the program is missing or does not answer.
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
