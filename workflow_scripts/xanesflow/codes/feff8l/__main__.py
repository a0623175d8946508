"""`python -m xanesflow.codes.feff8l run`: run the job of this folder (see `job`).

Exit code 0: the spectrum was written; 1: it was not, and the last line says why; 2: wrong arguments.
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
