"""The reader of each level of theory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from pymatgen.core import Structure

from xanesflow.codes.feff import read_run as feff_run
from xanesflow.codes.feff.read_xmu import Xmu
from xanesflow.codes.feff8l import read_run as feff8l_run
from xanesflow.codes.run_zip import Run
from xanesflow.codes.vasp.constants import Processing
from xanesflow.core.energy_grid import Array
from xanesflow.core.errors import BadRunError, XanesflowError
from xanesflow.core.reasons import REASONS

_OF_ONE_RUN: Mapping[str, Callable[..., Xmu]] = {"FEFF": feff_run.read_run, "FEFF8L": feff8l_run.read_run}
_READ = (*_OF_ONE_RUN, "VASP")


class Spectrum(Protocol):
    """What every reader gives.

    Attributes:
        energy_ev: (n,) absolute photon energies.
        cross_section: (n,) absorption cross section in bohr².
    """

    @property
    def energy_ev(self) -> Array: ...  # noqa: D102
    @property
    def cross_section(self) -> Array: ...  # noqa: D102


class Reader(Protocol):
    """Reads and checks the runs of a level of theory, those of a material in turn."""

    def __call__(self, run: Run, shared: Run | None, *, element: str, structure: Structure | None) -> Spectrum:
        """Read and check a run's spectrum.

        Args:
            run: as it lies in its chunk.
            shared: the step that the sites of its material share, where the theory has one.
            element: symbol of the absorber.
            structure: the material.

        Raises:
            BadRunError: it cannot be used; holds the reason.
        """
        ...


def check_theory(theory: str) -> None:
    """Check that runs of a level of theory can be read.

    Raises:
        XanesflowError: they cannot.
    """
    if theory not in _READ:
        raise XanesflowError(f"This version cannot read {theory} runs, only those of {', '.join(_READ)}.")


def reader_of(theory: str, processing: Processing | None) -> Reader:
    """The reader of a level of theory.

    Args:
        theory: one that `check_theory` lets pass.
        processing: for VASP how its spectra are made.
    """
    if theory == "VASP":
        from xanesflow.codes.vasp.make_spectrum import VaspReader  # the rest of pymatgen, which FEFF does without

        assert processing is not None
        return VaspReader(processing)
    return partial(_read_one, _OF_ONE_RUN[theory])


def _read_one(
    read: Callable[..., Xmu], run: Run, shared: Run | None, *, element: str, structure: Structure | None
) -> Xmu:
    return read(run.files, element=element, structure=structure, site_index=run.site_index)


def check_record(run: Run) -> None:
    """Refuse a run that failed, as its run.json tells.

    Raises:
        BadRunError: for the reason that it failed for.
    """
    if run.record.get("outcome") == "failed":
        reason, detail = str(run.record.get("reason")), str(run.record.get("detail"))
        if reason not in REASONS:  # of another version
            reason, detail = "engine_failed", f"{reason}: {detail}"
        raise BadRunError(reason, detail)
