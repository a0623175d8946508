"""Transfer features of M3GNet: what the pretrained network knows about each atom's surroundings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pymatgen.core import Structure

from xanesflow.features.featurize_structures import Features, Featurizer
from xanesflow.features.graph_networks import matgl_sum
from xanesflow.features.graph_networks.m3gnet_basis import CUTOFF
from xanesflow.features.graph_networks.m3gnet_network import M3GNetNetwork
from xanesflow.features.graph_networks.weights import M3GNET_HASH, m3gnet_weights
from xanesflow.features.neighbors import BondGraph, bond_graph

ELEMENTS = tuple(z for z in range(1, 95) if z not in (84, 85, 86, 87, 88))
"""Atomic numbers that the network knows, in the order of its embedding: H to Pu without Po, At, Rn, Fr, Ra."""

_LAYERS = ("embedding", "gc_1", "gc_2", "gc_3")


@dataclass(frozen=True)
class BuildBondGraph:
    """Structure → bonds up to the cutoff (Å), for the elements of one model."""

    cutoff: float
    known_elements: frozenset[int]

    def __call__(self, structure: Structure) -> BondGraph:
        """The graph; raises NotFeaturizableError."""
        return bond_graph(structure, self.cutoff, self.known_elements)


class M3GNetFeaturizer(Featurizer):
    """Node features of M3GNet-MP-2021.2.8-PES.

    Args:
        weights: the model's folder or state.pt; None: see `weights.find_m3gnet_weights`.
        all_layers: the embedding and all three blocks (256 numbers, `m3gnet_all`), or the last block (64, `m3gnet`).
        device: "cpu" or "cuda".
        workers: processes; with a GPU they build graphs for it.

    Raises:
        XanesflowError: see `weights.m3gnet_weights`; or the network does not give a known energy (see `matgl_sum`).
    """

    def __init__(
        self,
        weights: str | Path | None = None,
        *,
        all_layers: bool = False,
        device: str = "cpu",
        workers: int = 1,
    ) -> None:
        # 128 atoms fit the caches of a CPU.
        super().__init__(device=device, workers=workers, batch_atoms=128 if device == "cpu" else 8192)
        self.name = "m3gnet_all" if all_layers else "m3gnet"
        self._layers = _LAYERS if all_layers else _LAYERS[-1:]
        self.dimension = 64 * len(self._layers)
        self.meaning = (
            f"node features of M3GNet-MP-2021.2.8-PES, {' | '.join(self._layers)}, 64 numbers each, dimensionless"
        )
        self.weights_hash = M3GNET_HASH
        self.packages = ("torch", "pymatgen-core")
        self.batch_size = 60_000 if device == "cpu" else 2_000_000  # bonds, of about 1.5 kB each
        self._network = M3GNetNetwork(m3gnet_weights(weights), ELEMENTS, device)
        matgl_sum.check_energy(self.energy_per_atom(matgl_sum.rock_salt()), "xanesflow's M3GNet")

    @property
    def build_graph(self) -> Callable[[Structure], BondGraph]:
        """Bonds up to 5 Å."""
        return BuildBondGraph(CUTOFF, frozenset(ELEMENTS))

    def evaluate(self, graphs: Sequence[BondGraph]) -> list[Features]:
        """(atoms, dimension) float32 for each graph."""
        layers = self._network.forward(graphs)
        joined = torch.cat(layers[-len(self._layers) :], dim=1).cpu().numpy()
        ends = np.cumsum([len(graph.atomic_numbers) for graph in graphs])[:-1]
        return [part.copy() for part in np.split(joined, ends)]

    def energy_per_atom(self, structure: Structure) -> float:
        """The potential's energy in eV/atom, for a structure of elements in `matgl_sum.REFERENCE_ENERGIES`.

        The energy is a scale times the sum of the atomic outputs, plus an energy for each atom by its element.
        """
        graph = self.build_graph(structure)
        outputs = self._network.readout(self._network.forward([graph])[-1])
        of_elements = np.mean([matgl_sum.REFERENCE_ENERGIES[int(z)] for z in graph.atomic_numbers])
        return float(matgl_sum.ENERGY_SCALE * outputs.mean().item() + of_elements)
