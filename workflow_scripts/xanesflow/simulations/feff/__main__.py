"""`python -m xanesflow.simulations.feff run`: run FEFF on the site of this folder (see `run`)."""

from __future__ import annotations

import sys
from pathlib import Path

from xanesflow.errors import XanesflowError
from xanesflow.simulations.feff.run import run_site


def main(arguments: list[str]) -> int:
    """Run the command; 0: the spectrum is there, 1: it is not, and result.json says why, 2: a wrong call."""
    if arguments != ["run"]:
        sys.stderr.write("usage: python -m xanesflow.simulations.feff run   (in the folder of a job, with job.json)\n")
        return 2
    try:
        return 0 if run_site(Path.cwd()) else 1
    except XanesflowError as error:
        sys.stdout.write(f"ERROR: {error}\n")
        return 1
    except OSError as error:
        sys.stdout.write(f"ERROR: the system said: {error.strerror or error} ({error.filename or Path.cwd()})\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
