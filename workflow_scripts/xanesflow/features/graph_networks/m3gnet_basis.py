"""The functions of distance and direction that M3GNet uses, as tensors.

Source: Chen & Ong, Nat. Comput. Sci. 2, 718 (2022), with the choices of the published model
M3GNet-MP-2021.2.8-PES: three radial functions n for each of the angular momenta l = 0, 1, 2, cutoff 5 Å for bonds
and for angles. Nine pairs (l, n) in the order (0,0) (0,1) (0,2) (1,0) … (2,2)
are the columns of everything here.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

CUTOFF = 5.0
"""Å; the longest bond, and the longest bond that takes part in angles."""

BESSEL_ROOTS = (
    (math.pi, 2 * math.pi, 3 * math.pi),
    (4.493409457909064, 7.725251836937707, 10.904121659428899),
    (5.763459196894550, 9.095011330476355, 12.322940970566582),
)
"""z_ln, the first three positive zeros of the spherical Bessel functions j_0, j_1, j_2."""

_L_OF_COLUMN = [degree for degree in range(3) for _ in range(3)]

COLUMN_OF_COMPONENT = [0, 1, 2] + [3] * 3 + [4] * 3 + [5] * 3 + [6] * 5 + [7] * 5 + [8] * 5
"""For each of the 27 components (l, n, m), m running fastest: its column (l, n)."""

HARMONIC_OF_COMPONENT = [0, 0, 0] + [1, 2, 3] * 3 + [4, 5, 6, 7, 8] * 3
"""For each of the 27 components (l, n, m): its column (l, m) of `harmonics`."""


def _bessel(degree: int, x: Tensor) -> Tensor:
    """Spherical Bessel function j_l of l = `degree` from 0 to 3, elementwise; x > 0."""
    sin, cos = torch.sin(x), torch.cos(x)
    if degree == 0:
        return sin / x
    if degree == 1:
        return (sin / x - cos) / x
    if degree == 2:
        return ((3 / x**2 - 1) * sin - 3 * cos / x) / x
    return ((15 / x**3 - 6 / x) * sin - (15 / x**2 - 1) * cos) / x


def radial_basis(distance: Tensor) -> Tensor:
    """The nine radial functions R_ln(r) = sqrt(2/c³) j_l(z_ln r/c) / |j_{l+1}(z_ln)|, orthonormal within c = CUTOFF.

    Args:
        distance: (bonds,) Å, above zero and up to CUTOFF.

    Returns:
        (bonds, 9) in Å^-3/2, with the dtype of the distances.
    """
    columns = []
    for degree, roots_of_degree in enumerate(BESSEL_ROOTS):
        roots = torch.tensor(roots_of_degree, dtype=torch.float64)
        norm = math.sqrt(2 / CUTOFF**3) / _bessel(degree + 1, roots).abs()
        x = distance[:, None] * (roots / CUTOFF).to(distance)
        columns.append(_bessel(degree, x) * norm.to(distance))
    return torch.cat(columns, dim=1)


def smooth_cutoff(distance: Tensor) -> Tensor:
    """f_c(r) = 1 − 10 x³ + 15 x⁴ − 6 x⁵ with x = r/CUTOFF: one at 0, and zero with two derivatives at the cutoff."""
    x = distance / CUTOFF
    return 1 + x**3 * (-10 + x * (15 - 6 * x))


def harmonics(direction: Tensor) -> Tensor:
    """Real harmonics C_lm of unit vectors, scaled so that the addition theorem reads Σ_m C_lm(u) C_lm(w) = P_l(u·w).

    (Racah's normalisation, C_lm = sqrt(4π/(2l+1)) Y_lm; the signs and order of m do not matter for the sum.)

    Args:
        direction: (bonds, 3) unit vectors.

    Returns:
        (bonds, 9): one column for l = 0, three for l = 1, five for l = 2.
    """
    x, y, z = direction.unbind(1)
    root3 = math.sqrt(3)
    return torch.stack(
        [
            torch.ones_like(x),
            *(x, y, z),
            *(root3 * x * y, root3 * y * z, root3 * z * x, root3 / 2 * (x * x - y * y), 1.5 * z * z - 0.5),
        ],
        dim=1,
    )


def harmonic_norms(like: Tensor) -> Tensor:
    """(9,) sqrt((2l+1)/4π) of each column: Y_l0(θ) = sqrt((2l+1)/4π) P_l(cos θ), the angular function of the model."""
    return torch.tensor([math.sqrt((2 * degree + 1) / (4 * math.pi)) for degree in _L_OF_COLUMN]).to(like)


def sum_over_m(like: Tensor) -> Tensor:
    """(27, 9) matrix of ones and zeros that sums components (l, n, m) over m into columns (l, n)."""
    matrix = torch.zeros(27, 9)
    matrix[torch.arange(27), torch.tensor(COLUMN_OF_COMPONENT)] = 1
    return matrix.to(like)
