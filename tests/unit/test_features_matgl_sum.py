"""The trap of matgl 4 (messages summed into the source) is there, is put right, and cannot come back silently."""

from __future__ import annotations

import dataclasses

import matgl_reference
import pytest
import torch
from features_data import m3gnet_folder, rutile

from xanesflow.core.errors import XanesflowError
from xanesflow.features.graph_networks import matgl_sum
from xanesflow.features.graph_networks.m3gnet import M3GNetFeaturizer
from xanesflow.features.graph_networks.m3gnet_network import M3GNetNetwork


def test_matgl_as_installed_still_sums_into_the_source():
    # Should this fail, matgl has mended its sum: `matgl_reference.reference_model` need not replace it any more.
    import matgl

    untouched = matgl.load_model(m3gnet_folder())
    assert matgl_reference.reference_energy_per_atom(untouched, matgl_sum.rock_salt()) == pytest.approx(
        -2.772, abs=2e-3
    )


def test_matgl_with_the_sum_put_right_gives_the_known_energies():
    model = matgl_reference.reference_model(m3gnet_folder())
    assert matgl_reference.reference_energy_per_atom(model, matgl_sum.rock_salt()) == pytest.approx(-3.3884, abs=1e-3)
    assert matgl_reference.reference_energy_per_atom(model, rutile()) == pytest.approx(-9.0166, abs=1e-3)


def test_a_network_that_sums_into_the_source_is_refused(monkeypatch):
    original = M3GNetNetwork._batch

    def turned_round(network, graphs):
        numbers, owner, geometry, distance = original(network, graphs)
        bonds = torch.arange(len(geometry.source))
        geometry = dataclasses.replace(geometry, incoming=bonds, incoming_starts=geometry.outgoing)
        return numbers, owner, geometry, distance

    monkeypatch.setattr(M3GNetNetwork, "_batch", turned_round)
    with pytest.raises(XanesflowError, match=r"-2\.77.* for rock salt"):
        M3GNetFeaturizer(m3gnet_folder())


def test_a_wrong_or_missing_energy_is_refused():
    for energy in (-2.77, -3.38, float("nan")):
        with pytest.raises(XanesflowError, match="rock salt"):
            matgl_sum.check_energy(energy, "a network")
    matgl_sum.check_energy(-3.3885, "a network")
