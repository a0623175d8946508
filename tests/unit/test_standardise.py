"""What is constant is decided once, for networks, error bars and the map of features."""

import numpy as np
import pytest

from xanesflow.core.standardise import mean_and_deviation
from xanesflow.evaluation.error_bars.distance import TrainingSites
from xanesflow.models.network.scaling import Scaling
from xanesflow.report.explorer.feature_map import place


def features():
    """Ten sites: a feature that varies, one that only varies within the rounding of float32, and one of zeros."""
    varying = np.arange(10.0)
    return np.column_stack([varying, 5 + 1e-7 * varying, np.zeros(10)])


def test_a_feature_that_varies_within_rounding_is_constant():
    mean, deviation = mean_and_deviation(features())
    assert mean == pytest.approx([4.5, 5.0, 0.0], abs=1e-5)
    assert deviation.tolist() == [np.arange(10.0).std(), 0.0, 0.0]


def test_a_constant_feature_moves_no_site_anywhere():
    values = features()
    apart = values + np.array([0.0, 1e-7, 0.0])
    scaling = Scaling.fit("standardise", "radial", values)
    assert scaling.feature_scale.tolist() == [1 / values[:, 0].std(), 0.0, 0.0]
    sites = TrainingSites.fit(values)
    assert sites.scale.tolist() == [values[:, 0].std(), 1.0, 1.0]
    assert sites.along_axes(values) == pytest.approx(sites.points, abs=1e-6)
    assert sites.distance(apart) == pytest.approx(np.zeros(10), abs=1e-6)
    placed = place(values, np.arange(10)).points
    assert np.abs(placed[:, 1]).max() < 1e-6
