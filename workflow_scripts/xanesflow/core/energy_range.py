"""Read ranges of energies as users write them."""

from __future__ import annotations

import math

from xanesflow.core.errors import WrongCallError
from xanesflow.core.text import quoted


def read_range(text: str, option: str) -> tuple[float, float]:
    """`-150:-30` as two numbers, the smaller first.

    Raises:
        WrongCallError: it is none.
    """
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        low = high = math.nan
    if not math.isfinite(low) or not math.isfinite(high) or low == high:
        raise WrongCallError(f"{option} {quoted(text)} is not a range; write two energies in eV, as 7100:7101.")
    return min(low, high), max(low, high)
