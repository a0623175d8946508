"""How the neighbours of an atom stand around it: bond-orientational order in soft shells.

For an atom i, a soft shell around the distance c and an order l the number is

    q_i(l, c) = √(Σ_jk w_j w_k P_l(cos θ_jik)),      w_j = exp(-(r_ij - c)² / 2σ²)

over all other atoms j, k | over oxygens alone, P_l the Legendre polynomials (the bond order parameters of Steinhardt,
Nelson and Ronchetti, Phys. Rev. B 28, 784 (1983), without their division by the number of neighbours). Orders that a
site's symmetry forbids are zero, as all odd ones are at a centre of inversion, where p and d
states do not mix. By the addition theorem the double sum is a sum of squares, 4π/(2l+1) Σ_m |Σ_j w_j Y_lm|².
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure
from scipy.special import sph_harm_y

from xanesflow.features.base import Features, Featurizer
from xanesflow.features.neighbors import BondGraph, bond_graph
from xanesflow.features.radial import ELEMENTS, OXYGEN, sum_of_atoms

ORDERS = (1, 2, 3, 4, 5, 6)

SHELLS = np.array([1.95, 2.4, 2.9, 3.5, 4.2, 5.0])
"""Å."""

WIDTH = 0.35
"""Å, the standard deviation σ of each shell."""

CUTOFF = float(SHELLS[-1] + 5 * WIDTH)
"""Å; a neighbour that crosses it changes a weight by 4e-6."""


class AngularFeaturizer(Featurizer):
    """Six orders in six shells, of all neighbours (36 numbers) and of oxygens alone (36).

    Args:
        device: taken as the others take it; the work is done on the processor in any case.
        workers: processes.
        batch_atoms: atoms that are worked on at a time.

    Raises:
        XanesflowError: the device is not known.
    """

    def __init__(self, *, device: str = "cpu", workers: int = 1, batch_atoms: int | None = None) -> None:
        super().__init__(device=device, workers=workers, batch_atoms=batch_atoms or 128)
        self.name = "angular"
        self.dimension = 2 * len(ORDERS) * len(SHELLS)
        self.meaning = (
            f"bond-orientational order in shells of width {WIDTH:g} Å at {', '.join(f'{c:g}' for c in SHELLS)} Å, for "
            f"each order {', '.join(map(str, ORDERS))} of all neighbours and then of oxygens alone, dimensionless"
        )
        parameters = {"orders": ORDERS, "shells": SHELLS.tolist(), "width": WIDTH, "cutoff": CUTOFF, "alone": OXYGEN}
        self.weights_hash = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()
        self.packages = ("numpy", "pymatgen-core", "scipy")
        self.batch_size = 50_000  # bonds, of about 2 kB each

    @property
    def build_graph(self) -> Callable[[Structure], BondGraph]:
        """Distances and directions up to the cutoff."""
        return partial(bond_graph, cutoff=CUTOFF, known_elements=ELEMENTS)

    def evaluate(self, graphs: Sequence[BondGraph]) -> list[Features]:
        """(atoms, 72) float32 for each graph."""
        return [_orders(graph) for graph in graphs]


def _orders(graph: BondGraph) -> Features:
    """All numbers of a graph's atoms, (atoms, orders · (all, oxygen) · shells)."""
    weights = np.exp(-0.5 * ((graph.distance[:, None] - SHELLS) / WIDTH) ** 2)
    to_oxygen = graph.atomic_numbers[graph.destination] == OXYGEN
    both = np.hstack([weights, weights * to_oxygen[:, None]])
    polar = np.arccos(np.clip(graph.direction[:, 2], -1.0, 1.0))
    azimuth = np.arctan2(graph.direction[:, 1], graph.direction[:, 0])
    columns = [_order(graph, both, order, polar, azimuth) for order in ORDERS]
    return np.hstack(columns).astype(np.float32)


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
            # Those of -m have the same square.
            squares += (2.0 if m else 1.0) * sum_of_atoms(graph, weights * part[:, None]) ** 2
    orders: NDArray[np.float64] = np.sqrt(4 * np.pi / (2 * order + 1) * squares)
    return orders
