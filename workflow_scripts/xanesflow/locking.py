"""A lock that a killed process cannot leave behind."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from xanesflow.errors import XanesflowError


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
