"""The grid and the σ envelope, against numbers worked out by hand."""

import numpy as np
import pytest
from sentences import tells

from xanesflow.core.energy_grid import energy_grid, envelope, even_energies, onto_grid
from xanesflow.core.errors import GridNotCoveredError

START = 1000.0


def grid(energies, values, *, flat=10.0):
    return onto_grid(np.array(energies, float), np.array(values, float), start_ev=START, max_flat_start_ev=flat)


def test_the_grid_is_35_ev_in_141_points():
    energies = energy_grid(8983.173)
    assert len(energies) == 141
    assert (energies[0], energies[1], energies[-1]) == (8983.173, 8983.423, 9018.173)


def test_even_energies_are_the_multiples_in_a_range_and_rounding_loses_none():
    assert even_energies(7100.2, 7101.9, 0.5).tolist() == [7100.5, 7101.0, 7101.5]
    assert even_energies(7100.000000001, 7101.0 - 1e-9, 0.25).tolist() == [7100.0, 7100.25, 7100.5, 7100.75, 7101.0]
    assert even_energies(0.1 * 3, 0.5, 0.1).tolist() == [0.3, 0.4, 0.5]
    assert even_energies(7100.1, 7100.2, 0.5).tolist() == []


def test_between_points_the_spectrum_is_a_straight_line():
    result = grid([999, 1000.5, 1010.5, 1034.5, 1040], [7, 1, 3, -1, 9])
    assert result[0] == 1  # flat before the first point inside: 999 is not used
    assert result[2] == 1
    assert np.isclose(result[22], 2)  # 1005.5 eV, half way
    assert np.isclose(result[42], 3)
    assert np.isclose(result[90], 1)  # 1022.5 eV, half way down
    assert np.isclose(result[138], -1)
    assert result[139] == result[140] == -1  # flat beyond the last point inside: 1040 is not used


def test_a_point_on_either_end_of_the_window_is_not_used():
    result = grid([1000, 1002, 1033, 1035], [50, 1, 1, 70])
    assert np.array_equal(result, np.ones(141))


@pytest.mark.parametrize(
    ("energies", "said"),
    [
        ([1001, 1034.9], "the last computed energy is 1034.90 eV, and the grid ends at 1035.00 eV"),
        ([990, 999], "the last computed energy is 999.00 eV"),
        ([], "the last computed energy is no eV"),
        ([1010.5, 1040], "the first computed energy in the grid is 1010.50 eV, more than 10 eV after its start"),
        ([999, 1040], "the first computed energy in the grid is 1040.00 eV"),
        ([1035.0], "the first computed energy in the grid is 1035.00 eV"),
        ([1040, 1050], "the first computed energy in the grid is 1040.00 eV"),
    ],
)
def test_energies_that_do_not_cover_the_grid_are_told(energies, said):
    with tells(said, error=GridNotCoveredError):
        grid(energies, np.ones(len(energies)))


def test_how_far_the_start_may_lack_is_configured():
    assert np.array_equal(grid([1010, 1040], [2, 5], flat=10), np.full(141, 2))
    for first, flat in ((1010, 9.9), (1000.1, 0)):
        with pytest.raises(GridNotCoveredError):
            grid([first, 1040], [2, 5], flat=flat)


def test_the_envelope_is_mean_and_population_sigma_taken_once():
    """Nine zeros and a ten: mean 1, population σ 3 (sample σ 3.162), so the ten lies 3 σ away."""
    spectra = np.zeros((10, 2))
    spectra[9] = [10, 0]
    inside = envelope(spectra, 2.9)
    assert inside.kept.tolist() == [True] * 9 + [False]
    assert np.isclose(inside.worst_sigma[9], 3) and inside.worst_index[9] == 0
    assert np.allclose(inside.worst_sigma[:9], 1 / 3)
    assert all(envelope(spectra, c).kept.all() for c in (3, 3.01, None)), "on the envelope is inside"
    assert inside.bounds[:, 0] == pytest.approx([1 - 2.9 * 3, 1 + 2.9 * 3]) and envelope(spectra, None).bounds is None


def test_one_point_outside_is_enough_and_the_worst_one_is_named():
    spectra = np.random.default_rng(0).normal(size=(200, 5))
    spectra[17, 3] = 40.0
    spectra[17, 1] = -9.0
    inside = envelope(spectra, 5)
    assert np.flatnonzero(~inside.kept).tolist() == [17]
    column = spectra[:, 3]
    mean = sum(column) / 200
    sigma = (sum((x - mean) ** 2 for x in column) / 200) ** 0.5
    assert inside.worst_index[17] == 3 and np.isclose(inside.worst_sigma[17], (40 - mean) / sigma)


@pytest.mark.parametrize("c", [None, 2.5])
@pytest.mark.parametrize("number", [1, 4])
def test_equal_spectra_are_inside_where_sigma_is_zero(c, number):
    inside = envelope(np.full((number, 141), 0.1), c)
    assert inside.kept.all() and np.array_equal(inside.worst_sigma, np.zeros(number))
