"""Did the self-consistent field of FEFF 8's pot converge? It prints no word on it, but its Fermi levels."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any

_LEVEL = re.compile(r"mu_new=\s*(-?[\d.]+)")

_TOLERANCE_EV = 0.3

FIRST_ITERATIONS = 3
"""pot counts its first iterations, those before it mixes by Broyden's method, as one: n on the card SCF are n + 2."""


@dataclass(frozen=True)
class Convergence:
    """The course of the self-consistent field.

    Attributes:
        iterations: number of iterations done.
        fermi_levels_ev: Fermi level after each.
        last_change_ev: how far the last iteration moved it; infinite of a single one.
        ended_early: pot ended before the last iteration asked for: its own criterion was met.
        converged: it did, or the last change is below 0.3 eV, a fifth of a K edge's width.
    """

    iterations: int
    fermi_levels_ev: tuple[float, ...]
    last_change_ev: float
    ended_early: bool
    converged: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a record, as JSON has them: a last change that is not known is None."""
        change = self.last_change_ev if math.isfinite(self.last_change_ev) else None
        return {**asdict(self), "fermi_levels_ev": list(self.fermi_levels_ev), "last_change_ev": change}


def read_convergence(printed: str, *, wanted: int) -> Convergence:
    """Read what pot printed.

    Args:
        printed: its output.
        wanted: number of iterations on the card SCF; 0: no field.
    """
    wanted += FIRST_ITERATIONS - 1
    levels = tuple(float(number) for number in _LEVEL.findall(printed))
    change = abs(levels[-1] - levels[-2]) if len(levels) > 1 else float("inf")
    early = 0 < len(levels) < wanted
    return Convergence(
        len(levels), levels, change if levels else 0.0, early, bool(levels) and (early or change < _TOLERANCE_EV)
    )
