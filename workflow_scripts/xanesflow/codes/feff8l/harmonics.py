"""Angular functions of multiple scattering: real spherical harmonics, their triple integrals, Hankel functions.

Channel L = (l, m) has index l² + l + m. Real harmonics with m > 0 vary as cos(mφ), those with m < 0 as sin(|m|φ).
Each is even or odd under x → -x, y → -y and z → -z, and the scattering uses this for symmetry.
"""

from __future__ import annotations

from functools import cache
from math import factorial, pi, sqrt

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy.special import assoc_legendre_p_all

from xanesflow.core.array_types import Complexes, Floats


def n_channels(l_max: int) -> int:
    """Number of channels with l ≤ l_max."""
    return (l_max + 1) ** 2


def channel_l(l_max: int) -> NDArray[np.int64]:
    """The l of each channel, ((l_max + 1)²,)."""
    return np.repeat(np.arange(l_max + 1), 2 * np.arange(l_max + 1) + 1)


def real_harmonics(directions: Floats, l_max: int) -> Floats:
    """Real orthonormal spherical harmonics Y_L.

    Args:
        directions: (n, 3) vectors of any length but zero.
        l_max: largest l.

    Returns:
        (n, (l_max + 1)²).
    """
    x, y, z = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).T
    phi = np.arctan2(y, x)
    legendre = assoc_legendre_p_all(l_max, l_max, np.clip(z, -1, 1))[0]  # (l, m, n), with the Condon-Shortley phase
    values = np.empty((len(directions), n_channels(l_max)))
    for l in range(l_max + 1):
        for m in range(-l, l + 1):
            k = abs(m)
            norm = (-1) ** k * sqrt((2 * l + 1) / (4 * pi) * factorial(l - k) / factorial(l + k) * (2 if m else 1))
            angle = np.cos(k * phi) if m >= 0 else np.sin(k * phi)
            values[:, l * l + l + m] = norm * legendre[l, k] * angle
    return values


@cache
def triple_integrals(l_max: int) -> Floats:
    """C(L, L', L''), the integral of three real harmonics over the sphere, by an exact quadrature.

    Returns:
        ((l_max + 1)², (l_max + 1)², (2 l_max + 1)²); the last index, L'', reaches l = 2 l_max.
    """
    nodes, weights = leggauss(2 * l_max + 1)
    phi = 2 * pi * np.arange(4 * l_max + 2) / (4 * l_max + 2)
    sine = np.sqrt(1 - nodes**2)
    points = np.stack(
        [np.outer(sine, np.cos(phi)), np.outer(sine, np.sin(phi)), np.outer(nodes, np.ones_like(phi))], axis=-1
    ).reshape(-1, 3)
    weight = np.repeat(weights, len(phi)) * (2 * pi / len(phi))
    outer = real_harmonics(points, 2 * l_max)
    inner = outer[:, : n_channels(l_max)]
    integrals = np.einsum("p,pa,pb,pc->abc", weight, inner, inner, outer, optimize=True)
    integrals[np.abs(integrals) < 1e-12] = 0
    return integrals


def hankel(z: Complexes, l_max: int) -> Complexes:
    """Spherical Hankel functions of the first kind, h_0 = -i exp(iz)/z, by upward recursion, which is stable for them.

    Args:
        z: (n,) arguments, not zero.
        l_max: largest l.

    Returns:
        (l_max + 1, n).
    """
    values = np.empty((l_max + 1, len(z)), dtype=np.complex128)
    values[0] = -1j * np.exp(1j * z) / z
    if l_max:
        values[1] = values[0] * (1 / z - 1j)
    for l in range(1, l_max):
        values[l + 1] = (2 * l + 1) / z * values[l] - values[l - 1]
    return values


@cache
def parities(l_max: int) -> NDArray[np.int64]:
    """Sign that each channel takes under x → -x, y → -y and z → -z, (3, (l_max + 1)²)."""
    signs = np.ones((3, n_channels(l_max)), dtype=np.int64)
    for l in range(l_max + 1):
        for m in range(-l, l + 1):
            k, at = abs(m), l * l + l + m
            signs[0, at] = (-1) ** (k + (m < 0))  # x → -x: φ → π - φ
            signs[1, at] = -1 if m < 0 else 1  # y → -y: φ → -φ
            signs[2, at] = (-1) ** (l + k)
    return signs
