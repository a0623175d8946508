"""Locks that a killed process cannot leave behind: one on the working directory, one on each job.

Each is a lock of the kernel's on a file `….lock`, which goes with its holder, however that ends, and beside it a claim,
`….holder`, which tells who that is and holds on other machines too (see `holder`).
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

_POLL = 0.2  # seconds between two looks at a lock of the kernel's
_ASK = 15.0  # seconds between two looks at a claim, which may mean to ask Slurm


class Held:
    """A lock that this process holds, until it ends or lets go."""

    def __init__(self, opened: IO[str], claim: Claim) -> None:
        self._opened, self._claim = opened, claim

    def close(self) -> None:
        """Let go."""
        if not self._opened.closed:
            self._claim.release()
            self._opened.close()

    def __enter__(self) -> Held:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def hold_directory(folder: str | Path) -> Held:
    """Hold a folder for this process, until it ends or lets go.

    As the lock goes with its holder, the profile can switch off Snakemake's own, which a killed run leaves behind and
    which then wants `--unlock`.

    Args:
        folder: made if it is missing.

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
        elsewhere = f" If it was killed there, it is forgotten after {SILENT / 60:.0f} minutes."
        raise XanesflowError(
            f"{folder.resolve()} is in use by {holder}; wait for that run to end, or work elsewhere with --directory."
            + (elsewhere if isinstance(holder, Holder) and not holder.here() else "")
        )
    held = Held(opened, claim)
    atexit.register(held.close)
    return held


def hold_job(lock: str | Path, outputs: Iterable[str | Path]) -> Held:
    """Hold a job for this process, and clear away what a killed one left half written beside its outputs.

    A killed workflow may leave a job behind that goes on, here or on another machine, and, at its end, puts its outputs
    in place; with another configuration by then, they would be the wrong ones. So the next process of the same job
    waits for it to end, and writes last; what a dead one held it takes over.

    Args:
        lock: file to lock, the same for the same job; made if it is missing.
        outputs: the job's files.

    Raises:
        XanesflowError: the time of this process's own cluster job is nearly over, and the other one still works.
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
        # Only a kernel's lock can be asked often; but who let go of everything is seen at once.
        if isinstance(holder, Holder) and claim.path.exists() and time.monotonic() - asked < _ASK:
            continue
        holder, asked = _take(opened, claim), time.monotonic()
    for output in map(Path, outputs):
        for leftover in output.parent.glob(temporary_name(output, "*")):
            leftover.unlink(missing_ok=True)
    return Held(opened, claim)


def _take(opened: IO[str], claim: Claim) -> Holder | str | None:
    """Take the kernel's lock, then the claim; None if both are taken now, else who has one of them."""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        found = claim.read()
        return str(found[0]) if found else "another process"
    return claim.take()
