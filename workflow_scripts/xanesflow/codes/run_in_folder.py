"""The shared part of the commands that engines run inside a site's folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from xanesflow.core.errors import FailedRunError, XanesflowError
from xanesflow.core.files import write_text

RESULT = "result.json"
"""The file that a job writes when it has checked its own outputs."""


def run_in_folder(arguments: list[str], *, package: str, job: str, work: Callable[[Path], int]) -> int:
    """Do the job of the current folder. If an error stops it, the last line is `ERROR: ` and the message.

    Why a run failed stands in result.json, too.

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
    except FailedRunError as error:
        write_text(Path.cwd() / RESULT, json.dumps({"reason": error.reason, "detail": str(error)}))
        sys.stdout.write(f"ERROR: {error}\n")
    except XanesflowError as error:
        sys.stdout.write(f"ERROR: {error}\n")
    except OSError as error:
        sys.stdout.write(f"ERROR: the system said: {error.strerror or error} ({error.filename or Path.cwd()})\n")
    return 1


@dataclass
class FolderStep:
    """What engines share whose command is `python -m xanesflow.codes.<package> run` (see `codes.engine`)."""

    options: Any  # of the engine
    package: ClassVar[str]  # of the engine
    log_name: str = field(default="run.log", init=False)  # file for what the command prints

    @property
    def theory(self) -> str:
        """Return the level of theory."""
        return self.package.upper()

    @property
    def time_limit(self) -> float:
        """Return the seconds for all attempts of a step together."""
        return float(self.options.time_limit)

    def command(self, folder: Path) -> list[str]:
        """Run the job's module with this Python."""
        return [sys.executable, "-m", f"xanesflow.codes.{self.package}", "run"]

    def validate(self, folder: Path) -> None:
        """Check the result that the job wrote after it checked its own outputs.

        Raises:
            FailedRunError: the step is not good, or the job ended without a result.
        """
        said = read_json(folder / RESULT)
        if not said:
            printed = lines_of(folder / self.log_name)
            said = printed[-1].removeprefix("ERROR: ") if printed else "the job broke off"
            raise FailedRunError("engine_failed", said)
        if "reason" in said:
            raise FailedRunError(said["reason"], said["detail"])


def read_json(path: Path) -> Any:
    """Read a JSON file; None if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def lines_of(path: Path) -> list[str]:
    """Read the lines of a text that are not empty; none if the file is missing."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return [line.strip() for line in lines if line.strip()]
