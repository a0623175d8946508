"""M3GNet's forward pass, from bonds to atoms' features: the published equations, arranged to be fast.

Source: Chen & Ong, Nat. Comput. Sci. 2, 718 (2022); weights and conventions of M3GNet-MP-2021.2.8-PES. Let v_i be
the features of atom i (64), e_ij those of the directed bond i→j (64), f_c a smooth cutoff, R_ln nine radial functions
(`m3gnet_basis`), ⊙ the elementwise product, σ the sigmoid, and φ(x) = g_layers(x) ⊙ g_gates(x) a gated perceptron.
At first v_i is a learned vector for each element and e_ij = swish(W R(r_ij) + b). Then, in each of three blocks:

1. Three-body sums (nine numbers t_ij) over all other neighbours k of the bond's source i enter the bond:
   t_ij,ln = f_c(r_ij) Σ_{k≠j} f_c(r_ik) R_ln(r_ik) Y_l0(θ_jik) σ(W v_k + b)_ln,      e_ij += φ_3(t_ij)
2. The bond is updated from its ends:       e_ij += φ_e(v_i, v_j, e_ij) ⊙ W_e R(r_ij)
3. Its message goes to the atom where it ENDS:  v_j += Σ_i φ_v(v_i, v_j, e_ij) ⊙ W_v R(r_ij)   (see `matgl_sum`)

Three rearrangements make it fast (benchmarks/bench_features.py); the first two are exact, the third to 1e-6:

- The sum over k factorises by the addition theorem, P_l(cos θ_jik) = Σ_m C_lm(ij) C_lm(ik). It is computed once per
  atom (27 numbers), and the term k = j is subtracted, instead of once per pair of bonds.
- The first layer of φ_e and φ_v acts on three joined vectors, so it is a sum of three products. Two of them are
  computed once per atom instead of once per bond.
- Bonds that are equal by symmetry are evaluated once (`bond_classes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from xanesflow.features.graph_networks import m3gnet_basis as basis
from xanesflow.features.graph_networks.bond_classes import BondSorter
from xanesflow.features.neighbors import BondGraph, concatenate, first_bond_of_atoms

BLOCKS = 3

_CHUNK_BONDS = 1024
"""Bonds at a time on a CPU: few enough that the layers between two products (256 kB each) stay in its cache."""


@dataclass(frozen=True)
class _Geometry:
    """What all blocks use of a batch; shapes in bonds B and atoms A.

    Attributes:
        source, destination: (B,) int64, the atoms of each bond.
        ends: (B, 2) int64, source and A + destination: rows of `_GatedUpdate.atoms_part`.
        radial: (B, 9) R_ln(r_ij).
        seen: (B, 27) f_c(r) R_ln(r) N_l C_lm: what a bond i→k adds to its source's sums, without the factor σ(v_k).
        asked: (B, 27) f_c(r) C_lm: what the sums are multiplied by for the bond i→j that they enter.
        outgoing: (A,) int64, where each atom's outgoing bonds begin (bonds are sorted by source).
        incoming: (B,) int64, the bonds sorted by destination.
        incoming_starts: (A,) int64, where each atom's incoming bonds begin among these.
    """

    source: Tensor
    destination: Tensor
    ends: Tensor
    radial: Tensor
    seen: Tensor
    asked: Tensor
    outgoing: Tensor
    incoming: Tensor
    incoming_starts: Tensor


class _GatedUpdate:
    """φ(v_i, v_j, e_ij) ⊙ W R(r_ij) with three-layer φ; the first layer is split into the parts of atoms and bonds."""

    def __init__(self, tensors: Mapping[str, Tensor], prefix: str, name: str) -> None:
        def get(key: str) -> Tensor:
            return tensors[f"{prefix}.{name}_update_func.{key}"]

        first = torch.cat([get("layers.0.weight"), get("gates.0.weight")]).T.contiguous()  # (192, 128)
        self.from_source, self.from_destination, self.from_bond = first.split(64)
        self.bias = torch.cat([get("layers.0.bias"), get("gates.0.bias")])
        self.hidden = [(get(f"{part}.2.bias"), get(f"{part}.2.weight").T) for part in ("layers", "gates")]
        self.last = [(get(f"{part}.4.bias"), get(f"{part}.4.weight").T) for part in ("layers", "gates")]
        self.radial = tensors[f"{prefix}.{name}_weight_func.weight"].T

    def atoms_part(self, atoms: Tensor) -> Tensor:
        """(2 A, 128): the first layer's part of every atom as a source, then as a destination (with the bias)."""
        return torch.cat([atoms @ self.from_source, torch.addmm(self.bias, atoms, self.from_destination)])

    def __call__(self, atoms_part: Tensor, bonds: Tensor, radial: Tensor) -> Tensor:
        """(B, 64) from the atoms' part (B, 128, overwritten), the bonds' features (B, 64) and `radial` (B, 9)."""
        first = functional.silu(atoms_part.addmm_(bonds, self.from_bond), inplace=True)
        (bias, weight), (gate_bias, gate_weight) = self.hidden
        layers = functional.silu(torch.addmm(bias, first[:, :64], weight), inplace=True)
        gates = functional.silu(torch.addmm(gate_bias, first[:, 64:], gate_weight), inplace=True)
        (bias, weight), (gate_bias, gate_weight) = self.last
        layers = functional.silu(torch.addmm(bias, layers, weight), inplace=True)
        gates = torch.addmm(gate_bias, gates, gate_weight).sigmoid_()
        return layers.mul_(gates).mul_(radial @ self.radial)


class _Block:
    """The weights of one block, joined and transposed once."""

    def __init__(self, tensors: Mapping[str, Tensor], number: int) -> None:
        three = f"three_body_interactions.{number}"
        # One row for each of the 27 components (l, n, m), the shape in which the sums need σ.
        self.neighbour = tensors[f"{three}.update_network_atom.layers.0.weight"][basis.COLUMN_OF_COMPONENT].T
        self.neighbour_bias = tensors[f"{three}.update_network_atom.layers.0.bias"][basis.COLUMN_OF_COMPONENT]
        self.sums_to_layer = tensors[f"{three}.update_network_bond.layers.0.weight"].T
        self.sums_to_gate = tensors[f"{three}.update_network_bond.gates.0.weight"].T
        self.edge = _GatedUpdate(tensors, f"graph_layers.{number}.conv", "edge")
        self.node = _GatedUpdate(tensors, f"graph_layers.{number}.conv", "node")


class M3GNetNetwork:
    """The network with its weights on one device.

    Args:
        tensors: name → tensor of the published state, names without the leading `model.`.
        elements: atomic numbers in the order of the network's element embedding.
        device: "cpu" or "cuda".
    """

    def __init__(self, tensors: Mapping[str, Tensor], elements: Sequence[int], device: str = "cpu") -> None:
        self.device = torch.device(device)
        tensors = {name: tensor.to(self.device, torch.float32) for name, tensor in tensors.items()}
        self._row_of_element = torch.full((max(elements) + 1,), -1, dtype=torch.int64, device=self.device)
        self._row_of_element[list(elements)] = torch.arange(len(elements), device=self.device)
        self._embedding = tensors["embedding.layer_node_embedding.weight"]
        self._first_bond = tensors["embedding.layer_edge_embedding.layers.0.weight"].T
        self._first_bond_bias = tensors["embedding.layer_edge_embedding.layers.0.bias"]
        self._blocks = [_Block(tensors, number) for number in range(BLOCKS)]
        self._readout = {name: tensor for name, tensor in tensors.items() if name.startswith("final_layer.")}

    @torch.inference_mode()
    def forward(self, graphs: Sequence[BondGraph]) -> list[Tensor]:
        """Atoms' features before the first block and after each.

        Args:
            graphs: a batch; the structures do not affect each other.

        Returns:
            Four tensors (atoms of all graphs, 64): embedding, block 1, 2, 3.
        """
        # `owner` keeps equal elements of different structures apart.
        numbers, owner, geometry, distance = self._batch(graphs)
        sorter = BondSorter(numbers * len(graphs) + owner, geometry.source, geometry.destination, distance)
        atoms = self._embedding[self._row_of_element[numbers]]
        layers = [atoms]
        bonds, kinds_before = None, None
        for block in self._blocks:
            # The kinds only get finer, so a kind's bond features come from the kind that it was split from.
            sums = _three_body_sums(block, geometry, atoms)
            kinds = sorter.refine(sums)
            radial = geometry.radial.index_select(0, kinds.example)
            if bonds is None or kinds_before is None:
                bonds = functional.silu(torch.addmm(self._first_bond_bias, radial, self._first_bond), inplace=True)
            else:
                bonds = bonds.index_select(0, kinds_before.of_bond[kinds.example])
            # Evaluate one bond of each kind, then sum the messages of all bonds into the atoms where they end.
            sums = sums.index_select(0, kinds.example)
            ends = geometry.ends.index_select(0, kinds.example)
            messages = self._update(block, atoms, bonds, sums=sums, ends=ends, radial=radial)
            arriving = kinds.of_bond[geometry.incoming]
            atoms = atoms + _sum_rows(messages, arriving, geometry.incoming_starts)
            layers.append(atoms)
            kinds_before = kinds
        return layers

    def _update(
        self, block: _Block, atoms: Tensor, bonds: Tensor, *, sums: Tensor, ends: Tensor, radial: Tensor
    ) -> Tensor:
        """Update the bonds (B, 64) in place and return their messages (B, 64); `ends` as in `_Geometry`."""
        edge_part, node_part = block.edge.atoms_part(atoms), block.node.atoms_part(atoms)
        messages = torch.empty_like(bonds)
        step = _CHUNK_BONDS if self.device.type == "cpu" else max(1, len(bonds))
        for start in range(0, len(bonds), step):
            # These are views, so adding to them changes the whole arrays.
            some, three, two, basis_of_some = (rows[start : start + step] for rows in (bonds, sums, ends, radial))
            gates = (three @ block.sums_to_gate).sigmoid_()
            some += functional.silu(three @ block.sums_to_layer, inplace=True).mul_(gates)
            # embedding_bag gathers two rows, the source's and the destination's, and adds them in one step.
            some += block.edge(functional.embedding_bag(two, edge_part, mode="sum"), some, basis_of_some)
            message = block.node(functional.embedding_bag(two, node_part, mode="sum"), some, basis_of_some)
            messages[start : start + step] = message
        return messages

    @torch.inference_mode()
    def readout(self, atoms: Tensor) -> Tensor:
        """(A,) the model's atomic outputs from the last block's features; see `M3GNetFeaturizer.energy_per_atom`."""
        layers = gates = atoms
        for index in (0, 2, 4, 6):
            last = index == 6  # the fourth of four layers
            layers = functional.linear(layers, *self._readout_layer("layers", index))
            gates = functional.linear(gates, *self._readout_layer("gates", index))
            layers = layers if last else functional.silu(layers)
            gates = torch.sigmoid(gates) if last else functional.silu(gates)
        return (layers * gates)[:, 0]

    def _readout_layer(self, part: str, index: int) -> tuple[Tensor, Tensor]:
        name = f"final_layer.gated.{part}.{index}"
        return self._readout[f"{name}.weight"], self._readout[f"{name}.bias"]

    def _batch(self, graphs: Sequence[BondGraph]) -> tuple[Tensor, Tensor, _Geometry, Tensor]:
        """Join graphs: atomic numbers (A,), the number of each atom's graph (A,), geometry, distances (B,) float64."""
        counts = np.array([len(graph.atomic_numbers) for graph in graphs])
        offsets = np.concatenate([[0], np.cumsum(counts)])
        n_atoms = int(offsets[-1])
        source = concatenate([graph.source for graph in graphs], offsets[:-1])
        destination = concatenate([graph.destination for graph in graphs], offsets[:-1])
        incoming = np.argsort(destination, kind="stable")

        def put(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(self.device)

        # Distances and directions are float64 up to here, as float32 coordinates of a large cell would lose digits.
        exact = put(np.concatenate([graph.distance for graph in graphs]))
        distance = exact.float()
        components = basis.harmonics(put(np.concatenate([graph.direction for graph in graphs])).float())
        cutoff = basis.smooth_cutoff(distance)[:, None]
        radial = basis.radial_basis(distance)
        strength = radial * basis.harmonic_norms(radial) * cutoff
        harmonic = torch.tensor(basis.HARMONIC_OF_COMPONENT, device=self.device)
        column = torch.tensor(basis.COLUMN_OF_COMPONENT, device=self.device)
        components = components.index_select(1, harmonic)
        geometry = _Geometry(
            source=put(source),
            destination=put(destination),
            ends=put(np.stack([source, destination + n_atoms], axis=1)),
            radial=radial,
            seen=strength.index_select(1, column) * components,
            asked=cutoff * components,
            outgoing=put(first_bond_of_atoms(source, n_atoms)),
            incoming=put(incoming),
            incoming_starts=put(first_bond_of_atoms(destination[incoming], n_atoms)),
        )
        numbers = put(np.concatenate([graph.atomic_numbers for graph in graphs]))
        return numbers, put(np.repeat(np.arange(len(graphs)), counts)), geometry, exact


def _three_body_sums(block: _Block, geometry: _Geometry, atoms: Tensor) -> Tensor:
    """(B, 9) t_ij: sum over all k once per atom, subtract each bond's own term, then sum over m."""
    gate = torch.sigmoid(torch.addmm(block.neighbour_bias, atoms, block.neighbour))
    own = geometry.seen * gate.index_select(0, geometry.destination)
    everything = _sum_rows(own, torch.arange(len(own), device=own.device), geometry.outgoing)
    others = everything.index_select(0, geometry.source).sub_(own)
    return others.mul_(geometry.asked) @ basis.sum_over_m(own)


def _sum_rows(rows: Tensor, order: Tensor, starts: Tensor) -> Tensor:
    """Sum runs of `rows[order]`, run s from starts[s] to starts[s+1]; the order of terms is fixed on every device."""
    return functional.embedding_bag(order, rows, starts, mode="sum")
