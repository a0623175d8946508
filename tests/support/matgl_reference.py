"""matgl's own M3GNet, made to sum into the destination (see features/graph_networks/matgl_sum.py): the reference."""

import types

import torch

from xanesflow.features.graph_networks.matgl_sum import ENERGY_SCALE, REFERENCE_ENERGIES, check_energy, rock_salt


def reference_model(folder):
    """matgl's `Potential` from a folder with model.json, model.pt and state.pt; its energy of rock salt is checked."""
    import matgl  # it and Lightning take seconds, in each process that collects the tests

    potential = matgl.load_model(folder)
    for layer in potential.model.graph_layers:
        assert hasattr(layer.conv, "node_update_"), "matgl's step has another name"
        layer.conv.node_update_ = types.MethodType(_sum_into_destination, layer.conv)
    check_energy(reference_energy_per_atom(potential, rock_salt()), f"matgl {matgl.__version__}")
    return potential


def _sum_into_destination(conv, edge_index, edges, nodes, radial, _, n_nodes):  # noqa: PLR0917 - matgl's signature
    """The atoms' update of one block, Σ_i φ(v_i, v_j, e_ij) ⊙ W R(r_ij); replaces matgl's method."""
    source, destination = edge_index
    joined = torch.hstack([nodes[source], nodes[destination], edges])
    message = conv.node_update_func(joined) * conv.node_weight_func(radial)
    return message.new_zeros(n_nodes, message.shape[1]).index_add_(0, destination.long(), message)


@torch.inference_mode()
def reference_features(potential, structure):
    """Features by matgl's `predict_structure`: name of the layer (embedding, gc_1, gc_2, gc_3) -> (atoms, 64)."""
    potential.model.predict_structure(structure)
    layers = potential.model.feature_dict
    return {name: layers[name]["node_feat"] for name in ("embedding", "gc_1", "gc_2", "gc_3")}


@torch.inference_mode()
def reference_energy_per_atom(potential, structure):
    """Energy by matgl's network in eV/atom, for a structure of elements in `REFERENCE_ENERGIES`."""
    total = ENERGY_SCALE * float(potential.model.predict_structure(structure))
    return (total + sum(REFERENCE_ENERGIES[site.specie.Z] for site in structure)) / len(structure)
