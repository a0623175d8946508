"""The energy grid of the dataset, the σ envelope on it, and even energies elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import GridNotCoveredError

N_POINTS = 141
STEP_EV = 0.25
RANGE_EV = 35.0

MAX_FLAT_START_EV = 10.0
"""By default, how many eV the first computed point may lie after the start of the grid."""

_TOLERANCE = 1e-6  # in steps: an end that misses a multiple by rounding alone counts as one


def energy_grid(start_ev: float) -> Floats:
    """Return the 141 absolute energies in eV: 35 eV from `start_ev` in steps of 0.25 eV."""
    return start_ev + STEP_EV * np.arange(N_POINTS, dtype=np.float64)


def even_energies(first_ev: float, last_ev: float, step_ev: float) -> Floats:
    """(n,) the multiples of a step from `first_ev` to `last_ev`, in eV; none where the range holds none."""
    first, last = np.ceil(first_ev / step_ev - _TOLERANCE), np.floor(last_ev / step_ev + _TOLERANCE)
    return np.round(np.arange(first, last + 1) * step_ev, 6)


def onto_grid(energy_ev: Floats, values: Floats, *, start_ev: float, max_flat_start_ev: float) -> Floats:
    """Interpolate a computed spectrum linearly onto the grid, in the way of the published spectra.

    Only computed points with start < E < start + 35 eV (both exclusive) are used. Grid points before the first or after
    the last of them take its value. So the end of the grid continues flat from the last point before it, and is not
    interpolated to the next point (which would change the last value by up to 3 %).

    Args:
        energy_ev: (n,) absolute energies in eV, strictly increasing.
        values: (n,) the spectrum there.
        start_ev: first energy of the grid.
        max_flat_start_ev: how many eV the first point may lie after the start of the grid.

    Returns:
        (141,) the spectrum on the grid, in the unit of `values`.

    Raises:
        GridNotCoveredError: the computed points end before the grid does, or start too late.
    """
    check_covered(energy_ev, start_ev=start_ev, max_flat_start_ev=max_flat_start_ev)
    inside = (energy_ev > start_ev) & (energy_ev < start_ev + RANGE_EV)
    return np.interp(energy_grid(start_ev), energy_ev[inside], values[inside])


def check_covered(energy_ev: Floats, *, start_ev: float, max_flat_start_ev: float) -> None:
    """Check that a computed spectrum spans the grid; see `onto_grid`.

    Raises:
        GridNotCoveredError: the computed points end before the grid does, or start too late.
    """
    end_ev = start_ev + RANGE_EV
    inside = (energy_ev > start_ev) & (energy_ev < end_ev)
    if energy_ev.size == 0 or energy_ev[-1] < end_ev:
        last = f"{energy_ev[-1]:.2f}" if energy_ev.size else "no"
        raise GridNotCoveredError(f"the last computed energy is {last} eV, and the grid ends at {end_ev:.2f} eV")
    if not inside.any() or energy_ev[inside][0] - start_ev > max_flat_start_ev:
        raise GridNotCoveredError(
            f"the first computed energy in the grid is {energy_ev[energy_ev > start_ev][0]:.2f} eV, more than "
            f"{max_flat_start_ev:g} eV after its start at {start_ev:.2f} eV"
        )


@dataclass(frozen=True)
class Envelope:
    """Which spectra stay within mean ± c σ of all spectra.

    Attributes:
        kept: (n,) whether a spectrum stays inside at every grid point.
        worst_sigma: (n,) its greatest distance from the mean, in standard deviations.
        worst_index: (n,) the grid point of that distance.
        bounds: (2, 141) mean ± c σ; None: all spectra are kept.
    """

    kept: NDArray[np.bool_]
    worst_sigma: Floats
    worst_index: NDArray[np.int64]
    bounds: Floats | None = None


def envelope(spectra: Floats, c: float | None) -> Envelope:
    """Find the spectra that leave the σ envelope (arXiv 2409.19552, data curation).

    A spectrum is out if |μ_j - mean_j| > c σ_j at any grid point j. Mean and population standard deviation are computed
    once, over all given spectra.

    Args:
        spectra: (n, 141).
        c: number of standard deviations; None keeps all.
    """
    mean, sigma = spectra.mean(axis=0), spectra.std(axis=0)
    distance = np.abs(spectra - mean)
    in_sigma = np.divide(distance, sigma, out=np.zeros_like(distance), where=sigma > 0)
    kept = np.ones(len(spectra), dtype=bool) if c is None else (distance <= c * sigma).all(axis=1)
    worst = in_sigma.argmax(axis=1)
    bounds = None if c is None else np.array([mean - c * sigma, mean + c * sigma])
    return Envelope(kept, in_sigma[np.arange(len(spectra)), worst], worst, bounds)
