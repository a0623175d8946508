"""`python -m xanesflow.simulations.feff8l run`: do the job in this folder (see `job`)."""

from __future__ import annotations

import sys
from pathlib import Path

from xanesflow.errors import XanesflowError
from xanesflow.simulations.feff8l.job import run_job


def main(arguments: list[str]) -> int:
    """Run the command; 0: the spectrum is there, 1: it is not, and the last line says why, 2: a wrong call."""
    if arguments != ["run"]:
        sys.stderr.write(
            "usage: python -m xanesflow.simulations.feff8l run   (in the folder of a job, with site.json)\n"
        )
        return 2
    try:
        run_job(Path.cwd())
    except XanesflowError as error:
        sys.stdout.write(f"ERROR: {error}\n")
        return 1
    except OSError as error:
        sys.stdout.write(f"ERROR: the system said: {error.strerror or error} ({error.filename or Path.cwd()})\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
