"""`python -m xanesflow.codes.feff run`: run FEFF on the site of this folder (see `run_site`).

Exit code 0: there is a spectrum; 1: there is none, and result.json says why; 2: a wrong call.
"""

from __future__ import annotations

import sys
from pathlib import Path

from xanesflow.codes.feff.run_site import JOB, run_site
from xanesflow.codes.run_in_folder import run_in_folder


def _work(folder: Path) -> int:
    return 0 if run_site(folder) else 1


def main(arguments: list[str]) -> int:
    """The command line (see `run_in_folder`)."""
    return run_in_folder(arguments, package="feff", job=JOB, work=_work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
