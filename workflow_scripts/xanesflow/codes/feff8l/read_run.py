"""Read a finished run of the embedded engine."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from pymatgen.core import Structure

from xanesflow.codes.feff.read_run import check_absorber
from xanesflow.codes.feff.read_xmu import Xmu, check_not_zero
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.core.array_types import Floats
from xanesflow.core.errors import BadRunError
from xanesflow.core.text import plural

COLUMNS = 3  # energy, mu, mu0

_ABSORBER = re.compile(r"^#\s*absorber\s+Z=\s*(\d+)\s+([KLMN]\d?)\s*$", re.MULTILINE)


def read_finished_run(
    run: FinishedRun, shared: FinishedRun | None, *, element: str, structure: Structure | None
) -> Xmu:
    """Read and check a finished run of a chunk (see `xanesflow.codes.engine.Reader`)."""
    return read_run(run.files, element=element, structure=structure, site_index=run.site_index)


def read_run(
    files: Mapping[str, bytes], *, element: str, structure: Structure | None = None, site_index: int = 0
) -> Xmu:
    """Read the spectrum of a run and check it against the run's files.

    Args:
        files: content of `xmu.dat` and, if there is one, `feff.inp`.
        element: symbol of the absorber.
        structure: the material; None: the cluster is not compared with it.
        site_index: 0-based index of the absorber into `structure`.

    Raises:
        BadRunError: the run cannot be used; the error holds the reason.
    """
    xmu = parse_xmu(files.get("xmu.dat", b""))
    check_absorber(xmu, files.get("feff.inp"), element=element, structure=structure, site_index=site_index)
    check_not_zero(xmu)
    return xmu


def parse_xmu(content: bytes) -> Xmu:
    """Parse the engine's xmu.dat: lines that begin with `#`, then energy in eV, mu and mu0 in bohr².

    The chi returned is mu - mu0 in units of the largest mu0.

    Raises:
        BadRunError: no_output, unreadable, truncated, wrong_absorber or not_a_number.
    """
    if not content.strip():
        raise BadRunError("no_output", "xmu.dat is missing or empty")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRunError("unreadable", "xmu.dat is not a text file") from None
    absorber = _ABSORBER.search(text)
    if absorber is None:
        raise BadRunError("wrong_absorber", "the header of xmu.dat does not name the absorber")
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise BadRunError("truncated", "xmu.dat ends before its first row")
    if not text.endswith("\n"):
        raise BadRunError("truncated", f"xmu.dat ends within a line, after {plural(len(lines) - 1, 'whole row')}")
    rows = _rows(lines)
    energy_ev, mu, mu0 = rows.T
    if not np.isfinite(rows).all():
        at = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise BadRunError("not_a_number", f"row {at + 1} of xmu.dat holds NaN or an infinite value")
    if (np.diff(energy_ev) <= 0).any():
        raise BadRunError("unreadable", "the energies in xmu.dat do not increase")
    step = float(np.abs(mu0).max()) or 1.0
    return Xmu(energy_ev, mu, (mu - mu0) / step, int(absorber[1]), absorber[2], mu0)


def _rows(lines: list[list[str]]) -> Floats:
    for number, words in enumerate(lines, start=1):
        if len(words) != COLUMNS:
            raise BadRunError(
                "unreadable", f"row {number} of xmu.dat has {plural(len(words), 'number')}, not {COLUMNS}"
            )
    try:
        return np.array(lines, dtype=np.float64)
    except ValueError as error:
        raise BadRunError("unreadable", f"xmu.dat holds something that is no number ({error})") from None


def charge_of_run(run: FinishedRun) -> float | None:
    """Charge transfer of the absorber in e, as the run's record of the field says; None: it does not."""
    charge = (run.record.get("field") or {}).get("charge")
    return float(charge) if isinstance(charge, int | float) else None
