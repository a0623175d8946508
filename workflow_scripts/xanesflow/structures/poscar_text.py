"""Rewrite a POSCAR so that pymatgen reads it correctly: check its counts, and make its scale one positive number."""

from __future__ import annotations

import re

import numpy as np
from pymatgen.core import Element

from xanesflow.core import limits
from xanesflow.core.errors import UnusableStructure
from xanesflow.core.text import fortran_number, plural


def plain_poscar(text: str) -> str:
    """Check that a POSCAR's numbers of atoms and rows agree, and make its scale one positive number.

    VASP takes a negative scale as the cell's volume, and three numbers as factors along the Cartesian axes, for the
    cell and for Cartesian positions. pymatgen applies a negative scale to the cell alone and fails at three numbers.
    All other files are returned unchanged.

    Raises:
        UnusableStructure: it announces more atoms than it has, its symbols and numbers of atoms are not equally many,
            or its scale is invalid.
    """
    lines = [line.rstrip("\r") for line in text.rstrip().split("\n")]
    _check_head(lines)
    _check_rows(lines)
    scale = _numbers(lines[1]) if len(lines) > 5 else []
    if len(scale) == 1 and scale[0] > 0:
        if len(lines[1].split()) == 1:
            return text
        lines[1] = repr(scale[0])  # VASP ignores a remark after the scale
        return "\n".join(lines) + "\n"
    matrix = np.array([_numbers(line)[:3] for line in lines[2:5]]) if len(lines) > 5 else np.empty(0)
    if matrix.shape != (3, 3) or not scale:
        return text  # pymatgen reports what is wrong
    if not all(scale) or len(scale) == 2 or (len(scale) >= 3 and min(scale[:3]) < 0):
        raise UnusableStructure(
            f"has the scale '{lines[1].strip()[:30]}'; write one positive number or three, or minus the volume"
        )
    # A negative scale: compute the factor that gives this volume.
    if len(scale) == 1:
        volume = abs(float(np.linalg.det(matrix)))
        if volume < 1e-9:
            raise UnusableStructure("has a cell without volume")
        lines[1] = repr(float((-scale[0] / volume) ** (1 / 3)))
        return "\n".join(lines) + "\n"
    # Three factors: apply them to the cell and to Cartesian positions.
    factors = np.array(scale[:3])
    lines[1] = "1.0"
    lines[2:5] = [" ".join(map(repr, (row * factors).tolist())) for row in matrix]
    start, atoms = _rows_of_positions(lines)
    if atoms and lines[start - 1].strip()[:1].lower() in ("c", "k"):
        for k in range(start, start + atoms):
            place, rest = _numbers(lines[k])[:3], lines[k].split()[3:]
            lines[k] = " ".join([*map(repr, (np.array(place) * factors).tolist()), *rest])
    return "\n".join(lines) + "\n"


def _numbers(line: str) -> list[float]:
    """The numbers that a line begins with."""
    found = []
    for token in line.split():
        try:
            found.append(fortran_number(token))
        except ValueError:
            break
    return found


def _rows_of_positions(lines: list[str]) -> tuple[int, int]:
    """The line at which positions begin, and their announced number; (0, 0) if this is not clear."""
    first = _line_of_counts(lines)
    if first is None:
        return 0, 0
    start = first + max(first - 5, 1)  # as many lines of numbers as of symbols
    announced = sum(sum(_counts(line)) for line in lines[first:start])
    if len(lines) > start and lines[start].strip()[:1].lower() == "s":
        start += 1
    return start + 1, announced


def _line_of_counts(lines: list[str]) -> int | None:
    """The first line of numbers of atoms, which follows any number of lines of symbols."""
    for k, line in enumerate(lines[5:16], start=5):
        if _counts(line):
            return k
        if re.match(r"\s*(direct|cart|kart|sele)", line, re.IGNORECASE):
            return None
    return None


def _counts(line: str) -> list[int]:
    tokens = line.partition("!")[0].partition("#")[0].split()
    return [int(token[:12]) for token in tokens] if tokens and all(token.isdecimal() for token in tokens) else []


def _check_head(lines: list[str]) -> None:
    """Refuse a file whose first lines are not those of a POSCAR."""
    if len(lines) < 7:
        raise UnusableStructure(
            f"cannot be read: it has {len(lines)} line{'s' * (len(lines) > 1)}, and a POSCAR has a remark, a scale, "
            "three vectors of the cell, symbols and numbers of atoms before its positions"
        )
    for k, (meant, numbers) in enumerate([("the scale", 1), *[("a vector of the cell", 3)] * 3], start=1):
        if len(_numbers(lines[k])) < numbers or (k > 1 and len(lines[k].split()) > 3):
            raise UnusableStructure(f"cannot be read: its line {k + 1} is '{lines[k].strip()[:40]}' and not {meant}")
    if (first := _line_of_counts(lines)) is None:
        raise UnusableStructure("cannot be read: the numbers of atoms are missing below the symbols of its elements")
    symbols = 0
    for k, line in enumerate(lines[5:first], start=6):
        for word in re.split("[!#]", line)[0].split():  # such as Ni, Ni2+, Ni_pv/1a2b3c
            if not Element.is_valid_symbol((re.match("[A-Za-z]*", word) or [""])[0]):
                raise UnusableStructure(
                    f"cannot be read: '{word[:20]}' in line {k} is no symbol of an element; write it as in the "
                    "periodic table, such as Ni"
                )
            symbols += 1
    numbers = sum(len(_counts(line)) for line in lines[first : 2 * first - 5])
    if symbols not in (0, numbers):  # VASP 4 writes no symbols
        raise UnusableStructure(
            f"cannot be read: it has {plural(symbols, 'symbol')} of elements and {plural(numbers, 'number')} of atoms "
            "below them; write one number for each symbol"
        )


def _check_rows(lines: list[str]) -> None:
    """Refuse a file that announces more atoms than it has; for huge numbers pymatgen would use up all memory."""
    start, announced = _rows_of_positions(lines)
    if not announced and start:
        raise UnusableStructure("announces no atoms")
    if not announced:
        return
    if announced > limits.ATOMS:
        raise UnusableStructure(f"announces {announced:,} atoms, and the limit is {limits.ATOMS:,}")
    if announced > len(lines):
        raise UnusableStructure(f"cannot be read: it announces {announced:,} atoms and has {len(lines):,} lines")
    rows = 0
    for line in lines[start : start + announced]:
        if not line.split():
            break
        rows += 1
    if rows < announced:
        raise UnusableStructure(
            f"is cut off: it announces {plural(announced, 'atom')} and has {plural(rows, 'row')} of positions; add "
            "what is missing, or correct the numbers of atoms"
        )
    for row, line in enumerate(lines[start : start + announced]):
        if len(_numbers(line)) < 3:
            raise UnusableStructure(f"has no three coordinates in line {start + row + 1}: '{line.strip()[:40]}'")
