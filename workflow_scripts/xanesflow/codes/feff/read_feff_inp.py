"""Read feff.inp, FEFF's input."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import BadRunError
from xanesflow.core.text import fortran_number

_COMMENT = re.compile(r"[*!;%#]")


def words_of(line: str) -> list[str]:
    """Return the words of a line of feff.inp, which blanks or commas separate, without its comment."""
    return _COMMENT.split(line, maxsplit=1)[0].replace(",", " ").split()


class FeffInp(NamedTuple):
    """What feff.inp says of absorber and cluster; None or empty where it lacks them."""

    atomic_number: int | None  # of potential 0
    edge: str | None  # such as `K` or `L3`; `HOLE 1` is K
    distances_a: Floats  # (n,) of all other atoms from the absorber as written, sorted, read-only
    neighbours: NDArray[np.int64]  # (n,) their atomic numbers in the same order; 0: POTENTIALS does not list theirs
    scale: float  # RMULTIPLIER, by which FEFF multiplies all distances and radii


@lru_cache(maxsize=1)  # several checks of a run ask, one after the other
def parse_feff_inp(text: str) -> FeffInp:
    """Read absorber, edge and cluster from the text of feff.inp.

    Raises:
        BadRunError: unreadable.
    """
    edge, section, scale = None, "", 1.0
    coordinates: list[list[float]] = []
    kinds: list[str] = []
    number_of: dict[str, int] = {}
    absorber = 0
    for line in text.splitlines():
        words = words_of(line)
        if not words:
            continue
        card = words[0].upper()
        if card[0].isalpha():
            section = card[:4]
            if section == "RMUL" and len(words) > 1:
                scale = _scale(words[1])
            if section in {"EDGE", "HOLE"} and len(words) > 1:
                edge = "K" if words[1].upper() in {"K", "1"} else words[1].upper()
            continue
        try:
            if section == "POTE":
                number_of[words[0]] = int(words[1])
            elif section == "ATOM":
                if words[3] == "0":
                    absorber = len(coordinates)
                kinds.append(words[3])
                coordinates.append([fortran_number(word) for word in words[:3]])
        except (IndexError, ValueError):
            raise BadRunError("unreadable", f"feff.inp has a line that cannot be read: {line.strip()[:60]}") from None
    if not coordinates:
        return FeffInp(number_of.get("0"), edge, np.empty(0), np.empty(0, dtype=np.int64), scale)
    points = np.array(coordinates)
    distances = np.linalg.norm(points - points[absorber], axis=1)
    others = np.argsort(distances, kind="stable")[1:]
    distances, neighbours = distances[others], np.array([number_of.get(kind, 0) for kind in kinds])[others]
    distances.flags.writeable = neighbours.flags.writeable = False
    return FeffInp(number_of.get("0"), edge, distances, neighbours, scale)


def _scale(word: str) -> float:
    try:
        scale = fortran_number(word)
    except ValueError:
        scale = 0.0
    if not 0 < scale < float("inf"):
        raise BadRunError("unreadable", f"RMULTIPLIER of feff.inp is no positive number: {word[:20]}")
    return scale
