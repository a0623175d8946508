"""Puts figures and numbers into a page, so that it needs no other file."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xanesflow.core.figures import read_note

LEVELS = 4095
"""Steps from zero to the largest value of a spectrum: each is 2.4e-4 of it, less than the width of a line."""


def picture(figure: Path) -> str:
    """A figure's file as a data URI, which needs no file; the sentence in its place if it could not be drawn."""
    if note := read_note(figure):
        return note
    kind = {".svg": "image/svg+xml", ".png": "image/png"}[figure.suffix]
    return f"data:{kind};base64,{base64.b64encode(figure.read_bytes()).decode()}"


def deflated(data: bytes) -> str:
    """Bytes as base64 of a zlib stream, which a browser's `DecompressionStream("deflate")` reads."""
    return base64.b64encode(zlib.compress(data, 9)).decode()


def packed(content: Any) -> str:
    """Anything that JSON can hold, and NumPy arrays, as `deflated` JSON.

    An array becomes `{"dtype": "i2", "bdata": <base64>}`, as in Plotly's figures; its shape is left out.
    """
    return deflated(json.dumps(content, default=_array, allow_nan=False, separators=(",", ":")).encode())


def _array(values: NDArray[np.generic]) -> dict[str, str]:
    little = values.astype(values.dtype.newbyteorder("<"))
    return {"dtype": values.dtype.str[1:], "bdata": base64.b64encode(little.tobytes()).decode()}


def bends(spectra: NDArray[np.floating]) -> dict[str, NDArray[np.generic]]:
    """Spectra in few bytes: integer `bends` (n, m) and the `unit` (n,) of each.

    The bends are the second differences along a spectrum, as if two zeros came first; their second sum times the unit
    is the spectrum.

    Args:
        spectra: (n, m), finite.
    """
    unit = np.abs(spectra).max(axis=1, initial=np.finfo(np.float32).tiny * LEVELS) / LEVELS
    levels = np.pad(np.rint(spectra / unit[:, None]).astype(np.int16), ((0, 0), (2, 0)))
    return {"bends": np.diff(levels, n=2, axis=1), "unit": unit.astype(np.float32)}
