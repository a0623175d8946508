"""Read feff.inp, FEFF's input."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import BadRunError
from xanesflow.core.text import fortran_number

_COMMENT = re.compile(r"[*!;%#]")


def words_of(line: str) -> list[str]:
    """Return the words of a line of feff.inp, which blanks or commas separate, without its comment."""
    return _COMMENT.split(line, maxsplit=1)[0].replace(",", " ").split()


@lru_cache(maxsize=1)  # several checks of a run ask, one after the other
def parse_feff_inp(text: str) -> tuple[int | None, str | None, Floats]:
    """Read absorber, edge and distances from the text of feff.inp.

    Returns:
        Atomic number of potential 0, name of the edge (`K`, `L3`; `HOLE 1` is K), and the distances in Å of all other
        atoms from the absorber, sorted, read-only; None or empty where the file lacks them.

    Raises:
        BadRunError: unreadable.
    """
    edge, atomic_number, section = None, None, ""
    coordinates: list[list[float]] = []
    absorber = 0
    for line in text.splitlines():
        words = words_of(line)
        if not words:
            continue
        card = words[0].upper()
        if card[0].isalpha():
            section = card[:4]
            if section in {"EDGE", "HOLE"} and len(words) > 1:
                edge = "K" if words[1].upper() in {"K", "1"} else words[1].upper()
            continue
        try:
            if section == "POTE" and words[0] == "0":
                atomic_number = int(words[1])
            elif section == "ATOM":
                if words[3] == "0":
                    absorber = len(coordinates)
                coordinates.append([fortran_number(word) for word in words[:3]])
        except (IndexError, ValueError):
            raise BadRunError("unreadable", f"feff.inp has a line that cannot be read: {line.strip()[:60]}") from None
    if not coordinates:
        return atomic_number, edge, np.empty(0)
    points = np.array(coordinates)
    distances = np.sort(np.linalg.norm(points - points[absorber], axis=1))[1:]
    distances.flags.writeable = False
    return atomic_number, edge, distances
