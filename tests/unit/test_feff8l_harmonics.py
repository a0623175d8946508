"""Angular functions of the embedded engine, against closed forms, SymPy's 3j symbols and SciPy's Bessel functions."""

from functools import cache
from math import pi, sqrt

import numpy as np
import pytest
from scipy.special import eval_legendre, spherical_jn, spherical_yn

from xanesflow.codes.feff8l.harmonics import channel_l, hankel, n_channels, parities, real_harmonics, triple_integrals


def random_vectors(number: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(number, 3))


def channel(n: int, m: int) -> int:
    return n * n + n + m


def test_channels_are_counted_and_numbered_by_l():
    assert [n_channels(n) for n in range(4)] == [1, 4, 9, 16]
    np.testing.assert_array_equal(channel_l(2), [0, 1, 1, 1, 2, 2, 2, 2, 2])


def test_harmonics_up_to_d_are_the_textbook_polynomials():
    x, y, z = (v := random_vectors(50) / 3).T / np.linalg.norm(v, axis=1)
    s, p, d = sqrt(1 / (4 * pi)), sqrt(3 / (4 * pi)), sqrt(15 / (4 * pi))
    expected = [
        s + 0 * x, p * y, p * z, p * x,
        d * x * y, d * y * z, d / sqrt(12) * (3 * z**2 - 1), d * x * z, d / 2 * (x**2 - y**2),
    ]  # fmt: skip
    np.testing.assert_allclose(real_harmonics(v, 2), np.array(expected).T, atol=1e-14)


def test_harmonics_are_orthonormal_over_the_sphere():
    # A product rule that is exact to degree 39, other than the one of the library.
    cosine = np.polynomial.legendre.leggauss(30)
    phi = np.linspace(0, 2 * pi, 40, endpoint=False)
    c, f = np.meshgrid(cosine[0], phi, indexing="ij")
    s = np.sqrt(1 - c**2)
    points = np.stack([s * np.cos(f), s * np.sin(f), c], axis=-1).reshape(-1, 3)
    weight = np.repeat(cosine[1], len(phi)) * 2 * pi / len(phi)
    y = real_harmonics(points, 6)
    np.testing.assert_allclose((y * weight[:, None]).T @ y, np.eye(49), atol=1e-13)


def test_harmonics_fulfil_the_addition_theorem_of_legendre_polynomials():
    a, b = random_vectors(40, 1), random_vectors(40, 2)
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    ya, yb = real_harmonics(a, 6), real_harmonics(b, 6)
    for n in range(7):
        block = slice(n * n, (n + 1) ** 2)
        found = (ya[:, block] * yb[:, block]).sum(axis=1)
        np.testing.assert_allclose(found, (2 * n + 1) / (4 * pi) * eval_legendre(n, cosine), atol=1e-13)


def test_harmonics_do_not_depend_on_a_vectors_length_and_are_finite_on_the_poles():
    v = np.array([[0, 0, 1.0], [0, 0, -1], [1e-5, 0, 1], [0, 1, 0], [-1, 0, 0]])
    assert np.isfinite(real_harmonics(v, 6)).all()
    np.testing.assert_allclose(real_harmonics(1e-6 * v, 6), real_harmonics(1e6 * v, 6), atol=1e-10)
    on_axis = real_harmonics(v[:1], 3)[0]
    np.testing.assert_allclose(on_axis[channel(3, 0)], sqrt(7 / (4 * pi)))
    np.testing.assert_allclose(np.delete(on_axis, [channel(n, 0) for n in range(4)]), 0, atol=1e-14)


@cache
def complex_gaunt(degrees: tuple[int, int, int], orders: tuple[int, int, int]) -> float:
    from sympy.physics.wigner import gaunt  # heavy

    return float(gaunt(*degrees, *orders))


def in_complex_harmonics(m: int) -> dict[int, complex]:
    """A real harmonic as a sum of complex ones with the Condon-Shortley phase, {m: coefficient}."""
    k = abs(m)
    if m == 0:
        return {0: 1}
    if m > 0:  # √2 (-1)^m Re Y_lm
        return {k: (-1) ** k / sqrt(2), -k: 1 / sqrt(2)}
    return {k: (-1) ** k / (sqrt(2) * 1j), -k: -1 / (sqrt(2) * 1j)}  # √2 (-1)^m Im Y_lm


def triple_from_3j(*channels: tuple[int, int]) -> complex:
    (l1, m1), (l2, m2), (l3, m3) = channels
    return sum(
        a * b * c * complex_gaunt((l1, l2, l3), (p, q, r))
        for p, a in in_complex_harmonics(m1).items()
        for q, b in in_complex_harmonics(m2).items()
        for r, c in in_complex_harmonics(m3).items()
        if p + q + r == 0
    )


def test_triple_integrals_up_to_l_2_are_those_of_3j_symbols():
    integrals = triple_integrals(2)
    lm = [(n, m) for n in range(5) for m in range(-n, n + 1)]
    for a in range(9):
        for b in range(a, 9):
            for c in range(25):
                expected = triple_from_3j(lm[a], lm[b], lm[c])
                assert integrals[a, b, c] == pytest.approx(expected.real, abs=1e-13), (lm[a], lm[b], lm[c])


@pytest.mark.parametrize("l_max", [3, 4])
def test_triple_integrals_of_high_l_are_those_of_3j_symbols(l_max):
    integrals = triple_integrals(l_max)
    rng = np.random.default_rng(l_max)
    lm = [(n, m) for n in range(2 * l_max + 1) for m in range(-n, n + 1)]
    telling = np.argwhere(integrals[n_channels(l_max - 1) :])
    telling[:, 0] += n_channels(l_max - 1)
    for a, b, c in telling[rng.permutation(len(telling))[:60]]:
        expected = triple_from_3j(lm[a], lm[b], lm[c])
        assert integrals[a, b, c] == pytest.approx(expected.real, abs=1e-12), (lm[a], lm[b], lm[c])


def test_triple_integrals_vanish_where_the_triangle_or_parity_rule_forbids_them():
    integrals = triple_integrals(3)
    inner, outer = channel_l(3), channel_l(6)
    a, b, c = inner[:, None, None], inner[None, :, None], outer[None, None, :]
    forbidden = (c < abs(a - b)) | (c > a + b) | ((a + b + c) % 2 == 1)
    assert (integrals[np.broadcast_to(forbidden, integrals.shape)] == 0).all()
    np.testing.assert_allclose(integrals, integrals.transpose(1, 0, 2), atol=1e-14)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_parities_are_what_a_mirror_does_to_the_harmonics(axis):
    v = random_vectors(30, 5)
    mirrored = v * np.where(np.arange(3) == axis, -1, 1)
    np.testing.assert_allclose(real_harmonics(mirrored, 5), real_harmonics(v, 5) * parities(5)[axis], atol=1e-12)


@pytest.mark.parametrize("z", [0.9 + 0j, 3.7 + 0j, 40 + 0j, 2.5 + 0.3j, 8 + 2.5j, 0.4 + 1.7j], ids=lambda z: f"{z:.1f}")
def test_hankel_functions_are_those_of_scipy(z):
    orders = np.arange(7)
    expected = spherical_jn(orders, z) + 1j * spherical_yn(orders, z)
    np.testing.assert_allclose(hankel(np.array([z]), 6)[:, 0], expected, rtol=1e-9)


def test_hankel_of_l_0_alone_and_of_many_arguments():
    z = np.array([1 + 1j, 20 + 0.01j])
    np.testing.assert_allclose(hankel(z, 0), [-1j * np.exp(1j * z) / z])
    assert hankel(z, 4).shape == (5, 2)
