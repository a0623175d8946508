"""The trap of matgl 4: into which atom a bond's message is summed.

Up to version 3, M3GNet in matgl summed the message of a bond i→j into its destination j; since its change #761 it
sums into the source i. The published weights were trained with the former. Summed into the source, they give wrong
energies for every compound and features unrelated to the published ones. (Elements stay right, as their atoms are
alike.)

    energy, eV/atom           destination    source
    NaCl, rock salt              -3.39        -2.77
    TiO2, rutile                 -9.02        -4.79

So our own forward pass (`m3gnet_network`) sums into the destination. `reference_model`, which is matgl's own model with
that one step replaced, does so too; tests and the benchmark compare with it. Both are only used if they give the known
energy of NaCl.
"""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import torch
from pymatgen.core import Structure
from torch import Tensor

from xanesflow.core.errors import XanesflowError

NACL_ENERGY = -3.3884
"""eV/atom of rock salt NaCl at a = 5.69 Å by M3GNet-MP-2021.2.8-PES."""

TOLERANCE = 0.001
"""eV/atom; a wrong sum is off by 0.6."""

ENERGY_SCALE = 0.389599794401098
"""eV per unit of the atomic outputs (`data_std` of the published model.json)."""

REFERENCE_ENERGIES = {8: -7.38535712, 11: -2.5281101, 17: -3.0376327, 22: -11.44988214}
"""Atomic number → the model's energy of an atom of this element, eV (`element_refs` of model.json), for the checks."""


def rock_salt() -> Structure:
    """NaCl, two atoms, a = 5.69 Å."""
    half = 5.69 / 2
    return Structure(
        [[0, half, half], [half, 0, half], [half, half, 0]], ["Na", "Cl"], [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]
    )


def check_energy(energy: float, of: str) -> None:
    """Raise XanesflowError unless `energy` (eV/atom) is the published model's for rock salt; `of` names the model."""
    if not abs(energy - NACL_ENERGY) < TOLERANCE:
        raise XanesflowError(
            f"{of} gives {energy:.4f} eV/atom for rock salt instead of {NACL_ENERGY:.4f}, so its features would be "
            "wrong too: a library has changed how it calculates (see features/graph_networks/matgl_sum.py); "
            "install the pinned versions of torch and matgl."
        )


def reference_model(folder: str | Path) -> Any:
    """Load matgl's own M3GNet and make it sum into the destination: slow, for comparison.

    Args:
        folder: with matgl's model.json, model.pt and state.pt.

    Returns:
        matgl's `Potential`; after `reference_features(…)` its network holds all features.

    Raises:
        XanesflowError: matgl no longer has this step, or the energy of rock salt is wrong.
    """
    import matgl  # heavy, and only for comparison

    potential = matgl.load_model(folder)
    for layer in potential.model.graph_layers:
        if not hasattr(layer.conv, "node_update_"):
            raise XanesflowError(
                f"matgl {matgl.__version__} has no M3GNetGraphConv.node_update_, where its sum is corrected: "
                "install the pinned version of matgl, or adapt xanesflow/features/graph_networks/matgl_sum.py."
            )
        layer.conv.node_update_ = types.MethodType(_sum_into_destination, layer.conv)
    check_energy(reference_energy_per_atom(potential, rock_salt()), f"matgl {matgl.__version__}")
    return potential


def _sum_into_destination(  # noqa: PLR0917 - matgl's signature
    conv: Any, edge_index: Tensor, edges: Tensor, nodes: Tensor, radial: Tensor, _: Any, n_nodes: int
) -> Tensor:
    """The atoms' update of one block, Σ_i φ(v_i, v_j, e_ij) ⊙ W R(r_ij); replaces matgl's method."""
    source, destination = edge_index
    joined = torch.hstack([nodes[source], nodes[destination], edges])
    message = conv.node_update_func(joined) * conv.node_weight_func(radial)
    return message.new_zeros(n_nodes, message.shape[1]).index_add_(0, destination.long(), message)


@torch.inference_mode()
def reference_features(potential: Any, structure: Structure) -> dict[str, Tensor]:
    """Features by matgl's `predict_structure`: name of the layer (embedding, gc_1, gc_2, gc_3) → (atoms, 64)."""
    potential.model.predict_structure(structure)
    layers = potential.model.feature_dict
    return {name: layers[name]["node_feat"] for name in ("embedding", "gc_1", "gc_2", "gc_3")}


@torch.inference_mode()
def reference_energy_per_atom(potential: Any, structure: Structure) -> float:
    """Energy by matgl's network in eV/atom, for a structure of elements in `REFERENCE_ENERGIES`."""
    total = ENERGY_SCALE * float(potential.model.predict_structure(structure))
    return (total + sum(REFERENCE_ENERGIES[site.specie.Z] for site in structure)) / len(structure)
