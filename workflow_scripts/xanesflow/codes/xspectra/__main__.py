"""`python -m xanesflow.codes.xspectra run`: do the job in this folder (see `hole_job`).

Exit code 0: the step is good; 1: it is not, and result.json says why; 2: a wrong call.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from xanesflow.codes.run_in_folder import run_in_folder
from xanesflow.codes.xspectra.hole_job import JOB


def _work(folder: Path) -> int:
    warnings.simplefilter("ignore")
    from xanesflow.codes.xspectra.run_hole_step import run_hole_step

    result = run_hole_step(folder)
    sys.stdout.write(f"good: total energy {result['energy_ry']:.6f} Ry\n")
    return 0


def main(arguments: list[str]) -> int:
    """The command line (see `run_in_folder`)."""
    return run_in_folder(arguments, package="xspectra", job=JOB, work=_work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
