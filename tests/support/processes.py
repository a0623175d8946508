"""Which processes are alive and where they work, and waiting for what they do."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

Found = TypeVar("Found")

FORK, SPAWN = multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")
"""For processes that are killed; those that are forked need not import anything."""


def forked_pool():
    """A pool of one forked process, which SIGTERM ends whatever earlier tests left in this one."""
    return FORK.Pool(1, signal.signal, (signal.SIGTERM, signal.SIG_DFL))


def is_alive(pid: int) -> bool:
    """Whether a process is there and no mere zombie that nobody asked for."""
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def working_in(folder: Path) -> list[int]:
    """Processes, other than this one, that work in a folder or below it."""
    found = ((each.pid, each.info["cwd"]) for each in psutil.process_iter(["cwd"]))
    return [pid for pid, cwd in found if cwd and Path(cwd).is_relative_to(folder) and pid != os.getpid()]


def start_python(code: str, *arguments: object) -> subprocess.Popen:
    """Start a process that prints a line when it has come to the point (`first_line`), which is waited for."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    process.first_line = process.stdout.readline().strip()  # type: ignore[attr-defined, union-attr]
    return process


def kill(process: subprocess.Popen) -> None:
    """SIGKILL a process of `start_python`."""
    process.kill()
    process.communicate()


def until(true: Callable[[], Found], what: str = "it", seconds: float = 120) -> Found:
    """Wait until a call gives something true, and return that; calls that take long are made less often."""
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        if found := true():
            return found
        time.sleep(0.02 + 3 * (time.monotonic() - began))
    raise AssertionError(f"{what} did not come about in {seconds} s")
