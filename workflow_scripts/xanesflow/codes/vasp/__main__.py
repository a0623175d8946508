"""`python -m xanesflow.codes.vasp run`: do the job in this folder (see `step_job`).

Exit code 0: the step is good; 1: it is not, and result.json says why; 2: a wrong call. If VASP could not be started at
all, the exit code is `kill_on_exit.NOT_STARTED`, and only the reason is printed.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path

from xanesflow.codes.run_in_folder import run_in_folder
from xanesflow.codes.vasp.step_job import JOB
from xanesflow.running.kill_on_exit import NOT_STARTED


def _work(folder: Path) -> int:
    # Custodian can send errors and inputs to a server of its project. Nothing of a run may leave this machine.
    os.environ |= {"CUSTODIAN_REPORTING_OPT_IN": "False"}
    os.environ.pop("SENTRY_DSN", None)
    warnings.simplefilter("ignore")
    from xanesflow.codes.vasp.run_step import last_words, run_step
    from xanesflow.core.errors import FailedRunError, NotStartedError

    logging.basicConfig(level=logging.INFO, filename="custodian.log", format="%(asctime)s %(name)s: %(message)s")
    try:
        figures = run_step(folder)
    except NotStartedError as error:
        sys.stdout.write(f"{error}\n")
        return NOT_STARTED
    except FailedRunError:
        sys.stdout.write(f"VASP said: {last_words(folder)}\n")
        raise
    sys.stdout.write(f"good: E0 = {figures['energy_ev']:.6f} eV\n")
    return 0


def main(arguments: list[str]) -> int:
    """The command line (see `run_in_folder`)."""
    return run_in_folder(arguments, package="vasp", job=JOB, work=_work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
