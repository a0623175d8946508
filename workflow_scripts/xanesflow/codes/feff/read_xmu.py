"""Read xmu.dat, the spectrum that FEFF writes."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from xanesflow.codes.read_text import text_of
from xanesflow.core.array_types import Floats
from xanesflow.core.errors import BadRunError
from xanesflow.core.text import plural
from xanesflow.core.units import BOHR_ANGSTROM

COLUMNS = 6  # omega, e, k, mu, mu0, chi

_NORMALISATION = re.compile(r"xsedge\+\s*\d+\s*,\s*used to normalize mu\s+(\S+)")
ABSORBER = re.compile(r"Abs\s+Z=\s*(\d{1,4})(?!\d).{0,200}?\b([KLMN]\d?)\s+shell")
"""Absorber and shell in the header of FEFF's xmu.dat."""

OF_ENGINE = re.compile(r"^#\s*absorber\s+Z=", re.MULTILINE)
"""What the header of the embedded engine's xmu.dat holds, and that of FEFF's does not."""

_FUSED_EXPONENT = re.compile(r"(\d)([+-]\d{3})\b")  # Fortran writes 1.2E-101 as 1.2-101


@dataclass(frozen=True)
class Xmu:
    """The content of xmu.dat."""

    energy_ev: Floats  # (n,) absolute photon energies
    cross_section: Floats  # (n,) absorption cross section in bohr²
    chi: Floats  # (n,) fine structure, mu - mu0 in units of the edge step
    atomic_number: int | None  # of the absorber; None if the header does not name it
    shell: str | None  # of the core hole, such as `K`; None if the header does not name it
    background: Floats  # (n,) the cross section in bohr² without scattering by the neighbours
    compared: bool = True  # whether the neighbours in feff.inp were compared with those of POSCAR


def parse_xmu(content: bytes) -> Xmu:
    """Parse xmu.dat of FEFF 8, 9 or 10.

    FEFF writes mu in units of the edge step. The header gives the step in Å² as `xsedge+ 50`. The cross section in
    bohr² is their product divided by the squared Bohr radius (in Å²).

    Raises:
        BadRunError: no_output, unreadable, truncated, or not_a_number for a field that overflowed.
    """
    if not content.strip():
        raise BadRunError("no_output", "xmu.dat is missing or empty")
    text = text_of("xmu.dat", content)
    header = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    body = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not body:
        raise BadRunError("truncated", "xmu.dat ends before its first row")
    if not text.endswith("\n") or len(body[-1].split()) < COLUMNS:
        raise BadRunError("truncated", f"xmu.dat ends within a line, after {plural(len(body) - 1, 'whole row')}")
    normalisation = _NORMALISATION.search("\n".join(header))
    if normalisation is None:
        raise BadRunError("unreadable", "the header of xmu.dat does not hold the edge step (xsedge+ 50)")
    rows = _rows(body)
    if (np.diff(rows[:, 0]) <= 0).any():
        raise BadRunError("unreadable", "the energies in xmu.dat do not increase")
    edge_step = _number(normalisation[1])
    absorber = ABSORBER.search("\n".join(header))
    return Xmu(
        energy_ev=rows[:, 0],
        cross_section=rows[:, 3] * edge_step / BOHR_ANGSTROM**2,
        chi=rows[:, 5],
        atomic_number=int(absorber[1]) if absorber else None,
        shell=absorber[2] if absorber else None,
        background=rows[:, 4] * edge_step / BOHR_ANGSTROM**2,
    )


def check_not_zero(xmu: Xmu) -> None:
    """Check that the absorption is not zero, and that it has a fine structure.

    Raises:
        BadRunError: all_zero or no_fine_structure.
    """
    if not xmu.cross_section.any():
        raise BadRunError("all_zero", "mu is zero in every row of xmu.dat")
    if not xmu.chi.any():
        raise BadRunError(
            "no_fine_structure", "chi is zero in every row of xmu.dat: full multiple scattering is missing"
        )


def _rows(lines: list[str]) -> Floats:
    """Read the table of xmu.dat at once; only if that fails, line by line to find what is wrong."""
    try:
        flat = np.array(" ".join(lines).split(), dtype=float)
        if flat.size == COLUMNS * len(lines):
            return flat.reshape(-1, COLUMNS)
    except ValueError:
        pass
    rows = []
    for number, line in enumerate(lines, start=1):
        words = _FUSED_EXPONENT.sub(r"\1E\2", line).split()
        if len(words) != COLUMNS:
            raise BadRunError(
                "unreadable", f"row {number} of xmu.dat has {plural(len(words), 'number')}, not {COLUMNS}"
            )
        rows.append([_number(word) for word in words])
    return np.array(rows)


def _number(word: str) -> float:
    if set(word) == {"*"}:
        raise BadRunError("not_a_number", "xmu.dat holds a number that overflowed its field (***)")
    try:
        return float(word)
    except ValueError:
        raise BadRunError("unreadable", f"xmu.dat holds '{word[:20]}' where a number belongs") from None
