"""ACSF and SOAP: dscribe's numbers against formulas written down here, and what becomes of their many columns."""

import pickle

import numpy as np
import pytest
from features_data import copper, rutile
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from xanesflow.features.acsf_soap import DescriptorFeaturizer, raw_columns, signs
from xanesflow.features.featurize_structures import FeatureFailure
from xanesflow.features.featurizers import get_featurizer


def cutoff(r):
    return 0.5 * (np.cos(np.pi * r / 6) + 1)


def neighbours(structure, site):
    """(n, 3) vectors from a site to all atoms within 6 Å, and their elements."""
    found = [each for each in structure.get_neighbors(structure[site], 6.0) if each.nn_distance < 6]
    vectors = np.array([each.coords for each in found]) - structure[site].coords
    return vectors, np.array([each.specie.symbol for each in found])


def block(structure, site, elements):
    values, blocks = raw_columns("acsf", structure, [site])
    return values[0, dict(blocks)[elements]]


def test_g1_and_g2_are_sums_over_the_neighbours_of_an_element():
    for structure, site, element in ((copper(), 0, "Cu"), (rutile(), 3, "Ti"), (rutile(), 3, "O")):
        vectors, elements = neighbours(structure, site)
        r = np.linalg.norm(vectors[elements == element], axis=1)
        wanted = [cutoff(r).sum(), *[(np.exp(-eta * r**2) * cutoff(r)).sum() for eta in (1, 0.1, 0.01)]]
        z = {"Cu": 29, "Ti": 22, "O": 8}[element]
        assert np.allclose(block(structure, site, (z,)), wanted, rtol=1e-8)


def test_g4_are_sums_over_the_triangles_of_a_pair_of_elements():
    structure = rutile()
    vectors, elements = neighbours(structure, 0)
    titanium, oxygen = vectors[elements == "Ti"][:, None], vectors[elements == "O"][None]
    a, b = np.linalg.norm(titanium, axis=-1), np.linalg.norm(oxygen, axis=-1)
    c = np.linalg.norm(titanium - oxygen, axis=-1)
    cosine = (titanium * oxygen).sum(axis=-1) / (a * b)
    weight = cutoff(a) * cutoff(b) * np.where(c <= 6, cutoff(c), 0)
    parameters = [(0.001, 1), (0.001, 2), (0.001, 4), (0.01, 1), (0.01, 2), (0.01, 4), (0.1, 1), (0.1, 2), (0.1, 3)]
    wanted = [
        (2 ** (1 - zeta) * (1 - cosine) ** zeta * np.exp(-eta * (a**2 + b**2 + c**2)) * weight).sum()
        for eta, zeta in parameters
    ]
    assert np.allclose(block(structure, 0, (8, 22)), wanted, rtol=1e-6)


def test_soap_columns_of_a_pair_are_those_of_dscribe_with_more_elements():
    structure = rutile()
    from dscribe.descriptors import SOAP  # heavy

    more = SOAP(species=["H", "O", "Ti", "Cu", "La"], periodic=True, r_cut=6.0, n_max=3, l_max=3, sigma=1.0)
    wanted = more.create(AseAtomsAdaptor.get_atoms(structure), centers=[0])[0]
    values, blocks = raw_columns("soap", structure, [0])
    assert [of for of, _ in blocks] == [(8, 8), (8, 22), (22, 22)]
    for of, where in blocks:
        assert np.allclose(values[0, where], wanted[more.get_location(of)], rtol=1e-8)
        assert np.abs(values[0, where]).max() > 1
    assert np.count_nonzero(wanted) <= values.shape[1]


@pytest.mark.parametrize("name", ["acsf", "soap"])
def test_features_do_not_know_how_a_crystal_is_turned_moved_or_repeated(name):
    featurizer = DescriptorFeaturizer(name)
    first = featurizer.describe(rutile(), [0, 2])
    assert first.shape == (2, 1024) and first.dtype == np.float32
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    moved = rutile().frac_coords + np.array([0.4, -3.3, 7.9])
    turned = Structure(rutile().lattice.matrix @ turn.T, rutile().species, moved)
    repeated = rutile() * (1, 1, 2)
    for other, atoms in ((turned, [0, 2]), (repeated, [0, 4])):
        assert np.abs(featurizer.describe(other, atoms) - first).max() < 1e-5 * np.abs(first).max()


@pytest.mark.parametrize("name", ["acsf", "soap"])
def test_the_projection_keeps_distances_between_sites(name):
    metals = zip(["Mg", "Ca", "Mn", "Fe", "Ni"], [4.21, 4.81, 4.44, 4.33, 4.18], strict=True)
    places = [[0, 0, 0], [0.5, 0.5, 0.5]]
    rock_salts = [Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [metal, "O"], places) for metal, a in metals]
    structures = [rutile(), copper(), *rock_salts]
    projected = np.concatenate([DescriptorFeaturizer(name).describe(each, [0]) for each in structures]).astype(float)
    raw = [raw_columns(name, each, [0]) for each in structures]
    columns = {}
    for _, blocks in raw:
        for of, where in blocks:
            columns.setdefault(of, (sum(size for _, size in columns.values()), where.stop - where.start))
    wide = np.zeros((len(raw), sum(size for _, size in columns.values())))
    for row, (values, blocks) in zip(wide, raw, strict=True):
        for of, where in blocks:
            first, size = columns[of]
            row[first : first + size] = values[0, where]
    one, other = np.triu_indices(len(raw), 1)
    ratio = np.linalg.norm(projected[one] - projected[other], axis=1) / np.linalg.norm(wide[one] - wide[other], axis=1)
    assert np.abs(ratio - 1).max() < 0.12 and abs(ratio.mean() - 1) < 0.05


def test_the_signs_of_different_blocks_are_unrelated():
    rows = np.concatenate([signs("soap", (8, 29), 36), signs("soap", (8, 22), 36), signs("acsf", (8, 29), 9)])
    assert set(np.unique(rows)) == {-1.0, 1.0}
    products = rows @ rows.T / 1024
    assert np.array_equal(np.diag(products), np.ones(81))
    assert np.abs(products - np.eye(81)).max() < 5 / np.sqrt(1024)


def test_only_the_wanted_atoms_have_rows_and_company_changes_nothing():
    featurizer = get_featurizer("soap")
    every, some, none = featurizer.compute([rutile(), rutile(), copper()], atoms=[range(6), [3], []])
    assert every.shape == (6, 1024) and none.shape == (0, 1024)
    assert np.array_equal(some[0], every[3])
    again = pickle.loads(pickle.dumps(featurizer))  # what other processes get
    assert np.array_equal(again.compute([rutile()])[0], every)
    chgnet = get_featurizer("chgnet")  # a graph network computes all, and gives the wanted ones
    assert np.array_equal(chgnet.compute([rutile()], atoms=[[3]])[0], chgnet.compute([rutile()])[0][[3]])


def test_structures_that_cannot_be_described_say_why():
    half = Structure(Lattice.cubic(4), [{"Cu": 0.5}], [[0, 0, 0]])
    twice = Structure(Lattice.cubic(4), ["Cu", "O"], [[0, 0, 0], [0, 0, 0]])
    alone = Structure(Lattice.cubic(9), ["Cu"], [[0, 0, 0]])
    one_alone = Structure(Lattice.cubic(20), ["Cu", "O", "O"], [[0.5, 0.5, 0.5], [0, 0, 0], [0, 0, 0.1]])
    *failed, apart = DescriptorFeaturizer("acsf").compute([half, twice, alone, one_alone])
    for outcome, words in zip(failed, ("partially", "in one place", "no atom has a neighbour"), strict=True):
        assert isinstance(outcome, FeatureFailure) and words in outcome.reason.lower()
    assert np.isnan(apart[0]).all() and np.isfinite(apart[1:]).all()


def test_the_hash_tells_the_descriptors_apart():
    first, second = DescriptorFeaturizer("acsf"), DescriptorFeaturizer("soap")
    assert len({first.weights_hash, second.weights_hash}) == 2
    assert "dscribe" in first.meaning and "r_cut 6.0" in second.meaning
