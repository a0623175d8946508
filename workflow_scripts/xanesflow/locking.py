"""Locks that a killed process cannot leave behind: one on the working directory, one on each job."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from xanesflow.errors import XanesflowError
from xanesflow.files import temporary_name

log = logging.getLogger(__name__)


def hold_directory(folder: str | Path) -> IO[str]:
    """Hold a folder for this process, until it ends or the returned file is closed.

    The lock is the kernel's (flock on `<folder>/.lock`), so it goes with its holder, however that ends. This is why
    the profile can switch off Snakemake's own lock, which a killed run leaves behind and which then wants `--unlock`.

    Args:
        folder: made if it is missing.

    Returns:
        The open lock file; keep it.

    Raises:
        XanesflowError: another process holds the folder; says which.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    opened = (folder / ".lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        opened.seek(0)
        holder = opened.read().strip() or "another process"
        opened.close()
        raise XanesflowError(
            f"{folder.resolve()} is in use by {holder}; wait for that run to end, or work elsewhere with --directory."
        ) from None
    opened.truncate(0)
    opened.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    opened.flush()
    return opened


def hold_job(lock: str | Path, outputs: Iterable[str | Path]) -> IO[str]:
    """Hold a job for this process, and clear away what a killed one left half written beside its outputs.

    A killed workflow may leave a job behind that goes on and, at its end, puts its outputs in place; with another
    configuration by then, they would be the wrong ones. So the next process of the same job waits for it to end, and
    writes last.

    Args:
        lock: file to lock, the same for the same job; made if it is missing.
        outputs: the job's files.

    Returns:
        The open lock file; keep it.
    """
    Path(lock).parent.mkdir(parents=True, exist_ok=True)
    opened = Path(lock).open("a+", encoding="utf-8")  # noqa: SIM115 - held beyond this function
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        opened.seek(0)
        log.warning("A killed run left this job at work (%s); waiting for it to end.", opened.read().strip())
        fcntl.flock(opened, fcntl.LOCK_EX)
    opened.truncate(0)
    opened.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    opened.flush()
    for output in map(Path, outputs):
        for leftover in output.parent.glob(temporary_name(output, "*")):
            leftover.unlink(missing_ok=True)
    return opened
