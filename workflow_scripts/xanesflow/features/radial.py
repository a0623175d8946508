"""How many atoms are at which distance: smoothed histograms of an atom's distances to its neighbours.

For an atom i, centres c and a width σ the numbers are

    h_i(c) = Σ_j exp(-(r_ij - c)² / 2σ²),      over all other atoms j | over oxygens only

A graph network's features hold this only indirectly, and K-edge spectra follow bond lengths closely: above the
edge they shift with 1/r² of the first shells (Natoli's rule). There is no network, hence nothing to download.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure
from scipy.sparse import csr_array

from xanesflow.core.files import sha256_text
from xanesflow.features.featurize_structures import Features, Featurizer
from xanesflow.features.neighbors import BondGraph, bond_graph

CENTRES = 1.6 + 0.3 * np.arange(15)
"""Å, 1.6 to 5.8."""

WIDTH = 0.25
"""Å, the standard deviation σ of each Gaussian."""

CUTOFF = float(CENTRES[-1] + 5 * WIDTH)
"""Å; a neighbour that crosses it changes a number by 4e-6."""

OXYGEN = 8

ELEMENTS = frozenset(range(1, 119))
"""Distances need no trained model, so every element is known."""


class ShellFeaturizer(Featurizer):
    """Counts an atom's neighbours in soft shells by a formula; there is no network.

    Args:
        device: accepted as by other featurizers, but the work is always done on the CPU.
        workers: processes.

    Raises:
        XanesflowError: the device is not known.
    """

    packages = ("numpy", "pymatgen-core", "scipy")
    cutoff: float  # the farthest neighbour, Å

    def __init__(self, *, device: str = "cpu", workers: int = 1) -> None:
        super().__init__(device=device, workers=workers, batch_atoms=128)
        self.weights_hash = sha256_text(json.dumps(self.parameters(), sort_keys=True))

    @property
    def build_graph(self) -> Callable[[Structure], BondGraph]:
        """Distances and directions up to the cutoff."""
        return partial(bond_graph, cutoff=self.cutoff, known_elements=ELEMENTS)

    def evaluate(self, graphs: Sequence[BondGraph]) -> list[Features]:
        """(atoms, dimension) float32 for each graph."""
        return [self.numbers(graph).astype(np.float32) for graph in graphs]

    @staticmethod
    @abstractmethod
    def parameters() -> dict[str, Any]:
        """What the numbers depend on, as plain values for JSON; the features' hash is made from it."""

    @staticmethod
    @abstractmethod
    def numbers(graph: BondGraph) -> NDArray[np.float64]:
        """(atoms, dimension) features of a graph's atoms."""


class RadialFeaturizer(ShellFeaturizer):
    """Smoothed histograms of the distances to all neighbours (15 numbers) and to oxygens only (15)."""

    name = "radial"
    dimension = 2 * len(CENTRES)
    meaning = (
        f"sums of Gaussians of width {WIDTH:g} Å at {CENTRES[0]:g}, {CENTRES[1]:g} … {CENTRES[-1]:g} Å over the "
        "distances to all neighbours | to oxygens alone, dimensionless"
    )
    cutoff = CUTOFF
    batch_size = 200_000  # bonds, of about 0.4 kB each

    @staticmethod
    def parameters() -> dict[str, Any]:
        """Centres, width and cutoff in Å, and the element that is also counted on its own."""
        return {"centres": CENTRES.round(6).tolist(), "width": WIDTH, "cutoff": CUTOFF, "alone": OXYGEN}

    @staticmethod
    def numbers(graph: BondGraph) -> NDArray[np.float64]:
        """Both histograms, (atoms, 30)."""
        return sum_of_atoms(graph, shell_weights(graph, CENTRES, WIDTH))


def shell_weights(graph: BondGraph, centres: NDArray[np.floating], width: float) -> NDArray[np.float64]:
    """(bonds, 2 · centres) how much a bond belongs to each shell, of all bonds, then again only of those to oxygen.

    Args:
        graph: a structure's bonds.
        centres: of the shells, Å.
        width: their standard deviation, Å.
    """
    gaussians = np.exp(-0.5 * ((graph.distance[:, None] - centres) / width) ** 2)
    to_oxygen = graph.atomic_numbers[graph.destination] == OXYGEN
    return np.hstack([gaussians, gaussians * to_oxygen[:, None]])


def sum_of_atoms(graph: BondGraph, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(atoms, d) sums of (bonds, d) values over the bonds that start at each atom; 0 for an atom without bonds."""
    atoms = len(graph.atomic_numbers)
    ends = np.concatenate([[0], np.cumsum(np.bincount(graph.source, minlength=atoms))])
    bonds = csr_array((np.ones(len(values)), np.arange(len(values)), ends), shape=(atoms, len(values)))
    sums: NDArray[np.float64] = bonds @ values
    return sums
