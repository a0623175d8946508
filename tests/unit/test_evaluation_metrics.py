"""The figures of merit, against numbers computed by hand."""

import numpy as np
import pytest

from xanesflow.evaluation.metrics import compute_metrics, deciles, energy_errors, spectrum_mse

SPECTRA = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 5.0]])
PREDICTIONS = np.array([[1.0, 4.0], [3.0, 5.0], [1.0, 5.0]])
BASELINE = np.array([2.0, 4.0])
# Squared errors of the model:    (0, 4), (0, 1), (16, 0): means 2, 0.5, 8
# Squared errors of the baseline: (1, 4), (1, 0), (9, 1):  means 2.5, 0.5, 5


def test_errors_of_each_spectrum():
    assert spectrum_mse(SPECTRA, PREDICTIONS).tolist() == [2.0, 0.5, 8.0]
    assert spectrum_mse(SPECTRA, BASELINE).tolist() == [2.5, 0.5, 5.0]


def test_figures_are_those_computed_by_hand():
    found = compute_metrics(SPECTRA, PREDICTIONS, BASELINE)
    assert found.n == 3
    assert found.xi == 2.0
    assert found.xi_baseline == 2.5
    assert found.eta == 1.25
    assert found.w_e == pytest.approx(1 / 3)  # the first wins, the second is a tie, the third loses
    assert found.w_s == pytest.approx(3 / 6)  # (0 < 1, 2 = 2), (0 < 1, 1 > 0), (4 > 3, 0 < 1)
    assert found.mse_mean == 3.5


def test_the_baseline_itself_has_eta_1_and_wins_nowhere():
    found = compute_metrics(SPECTRA, np.tile(BASELINE, (3, 1)), BASELINE)
    assert (found.eta, found.w_e, found.w_s) == (1.0, 0.0, 0.0)


def test_a_perfect_model_wins_wherever_the_baseline_errs():
    found = compute_metrics(SPECTRA, SPECTRA, BASELINE)
    assert (found.xi, found.eta, found.w_e, found.w_s) == (0.0, np.inf, 1.0, 5 / 6)  # one point is a tie


def test_median_of_an_even_number_is_the_mean_of_the_middle_two():
    found = compute_metrics(SPECTRA[:2], PREDICTIONS[:2], BASELINE)
    assert found.xi == 1.25


def test_without_a_baseline_only_the_figures_that_need_it_are_undefined():
    found = compute_metrics(SPECTRA, PREDICTIONS, np.full(2, np.nan))
    assert (found.n, found.xi, found.mse_mean) == (3, 2.0, 3.5)
    assert np.isnan([found.xi_baseline, found.eta, found.w_e, found.w_s]).all()


def test_shapes_that_do_not_fit_are_refused():
    for spectra, predictions, baseline in [
        (SPECTRA, PREDICTIONS[:2], BASELINE),
        (SPECTRA, PREDICTIONS, BASELINE[:1]),
        (SPECTRA[:0], PREDICTIONS[:0], BASELINE),
    ]:
        with pytest.raises(ValueError, match="shapes"):
            compute_metrics(spectra, predictions, baseline)


def test_errors_at_each_energy():
    found = energy_errors(SPECTRA, PREDICTIONS, BASELINE)
    assert found.model.tolist() == [pytest.approx(4 / 3), 1.0]
    assert found.baseline.tolist() == [pytest.approx(5 / 3), 1.0]
    assert found.gain.tolist() == [pytest.approx(0.2), 0.0]
    assert found.improvement.tolist() == [pytest.approx((1 / 3) / BASELINE.mean()), 0.0]
    assert np.isnan(energy_errors(SPECTRA[:1], PREDICTIONS[:1], SPECTRA[0]).gain).all()


def test_deciles_go_from_best_to_worst():
    mse = np.array([5.0, 1.0, 3.0, 1.0, 9.0])
    assert [part.tolist() for part in deciles(mse, 2)] == [[1, 3, 2], [0, 4]]
    tenths = deciles(np.arange(25.0)[::-1])
    assert [len(part) for part in tenths] == [3, 3, 3, 3, 3, 2, 2, 2, 2, 2]
    assert tenths[0].tolist() == [24, 23, 22]
