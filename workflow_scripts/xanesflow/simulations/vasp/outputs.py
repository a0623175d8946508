"""What VASP wrote: the core hole's dielectric function, and what of the files is kept."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_TABLE = "IMAGINARY DIELECTRIC FUNCTION"
_END = "REAL DIELECTRIC FUNCTION"
_HEADER = re.compile(rb"^ POTCAR:")
_FIRST_OF_HEADER = re.compile(rb"^\s+(SHA256|COPYR|VRHFIN)\s*=")
_TITLE = re.compile(rb"^\s+TITEL\s*=")
_AFTER_HEADER = re.compile(rb"^ POTCAR:|^\s*(local pseudopotential|atomic valenz-charges).*read in|^ -{20}")


def read_epsilon2(outcar: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The imaginary part of the dielectric function of a core hole run (CH_LSPEC).

    In OUTCAR energies are relative to the core level, in vasprun.xml to the highest occupied band.

    Returns:
        Energies (n,) in eV, and the tensor's components (n, 6) in the order xx yy zz xy yz zx; not a number where
        VASP printed asterisks. n is 0 if there is no table.
    """
    numbers: list[float] = []
    with outcar.open(encoding="utf-8", errors="replace") as opened:
        for line in opened:
            if _TABLE in line:
                break
        for line in opened:
            row = _numbers(line)
            if _END in line or (numbers and not row):
                break
            numbers += row
    # Some builds of VASP break the rows into two lines.
    table = np.array(numbers[: len(numbers) // 7 * 7], dtype=np.float64).reshape(-1, 7)
    return table[:, 0], table[:, 1:]


def _numbers(line: str) -> list[float]:
    """The numbers of a line; none if it holds anything else, such as their names."""
    try:
        return [np.nan if set(word) <= {"*"} else float(word) for word in line.split()]
    except ValueError:
        return []


def is_finished(outcar: Path) -> bool:
    """Whether OUTCAR ends with the account of time, which VASP writes last."""
    size = outcar.stat().st_size
    with outcar.open("rb") as opened:
        opened.seek(max(0, size - 2**16))
        return b"General timing and accounting informations" in opened.read()


def without_potcars(outcar: bytes) -> bytes:
    """OUTCAR without what VASP repeats there of each POTCAR's head, except its title."""
    kept: list[bytes] = []
    inside, after_title = False, False
    for line in outcar.splitlines(keepends=True):
        if _HEADER.match(line):
            inside, after_title = False, True
        elif after_title:
            inside, after_title = bool(_FIRST_OF_HEADER.match(line)), False
        elif inside and _AFTER_HEADER.match(line):
            inside = False
        if not inside or _TITLE.match(line):
            kept.append(line)
    return b"".join(kept)


def without_projections(vasprun: bytes) -> bytes:
    """vasprun.xml without the projections of states onto atoms (LORBIT), most of a ground state's file."""
    parts = []
    while (start := vasprun.find(b"<projected>")) >= 0:
        end = vasprun.find(b"</projected>", start)
        parts.append(vasprun[:start].rstrip(b" "))
        vasprun = vasprun[end + len(b"</projected>") :].lstrip(b"\n") if end >= 0 else b""
    return b"".join([*parts, vasprun])
