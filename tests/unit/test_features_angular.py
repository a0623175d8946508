"""Bond-orientational order against the double sum over pairs of neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from features_data import copper, lonely_atom, pair_and_one_apart, rutile
from numpy.polynomial.legendre import Legendre
from pymatgen.core import Lattice, Structure

from xanesflow.features import get_featurizer
from xanesflow.features.featurize_structures import FeatureFailure

SHELLS = np.array([1.95, 2.4, 2.9, 3.5, 4.2, 5.0])


def compute(*structures: Structure) -> list:
    return get_featurizer("angular").compute(structures)


def by_pairs(structure: Structure, site: int) -> np.ndarray:
    neighbours = structure.get_neighbors(structure[site], 6.75)
    vectors = np.array([each.coords - structure[site].coords for each in neighbours])
    distances = np.linalg.norm(vectors, axis=1)
    cosines = np.clip((vectors / distances[:, None]) @ (vectors / distances[:, None]).T, -1, 1)
    oxygen = np.array([each.specie.symbol == "O" for each in neighbours])
    rows = []
    for order in range(1, 7):
        legendre = Legendre.basis(order)(cosines)
        for among in (np.ones(len(oxygen)), oxygen):
            weights = np.exp(-((distances[:, None] - SHELLS) ** 2) / (2 * 0.35**2)) * among[:, None]
            rows.append(np.sqrt(np.maximum(np.einsum("jc,jk,kc->c", weights, legendre, weights), 0)))
    return np.concatenate(rows)


def test_numbers_are_the_sums_over_pairs_of_neighbours():
    crystal = rutile()
    crystal.perturb(0.1)
    features = compute(crystal)[0]
    assert features.shape == (6, 72) and features.dtype == np.float32
    for site in (0, 3):
        assert features[site] == pytest.approx(by_pairs(crystal, site), rel=1e-4, abs=1e-4)


def test_odd_orders_vanish_at_a_centre_of_inversion_and_order_two_in_a_cubic_crystal():
    crystal = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.212), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    orders = compute(crystal)[0].reshape(8, 6, 12)
    assert np.abs(orders[:, [0, 2, 4]]).max() < 1e-4 and np.abs(orders[:, 1]).max() < 1e-4
    assert orders[:, [3, 5]].max() > 1


def test_features_follow_the_atoms_through_rotation_order_and_supercell():
    crystal = rutile()
    crystal.perturb(0.1)
    features = compute(crystal)[0]
    turned = Structure(
        Lattice.from_parameters(*crystal.lattice.parameters),
        crystal.species[::-1],
        np.add(crystal.frac_coords[::-1], [3, 0, 0.4]),
    )
    assert compute(turned)[0] == pytest.approx(features[::-1], abs=1e-3)
    assert compute(crystal * (2, 1, 2))[0] == pytest.approx(np.repeat(features, 4, axis=0), abs=1e-3)


def test_structures_of_one_call_do_not_change_each_other():
    structures = [rutile(), lonely_atom(), copper(), pair_and_one_apart()]
    together = compute(*structures)
    assert together[1] == FeatureFailure("No atom has a neighbour within 6.75 Å.")
    for index in (0, 2, 3):
        assert np.array_equal(together[index], compute(structures[index])[0], equal_nan=True)
    assert np.isnan(together[3][1]).all()
    assert not together[2].reshape(1, 6, 2, 6)[:, :, 1].any()  # copper has no oxygen
