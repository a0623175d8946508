"""Lorentzian broadening against closed forms and numerical integrals."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import cauchy

from xanesflow.codes.vasp.broadening import broaden_lorentzian


def test_a_lorentzian_becomes_one_of_both_widths_together():
    x = np.arange(-20000, 20001) * 0.02
    broadened = broaden_lorentzian(cauchy.pdf(x, 3.0, 0.5), step_ev=0.02, width_ev=0.89)
    near = np.abs(x) < 20
    wanted = cauchy.pdf(x, 3.0, 0.5 + 0.445)
    assert np.abs(broadened - wanted)[near].max() < 2e-4 * wanted.max()


@pytest.mark.parametrize("width", [0.89, 3.458])
def test_a_step_becomes_an_arctangent(width):
    """The ramp from 0 to 1 lies within one step; the plateau ends 500 eV later, with an arctangent of its own."""
    step, number = 0.05, 40001
    x = step * (np.arange(number) - 20000)
    values = ((x >= 0) & (x <= 500)).astype(float)
    broadened = broaden_lorentzian(values, step_ev=step, width_ev=width)
    wanted = (np.arctan((x + step / 2) / (width / 2)) - np.arctan((x - 500 - step / 2) / (width / 2))) / np.pi
    assert np.abs(broadened - wanted).max() < 2e-4


def test_on_a_coarse_grid_straight_lines_are_broadened_exactly():
    """A step of 3 eV and a width of 0.89 eV, where a sum over the points would be far off."""
    x = np.arange(0.0, 60.0, 3.0)
    values = np.random.default_rng(0).uniform(0, 1, len(x))
    broadened = broaden_lorentzian(values, step_ev=3.0, width_ev=0.89)
    knots = np.concatenate([[x[0] - 3], x, [x[-1] + 3]])
    line = np.concatenate([[0], values, [0]])
    for k in range(len(x)):
        parts = [
            quad(
                lambda t, k=k: np.interp(t, knots, line) * cauchy.pdf(t, x[k], 0.445),
                a,
                b,
                points=[x[k]] if a < x[k] < b else None,
            )[0]
            for a, b in pairwise(knots)
        ]
        assert broadened[k] == pytest.approx(sum(parts), rel=1e-7)


def test_nothing_is_lost_but_what_leaves_the_grid_and_nothing_turns_negative():
    """Of a peak in the middle of 2 x 2000 eV the share 1 - 2/π arctan(2000 / 0.445) of its area leaves the grid."""
    values = np.zeros(40001)
    values[20000] = 1.0
    broadened = broaden_lorentzian(values, step_ev=0.1, width_ev=0.89)
    assert broadened.sum() == pytest.approx(2 / np.pi * np.arctan(2000 / 0.445), abs=1e-6)
    assert broadened.min() > 0 and broadened[20000] == broadened.max()
    assert np.allclose(broadened, broadened[::-1], rtol=1e-9, atol=1e-16)


def test_a_width_that_is_small_against_the_step_leaves_the_points_as_they_are():
    values = np.random.default_rng(1).uniform(0, 1, 100)
    assert np.abs(broaden_lorentzian(values, step_ev=1.0, width_ev=1e-6) - values).max() < 1e-5
