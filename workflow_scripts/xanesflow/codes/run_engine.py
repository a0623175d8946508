"""One site with an engine, outside of a chunk: for a quick look, a match, or a prediction."""

from __future__ import annotations

import threading
from pathlib import Path

from pymatgen.core import Structure

from xanesflow.codes.engine import Engine
from xanesflow.core.errors import FailedRunError
from xanesflow.running.process import Ended, run_command


def run_engine(
    engine: Engine, structure: Structure, site_index: int, folder: Path, stop: threading.Event | None = None
) -> Ended:
    """Write the inputs of a site and run its engine. Whether the run is good, `Engine.validate` says.

    Args:
        engine: computes the site.
        structure: an ordered structure.
        site_index: 0-based index of the absorber.
        folder: empty folder for all files of the run.
        stop: ends the run when it is set.

    Raises:
        FailedRunError: the run did not end in time.
        XanesflowError: the engine cannot compute the site; says why.
        StoppedError: `stop` was set.
    """
    engine.write_inputs(folder, structure, site_index)
    log = folder / engine.log_name
    ended = run_command(engine.command(folder), folder, log=log, time_limit=engine.time_limit, stop=stop)
    if ended.timed_out:
        raise FailedRunError("timed_out", f"it did not end within {engine.time_limit:.0f} s")
    return ended
