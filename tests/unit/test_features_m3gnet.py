"""M3GNet's features against the published ones, and against matgl's own network with its sum put right."""

from __future__ import annotations

import dataclasses

import matgl_reference
import numpy as np
import pytest
import torch
from features_data import (
    copper,
    lonely_atom,
    m3gnet_folder,
    pair_and_one_apart,
    polonium,
    published,
    published_structures,
    rutile,
    some_structures,
)
from pymatgen.core import Lattice, Structure

from xanesflow.core.errors import XanesflowError
from xanesflow.features import featurize_structures
from xanesflow.features.featurize_structures import FeatureFailure, Featurizer
from xanesflow.features.featurizers import get_featurizer
from xanesflow.features.graph_networks import matgl_sum
from xanesflow.features.graph_networks.m3gnet import M3GNetFeaturizer
from xanesflow.features.graph_networks.m3gnet_network import M3GNetNetwork


@pytest.fixture(scope="module")
def featurizer() -> Featurizer:
    return get_featurizer("m3gnet", weights=m3gnet_folder())


@pytest.fixture(scope="module")
def everything() -> Featurizer:
    return get_featurizer("m3gnet_all", weights=m3gnet_folder())


@pytest.fixture(scope="module")
def matgl_model():
    return matgl_reference.reference_model(m3gnet_folder())


def relative(values, reference) -> float:
    return float(np.abs(np.asarray(values) - np.asarray(reference)).max() / np.abs(np.asarray(reference)).max())


def test_published_features_are_reproduced(featurizer):
    sites, reference = published()
    structures = published_structures()
    computed = dict(zip(structures, featurizer.compute(list(structures.values())), strict=True))
    ours = np.array([computed[material][site] for material, site in sites])
    assert ours.shape == (416, 64) and ours.dtype == np.float32
    assert relative(ours, reference) < 5e-6


def test_known_energies_come_out(featurizer):
    assert featurizer.energy_per_atom(matgl_sum.rock_salt()) == pytest.approx(-3.3884, abs=1e-3)
    assert featurizer.energy_per_atom(rutile()) == pytest.approx(-9.0166, abs=1e-3)


def test_all_layers_equal_those_of_matgls_network_with_the_sum_put_right(everything, matgl_model):
    structures = [*some_structures(8), copper(), rutile(), matgl_sum.rock_salt()]
    for structure, ours in zip(structures, everything.compute(structures), strict=True):
        layers = matgl_reference.reference_features(matgl_model, structure)
        reference = torch.cat([layers[name] for name in ("embedding", "gc_1", "gc_2", "gc_3")], dim=1)
        assert ours.shape == (len(structure), 256)
        assert relative(ours, reference) < 1e-5


def test_last_block_is_the_end_of_all_layers(featurizer, everything):
    assert np.array_equal(featurizer.compute([rutile()])[0], everything.compute([rutile()])[0][:, 192:])


def test_features_do_not_depend_on_the_batch(featurizer):
    structures = some_structures()
    together = featurizer.compute(structures)
    alone = [featurizer.compute([structure])[0] for structure in structures]
    backwards = featurizer.compute(structures[::-1])[::-1]
    for one, two, three in zip(together, alone, backwards, strict=True):
        assert relative(one, two) < 1e-6
        assert np.array_equal(one, three)


def test_features_follow_the_order_of_the_atoms(featurizer):
    structure = some_structures()[-1]
    order = np.random.default_rng(0).permutation(len(structure))
    shuffled = Structure.from_sites([structure[int(index)] for index in order])
    plain, moved = featurizer.compute([structure, shuffled])
    assert relative(moved, plain[order]) < 5e-6


def test_a_slightly_broken_symmetry_is_not_taken_for_whole(featurizer, matgl_model):
    # Atoms moved by 1e-4 Å are no longer equal, and sorting bonds by kind must not merge them.
    structure = rutile() * (2, 2, 2)
    moved = structure.cart_coords + 1e-4 * np.random.default_rng(3).normal(size=(len(structure), 3)) / np.sqrt(3)
    structure = Structure(structure.lattice, structure.species, moved, coords_are_cartesian=True)
    reference = matgl_reference.reference_features(matgl_model, structure)["gc_3"]
    assert relative(featurizer.compute([structure])[0], reference) < 1e-5  # nearly equal atoms: more rounding


def test_a_supercell_has_the_features_of_its_cell(featurizer):
    cell, supercell = featurizer.compute([copper(), copper() * (2, 1, 1)])
    assert cell.shape == (1, 64)
    assert relative(supercell, np.repeat(cell, 2, axis=0)) < 2e-6


def test_structures_that_cannot_be_treated_say_why_and_stop_no_other(featurizer):
    disordered = Structure(Lattice.cubic(4), [{"Cu": 0.5, "Ni": 0.5}], [[0, 0, 0]])
    twice = Structure(Lattice.cubic(4), ["Cu", "Cu"], [[0, 0, 0], [0, 0, 0]])
    good, unknown, alone, mixed, same, also_good = featurizer.compute(
        [rutile(), polonium(), lonely_atom(), disordered, twice, copper()]
    )
    assert isinstance(good, np.ndarray) and isinstance(also_good, np.ndarray)
    assert unknown == FeatureFailure("The model does not know the element Po.")
    assert alone == FeatureFailure("No atom has a neighbour within 5 Å.")
    assert "occupied partially" in mixed.reason
    assert "in one place" in same.reason
    assert relative(good, featurizer.compute([rutile()])[0]) < 1e-6


def test_an_isolated_atom_has_no_features_but_does_not_take_them_from_others(featurizer, matgl_model):
    molecule = pair_and_one_apart()
    features = featurizer.compute([molecule])[0]
    assert np.isnan(features[1]).all()
    reference = matgl_reference.reference_features(matgl_model, molecule)["gc_3"].numpy()
    assert relative(features[[0, 2]], reference[[0, 2]]) < 1e-5


def test_several_processes_give_the_same_features(featurizer, monkeypatch):
    monkeypatch.setattr(featurize_structures, "TASK_ATOMS", 40)  # so little work would not be shared out otherwise
    helped = get_featurizer("m3gnet", weights=m3gnet_folder(), workers=2)
    structures = [*some_structures(4), polonium()]
    for one, two in zip(featurizer.compute(structures), helped.compute(structures), strict=True):
        if isinstance(one, FeatureFailure):
            assert one == two
        else:
            assert relative(two, one) < 1e-6


def test_progress_counts_structures(featurizer):
    told = []
    featurizer.compute([rutile(), polonium(), copper()], progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (3, 3)


def test_an_unknown_device_is_refused():
    with pytest.raises(XanesflowError, match="cpu, cuda"):
        get_featurizer("m3gnet", device="quantum")
    if not torch.cuda.is_available():
        with pytest.raises(XanesflowError, match="0 GPUs"):
            get_featurizer("m3gnet", device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
def test_a_gpu_gives_the_same_features(featurizer):
    structures = some_structures()
    on_gpu = get_featurizer("m3gnet", weights=m3gnet_folder(), device="cuda").compute(structures)
    for one, two in zip(featurizer.compute(structures), on_gpu, strict=True):
        assert relative(two, one) < 5e-6


# The trap of matgl 4 (messages summed into the source) is put right, and cannot come back silently.


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
