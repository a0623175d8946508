"""The radial histograms and the bond-orientational order against sums written by hand."""

from __future__ import annotations

import numpy as np
import pytest
from features_data import copper, lonely_atom, pair_and_one_apart, rutile
from numpy.polynomial.legendre import Legendre
from pymatgen.core import Lattice, Structure

from xanesflow.features.featurize_structures import FeatureFailure
from xanesflow.features.featurizers import get_featurizer

CENTRES = [1.6, 1.9, 2.2, 2.5, 2.8, 3.1, 3.4, 3.7, 4.0, 4.3, 4.6, 4.9, 5.2, 5.5, 5.8]


SHELLS = np.array([1.95, 2.4, 2.9, 3.5, 4.2, 5.0])


def compute(name: str, *structures: Structure) -> list:
    return get_featurizer(name).compute(structures)


def rock_salt(constant: float) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(constant), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_rock_salt_has_the_shells_of_rock_salt():
    """Neighbours at a √n / 2: 6, 12, 8, 6, 24, 24, (none), 12, 30, 24, 24 …; the other kind where n is odd."""
    constant = 4.212
    counts = {1: 6, 2: 12, 3: 8, 4: 6, 5: 24, 6: 24, 8: 12, 9: 30, 10: 24, 11: 24}
    assert constant / 2 * np.sqrt(11) < 5.8 + 5 * 0.25 < constant / 2 * np.sqrt(12)
    expected = np.zeros((2, 15))
    for n, count in counts.items():
        shell = count * np.exp(-((constant / 2 * np.sqrt(n) - np.array(CENTRES)) ** 2) / (2 * 0.25**2))
        expected += shell * np.array([[1], [n % 2]])
    crystal = rock_salt(constant)
    features = compute("radial", crystal)[0]
    assert features.shape == (8, 30) and features.dtype == np.float32
    for site, row in zip(crystal, features, strict=True):
        of_oxygen = expected[1] if site.specie.symbol == "Mg" else expected[0] - expected[1]
        assert row == pytest.approx(np.concatenate([expected[0], of_oxygen]), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(("name", "rounding"), [("radial", 1e-4), ("angular", 1e-3)])
def test_features_follow_the_atoms_through_rotation_order_and_supercell(name, rounding):
    crystal = rutile()
    crystal.perturb(0.1)
    features = compute(name, crystal)[0]
    turned = Structure(
        Lattice.from_parameters(*crystal.lattice.parameters),
        crystal.species[::-1],
        np.add(crystal.frac_coords[::-1], [3, 0, 0.4]),
    )
    assert compute(name, turned)[0] == pytest.approx(features[::-1], abs=rounding)
    assert compute(name, crystal * (2, 1, 2))[0] == pytest.approx(np.repeat(features, 4, axis=0), abs=rounding)


def test_features_change_smoothly_as_an_atom_passes_the_cutoff():
    def pair(distance: float) -> Structure:
        return Structure(Lattice.cubic(30), ["Cu", "O", "O"], [[0, 0, 0], [distance / 30, 0, 0], [0, 0, 2 / 30]])

    inside, outside = compute("radial", pair(7.04), pair(7.06))
    assert np.abs(inside[0] - outside[0]).max() < 1e-5


@pytest.mark.parametrize(("name", "reach"), [("radial", "7.05"), ("angular", "6.75")])
def test_structures_of_one_call_do_not_change_each_other(name, reach):
    structures = [rutile(), lonely_atom(), copper(), pair_and_one_apart()]
    together = compute(name, *structures)
    assert together[1] == FeatureFailure(f"No atom has a neighbour within {reach} Å.")
    for index in (0, 2, 3):
        assert np.array_equal(together[index], compute(name, structures[index])[0], equal_nan=True)
    assert np.isnan(together[3][1]).all() and np.isfinite(together[3][[0, 2]]).all()


def test_without_oxygen_what_is_of_oxygen_is_zero():
    assert not compute("radial", copper())[0][:, 15:].any()
    assert not compute("angular", copper())[0].reshape(1, 6, 2, 6)[:, :, 1].any()


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
    features = compute("angular", crystal)[0]
    assert features.shape == (6, 72) and features.dtype == np.float32
    for site in (0, 3):
        assert features[site] == pytest.approx(by_pairs(crystal, site), rel=1e-4, abs=1e-4)


def test_odd_orders_vanish_at_a_centre_of_inversion_and_order_two_in_a_cubic_crystal():
    orders = compute("angular", rock_salt(4.212))[0].reshape(8, 6, 12)
    assert np.abs(orders[:, [0, 2, 4]]).max() < 1e-4 and np.abs(orders[:, 1]).max() < 1e-4
    assert orders[:, [3, 5]].max() > 1


def test_the_hash_is_that_of_the_parameters(monkeypatch):
    from xanesflow.features import radial

    usual = get_featurizer("radial").weights_hash
    assert usual == get_featurizer("radial", workers=2).weights_hash and len(usual) == 64
    monkeypatch.setattr(radial, "WIDTH", 0.3)
    assert get_featurizer("radial").weights_hash != usual
