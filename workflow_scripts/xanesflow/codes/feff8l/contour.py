"""From the cross section at complex energies to the absorption at real ones, with the Fermi cutoff.

Broadens by a Lorentzian of half width Γ, cut off at the Fermi level, by integration in the complex plane
(A. L. Ankudinov et al., Phys. Rev. B 58, 7565 (1998), section II). F(z) is the analytic cross section, whose imaginary
part is the absorption; with a = ω + iΓ,

    μ(ω) = Im{ θ(ω - E_F) F(ω + iΓ) + (1/2πi) ∫ F(z) [1/(z - a) - 1/(z - a*)] dz },

where the integral runs from E_F to E_F + i∞. F is piecewise linear on that line, so each piece is integrated exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from xanesflow.core.array_types import Complexes, Floats
from xanesflow.core.units import HARTREE_EV

_OFF_FERMI = 1e-7 / HARTREE_EV  # hartree; the logarithm diverges with ω on the Fermi level


def absorption(
    omega: Floats, axis_energy: Floats, on_axis: Complexes, heights: Floats, on_vertical: Complexes, *, fermi: float,
    gamma: float,
) -> Floats:  # fmt: skip
    """Absorption at real energies.

    All energies share one unit, such as hartree.

    Args:
        omega: (n,) energies, on the scale of the Fermi level.
        axis_energy: (m,) real parts of the energies E + iΓ, increasing, from the Fermi level up.
        on_axis: (m,) F at those energies. Above the last one, F keeps its last value.
        heights: (v,) imaginary parts of the energies above the Fermi level, increasing, neither 0 nor Γ.
        on_vertical: (v,) F at those energies.
        fermi: Fermi level E_F.
        gamma: Γ > 0.

    Returns:
        (n,) in the unit of F.
    """
    y = np.append(heights, gamma)
    f = np.append(on_vertical, on_axis[0])
    order = np.argsort(y)
    y, f = y[order], f[order]
    y, f = np.append(0.0, y), np.append(f[0], f)
    z = fermi + 1j * y
    shifted = np.where(np.abs(omega - fermi) < _OFF_FERMI, fermi + _OFF_FERMI, omega)
    a = shifted + 1j * gamma
    integral = (_pieces(z, f, a) - _pieces(z, f, a.conj())) / (2j * np.pi)
    spline = CubicSpline(axis_energy, on_axis)
    above = np.where(shifted > fermi, spline(np.clip(shifted, axis_energy[0], axis_energy[-1])), 0)
    return np.asarray((above + integral).imag)


def _pieces(z: Complexes, f: Complexes, pole: Complexes) -> Complexes:
    """∫ F(z)/(z - pole) dz along a vertical line, (n,). F is linear between the points and constant above them.

    The divergent part at the upper end cancels between two poles.
    """
    slope = np.diff(f) / np.diff(z)
    start, stop = z[:-1, None] - pole, z[1:, None] - pole
    logarithm = np.log(stop / start)  # a piece turns by less than π as seen from the pole
    pieces = slope[:, None] * np.diff(z)[:, None] + (f[:-1, None] + slope[:, None] * (pole - z[:-1, None])) * logarithm
    return np.asarray(pieces.sum(axis=0) - f[-1] * np.log((z[-1] - pole) / 1j))


def thin_mesh(energies: Floats, largest_gap: float) -> NDArray[np.int64]:
    """Indices of the energies that suffice. Thinning widens no gap beyond `largest_gap` and keeps both ends.

    Args:
        energies: (n,) increasing.
        largest_gap: in the unit of the energies.
    """
    kept = [0]
    for k in range(1, len(energies) - 1):
        if energies[k + 1] - energies[kept[-1]] > largest_gap:
            kept.append(k)
    return np.array([*kept, len(energies) - 1])
