"""What VASP wrote: the core hole's dielectric function, and what of the files is kept."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xanesflow.codes.archive import MEMBER_LIMIT
from xanesflow.codes.registry import VASP

VASP_LIMIT = VASP.member_limit or MEMBER_LIMIT
"""Largest file in bytes that is read, as vasprun.xml with projections."""

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
    lines: list[str] = []
    with outcar.open(encoding="utf-8", errors="replace") as opened:
        for line in opened:
            if _TABLE in line:
                break
        for line in opened:
            if _END in line or (lines and not line.strip()):
                break
            if lines or _numbers(line):  # the names of the columns come first
                lines.append(line)
    try:
        numbers = np.array(" ".join(lines).split(), dtype=np.float64)
    except ValueError:
        numbers = np.array(_up_to_other_words(lines), dtype=np.float64)
    # Some builds of VASP break the rows into two lines.
    table = numbers[: len(numbers) // 7 * 7].reshape(-1, 7)
    return table[:, 0], table[:, 1:]


def _up_to_other_words(lines: list[str]) -> list[float]:
    numbers: list[float] = []
    for line in lines:
        row = _numbers(line)
        if not row:
            break
        numbers += row
    return numbers


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


def kept_content(name: str, content: bytes) -> bytes:
    """What is kept of a file of VASP: all but the heads of POTCARs in OUTCAR and the projections in vasprun.xml."""
    if name == "OUTCAR":
        return without_potcars(content)
    return without_projections(content) if name == "vasprun.xml" else content


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
    return _without(vasprun, b"<projected>", b"</projected>")


def without_dielectric_function(vasprun: bytes) -> bytes:
    """vasprun.xml without its dielectric function, which has fewer digits there than in OUTCAR; a cut one stays."""
    cut = vasprun.rfind(b"<dielectricfunction") > vasprun.rfind(b"</dielectricfunction>")
    return vasprun if cut else _without(vasprun, b"<dielectricfunction", b"</dielectricfunction>")


def _without(content: bytes, first: bytes, last: bytes) -> bytes:
    """A text without what stands between two tags, or behind one that is never closed."""
    parts = []
    while (start := content.find(first)) >= 0:
        end = content.find(last, start)
        parts.append(content[:start].rstrip(b" "))
        content = content[end + len(last) :].lstrip(b"\n") if end >= 0 else b""
    return b"".join([*parts, content])
