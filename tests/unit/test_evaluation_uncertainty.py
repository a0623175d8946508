"""How error bars are judged, against numbers computed by hand or by brute force."""

import csv

import numpy as np
import pytest

from xanesflow.evaluation.error_bars.scores import COLUMNS, reliability, score_error_bars, sparsification, write_scores
from xanesflow.evaluation.predictions_file import Predictions, Uncertainty, read_predictions, write_predictions


def bars_of(spectra, half_width, expected, *, confidence=None):
    """Error bars around 0 with given half widths of the 68 % band, the 95 % band being twice as wide."""
    band = np.stack([-half_width, half_width])
    shares = np.full(spectra.shape, 0.5) if confidence is None else confidence
    return Uncertainty(
        "val", 9, 8, np.ones(len(spectra)), half_width, band, 2 * band, shares, expected, 2 * expected
    )  # fmt: skip


def test_sparsification_is_that_computed_by_hand():
    found = sparsification(np.array([1.0, 4.0, 2.0, 1.0]), np.array([3.0, 2.0, 9.0, 1.0]))
    # In order of the expected error: 2, 1, 4, 1 are taken out; what is left has the means 2, 2, 2.5, 1.
    assert found.removed.tolist() == [0, 0.25, 0.5, 0.75]
    assert found.curve.tolist() == [1, 1, 1.25, 0.5]
    assert found.oracle == pytest.approx([1, 2 / 3, 0.5, 0.5])
    assert found.ause == pytest.approx(np.mean([0, 1 / 3, 0.75, 0]))
    assert found.ause_random == pytest.approx(np.mean([0, 1 / 3, 0.5, 0.5]))


def test_an_oracle_has_no_area_and_a_random_order_that_of_its_formula():
    errors = np.arange(1.0, 201.0)
    assert sparsification(errors, 7 * errors**3).ause == 0
    # What is left of 1 .. n after taking out the i largest has the mean (n - i + 1) / 2.
    assert sparsification(errors, errors).ause_random == pytest.approx(0.5 * 199 / 201)
    rng = np.random.default_rng(0)
    areas = [sparsification(errors, rng.permutation(errors)).ause for _ in range(300)]
    assert np.mean(areas) == pytest.approx(0.5 * 199 / 201, abs=0.02)
    assert sparsification(errors, -errors).ause > 0.9
    assert sparsification(np.zeros(5), np.arange(5.0)).ause == 0


def test_reliability_counts_the_points_inside_each_band():
    confidence = np.random.default_rng(0).integers(1, 101, size=(30, 7)) / 100
    found = reliability(confidence)
    assert found == pytest.approx([np.mean(confidence <= level / 100 + 1e-9) for level in range(1, 100)])


def test_figures_are_those_computed_by_hand():
    spectra = np.array([[0.5, -3.0], [1.5, 0.2], [0.1, 0.1]])
    half = np.array([[1.0, 1.0], [1.0, 1.0], [0.05, 1.0]])
    expected = np.array([3.0, 0.7, 0.01])
    found = score_error_bars(spectra, np.zeros((3, 2)), bars_of(spectra, half, expected))
    assert found.coverage_68 == pytest.approx(3 / 6)
    assert found.coverage_95 == pytest.approx(5 / 6)
    assert found.half_width_68 == pytest.approx(5.05 / 6)
    assert found.half_width_95 == pytest.approx(2 * 5.05 / 6)
    assert found.spectra_below_95 == pytest.approx(2 / 3)  # errors 2.15, 1.07, 0.1; bounds 6, 1.4, 0.02
    assert found.rank_correlation == pytest.approx(1)
    assert found.ause == 0
    # All confidences are 0.5: nothing inside below that level, everything from it on.
    assert found.miscalibration_area == pytest.approx((sum(range(1, 50)) + sum(100 - k for k in range(50, 100))) / 9900)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_what_very_few_spectra_do_not_define_is_nan(n):
    spectra = np.ones((n, 3))
    found = score_error_bars(spectra, np.zeros((n, 3)), bars_of(spectra, np.ones((n, 3)), np.ones(n)))
    assert np.isnan(found.rank_correlation)
    assert np.isnan(found.coverage_68) == (n == 0)


def test_a_file_gives_back_its_error_bars_and_the_table_has_a_row_for_models_without(tmp_path):
    rng = np.random.default_rng(0)
    spectra = rng.normal(size=(6, 3))
    bars = bars_of(spectra, np.ones((6, 3)), rng.uniform(size=6), confidence=rng.integers(1, 100, size=(6, 3)) / 100)
    common = ("m3gnet", "Cu_FEFF", "test", 9, [0, 1], [f"mp-{k}_000" for k in range(6)], np.arange(3.0), spectra)
    arrays = (np.zeros((6, 3)), np.zeros((2, 6, 3)), np.zeros(3))
    write_predictions(tmp_path / "p.h5", Predictions("expert", *common, *arrays, bars), {})
    again = read_predictions(tmp_path / "p.h5")
    for name, value in vars(bars).items():
        assert np.array_equal(getattr(again.uncertainty, name), value), name
    without = Predictions("tuned", *common, *arrays, None, "2 spectra are too few.")
    write_predictions(tmp_path / "q.h5", without, {})
    never_calibrated = Predictions("linear", *common, *arrays)
    write_scores([again, never_calibrated, read_predictions(tmp_path / "q.h5")], tmp_path / "c.csv")
    with (tmp_path / "c.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert tuple(rows[0]) == COLUMNS
    assert [row["fitted"] for row in rows] == ["val", ""]
    assert float(rows[0]["coverage_68"]) == score_error_bars(spectra, np.zeros((6, 3)), bars).coverage_68
    assert (rows[0]["n_fit"], rows[0]["n_fit_materials"], rows[0]["n"], rows[0]["members"]) == ("9", "8", "6", "2")
    assert (rows[1]["coverage_95"], rows[1]["reason"]) == ("nan", "2 spectra are too few.")
