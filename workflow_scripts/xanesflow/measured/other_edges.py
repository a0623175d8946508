"""Find the edge of another element in a scan, which spoils the fit after its edge."""

from __future__ import annotations

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.measured.edges import edge_of_rise

_FIRST_EV = 100.0  # closer to the edge a rise may be its own
_FROM_EV, _NEARBY_EV = 40.0, 250  # a rise is compared with those up to so far before it, but not with the white line
_GAP, _REACH, _LASTS = 2, 12, 30  # eV; the averages on both sides
_LEAST, _TIMES, _OVER_NOISE = 0.04, 2.0, 4.0


def another_edge(
    energy: Floats, flattened: Floats, half: float, noise: float, element: str | None
) -> tuple[float, str] | None:
    """The first later edge in a scan: its energy in eV and its name; None if there is none.

    It rises twice as much as any oscillation before it, stays, and lies where tables have an edge.

    Args:
        energy: (n,) in eV, rising.
        flattened: (n,) normalised spectrum without its slope.
        half: energy of half the step.
        noise: of a point of `flattened`, or NaN.
        element: the absorber, whose own L2 and L1 edges count too, or None.
    """
    from scipy.ndimage import median_filter
    from scipy.signal import find_peaks

    grid = np.arange(half + _FROM_EV, energy[-1])
    if len(grid) < 2 * _REACH + _FIRST_EV - _FROM_EV:
        return None
    values = np.interp(grid, energy, median_filter(flattened, 3, mode="nearest"))
    total = np.concatenate([[0.0], np.cumsum(values)])
    here = np.arange(_REACH, len(grid) - _REACH)
    behind, before = total[here + _REACH] - total[here + _GAP], total[here - _GAP] - total[here - _REACH]
    rise = (behind - before) / (_REACH - _GAP)
    for n in find_peaks(rise, height=np.fmax(_LEAST, _OVER_NOISE * noise))[0]:
        at, usual = here[n], np.abs(rise[max(0, n - _NEARBY_EV) : max(0, n - 20)])
        if grid[at] < half + _FIRST_EV or not len(usual) or rise[n] < _TIMES * usual.max():
            continue
        # A glitch does not stay
        left, right = values[max(0, at - _REACH - _LASTS) : at - _REACH], values[at + _REACH :][:_LASTS]
        if len(right) and right.mean() - left.mean() > rise[n] and (name := edge_of_rise(float(grid[at]), element)):
            return float(grid[at]), name
    return None
