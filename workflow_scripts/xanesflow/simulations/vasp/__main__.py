"""`python -m xanesflow.simulations.vasp run`: do the job in this folder (see `job`)."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from pathlib import Path

from xanesflow.files import write_text
from xanesflow.simulations.guard import NOT_STARTED


def main(arguments: list[str]) -> int:
    """Run the command; 0: the step is good, 1: it is not, and result.json says why, 2: a wrong call.

    Where VASP could not be started at all the exit code is that of `guard`, and nothing but the reason is printed.
    """
    if arguments != ["run"]:
        sys.stderr.write("usage: python -m xanesflow.simulations.vasp run   (in the folder of a job, with job.json)\n")
        return 2
    # Custodian can report to a server of its project, with inputs; nothing of a run leaves this machine.
    os.environ |= {"CUSTODIAN_REPORTING_OPT_IN": "False"}
    os.environ.pop("SENTRY_DSN", None)
    warnings.simplefilter("ignore")
    from xanesflow.simulations.engine import FailedRunError
    from xanesflow.simulations.vasp.job import RESULT, NotStartedError, last_words, run_step

    logging.basicConfig(level=logging.INFO, filename="custodian.log", format="%(asctime)s %(name)s: %(message)s")
    folder = Path.cwd()
    try:
        figures = run_step(folder)
    except NotStartedError as error:
        sys.stdout.write(f"{error}\n")
        return NOT_STARTED
    except FailedRunError as error:
        write_text(folder / RESULT, json.dumps({"reason": error.reason, "detail": str(error)}))
        sys.stdout.write(f"VASP said: {last_words(folder)}\nERROR: {error}\n")
        return 1
    except OSError as error:
        sys.stdout.write(f"ERROR: the system said: {error.strerror or error} ({error.filename or folder})\n")
        return 1
    sys.stdout.write(f"good: E0 = {figures['energy_ev']:.6f} eV\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
