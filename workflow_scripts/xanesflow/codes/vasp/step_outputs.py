"""Read VASP's outputs: the dielectric function of the core hole, and the parts of files to keep."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xanesflow.codes.archive import MEMBER_LIMIT
from xanesflow.codes.registry import VASP

VASP_LIMIT = VASP.member_limit or MEMBER_LIMIT
"""Largest file that is read, in bytes; vasprun.xml with projections is large."""

_TABLE = "IMAGINARY DIELECTRIC FUNCTION"
_END = "REAL DIELECTRIC FUNCTION"
_HEADER = re.compile(rb"^ POTCAR:")
_FIRST_OF_HEADER = re.compile(rb"^\s+(SHA256|COPYR|VRHFIN)\s*=")
_TITLE = re.compile(rb"^\s+TITEL\s*=")
_AFTER_HEADER = re.compile(rb"^ POTCAR:|^\s*(local pseudopotential|atomic valenz-charges).*read in|^ -{20}")


def read_epsilon2(outcar: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read the imaginary part of the dielectric function of a core hole run (CH_LSPEC).

    Energies are relative to the core level in OUTCAR, but to the highest occupied band in vasprun.xml.

    Returns:
        Energies (n,) in eV, and the tensor's components (n, 6) in the order xx yy zz xy yz zx; NaN where VASP printed
        asterisks. n is 0 if there is no table.
    """
    lines: list[str] = []
    with outcar.open(encoding="utf-8", errors="replace") as opened:
        for line in opened:
            if _TABLE in line:
                break
        for line in opened:
            if _END in line or (lines and not line.strip()):
                break
            if lines or _numbers(line):  # skip the names of the columns, which come first
                lines.append(line)
    try:
        numbers = np.array(" ".join(lines).split(), dtype=np.float64)
    except ValueError:
        numbers = np.array(_up_to_other_words(lines), dtype=np.float64)
    # Some builds of VASP break each row into two lines.
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
    """Read the numbers of a line; none if it holds anything else, such as column names."""
    try:
        return [np.nan if set(word) <= {"*"} else float(word) for word in line.split()]
    except ValueError:
        return []


def is_finished(outcar: Path) -> bool:
    """Check that OUTCAR ends with the timing summary, which VASP writes last."""
    size = outcar.stat().st_size
    with outcar.open("rb") as opened:
        opened.seek(max(0, size - 2**16))
        return b"General timing and accounting informations" in opened.read()


def kept_content(name: str, content: bytes) -> bytes:
    """Return what to keep of a file of VASP: all except POTCAR heads in OUTCAR and projections in vasprun.xml."""
    if name == "OUTCAR":
        return without_potcars(content)
    return without_projections(content) if name == "vasprun.xml" else content


def without_potcars(outcar: bytes) -> bytes:
    """Remove from OUTCAR the head that VASP repeats of each POTCAR, except its title."""
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
    """Remove from vasprun.xml the projections of states onto atoms (LORBIT), which fill most of a ground state's."""
    return _without(vasprun, b"<projected>", b"</projected>")


def without_dielectric_function(vasprun: bytes) -> bytes:
    """Remove from vasprun.xml the dielectric function, which has more digits in OUTCAR; keep one that is cut off."""
    cut = vasprun.rfind(b"<dielectricfunction") > vasprun.rfind(b"</dielectricfunction>")
    return vasprun if cut else _without(vasprun, b"<dielectricfunction", b"</dielectricfunction>")


def _without(content: bytes, first: bytes, last: bytes) -> bytes:
    """Remove from a text everything between two tags, or after a tag that is never closed."""
    parts = []
    while (start := content.find(first)) >= 0:
        end = content.find(last, start)
        parts.append(content[:start].rstrip(b" "))
        content = content[end + len(last) :].lstrip(b"\n") if end >= 0 else b""
    return b"".join([*parts, content])
