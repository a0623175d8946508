"""How the neighbours of an atom are arranged around it: bond-orientational order in soft shells.

For an atom i, a soft shell around the distance c and an order l the number is

    q_i(l, c) = √(Σ_jk w_j w_k P_l(cos θ_jik)),      w_j = exp(-(r_ij - c)² / 2σ²)

over all other atoms j, k | over oxygens only, with P_l the Legendre polynomials (the bond order parameters of
Steinhardt, Nelson and Ronchetti, Phys. Rev. B 28, 784 (1983), not divided by the number of neighbours). Orders that a
site's symmetry forbids are zero. At a centre of inversion, where p and d states do not mix, all odd ones are. By the
addition theorem the double sum is a sum of squares, 4π/(2l+1) Σ_m |Σ_j w_j Y_lm|².
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import sph_harm_y

from xanesflow.features.neighbors import BondGraph
from xanesflow.features.radial import OXYGEN, ShellFeaturizer, shell_weights, sum_of_atoms

ORDERS = (1, 2, 3, 4, 5, 6)

SHELLS = np.array([1.95, 2.4, 2.9, 3.5, 4.2, 5.0])
"""Å."""

WIDTH = 0.35
"""Å, the standard deviation σ of each shell."""

CUTOFF = float(SHELLS[-1] + 5 * WIDTH)
"""Å; a neighbour that crosses it changes a weight by 4e-6."""


class AngularFeaturizer(ShellFeaturizer):
    """Six orders in six shells, of all neighbours (36 numbers) and of oxygens only (36)."""

    name = "angular"
    dimension = 2 * len(ORDERS) * len(SHELLS)
    meaning = (
        f"bond-orientational order in shells of width {WIDTH:g} Å at {', '.join(f'{c:g}' for c in SHELLS)} Å, for "
        f"each order {', '.join(map(str, ORDERS))} of all neighbours and then of oxygens alone, dimensionless"
    )
    cutoff = CUTOFF
    batch_size = 50_000  # bonds, of about 2 kB each

    @staticmethod
    def parameters() -> dict[str, Any]:
        """Orders; shells, width and cutoff in Å; and the element that is also counted on its own."""
        return {"orders": ORDERS, "shells": SHELLS.tolist(), "width": WIDTH, "cutoff": CUTOFF, "alone": OXYGEN}

    @staticmethod
    def numbers(graph: BondGraph) -> NDArray[np.float64]:
        """All orders, (atoms, orders · (all, oxygen) · shells)."""
        weights = shell_weights(graph, SHELLS, WIDTH)
        polar = np.arccos(np.clip(graph.direction[:, 2], -1.0, 1.0))
        azimuth = np.arctan2(graph.direction[:, 1], graph.direction[:, 0])
        return np.hstack([_order(graph, weights, order, polar, azimuth) for order in ORDERS])


def _order(
    graph: BondGraph,
    weights: NDArray[np.float64],
    order: int,
    polar: NDArray[np.float64],
    azimuth: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(atoms, columns of `weights`) numbers of one order."""
    squares = np.zeros((len(graph.atomic_numbers), weights.shape[1]))
    for m in range(order + 1):
        harmonic = sph_harm_y(order, m, polar, azimuth)
        for part in (harmonic.real, harmonic.imag) if m else (harmonic.real,):
            # The harmonics of -m have the same squares.
            squares += (2.0 if m else 1.0) * sum_of_atoms(graph, weights * part[:, None]) ** 2
    orders: NDArray[np.float64] = np.sqrt(4 * np.pi / (2 * order + 1) * squares)
    return orders
