"""The functions under M3GNet against scipy and the addition theorem; the sorting of bonds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import eval_legendre, spherical_jn

from xanesflow.features.graph_networks import m3gnet_basis as basis
from xanesflow.features.graph_networks.bond_classes import BondSorter


def test_bessel_roots_are_the_first_three_zeros():
    for degree, roots in enumerate(basis.BESSEL_ROOTS):
        assert np.abs(spherical_jn(degree, roots)).max() < 1e-14
        signs = np.sign(spherical_jn(degree, np.linspace(1e-3, roots[-1] + 0.1, 4000)))
        assert np.count_nonzero(np.diff(signs)) == 3


def test_radial_functions_are_orthonormal_within_the_cutoff():
    nodes, weights = np.polynomial.legendre.leggauss(60)
    distance, weights = (nodes + 1) * basis.CUTOFF / 2, weights * basis.CUTOFF / 2
    radial = basis.radial_basis(torch.from_numpy(distance)).numpy()
    for degree in range(3):
        columns = radial[:, 3 * degree : 3 * degree + 3]
        overlap = columns.T @ (columns * (weights * distance**2)[:, None])
        assert overlap == pytest.approx(np.eye(3), abs=1e-9)


def test_harmonics_obey_the_addition_theorem():
    vectors = np.random.default_rng(0).normal(size=(2, 50, 3))
    one, two = vectors / np.linalg.norm(vectors, axis=2, keepdims=True)
    products = (basis.harmonics(torch.from_numpy(one)) * basis.harmonics(torch.from_numpy(two))).numpy()
    cosine = (one * two).sum(1)
    for degree, columns in enumerate((slice(0, 1), slice(1, 4), slice(4, 9))):
        assert products[:, columns].sum(1) == pytest.approx(eval_legendre(degree, cosine), abs=1e-12)


def test_cutoff_goes_from_one_to_zero_with_two_derivatives():
    r = torch.tensor([0.0, basis.CUTOFF], dtype=torch.float64, requires_grad=True)
    value = basis.smooth_cutoff(r)
    (first,) = torch.autograd.grad(value.sum(), r, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), r)
    assert value.detach().numpy() == pytest.approx([1, 0], abs=1e-12)
    assert first.detach().numpy() == pytest.approx([0, 0], abs=1e-12)
    assert second.numpy() == pytest.approx([0, 0], abs=1e-12)


def sorter(kinds, distance):
    # Two atoms, two bonds 0→1 and two bonds 1→0.
    ends = torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 0, 0])
    return BondSorter(torch.tensor(kinds), *ends, torch.tensor(distance, dtype=torch.float64))


def test_bonds_are_one_kind_only_if_ends_distance_and_sums_are_equal():
    same = torch.full((4, 9), 0.25)
    assert sorter([7, 7], [2.0, 2.0, 2.0, 2.0]).refine(same).of_bond.unique().numel() == 1
    assert sorter([7, 8], [2.0, 2.0, 2.0, 2.0]).refine(same).of_bond.unique().numel() == 2
    assert sorter([7, 8], [2.0, 2.1, 2.0, 2.1]).refine(same).of_bond.unique().numel() == 4
    other = same.clone()
    other[1, 3] += 1e-3
    kinds = sorter([7, 7], [2.0, 2.0, 2.0, 2.0]).refine(other)
    assert kinds.of_bond.unique().numel() == 2
    assert kinds.of_bond[kinds.example].tolist() == [0, 1]


def test_a_difference_travels_along_the_bonds():
    # The sums of the first block tell apart the bonds that end at atom 1, hence the atoms in the second block.
    sums = torch.full((4, 9), 0.25)
    told = sums.clone()
    told[:2] += 1
    kinds = sorter([7, 7], [2.0, 2.0, 2.0, 2.0])
    kinds.refine(told)
    assert kinds.refine(sums).of_bond.unique().numel() == 2
