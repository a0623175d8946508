"""One site with an engine, outside of a chunk: for a quick look, a match, or a prediction."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.damaged_run import explain_bad_run
from xanesflow.codes.engine import Engine
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.registry import reader_of, theory_of
from xanesflow.codes.run_description import read_files
from xanesflow.core.array_types import Floats
from xanesflow.core.errors import FailedRunError
from xanesflow.running.process import run_command


@dataclass(frozen=True)
class SiteSpectrum:
    """The spectrum of a site."""

    energy_ev: Floats  # (n,) absolute photon energies
    cross_section: Floats  # (n,) absorption cross section in bohr²
    record: Mapping[str, Any] = field(default_factory=dict)  # what the engine says about the run
    # (n,) cross section without scattering by the neighbours, bohr²; None: the theory has none
    background: Floats | None = None


def run_engine(
    engine: Engine, structure: Structure, site_index: int, folder: Path, stop: threading.Event | None = None
) -> None:
    """Write the inputs of a site, run its engine, and check that the run is good.

    Args:
        engine: computes the site.
        structure: an ordered structure.
        site_index: 0-based index of the absorber.
        folder: empty folder for all files of the run.
        stop: ends the run when it is set.

    Raises:
        FailedRunError: the run is not good, was killed, or did not end in time.
        XanesflowError: the engine cannot compute the site; says why.
        StoppedError: `stop` was set.
    """
    engine.write_inputs(folder, structure, site_index)
    log = folder / engine.log_name
    ended = run_command(engine.command(folder), folder, log=log, time_limit=engine.time_limit, stop=stop)
    if ended.timed_out:
        raise FailedRunError("timed_out", f"it did not end within {engine.time_limit:.0f} s")
    if ended.from_outside:
        raise FailedRunError("killed", f"it was {ended.from_outside}")
    engine.validate(folder)


def read_folder(engine: Engine, folder: Path, structure: Structure, site_index: int) -> SiteSpectrum:
    """Read the spectrum of a good run.

    Args:
        engine: that ran.
        folder: of the run.
        structure: that it was run for.
        site_index: 0-based index of the absorber.

    Raises:
        BadRunError: the run cannot be used.
    """
    run = FinishedRun("", site_index, read_files(folder, theory_of(engine.theory).files))
    element = structure[site_index].specie.symbol
    with explain_bad_run():
        read = reader_of(engine.theory)(run, None, element=element, structure=structure)
    return SiteSpectrum(read.energy_ev, read.cross_section, engine.record(folder), getattr(read, "background", None))
