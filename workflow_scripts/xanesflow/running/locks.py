"""Locks that a killed process cannot leave behind: one on the working directory, one on each job.

Each is a kernel lock on a file `….lock`, which ends with its holder whatever ends that, and a claim `….holder`, which
names the holder and works across machines (see `lock_holder`).
"""

from __future__ import annotations

import atexit
import fcntl
import logging
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import temporary_name
from xanesflow.running import walltime
from xanesflow.running.lock_holder import SILENT, Claim, Holder

log = logging.getLogger(__name__)

_POLL = 0.2  # seconds between two checks of a kernel lock
_ASK = 15.0  # seconds between two checks of a claim, which may need an answer from Slurm


class Held:
    """A lock that this process holds until it ends or closes the lock."""

    def __init__(self, opened: IO[str], claim: Claim) -> None:
        self._opened, self._claim = opened, claim

    def close(self) -> None:
        """Release the lock."""
        if not self._opened.closed:
            self._claim.release()
            self._opened.close()

    def __enter__(self) -> Held:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def hold_directory(folder: str | Path) -> Held:
    """Hold a folder until this process ends or closes the lock.

    The lock ends with its holder. So the profile can switch off Snakemake's own lock, which a killed run leaves behind
    and which then needs `--unlock`.

    Args:
        folder: created if it is missing.

    Raises:
        XanesflowError: another process holds the folder, here or on another machine; says which.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    opened = (folder / ".lock").open("a+", encoding="utf-8")
    claim = Claim(folder / ".holder")
    holder = _take(opened, claim)
    if holder is not None:
        opened.close()
        elsewhere = f" If it was killed there, its lock expires after {SILENT / 60:.0f} minutes."
        raise XanesflowError(
            f"{folder.resolve()} is in use by {holder}; wait for that run to end, or work elsewhere with --directory."
            + (elsewhere if isinstance(holder, Holder) and not holder.here() else "")
        )
    held = Held(opened, claim)
    atexit.register(held.close)
    return held


def hold_job(lock: str | Path, outputs: Iterable[str | Path]) -> Held:
    """Hold a job for this process, and delete the half-written files that a killed process left next to its outputs.

    A killed workflow may leave a job running, here or on another machine. At its end that job writes its outputs, and
    if the configuration has changed by then, they are wrong. So the next process of the same job waits for it to end
    and writes last. It takes over the lock of a dead process.

    Args:
        lock: file to lock, the same for the same job; created if it is missing.
        outputs: the job's files.

    Raises:
        XanesflowError: the time of this process's own cluster job is nearly over, and the other process still works.
    """
    lock = Path(lock)
    lock.parent.mkdir(parents=True, exist_ok=True)
    opened = lock.open("a+", encoding="utf-8")
    claim = Claim(lock.with_suffix(".holder"))
    holder, asked = _take(opened, claim), time.monotonic()
    if holder is not None:
        log.warning("A killed run left this job at work (%s); waiting for it to end.", holder)
    limit = walltime.Limit.of_this_job() if holder is not None else walltime.Limit(None)
    while holder is not None:
        if limit.over():
            opened.close()
            raise XanesflowError(
                f"{holder} still works at this, and the time of this job is nearly over; it will be tried again."
            )
        time.sleep(_POLL)
        # A kernel lock is cheap to check, a claim is not. But check at once if the claim's file has disappeared.
        if isinstance(holder, Holder) and claim.path.exists() and time.monotonic() - asked < _ASK:
            continue
        holder, asked = _take(opened, claim), time.monotonic()
    for output in map(Path, outputs):
        for leftover in output.parent.glob(temporary_name(output, "*")):
            leftover.unlink(missing_ok=True)
    return Held(opened, claim)


def _take(opened: IO[str], claim: Claim) -> Holder | str | None:
    """Take the kernel lock, then the claim. Return None if this process has both now, else who has one of them."""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        found = claim.read()
        return str(found[0]) if found else "another process"
    return claim.take()
