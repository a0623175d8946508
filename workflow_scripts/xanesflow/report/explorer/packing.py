"""What a page holds in itself: figures, and many numbers at few bytes (arrays and spectra, deflated, as base64)."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = 4095
"""Steps from zero to the largest value of a set of spectra: 2.4e-4 of it each, finer than a line is wide."""

_TYPES = {"u8": "<u1", "u16": "<u2", "i32": "<i4", "f32": "<f4", "f64": "<f8"}

_ALIGNED = 8  # bytes; typed arrays of JavaScript begin at multiples of their item's size


def data_uri(figure: Path) -> str:
    """A figure's file as an address that needs no file."""
    kind = {".svg": "image/svg+xml", ".png": "image/png"}[figure.suffix]
    return f"data:{kind};base64,{base64.b64encode(figure.read_bytes()).decode()}"


def deflated(data: bytes) -> str:
    """Bytes as base64 of a zlib stream, which a browser's `DecompressionStream("deflate")` reads."""
    return base64.b64encode(zlib.compress(data, 9)).decode()


class Pack:
    """Arrays that a script in a page reads back: `u8`, `u16`, `i32`, `f32`, `f64`, and spectra.

    The bytes are those of a 32-bit length, a JSON header of that length with the entries `arrays` and `content`, and
    the arrays from the next multiple of 8 on; `arrays` has type, offset and number of each.
    """

    def __init__(self) -> None:
        self._arrays: list[tuple[str, int, int]] = []
        self._data = bytearray()

    def add(self, values: Any, kind: str) -> int:
        """Put in an array as one of the types above; returns its number."""
        array = np.ascontiguousarray(values, dtype=_TYPES[kind])
        self._data += bytes(-len(self._data) % _ALIGNED)
        self._arrays.append((kind, len(self._data), array.size))
        self._data += array.tobytes()
        return len(self._arrays) - 1

    def spectra(self, values: NDArray[np.floating], scale: float) -> dict[str, Any]:
        """Put in (n, m) numbers that vary smoothly along a row.

        Args:
            values: finite, of at most 4 × `scale` either way.
            scale: what counts as `LEVELS`.

        Returns:
            What the script wants to know: `data` (number of the array), `rows`, `columns`, `unit`. The array holds
            the differences of the differences along each row, in units (before the first stand two zeros), each
            as 2 d or, where it is negative, -2 d - 1; first all low bytes, then all high ones.
        """
        unit = scale / LEVELS if scale > 0 else 1.0
        levels = np.clip(np.rint(values / unit), -4 * LEVELS, 4 * LEVELS).astype(np.int64)
        steps = np.diff(np.diff(levels, axis=1, prepend=0), axis=1, prepend=0)
        folded = np.where(steps >= 0, 2 * steps, -2 * steps - 1)
        if folded.size and folded.max() > np.iinfo(np.uint16).max:  # from one end to the other at once: no spectrum
            return self.spectra(values, 4 * scale)
        planes = np.concatenate([(folded & 0xFF).ravel(), (folded >> 8).ravel()])
        rows, columns = values.shape
        return {"data": self.add(planes, "u8"), "rows": rows, "columns": columns, "unit": unit}

    def encode(self, content: Any) -> str:
        """All of it, with a header that holds `content` (what JSON can), as `deflated` text."""
        header = json.dumps(
            {"arrays": self._arrays, "content": content}, allow_nan=False, separators=(",", ":")
        ).encode()
        header += b" " * (-(len(header) + 4) % _ALIGNED)
        return deflated(len(header).to_bytes(4, "little") + header + bytes(self._data))
