"""The radial histograms against sums written by hand."""

from __future__ import annotations

import numpy as np
import pytest
from features_data import copper, lonely_atom, pair_and_one_apart, rutile
from pymatgen.core import Lattice, Structure

from xanesflow.features import get_featurizer
from xanesflow.features.featurize_structures import FeatureFailure

CENTRES = [1.6, 1.9, 2.2, 2.5, 2.8, 3.1, 3.4, 3.7, 4.0, 4.3, 4.6, 4.9, 5.2, 5.5, 5.8]


def compute(*structures: Structure) -> list:
    return get_featurizer("radial").compute(structures)


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
    features = compute(crystal)[0]
    assert features.shape == (8, 30) and features.dtype == np.float32
    for site, row in zip(crystal, features, strict=True):
        of_oxygen = expected[1] if site.specie.symbol == "Mg" else expected[0] - expected[1]
        assert row == pytest.approx(np.concatenate([expected[0], of_oxygen]), rel=1e-5, abs=1e-5)


def test_features_follow_the_atoms_through_rotation_order_and_supercell():
    crystal = rutile()
    crystal.perturb(0.05)
    features = compute(crystal)[0]
    turned = Structure(
        Lattice.from_parameters(*crystal.lattice.parameters),
        crystal.species[::-1],
        np.add(crystal.frac_coords[::-1], [3, 0, 0.4]),
    )
    assert compute(turned)[0] == pytest.approx(features[::-1], abs=1e-4)
    larger = crystal * (2, 1, 2)
    assert compute(larger)[0] == pytest.approx(np.repeat(features, 4, axis=0), abs=1e-4)


def test_features_change_smoothly_as_an_atom_passes_the_cutoff():
    def pair(distance: float) -> Structure:
        return Structure(Lattice.cubic(30), ["Cu", "O", "O"], [[0, 0, 0], [distance / 30, 0, 0], [0, 0, 2 / 30]])

    inside, outside = compute(pair(7.04), pair(7.06))
    assert np.abs(inside[0] - outside[0]).max() < 1e-5


def test_structures_of_one_call_do_not_change_each_other():
    structures = [rutile(), lonely_atom(), copper(), pair_and_one_apart()]
    together = compute(*structures)
    assert together[1] == FeatureFailure("No atom has a neighbour within 7.05 Å.")
    for index in (0, 2, 3):
        assert np.array_equal(together[index], compute(structures[index])[0], equal_nan=True)
    assert np.isnan(together[3][1]).all() and np.isfinite(together[3][[0, 2]]).all()


def test_without_oxygen_the_second_histogram_is_zero():
    assert not compute(copper())[0][:, 15:].any()


def test_the_hash_is_that_of_the_parameters(monkeypatch):
    from xanesflow.features import radial

    usual = get_featurizer("radial").weights_hash
    assert usual == get_featurizer("radial", workers=2).weights_hash and len(usual) == 64
    monkeypatch.setattr(radial, "WIDTH", 0.3)
    assert get_featurizer("radial").weights_hash != usual
