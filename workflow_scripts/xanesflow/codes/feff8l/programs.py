"""Finds and runs the programs of FEFF 8 Lite that come with the package xraylarch."""

from __future__ import annotations

import hashlib
import os
import platform
import signal
import subprocess
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from xanesflow.core.errors import ProgramError, TimeLimitError, XanesflowError

PROGRAMS = ("feff8l_rdinp", "feff8l_pot", "feff8l_xsph")

_FOLDERS = {"Linux": "linux64", "Darwin": "darwin64", "Windows": "win64"}


def folder_of_programs() -> Path:
    """Find the folder of the programs in the installed package xraylarch, without importing the package.

    Raises:
        XanesflowError: the package is missing, has no programs for this system, or they are not executable.
    """
    spec = find_spec("larch")
    if spec is None or spec.origin is None:
        raise XanesflowError(
            "The embedded engine needs the package xraylarch, which is not installed; install requirements.txt again."
        )
    system = platform.system()
    folder = Path(spec.origin).parent / "bin" / _FOLDERS.get(system, system)
    suffix = ".exe" if system == "Windows" else ""
    for name in PROGRAMS:
        program = folder / (name + suffix)
        if not program.is_file():
            raise XanesflowError(
                f"xraylarch {version()} has no {name} for {system} {platform.machine()} (looked in its "
                f"bin/{folder.name}); on this machine, use FEFF (theory FEFF)."
            )
        if not os.access(program, os.X_OK):
            raise XanesflowError(f"{program} is not executable; make it so (chmod +x), or install xraylarch again.")
    return folder


def version() -> str:
    """Version of xraylarch."""
    return metadata.version("xraylarch")


@cache
def digest() -> str:
    """SHA-256 over the programs, on which a result depends as it does on its input."""
    folder = folder_of_programs()
    total = hashlib.sha256()
    for name in PROGRAMS:
        total.update(next(folder.glob(f"{name}*")).read_bytes())
    return total.hexdigest()


def run_program(name: str, folder: Path, *, outputs: tuple[str, ...], time_limit: float) -> str:
    """Run a program in a folder and check its outputs, because FEFF 8 exits with 0 even when it fails.

    Args:
        name: one of `PROGRAMS`.
        folder: holds the inputs. Old `outputs` in it are removed first, as a later program would take them for new.
        outputs: files that the program must write.
        time_limit: seconds.

    Returns:
        What it printed.

    Raises:
        ProgramError: an output is missing; the message holds the last lines that the program printed.
        TimeLimitError: it did not end in time.
        XanesflowError: the program is missing or cannot be started.
    """
    for output in outputs:
        (folder / output).unlink(missing_ok=True)
    program = folder_of_programs() / name
    log = folder / f"{name}.log"
    try:
        with log.open("wb") as written:
            process = subprocess.Popen(
                [str(program)], cwd=folder, stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
            try:
                code = process.wait(time_limit)
            except subprocess.TimeoutExpired:
                raise TimeLimitError(f"{name} did not end within {time_limit:g} s") from None
            finally:
                _end(process)
    except OSError as error:
        raise XanesflowError(f"{name} cannot be run in {folder}: {error.strerror or error}.") from None
    printed = log.read_bytes().decode("utf-8", errors="replace")
    for output in outputs:
        path = folder / output
        if not path.is_file() or not path.stat().st_size:
            raise ProgramError(f"{name} left no {output} (exit code {code}): {last_lines(printed)}")
    return printed


def last_lines(text: str, number: int = 3) -> str:
    """Join the last informative lines of a program's output; lines of a crash's stack trace are left out."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    informative = [line for line in lines if line and not line.startswith(("#", "Backtrace for", "STOP"))]
    return " | ".join(informative[-number:]) or "it printed nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
