"""The figures of error bars: always drawn, whatever the numbers, and with why there are none."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import test_report_figures
from test_report_figures import some_predictions, spotless

from xanesflow.evaluation.predictions_file import Uncertainty
from xanesflow.report.figures.error_bars import draw_uncertainty


def with_bars(n, factor=1.0):
    """Predictions with error bars, `factor` times the true standard deviation of some_predictions."""
    data = some_predictions(n)
    rng = np.random.default_rng(n)
    sigma = np.full((n, 141), factor * 1e-5)
    bands = [np.stack([data.predictions - k * sigma, data.predictions + k * sigma]) for k in (0.994, 1.96)]
    error = factor * 1e-5 * rng.uniform(0.5, 2, size=n)
    shares = rng.integers(1, 101, size=(n, 141)) / 100
    return replace(data, uncertainty=Uncertainty("val", 50, 40, np.ones(n), sigma, *bands, shares, error, 2 * error))


draw = partial(test_report_figures.draw, how=draw_uncertainty, names=("reliability", "sparsification", "bands"))


@pytest.mark.parametrize("n", [1, 2, 25])
def test_few_spectra_can_be_drawn_with_the_numbers_of_the_table(tmp_path, n):
    texts = draw(with_bars(n), tmp_path / "out")
    assert spotless(texts.values())
    assert texts["bands"].count("_000") == min(n, 10)
    assert "AUSE" in texts["sparsification"] and "rank correlation" in texts["sparsification"]
    if n == 25:
        assert "68% band: 6" in texts["reliability"]  # 25 x 141 Gaussian points


def test_error_bars_of_no_width_can_be_drawn(tmp_path):
    data = with_bars(6, factor=0.0)
    perfect = replace(data, spectra=data.predictions)
    assert spotless(draw(perfect, tmp_path / "out").values())


def test_a_model_without_error_bars_and_a_part_without_spectra_are_told(tmp_path):
    without = replace(some_predictions(5), uncalibrated="6 spectra are too few.")
    texts = draw(without, tmp_path / "out")
    assert spotless(texts.values()) and all("6 spectra are too few." in text for text in texts.values())
    assert "has no spectrum in its test part" in draw(with_bars(0), tmp_path / "none")["bands"]
