"""Packs figures and numbers into a page: data URIs, and arrays and spectra in few bytes (deflated, as base64)."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = 4095
"""Steps from zero to the largest value of a set of spectra: each is 2.4e-4 of it, less than the width of a line."""

_TYPES = {"u8": "<u1", "u16": "<u2", "i32": "<i4", "f32": "<f4", "f64": "<f8"}

_ALIGNED = 8  # bytes; typed arrays of JavaScript begin at multiples of their item's size


def data_uri(figure: Path) -> str:
    """A figure's file as a data URI, which needs no file."""
    kind = {".svg": "image/svg+xml", ".png": "image/png"}[figure.suffix]
    return f"data:{kind};base64,{base64.b64encode(figure.read_bytes()).decode()}"


def deflated(data: bytes) -> str:
    """Bytes as base64 of a zlib stream, which a browser's `DecompressionStream("deflate")` reads."""
    return base64.b64encode(zlib.compress(data, 9)).decode()


class Pack:
    """Arrays that the page's script (explorer.js) reads: `u8`, `u16`, `i32`, `f32`, `f64`, and spectra.

    The bytes are a 32-bit length, a JSON header of that length with the entries `arrays` and `content`, and the arrays,
    each from a multiple of 8 on; `arrays` has type, offset and number of items of each.
    """

    def __init__(self) -> None:
        self._arrays: list[tuple[str, int, int]] = []
        self._data = bytearray()

    def add(self, values: Any, kind: str) -> int:
        """Add an array as one of the types above, and return its number."""
        array = np.ascontiguousarray(values, dtype=_TYPES[kind])
        self._data += bytes(-len(self._data) % _ALIGNED)
        self._arrays.append((kind, len(self._data), array.size))
        self._data += array.tobytes()
        return len(self._arrays) - 1

    def spectra(self, values: NDArray[np.floating], scale: float) -> dict[str, Any]:
        """Add (n, m) numbers that vary smoothly along a row.

        Args:
            values: finite; beyond ±4 × `scale` they are cut.
            scale: value that `LEVELS` steps stand for.

        Returns:
            What the script needs to read them: `data` (number of the array), `rows`, `columns`, `unit`. The array holds
            the second differences d along each row in units (as if two zeros came first), stored as 2 d or, for
            negative ones, -2 d - 1: first all low bytes, then all high bytes.
        """
        unit = scale / LEVELS if scale > 0 else 1.0
        levels = np.clip(np.rint(values / unit), -4 * LEVELS, 4 * LEVELS).astype(np.int64)
        steps = np.diff(np.diff(levels, axis=1, prepend=0), axis=1, prepend=0)
        folded = np.where(steps >= 0, 2 * steps, -2 * steps - 1)
        if folded.size and folded.max() > np.iinfo(np.uint16).max:  # a jump over the whole range: not a spectrum
            return self.spectra(values, 4 * scale)
        planes = np.concatenate([(folded & 0xFF).ravel(), (folded >> 8).ravel()])
        rows, columns = values.shape
        return {"data": self.add(planes, "u8"), "rows": rows, "columns": columns, "unit": unit}

    def encode(self, content: Any) -> str:
        """Encode all arrays and `content` (anything that JSON can hold) as `deflated` text."""
        header = json.dumps(
            {"arrays": self._arrays, "content": content}, allow_nan=False, separators=(",", ":")
        ).encode()
        header += b" " * (-(len(header) + 4) % _ALIGNED)
        return deflated(len(header).to_bytes(4, "little") + header + bytes(self._data))
