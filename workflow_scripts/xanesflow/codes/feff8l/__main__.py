"""`python -m xanesflow.codes.feff8l run`: do the job in this folder (see `job`).

Exit code 0: the spectrum is there; 1: it is not, and the last line says why; 2: a wrong call.
"""

from __future__ import annotations

import sys
from pathlib import Path

from xanesflow.codes.feff8l.job import JOB, run_job
from xanesflow.codes.run_in_folder import run_in_folder


def _work(folder: Path) -> int:
    run_job(folder)
    return 0


def main(arguments: list[str]) -> int:
    """The command line (see `run_in_folder`)."""
    return run_in_folder(arguments, package="feff8l", job=JOB, work=_work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
