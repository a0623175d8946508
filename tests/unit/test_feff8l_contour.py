"""The contour integral of the embedded engine against brute quadrature of analytic functions, Fermi cutoff included."""

import numpy as np
import pytest
from scipy.integrate import quad

from xanesflow.codes.feff8l.contour import absorption, thin_mesh

HARTREE_EV = 27.211386
FERMI, GAMMA = -11.0, 0.79  # eV, as of a Ni K edge
AXIS = np.concatenate([np.arange(0, 5, 0.1), np.arange(5, 15, 0.2), np.arange(15, 60, 0.4)]) + FERMI
HEIGHTS = 0.13 * 1.5 ** np.arange(13)  # eV, as xsph chooses them

# F as a sum of poles and edges below the real axis, so that it is analytic above: (kind, energy, width, weight).
FUNCTIONS = {
    "a constant": [("constant", 0, 0, 1.0)],
    "a peak above the Fermi level": [("pole", FERMI + 12, 3.0, 1.0)],
    "a peak that the Fermi level cuts": [("pole", FERMI + 0.5, 2.5, 1.0)],
    "an edge and a white line": [("edge", FERMI - 2, 2.0, 1.0), ("pole", FERMI + 5, 2.0, 2.0)],
    "an edge below the Fermi level and fine structure": [
        ("edge", FERMI - 8, 3.0, 1.0), ("pole", FERMI + 3, 2.0, 0.5), ("pole", FERMI + 9, 3.0, -0.8),
        ("pole", FERMI + 20, 5.0, 1.0),
    ],
}  # fmt: skip


def analytic(z, parts):
    """F(z): Im F is a Lorentzian of height `weight` for a pole, an arctangent step of that height for an edge."""
    total = 0j * z
    for kind, energy, width, weight in parts:
        if kind == "pole":
            total = total + weight * width / (energy - 1j * width - z)
        elif kind == "edge":
            total = total - weight / np.pi * np.log(energy - 1j * width - z)
        else:
            total = total + 1j * weight
    return total


def by_quadrature(omega, parts):
    """∫ from E_F of Im F(E) times a Lorentzian of half width Γ about ω, by substitution of its angle."""

    def integrand(angle):
        return analytic(complex(omega + GAMMA * np.tan(angle)), parts).imag / np.pi

    first = np.arctan((FERMI - omega) / GAMMA)
    return quad(integrand, first, np.pi / 2 * (1 - 1e-9), limit=2000, epsabs=1e-9, epsrel=1e-9)[0]


def by_contour(omega, parts, *, axis=AXIS, heights=HEIGHTS):
    return absorption(
        np.asarray(omega, dtype=float), axis, analytic(axis + 1j * GAMMA, parts), heights,
        analytic(FERMI + 1j * heights, parts), fermi=FERMI, gamma=GAMMA,
    )  # fmt: skip


@pytest.mark.parametrize("parts", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_the_spectrum_is_the_cut_off_one_broadened_by_a_lorentzian(parts):
    """On a mesh such as xsph gives, to 0.4 % of the maximum; most of that is F held constant above the mesh's end."""
    omega = FERMI + np.array([-12, -5, -2, -1, -0.3, -0.05, 0.05, 0.3, 1, 2, 4, 8, 12, 20, 35])
    expected = np.array([by_quadrature(w, parts) for w in omega])
    np.testing.assert_allclose(by_contour(omega, parts), expected, atol=4e-3 * np.abs(expected).max())


@pytest.mark.parametrize("parts", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_the_spectrum_is_exact_in_the_limit_of_a_fine_mesh(parts):
    omega = FERMI + np.array([-6, -1, -0.1, 0.1, 1, 6, 20])
    axis, heights = FERMI + np.arange(0, 60, 0.05), np.geomspace(1e-3, 4e4, 3000)
    expected = np.array([by_quadrature(w, parts) for w in omega])
    found = by_contour(omega, parts, axis=axis, heights=heights[np.abs(heights - GAMMA) > 1e-6])
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())


def test_a_constant_becomes_an_arctangent_at_the_fermi_level():
    omega = FERMI + np.linspace(-30, 40, 141)
    expected = 0.5 + np.arctan((omega - FERMI) / GAMMA) / np.pi
    np.testing.assert_allclose(by_contour(omega, FUNCTIONS["a constant"]), expected, atol=1e-7)


def test_the_spectrum_is_finite_and_continuous_at_the_fermi_level():
    parts = FUNCTIONS["a peak that the Fermi level cuts"]
    around = FERMI + np.array([-1e-4, -1e-6, 0, 1e-12, -1e-12, 1e-6, 1e-4])
    found = by_contour(around, parts)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, by_quadrature(FERMI, parts), atol=4e-3)
    assert np.ptp(found) < 2e-4


def test_the_unit_of_energy_does_not_matter():
    parts = FUNCTIONS["an edge and a white line"]
    omega = FERMI + np.linspace(-10, 30, 81)
    values = analytic(AXIS + 1j * GAMMA, parts), analytic(FERMI + 1j * HEIGHTS, parts)
    in_hartree = absorption(
        omega / HARTREE_EV, AXIS / HARTREE_EV, values[0], HEIGHTS / HARTREE_EV, values[1],
        fermi=FERMI / HARTREE_EV, gamma=GAMMA / HARTREE_EV,
    )  # fmt: skip
    np.testing.assert_allclose(in_hartree, by_contour(omega, parts), atol=1e-5)


def test_a_real_constant_in_f_absorbs_nothing():
    """Nothing of the real part may leak through the cutoff where it has no imaginary part to go with it."""
    omega = FERMI + np.linspace(-10, 30, 41)
    f = np.ones(len(AXIS), dtype=complex)
    found = absorption(omega, AXIS, f, HEIGHTS, f[: len(HEIGHTS)], fermi=FERMI, gamma=GAMMA)
    np.testing.assert_allclose(found, 0, atol=1e-7)


def test_energies_beyond_the_mesh_are_finite():
    assert np.isfinite(by_contour([FERMI + 200.0, FERMI - 500.0], FUNCTIONS["an edge and a white line"])).all()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("gap", [0.0, 0.5, 1.1, 100.0])
def test_a_thinned_mesh_keeps_its_ends_and_opens_no_gap_beyond_the_largest(seed, gap):
    steps = np.random.default_rng(seed).uniform(0.05, 1.6, 120)
    energies = np.concatenate([[-3.0], -3.0 + np.cumsum(steps)])
    kept = thin_mesh(energies, gap)
    assert (kept[0], kept[-1]) == (0, 120)
    assert (np.diff(kept) > 0).all()
    opened = np.diff(kept) > 1
    assert (np.diff(energies[kept])[opened] <= gap).all()


def test_a_thinned_mesh_is_as_thin_as_the_gap_allows():
    np.testing.assert_array_equal(thin_mesh(np.arange(11.0), 2.0), [0, 2, 4, 6, 8, 10])
    np.testing.assert_array_equal(thin_mesh(np.arange(11.0), 100.0), [0, 10])
    np.testing.assert_array_equal(thin_mesh(np.array([0.0, 1.0]), 0.1), [0, 1])
