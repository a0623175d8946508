"""Runs one command, and ends it with all that it started once the process that asked for it lets go or dies.

    python -I -S guard.py COMMAND [ARGUMENT...]     with a pipe as standard input, held open by the asker

A killed job cannot clean up behind itself, but the system closes its end of the pipe, whatever killed it, and that is
what this process waits for beside the command's end. On Linux it is also the parent that orphans fall to
(PR_SET_CHILD_SUBREAPER), so that a program's children end with it even where they made a session of their own; other
systems lack that, and there such children outlive their program. Standard library only, as it starts with each site.

Exit code: the command's; 128 + n if signal n ended it; 126 if it could not be started.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

NOT_STARTED = 126

_LINUX = sys.platform == "linux"
_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE = 10.0  # seconds; a process that hangs in the kernel cannot be killed


def main(command: list[str]) -> int:
    """Run the command; see the module."""
    if _LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        sys.stdout.write(f"{command[0]} cannot be started: {error.strerror}\n")
        sys.stdout.flush()
        return NOT_STARTED

    def end_when_let_go() -> None:
        while os.read(0, 64):
            pass
        end_all(child.pid)

    threading.Thread(target=end_when_let_go, daemon=True).start()
    code = child.wait()
    end_all(child.pid)
    return 128 - code if code < 0 else code


def end_all(leader: int) -> None:
    """Kill the command's process group and, on Linux, all processes below this one."""
    if not _LINUX:
        with suppress(OSError):
            os.killpg(leader, signal.SIGKILL)
        return
    deadline = time.monotonic() + _PATIENCE
    while (found := descendants(os.getpid())) and time.monotonic() < deadline:
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def descendants(ancestor: int) -> list[int]:
    """Processes below one, as far as they are alive."""
    children: dict[int, list[int]] = {}
    dead = set()
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - pathlib would cost more than all the rest
        try:
            with open(f"/proc/{name}/stat", "rb") as opened:  # noqa: PTH123
                state, parent = opened.read().rpartition(b")")[2].split()[:2]
        except OSError:  # it ended meanwhile
            continue
        children.setdefault(int(parent), []).append(int(name))
        if state in b"ZX":
            dead.add(int(name))
    found, waiting = [], [ancestor]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return [pid for pid in found if pid not in dead]


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # no waiting for the thread that reads
