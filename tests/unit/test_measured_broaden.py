"""Broadening against sums and closed forms: what is level stays, a step becomes the integral of the curve."""

import numpy as np
import pytest
from scipy.special import erf

from xanesflow.core.errors import XanesflowError
from xanesflow.measured.broaden import Broadening, broaden

ENERGY = np.unique(np.concatenate([np.arange(-40, -5, 1.0), np.arange(-5, 20, 0.1), np.arange(20, 150, 0.7)])) + 7000
EDGE = 7000.0
KINDS = ("gaussian", "lorentzian", "arctangent")


@pytest.mark.parametrize("kind", KINDS)
def test_a_level_spectrum_stays(kind):
    assert broaden(ENERGY, 0 * ENERGY + 2.5, EDGE, Broadening(kind, 3.0, 4.0)) == pytest.approx(2.5)


@pytest.mark.parametrize("kind", KINDS)
def test_no_width_changes_nothing(kind):
    values = np.sin(ENERGY / 3)
    assert broaden(ENERGY, values, EDGE, Broadening(kind, 0.0)) == pytest.approx(values, abs=1e-9)


def test_a_step_becomes_the_integral_of_the_curve():
    energy = np.sort(np.concatenate([ENERGY, [7009.9999, 7010.0001]]))
    step = (energy > 7010).astype(float)
    gaussian = broaden(energy, step, EDGE, Broadening("gaussian", 1.5))
    assert gaussian == pytest.approx(0.5 * (1 + erf((energy - 7010) / (1.5 * np.sqrt(2)))), abs=1e-4)
    lorentzian = broaden(energy, step, EDGE, Broadening("lorentzian", 1.5))
    assert lorentzian == pytest.approx(0.5 + np.arctan((energy - 7010) / 0.75) / np.pi, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_sum_over_a_fine_grid(kind):
    values = 1 / (1 + np.exp(-(ENERGY - 7005) / 0.8)) * (1 + 0.3 * np.sin((ENERGY - 7000) / 6))
    chosen = Broadening(kind, 2.0, 3.0)
    found = broaden(ENERGY, values, EDGE, chosen)
    grid = np.arange(-4000, 4200, 0.01) + 7000.0
    fine = np.interp(grid, ENERGY, values)
    for at in range(0, len(ENERGY), 37):
        width = chosen.full_width(np.array([ENERGY[at] - EDGE]))[0]
        away = grid - ENERGY[at]
        weights = np.exp(-0.5 * (away / 2.0) ** 2) if kind == "gaussian" else 1 / (away**2 + (width / 2) ** 2)
        assert found[at] == pytest.approx((weights * fine).sum() / weights.sum(), abs=1e-3)


@pytest.mark.parametrize("kind", ["lorentzian", "arctangent"])
def test_widths_rise_from_the_edge_to_their_limit(kind):
    widths = Broadening(kind, 1.2, 4.0, centre_ev=30).full_width(np.array([-50.0, 0.0, 10.0, 30.0, 60.0, 1e5]))
    assert widths[:2] == pytest.approx([1.2, 1.2])
    assert np.all(np.diff(widths[1:]) > -1e-12)
    assert widths[3] == pytest.approx(1.2 + 2.0)
    assert widths[-1] == pytest.approx(5.2, abs=1e-3)


def test_peaks_become_lower_and_wider():
    peak = np.exp(-0.5 * ((ENERGY - 7005) / 0.7) ** 2)
    found = broaden(ENERGY, peak, EDGE, Broadening("gaussian", 2.4))
    assert found.max() == pytest.approx(0.7 / np.hypot(0.7, 2.4), rel=0.01)  # widths add in squares
    assert np.trapezoid(found, ENERGY) == pytest.approx(np.trapezoid(peak, ENERGY), rel=1e-3)


@pytest.mark.parametrize("wrong", [{"width_ev": -1}, {"width_ev": np.nan}, {"width_ev": 1, "centre_ev": 0}])
def test_wrong_widths(wrong):
    with pytest.raises(XanesflowError, match="makes no sense"):
        Broadening("arctangent", **wrong)


def test_wrong_energies():
    with pytest.raises(XanesflowError, match="sort them"):
        broaden(ENERGY[::-1], ENERGY, EDGE, Broadening("gaussian", 1.0))
