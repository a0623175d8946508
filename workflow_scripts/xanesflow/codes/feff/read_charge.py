"""Read the absorber's charge transfer from the log of a FEFF run."""

from __future__ import annotations

import re

from xanesflow.codes.feff.read_logs import log_of
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.core.errors import BadRunError

_HEADER = "Charge transfer"
_ABSORBER = re.compile(r"^[^\n]*\n[^\S\n]+0[^\S\n]+(-?\d+\.\d+)[^\S\n]*$", re.MULTILINE)


def charge_of_run(run: FinishedRun) -> float | None:
    """Charge transfer of potential 0, the absorber, in e as FEFF prints it after its last iteration.

    None if the log does not say it.
    """
    try:
        _, found, after = log_of(run.files).rpartition(_HEADER)
    except BadRunError:
        return None
    absorber = _ABSORBER.match(after) if found else None
    return float(absorber[1]) if absorber else None
