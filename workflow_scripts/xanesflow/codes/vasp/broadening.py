"""Lorentzian broadening of a spectrum on an even grid."""

from __future__ import annotations

import numpy as np
from scipy.signal import fftconvolve

from xanesflow.core.array_types import Floats

_FAR = 1000.0  # beyond this many steps the kernel equals the Lorentzian itself, to 1e-6 of its value


def broaden_lorentzian(values: Floats, *, step_ev: float, width_ev: float) -> Floats:
    """Convolve a spectrum with a Lorentzian.

    The spectrum is taken as straight lines between its points, which fall to zero within one step before the first and
    after the last. The convolution of that function is exact, however coarse the grid is.

    Args:
        values: (n,) the spectrum on an even grid.
        step_ev: distance between the grid's points.
        width_ev: full width of the Lorentzian at half its maximum.

    Returns:
        (n,) the broadened spectrum at the same energies.
    """
    return np.asarray(fftconvolve(values, lorentzian_kernel(len(values), step_ev, width_ev), mode="valid"))


def lorentzian_kernel(number: int, step_ev: float, width_ev: float) -> Floats:
    """Broaden a hat function of height 1 and half-width `step_ev`, at distances of -n+1 ... n-1 steps.

    The result is the second difference of the Lorentzian's second integral.
    """
    half = width_ev / 2
    distance = step_ev * np.arange(-number, number + 1, dtype=np.float64)
    # The second integral of (half / π) / (x² + half²).
    twice = (distance * np.arctan(distance / half) - half / 2 * np.log1p((distance / half) ** 2)) / np.pi
    kernel: Floats = np.diff(twice, n=2) / step_ev
    inner = distance[1:-1]
    far = np.abs(inner) > _FAR * step_ev  # where the difference would lose all digits
    kernel[far] = step_ev * half / np.pi / (inner[far] ** 2 + half**2)
    return kernel
