"""Find the edge in a spectrum alone: the largest step between the averages on its left and right."""

from __future__ import annotations

import numpy as np

from xanesflow.core.array_types import Floats

_GAP_EV, _REACH_EV = 3.0, 25.0  # the averages run from 3 to 25 eV on both sides
_LEAST_EV = 8.0  # they need at least this much of that range
_NEARBY_EV = 300.0
_HALF = 0.5
_PEAK_EV = 45.0  # the main maximum is at most this far from the half step


def coarse_edge(energy: Floats, mu: Floats, within: tuple[float, float] = (0.0, np.inf)) -> tuple[float, float]:
    """Energy in eV of the largest step of a spectrum, and its height, negative for a fall.

    A single wrong point does not count, as µ is first smoothed by the median of five points; nor does a slope.

    Args:
        energy: (n,) in eV, rising.
        mu: (n,)
        within: energies in eV between which the step is searched.
    """
    from scipy.ndimage import median_filter

    step = min(1.0, float(np.ptp(energy)) / 50)
    grid = np.arange(energy[0], energy[-1], step)
    total = np.concatenate([[0.0], np.cumsum(np.interp(grid, energy, median_filter(mu, 5, mode="nearest")))])
    gap, reach, least = (max(n, round(each / step)) for n, each in ((1, _GAP_EV), (3, _REACH_EV), (2, _LEAST_EV)))
    here = np.arange(least, max(least + 1, len(grid) - least))
    left, right = np.maximum(here - reach, 0), np.minimum(here + reach, len(grid))
    if len(here) < 3 or gap >= least:
        return float(grid[len(grid) // 2]), 0.0

    # The slope between the averages, where windows are cut off at the ends of the scan too, less the usual slope
    # nearby; most of a short scan is near the edge, so that nothing in it is usual
    before = (total[here - gap] - total[left]) / (here - gap - left)
    behind = (total[right] - total[here + gap]) / (right - here - gap)
    distance = (here + gap + right - (left + here - gap)) / 2
    plain = slope = (behind - before) / distance
    if (nearby := round(_NEARBY_EV / step)) < len(slope):
        slope = plain - median_filter(plain, nearby)

    inside = (grid[here] >= within[0]) & (grid[here] <= within[1])
    if not inside.any():
        return float(grid[len(grid) // 2]), 0.0
    here, distance, plain, slope = here[inside], distance[inside], plain[inside], slope[inside]

    # A white line falls behind its edge, at times as much as the edge rises; a fall without a rise before it is a fall
    falls = np.maximum(slope, plain)
    rise, fall = int(np.argmax(slope)), int(np.argmin(falls))
    best = rise if slope[rise] * (2 if rise < fall else 1) >= -falls[fall] else fall
    return float(grid[here[best]]), float(slope[best] * distance[best])


def last_half_crossing(energy: Floats, normalised: Floats, near_ev: float) -> float | None:
    """Where a normalised spectrum last rises through one half, before its main maximum, in eV.

    Args:
        energy: (n,) in eV, rising.
        normalised: (n,)
        near_ev: roughly the edge's energy; the crossing is searched within `_PEAK_EV` of it.

    Returns:
        The energy, interpolated linearly; None if there is no such crossing.
    """
    window = np.flatnonzero(np.abs(energy - near_ev) <= _PEAK_EV)
    if len(window) < 2:
        return None
    top = window[int(np.argmax(normalised[window]))]
    below = normalised[window[0] : top + 1] < _HALF
    rises = np.flatnonzero(below[:-1] & ~below[1:])
    if not len(rises):
        return None
    left = window[0] + rises[-1]
    share = (_HALF - normalised[left]) / (normalised[left + 1] - normalised[left])
    return float(energy[left] + share * (energy[left + 1] - energy[left]))
