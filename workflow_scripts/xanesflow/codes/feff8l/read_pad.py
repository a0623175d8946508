"""Packed ASCII data, the compact number format in which FEFF 8 passes arrays from program to program.

A line that begins with `!` holds reals. A line that begins with `$` holds complex numbers, real and imaginary part in
turn. Each real takes eight characters, without separators: the decimal exponent, then a mantissa to base 90. The parity
of the mantissa's first digit gives the sign. The relative precision is 2 × 90⁻⁶ = 4e-12.
"""

from __future__ import annotations

from math import floor, log10

import numpy as np
from numpy.typing import NDArray

WIDTH = 8
"""Characters of one real."""

_BASE, _ZERO, _EXPONENT_ZERO = 90, 37, 82
_SMALLEST = 1e-38  # smaller values are written as 0


def unpack(text: str) -> NDArray[np.float64]:
    """Turn packed characters into reals.

    Args:
        text: 8 characters for each real, without the mark at the beginning of the line.

    Returns:
        (n,) reals.

    Raises:
        ValueError: the length is not a multiple of 8, or a character lies outside the format's range.
    """
    codes = np.frombuffer(text.encode("ascii"), dtype=np.uint8).astype(np.int64)
    if len(codes) % WIDTH or (codes < _ZERO).any() or (codes >= _ZERO + _BASE).any():
        raise ValueError("not packed ASCII data")
    codes = codes.reshape(-1, WIDTH)
    digits = (codes - _ZERO)[:, 1:]
    sign = np.where(digits[:, 0] % 2, 1.0, -1.0)
    mantissa = (digits[:, 0] // 2) / _BASE + digits[:, 1:] @ (1.0 / _BASE ** np.arange(2.0, WIDTH))
    return np.asarray(sign * 2 * mantissa * 10.0 ** (codes[:, 0] - _EXPONENT_ZERO))


def pack(values: NDArray[np.float64]) -> str:
    """Turn reals into packed characters, 8 for each, without marks; `unpack` reverses it."""
    return "".join(_pack_one(float(value)) for value in values)


def _pack_one(value: float) -> str:
    if abs(value) < _SMALLEST:
        return chr(_EXPONENT_ZERO) + chr(_ZERO) * (WIDTH - 1)
    exponent = floor(log10(abs(value))) + 1
    rest = abs(value) / 10.0**exponent * _BASE / 2  # the mantissa lies in [0.1, 1)
    digits = []
    for _ in range(WIDTH - 1):
        digits.append(min(int(rest), _BASE - 1))
        rest = (rest - digits[-1]) * _BASE
    digits[0] = 2 * digits[0] + (value > 0)
    return chr(exponent + _EXPONENT_ZERO) + "".join(chr(digit + _ZERO) for digit in digits)


def read_packed(lines: list[str], start: int) -> tuple[NDArray[np.float64] | NDArray[np.complex128], int]:
    """Read all consecutive packed lines of one kind.

    Args:
        lines: of the file, without line ends.
        start: 0-based index of the first packed line.

    Returns:
        The values, reals or complex numbers, and the index of the line after them.

    Raises:
        ValueError: the line at `start` is not packed, or a line is damaged.
    """
    mark = lines[start][:1] if start < len(lines) else ""
    if mark not in ("!", "$"):
        raise ValueError(f"line {start + 1} does not begin with ! or $")
    stop = start
    while stop < len(lines) and lines[stop][:1] == mark:
        stop += 1
    values = unpack("".join(line[1:].rstrip() for line in lines[start:stop]))
    return (values if mark == "!" else values.view(np.complex128)), stop
