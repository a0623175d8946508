"""Shift spectra in energy: the energies of two levels of theory differ, by a different amount at each site.

A cheap spectrum is known on a frame (`features.cheap_runs.columns`) that reaches 6 eV beyond the dataset's grid at each
end. A spectrum that is shifted up by s has at energy E the value that it had at E - s. It is linear between points and
constant beyond the ends.
"""

from __future__ import annotations

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import N_POINTS, STEP_EV
from xanesflow.features.cheap_runs.columns import FRAME_POINTS, MARGIN_POINTS

SEARCHED_EV = np.arange(-5.5, 5.51, 0.05)
"""Shifts to try."""

_NODES = 5


def onto_grid(frames: Floats, shifts_ev: Floats) -> Floats:
    """(n, 189) spectra on the frame -> (n, 141) on the dataset's grid, each shifted up by its own (n,) shift in eV."""
    wanted = np.arange(N_POINTS) + MARGIN_POINTS - shifts_ev[:, None] / STEP_EV
    return _read(frames, wanted)


def onto_grid_blurred(frames: Floats, shifts_ev: Floats, spread_ev: float) -> Floats:
    """`onto_grid`, averaged over normally distributed shifts with the standard deviation `spread_ev`.

    This is the expected spectrum if the shift is uncertain by that much. The average uses Gauss-Hermite quadrature.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    moved: Floats = np.zeros((len(frames), N_POINTS))
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        moved += weight * onto_grid(frames, shifts_ev + node * spread_ev)
    return moved


def into_frame(spectra: Floats, shifts_ev: Floats) -> Floats:
    """(n, 141) spectra on the grid -> (n, 189) on the frame, each shifted down by its own (n,) shift in eV."""
    wanted = np.arange(FRAME_POINTS) - MARGIN_POINTS + shifts_ev[:, None] / STEP_EV
    return _read(spectra, wanted)


def best_shifts(frames: Floats, spectra: Floats) -> Floats:
    """(n,) eV by which to shift each spectrum on the frame up so that it best fits its partner on the grid.

    The shift minimises the squared difference over the grid. A parabola interpolates between the `SEARCHED_EV`.

    Args:
        frames: (n, 189) in bohr².
        spectra: (n, 141) in bohr².
    """
    errors = np.array(
        [((onto_grid(frames, np.full(len(frames), shift)) - spectra) ** 2).mean(axis=1) for shift in SEARCHED_EV]
    )
    at = np.clip(errors.argmin(axis=0), 1, len(SEARCHED_EV) - 2)
    rows = np.arange(len(frames))
    below, here, above = errors[at - 1, rows], errors[at, rows], errors[at + 1, rows]
    bend = np.maximum(below - 2 * here + above, np.finfo(np.float64).tiny)
    step = SEARCHED_EV[1] - SEARCHED_EV[0]
    found: Floats = SEARCHED_EV[at] + step * np.clip(0.5 * (below - above) / bend, -1.0, 1.0)
    return found


def _read(values: Floats, wanted: Floats) -> Floats:
    """Values of each row at the (n, m) positions `wanted`, in points; linear between points, constant beyond."""
    places = np.clip(wanted, 0.0, values.shape[1] - 1.0)
    below = np.minimum(places.astype(np.intp), values.shape[1] - 2)
    share = places - below
    left, right = np.take_along_axis(values, below, axis=1), np.take_along_axis(values, below + 1, axis=1)
    read: Floats = left + share * (right - left)
    return read
