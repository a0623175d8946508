"""Did the self-consistent field of FEFF 8's pot converge? pot does not say, but it prints its Fermi levels."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any

_LEVEL = re.compile(r"mu_new=\s*(-?[\d.]+)")

_TOLERANCE_EV = 0.3

FIRST_ITERATIONS = 3
"""pot counts the first iterations, before it mixes by Broyden's method, as one: n on the SCF card means n + 2."""


@dataclass(frozen=True)
class Convergence:
    """How the self-consistent field developed."""

    iterations: int  # number of iterations done
    fermi_levels_ev: tuple[float, ...]  # Fermi level after each
    last_change_ev: float  # by how much the last iteration moved it; infinite after a single iteration
    ended_early: bool  # pot stopped before the last requested iteration because its own criterion was met
    converged: bool  # pot ended early, or the last change is below 0.3 eV, a fifth of a K edge's width

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite last change becomes None."""
        change = self.last_change_ev if math.isfinite(self.last_change_ev) else None
        return {**asdict(self), "fermi_levels_ev": list(self.fermi_levels_ev), "last_change_ev": change}


def read_convergence(printed: str, *, wanted: int) -> Convergence:
    """Read the convergence from pot's output.

    Args:
        printed: the output.
        wanted: number of iterations on the SCF card; 0: no self-consistent field.
    """
    wanted += FIRST_ITERATIONS - 1
    levels = tuple(float(number) for number in _LEVEL.findall(printed))
    change = abs(levels[-1] - levels[-2]) if len(levels) > 1 else float("inf")
    early = 0 < len(levels) < wanted
    return Convergence(
        len(levels), levels, change if levels else 0.0, early, bool(levels) and (early or change < _TOLERANCE_EV)
    )
