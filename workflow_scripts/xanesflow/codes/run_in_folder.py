"""The shared part of the commands that engines run inside a site's folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from xanesflow.core.errors import XanesflowError


def run_in_folder(arguments: list[str], *, package: str, job: str, work: Callable[[Path], int]) -> int:
    """Do the job of the current folder. If an error stops it, the last line is `ERROR: ` and the message.

    Args:
        arguments: of the command line; only `run` is valid.
        package: of the engine, as in `python -m xanesflow.codes.<package> run`.
        job: file that describes the job.
        work: does the job of a folder, and returns the exit code.

    Returns:
        The exit code: that of `work`, 1 if it raised an error, 2 for a wrong call.
    """
    if arguments != ["run"]:
        sys.stderr.write(f"usage: python -m xanesflow.codes.{package} run   (in the folder of a job, with {job})\n")
        return 2
    try:
        return work(Path.cwd())
    except XanesflowError as error:
        sys.stdout.write(f"ERROR: {error}\n")
    except OSError as error:
        sys.stdout.write(f"ERROR: the system said: {error.strerror or error} ({error.filename or Path.cwd()})\n")
    return 1
