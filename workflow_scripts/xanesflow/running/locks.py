"""Locks that a killed process cannot leave behind: one on the working directory, one on each job."""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import Iterable
from pathlib import Path

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import temporary_name
from xanesflow.running import walltime
from xanesflow.running.lock_holder import SILENT, Claim

log = logging.getLogger(__name__)

_POLL = 0.2  # seconds between two checks of a holder on this machine
_ASK = 15.0  # seconds between two checks of one elsewhere, which may need an answer from Slurm


def hold_directory(folder: str | Path) -> Claim:
    """Hold a folder until this process ends or closes the lock.

    The lock of a dead process is taken over. So the profile can switch off Snakemake's own lock, which a killed run
    leaves behind and which then needs `--unlock`.

    Args:
        folder: created if it is missing.

    Raises:
        XanesflowError: another process holds the folder, here or on another machine; says which.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    claim = Claim(folder / ".holder")
    if holder := claim.take():
        elsewhere = f" If it was killed there, its lock expires after {SILENT / 60:.0f} minutes."
        raise XanesflowError(
            f"{folder.resolve()} is in use by {holder}; wait for that run to end, or work elsewhere with --directory."
            + ("" if holder.here() else elsewhere)
        )
    atexit.register(claim.close)
    return claim


def hold_job(lock: str | Path, outputs: Iterable[str | Path]) -> Claim:
    """Hold a job for this process, and delete the half-written files that a killed process left next to its outputs.

    A killed workflow may leave a job running, here or on another machine. At its end that job writes its outputs, and
    if the configuration has changed by then, they are wrong. So the next process of the same job waits for it to end
    and writes last. It takes over the lock of a dead process.

    Args:
        lock: the same path for the same job; the lock is a file with this name and the ending `.holder`.
        outputs: the job's files.

    Raises:
        XanesflowError: the time of this process's own cluster job is nearly over, and the other process still works.
    """
    claim = Claim(Path(lock).with_suffix(".holder"))
    claim.path.parent.mkdir(parents=True, exist_ok=True)
    holder, asked = claim.take(), time.monotonic()
    if holder is not None:
        log.warning("A killed run left this job at work (%s); waiting for it to end.", holder)
    limit = walltime.Limit.of_this_job() if holder is not None else walltime.Limit(None)
    while holder is not None:
        if limit.over():
            raise XanesflowError(
                f"{holder} still works at this, and the time of this job is nearly over; it will be tried again."
            )
        time.sleep(_POLL)
        # Check a holder elsewhere rarely, but at once if its claim has disappeared.
        if not holder.here() and claim.path.exists() and time.monotonic() - asked < _ASK:
            continue
        holder, asked = claim.take(), time.monotonic()
    for output in map(Path, outputs):
        for leftover in output.parent.glob(temporary_name(output, "*")):
            leftover.unlink(missing_ok=True)
    return claim
