"""Runs one command, and kills it with everything that it started when the calling process closes the pipe or dies.

    python -I -S kill_on_exit.py COMMAND [ARGUMENT...]     with a pipe as standard input, which the caller holds open

A killed job cannot clean up after itself. But the system closes its end of the pipe, whatever killed it, and this
process waits for that as well as for the command's end. On Linux it also adopts orphans (PR_SET_CHILD_SUBREAPER), so
that a program's children end with it even if they made a session of their own. Other systems lack that, and such
children outlive their program there.

This process starts once for each site, so it imports little: `subprocess`, `threading` and `signal` would double its
start-up time.

Exit code: the command's; 128 + n if signal n ended it; 126 if it could not be started.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import sys
import time

NOT_STARTED = 126

_LINUX = sys.platform == "linux"
_PR_SET_CHILD_SUBREAPER = 36
_SIGKILL, _SIGPIPE, _SIGXFSZ = 9, 13, 25
_IGNORED_BY_PYTHON = (_SIGPIPE, _SIGXFSZ)
_STDIN = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
_TIME_TO_END_S = 10.0  # a process that hangs in the kernel cannot be killed


def main(command: list[str]) -> int:
    """Run the command; see the module."""
    if _LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        child = os.posix_spawnp(
            command[0], command, os.environ, file_actions=_STDIN, setsid=True, setsigdef=_IGNORED_BY_PYTHON
        )
    except OSError as error:
        sys.stdout.write(f"{command[0]} cannot be started: {error.strerror}\n")
        sys.stdout.flush()
        return NOT_STARTED

    def end_when_pipe_closes() -> None:
        while os.read(0, 64):
            pass
        end_all(child)

    _thread.start_new_thread(end_when_pipe_closes, ())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    end_all(child)
    return 128 - code if code < 0 else code


def end_all(leader: int) -> None:
    """Kill the command's process group and, on Linux, all processes below this one."""
    if not _LINUX:
        try:  # noqa: SIM105 - contextlib takes time to import
            os.killpg(leader, _SIGKILL)
        except OSError:
            pass
        return
    deadline = time.monotonic() + _TIME_TO_END_S
    while (found := descendants(os.getpid())) and time.monotonic() < deadline:
        for pid in found:
            try:  # noqa: SIM105
                os.kill(pid, _SIGKILL)
            except OSError:
                pass
        time.sleep(0.005)


def descendants(ancestor: int) -> list[int]:
    """Find the living processes that descend from one."""
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
    os._exit(main(sys.argv[1:]))  # do not wait for the thread that reads the pipe
