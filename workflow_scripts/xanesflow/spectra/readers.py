"""The reader of each level of theory."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pymatgen.core import Structure

from xanesflow.errors import XanesflowError
from xanesflow.reasons import REASONS
from xanesflow.simulations.chunks import Run
from xanesflow.simulations.engine import BadRunError
from xanesflow.simulations.feff import judge
from xanesflow.simulations.feff.xmu import Xmu
from xanesflow.spectra import feff8l

_READERS: Mapping[str, Callable[..., Xmu]] = {"FEFF": judge.read_run, "FEFF8L": feff8l.read_run}


def check_theory(theory: str) -> None:
    """Check that runs of a level of theory can be read.

    Raises:
        XanesflowError: they cannot.
    """
    if theory not in _READERS:
        raise XanesflowError(f"This version cannot read {theory} runs, only those of {', '.join(_READERS)}.")


def read_spectrum(run: Run, *, theory: str, element: str, structure: Structure) -> Xmu:
    """Read and check a run's spectrum.

    Args:
        run: as it lies in its chunk.
        theory: level of theory, one that `check_theory` lets pass.
        element: symbol of the absorber.
        structure: the material.

    Raises:
        BadRunError: it failed, as its run.json tells, or cannot be used; holds the reason.
    """
    if run.record.get("outcome") == "failed":
        reason, detail = str(run.record.get("reason")), str(run.record.get("detail"))
        if reason not in REASONS:  # of another version
            reason, detail = "engine_failed", f"{reason}: {detail}"
        raise BadRunError(reason, detail)
    return _READERS[theory](run.files, element=element, structure=structure, site_index=run.site_index)
