"""How many atoms stand at which distance: smoothed histograms of an atom's distances to its neighbours.

For an atom i, centres c and a width σ the numbers are

    h_i(c) = Σ_j exp(-(r_ij - c)² / 2σ²),      over all other atoms j | over oxygens alone

A graph network's features hold the same only indirectly, and K-edge spectra follow bond lengths closely: above the
edge they shift with 1/r² of the first shells (Natoli's rule). There is no network, hence nothing to download.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure
from scipy.sparse import csr_array

from xanesflow.features.base import Features, Featurizer
from xanesflow.features.neighbors import BondGraph, bond_graph

CENTRES = 1.6 + 0.3 * np.arange(15)
"""Å, 1.6 to 5.8."""

WIDTH = 0.25
"""Å, the standard deviation σ of each Gaussian."""

CUTOFF = float(CENTRES[-1] + 5 * WIDTH)
"""Å; a neighbour that crosses it changes a number by 4e-6."""

OXYGEN = 8

ELEMENTS = frozenset(range(1, 119))
"""Distances know all of them."""


class RadialFeaturizer(Featurizer):
    """Smoothed histograms of the distances to all neighbours (15 numbers) and to oxygens alone (15).

    Args:
        device: taken as the others take it; the work is done on the processor in any case.
        workers: processes.
        batch_atoms: atoms that are worked on at a time.

    Raises:
        XanesflowError: the device is not known.
    """

    def __init__(self, *, device: str = "cpu", workers: int = 1, batch_atoms: int | None = None) -> None:
        super().__init__(device=device, workers=workers, batch_atoms=batch_atoms or 128)
        self.name = "radial"
        self.dimension = 2 * len(CENTRES)
        self.meaning = (
            f"sums of Gaussians of width {WIDTH:g} Å at {CENTRES[0]:g}, {CENTRES[1]:g} … {CENTRES[-1]:g} Å over the "
            "distances to all neighbours | to oxygens alone, dimensionless"
        )
        parameters = {"centres": CENTRES.round(6).tolist(), "width": WIDTH, "cutoff": CUTOFF, "alone": OXYGEN}
        self.weights_hash = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()
        self.packages = ("numpy", "pymatgen-core", "scipy")
        self.batch_size = 200_000  # bonds, of about 0.4 kB each

    @property
    def build_graph(self) -> Callable[[Structure], BondGraph]:
        """Distances up to the cutoff."""
        return partial(bond_graph, cutoff=CUTOFF, known_elements=ELEMENTS)

    def evaluate(self, graphs: Sequence[BondGraph]) -> list[Features]:
        """(atoms, 30) float32 for each graph."""
        return [_histograms(graph) for graph in graphs]


def _histograms(graph: BondGraph) -> Features:
    """Both histograms of a graph's atoms."""
    gaussians = np.exp(-0.5 * ((graph.distance[:, None] - CENTRES) / WIDTH) ** 2)
    to_oxygen = graph.atomic_numbers[graph.destination] == OXYGEN
    both = np.hstack([gaussians, gaussians * to_oxygen[:, None]])
    return sum_of_atoms(graph, both).astype(np.float32)


def sum_of_atoms(graph: BondGraph, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(atoms, d) sums of (bonds, d) over the bonds that start at each atom; 0 where none does."""
    atoms = len(graph.atomic_numbers)
    ends = np.concatenate([[0], np.cumsum(np.bincount(graph.source, minlength=atoms))])
    bonds = csr_array((np.ones(len(values)), np.arange(len(values)), ends), shape=(atoms, len(values)))
    sums: NDArray[np.float64] = bonds @ values
    return sums
