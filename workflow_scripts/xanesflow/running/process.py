"""Run one command in one folder, with a time limit, and end it with everything that it started."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import xanesflow
from xanesflow.core.errors import StoppedError, XanesflowError
from xanesflow.running import kill_on_exit

_POLL = 0.2  # seconds
_TIME_TO_END_S = 30.0  # for `kill_on_exit` to end the command
SIGNAL = 128
"""Added to n, the exit code of a process that signal n ended."""

_FROM_OUTSIDE = (signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM)
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int  # exit code, 128 + n after signal n
    seconds: float  # from its start to its end
    timed_out: bool  # whether it was stopped at its time limit

    @property
    def from_outside(self) -> str:
        """See `from_outside`."""
        return from_outside(self.code)


def from_outside(code: int) -> str:
    """Describe an exit code as `ended by signal 15`; empty if no signal from outside the program ended it."""
    number = code - SIGNAL
    if number not in _FROM_OUTSIDE:
        return ""
    return f"ended by signal {number}" + ("; the machine may have run out of memory" * (number == signal.SIGKILL))


def command_words(command: str) -> list[str]:
    """Split a command into words, for a program that runs elsewhere than in the current folder.

    Words that name files relative to the current folder, such as `./vasp.sh`, become absolute paths.

    Raises:
        ValueError: a quotation mark is not closed.
    """
    return [_absolute(word) for word in shlex.split(command)]


def _absolute(word: str) -> str:
    path = Path(word).expanduser()
    return str(path.absolute()) if os.sep in word and path.exists() else word


def check_program(program: str) -> None:
    """Check that a program exists and may be executed.

    Raises:
        XanesflowError: it does not, or may not.
    """
    if shutil.which(program) is None:
        raise XanesflowError(f"The program {program} is not there or may not be executed; install it or fix its path.")


def run_command(
    command: Sequence[str], folder: Path, *, log: Path, time_limit: float, stop: threading.Event | None = None
) -> Ended:
    """Run a command in a folder to its end or time limit; nothing that it started outlives it (see `kill_on_exit`).

    Args:
        command: program and arguments. It gets one thread for linear algebra, and can import this library.
        folder: where it runs.
        log: file for its output.
        time_limit: seconds.
        stop: ends the command when it is set.

    Raises:
        XanesflowError: the program does not exist or cannot be started.
        StoppedError: `stop` was set.
        OSError: the log cannot be written.
    """
    check_program(command[0])
    library = str(Path(xanesflow.__file__).parents[1])
    environment = {**os.environ, **dict.fromkeys(_THREADS, "1")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (library, os.environ.get("PYTHONPATH"))))
    begin, timed_out = time.monotonic(), False
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", kill_on_exit.__file__, *command], cwd=folder, env=environment,
            stdin=subprocess.PIPE, stdout=written, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            while process.poll() is None:
                if stop is not None and stop.is_set():
                    raise StoppedError
                timed_out = time.monotonic() - begin > time_limit
                if timed_out:
                    break
                try:
                    process.wait(min(_POLL, time_limit))
                except subprocess.TimeoutExpired:
                    continue
        finally:
            _end(process)
    if process.returncode == kill_on_exit.NOT_STARTED:
        said = log.read_text(encoding="utf-8", errors="replace").strip()
        said = said or f"{command[0]} ended as a program that cannot be started"
        raise XanesflowError(f"{said}; fix or replace it.")
    code = process.returncode if process.returncode >= 0 else SIGNAL - process.returncode
    return Ended(code, time.monotonic() - begin, timed_out)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe of `kill_on_exit`, which makes it end everything, and wait for it."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_TIME_TO_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
