"""Spectra moved in energy, against functions whose move is known."""

import numpy as np
import pytest
from delta_data import START_EV, edge

from xanesflow.features.cheap_runs.columns import FRAME_POINTS, MARGIN_POINTS, frame_energies
from xanesflow.models.delta.alignment import best_shifts, into_frame, onto_grid, onto_grid_blurred

FRAME = frame_energies(START_EV)
GRID = START_EV + 0.25 * np.arange(141)


def test_the_frame_holds_the_grid_with_six_electronvolts_at_each_end():
    assert len(FRAME) == FRAME_POINTS
    assert FRAME[MARGIN_POINTS:-MARGIN_POINTS] == pytest.approx(GRID)
    assert (FRAME[0], FRAME[-1]) == (pytest.approx(GRID[0] - 6), pytest.approx(GRID[-1] + 6))


@pytest.mark.parametrize("shift", [0.0, 0.25, -1.1, 5.9, -6.0])
def test_a_straight_line_moves_exactly(shift):
    moved = onto_grid((2 * FRAME)[None], np.array([shift]))
    assert moved[0] == pytest.approx(2 * (GRID - shift), abs=1e-9)


def test_each_spectrum_moves_by_its_own_shift():
    values = np.stack([np.sin(FRAME / 7), np.cos(FRAME / 5)])
    moved = onto_grid(values, np.array([1.3, -2.2]))
    assert moved == pytest.approx(np.stack([np.sin((GRID - 1.3) / 7), np.cos((GRID + 2.2) / 5)]), abs=5e-4)


def test_into_the_frame_and_back_is_the_same_spectrum():
    spectra = np.stack([np.sin(GRID / 7), np.cos(GRID / 5)])
    shifts = np.array([0.75, -2.5])  # whole points: nothing is interpolated
    assert onto_grid(into_frame(spectra, shifts), shifts) == pytest.approx(spectra, abs=1e-12)


def test_beyond_the_known_energies_a_spectrum_is_constant():
    framed = into_frame(np.linspace(1, 2, 141)[None], np.zeros(1))[0]
    assert set(framed[:MARGIN_POINTS]) == {1.0}
    assert set(framed[-MARGIN_POINTS:]) == {2.0}


def test_the_best_shift_is_the_one_that_was_put_in():
    shifts = np.array([-4.3, -0.62, 0.0, 0.18, 2.05, 5.2])
    middle, wave = np.full(6, START_EV + 9.0), np.linspace(0.4, 1.1, 6)
    found = best_shifts(edge(FRAME, middle, wave), edge(GRID, middle + shifts, wave))
    assert found == pytest.approx(shifts, abs=0.02)


def test_an_uncertain_shift_gives_the_mean_spectrum():
    """Of x² with the shift s ± σ: (x - s)² + σ²; of a wave of length 14π eV: damped by exp(-(σ/7)²/2)."""
    x = FRAME - GRID[70]
    blurred = onto_grid_blurred(np.stack([x**2, np.sin(x / 7)]), np.array([0.5, -1.0]), 0.8)
    inner = slice(20, -20)  # nothing comes from beyond the frame, where spectra are constant
    at = GRID - GRID[70]
    assert blurred[0, inner] == pytest.approx((at - 0.5)[inner] ** 2 + 0.64, abs=0.02)  # linear between the points
    assert blurred[1, inner] == pytest.approx(np.sin((at + 1.0) / 7)[inner] * np.exp(-0.5 * (0.8 / 7) ** 2), abs=3e-4)


def test_a_certain_shift_blurs_nothing():
    values, shifts = np.sin(FRAME / 7)[None], np.array([0.7])
    assert onto_grid_blurred(values, shifts, 0.0) == pytest.approx(onto_grid(values, shifts), abs=1e-12)
