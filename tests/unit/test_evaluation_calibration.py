"""Calibrated error bars, on residuals whose distribution is known."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from scipy import stats

from xanesflow.core.errors import NotCalibratedError, XanesflowError
from xanesflow.evaluation.error_bars.calibration import Calibration, Ensemble, cross_fit, materials_of
from xanesflow.evaluation.error_bars.calibration_file import read_calibration, write_calibration
from xanesflow.evaluation.error_bars.distance import TrainingSites

OWNER = Ensemble("expert", "m3gnet", "Cu_FEFF", {0: "a" * 64, 1: "b" * 64})
M = 30
GRID = np.linspace(0, 1, M)


def known(n, *, noise=stats.norm, members=4, seed=0, per_material=1):
    """Predictions of n sites and truth whose standard deviation is known: it grows with distance and energy."""
    rng = np.random.default_rng(seed)
    distance = rng.uniform(0.5, 5, size=n)
    sigma = 1e-5 * distance[:, None] * (0.5 + GRID)
    predicted = 5e-4 + 1e-4 * rng.normal(size=(n, 1)) + np.zeros(M)
    spread = 0.2 * sigma * rng.normal(size=(members, n, M)) if members > 1 else np.zeros((1, n, M))
    by_seed = predicted + spread
    truth = by_seed.mean(axis=0) + sigma * noise.rvs(size=(n, M), random_state=rng) / noise.std()
    ids = [f"mp-{seed}{k // per_material:05d}_{k % per_material:03d}" for k in range(n)]
    return by_seed, distance, truth, ids, sigma


def coverage(calibration, by_seed, distance, truth, level):
    lower, upper = calibration.bands(by_seed, distance, level)
    return np.mean((lower <= truth) & (truth <= upper))


@pytest.mark.parametrize(
    ("noise", "members"), [(stats.norm, 4), (stats.t(3), 4), (stats.t(3), 1)], ids=["gaussian", "student", "one member"]
)
def test_bands_hold_the_share_of_new_points_that_they_name_whatever_the_residuals_distribution(noise, members):
    calibration = Calibration.fit(*known(300, noise=noise, members=members)[:4])
    new = known(600, noise=noise, members=members, seed=1)
    for level in (0.05, 0.5, 0.68, 0.8, 0.95, 0.99):
        assert coverage(calibration, *new[:3], level) == pytest.approx(level, abs=0.02)
    inside = new[2] <= calibration.bands(*new[:2], 0.68)[1]
    at_each = np.mean(inside & (new[2] >= calibration.bands(*new[:2], 0.68)[0]), axis=0)
    assert np.abs(at_each - 0.68).max() < 0.08, "at each energy, not only over all of them"


@pytest.mark.parametrize("noise", [stats.norm, stats.t(5)], ids=["gaussian", "student"])
def test_half_widths_are_those_of_the_true_distribution(noise):
    calibration = Calibration.fit(*known(800, noise=noise)[:4])
    by_seed, distance, _, _, sigma = known(200, seed=1)
    for level in (0.68, 0.95):
        lower, upper = calibration.bands(by_seed, distance, level)
        true = noise.ppf(0.5 + level / 2) / noise.std()
        assert np.median((upper - lower) / 2 / sigma) == pytest.approx(true, rel=0.06)
    assert np.median(calibration.sigma(by_seed, distance) / sigma) == pytest.approx(1, rel=0.06)
    assert np.median(calibration.error(by_seed, distance) / np.sqrt(np.mean(sigma**2, axis=1))) == pytest.approx(
        1, rel=0.06
    )


def test_the_error_of_a_whole_spectrum_stays_below_its_bound_as_often_as_said():
    calibration = Calibration.fit(*known(300, noise=stats.t(4))[:4])
    by_seed, distance, truth, _, _ = known(600, noise=stats.t(4), seed=1)
    errors = np.sqrt(np.mean((truth - by_seed.mean(axis=0)) ** 2, axis=1))
    for level in (0.5, 0.68, 0.95):
        below = errors <= calibration.error_bound(by_seed, distance, level)
        assert np.mean(below) == pytest.approx(level, abs=0.06)


def test_a_site_is_never_safer_for_being_farther_or_for_members_that_disagree():
    rng = np.random.default_rng(3)
    by_seed, distance, truth, ids, _ = known(40)
    odd = truth + 1e-4 * rng.normal(size=(40, 1)) / distance[:, None]  # the nearest ones err most
    calibration = Calibration.fit(by_seed, distance, odd, ids)
    sigma = calibration.sigma(by_seed, distance)
    assert (calibration.sigma(by_seed, 2 * distance) >= sigma).all()
    mean = by_seed.mean(axis=0)
    assert (calibration.sigma(mean + 2 * (by_seed - mean), distance) >= sigma).all()


@pytest.mark.parametrize("members", [1, 3])
def test_a_validation_part_of_12_spectra_is_enough_and_its_bands_are_cautious(members):
    found = []
    for seed in range(6):
        calibration = Calibration.fit(*known(12, members=members, seed=seed)[:4])
        new = known(60, members=members, seed=seed + 100)
        found.append([coverage(calibration, *new[:3], level) for level in (0.68, 0.95)])
    assert np.mean(found, axis=0) == pytest.approx([0.73, 0.97], abs=0.07)


def test_smallest_levels_are_those_of_the_narrowest_band_that_holds_the_point():
    calibration = Calibration.fit(*known(60)[:4])
    by_seed, distance, truth, _, _ = known(40, noise=stats.t(2.1), seed=1)
    levels = calibration.levels_of(by_seed, distance, truth)
    for level in (0.05, 0.68, 0.95):
        lower, upper = calibration.bands(by_seed, distance, level)
        assert np.array_equal(levels <= level, (lower <= truth) & (truth <= upper))
    assert (levels == 1).any() and levels.min() == 0.01


def test_a_band_between_two_levels_lies_between_their_bands_and_none_is_negative():
    calibration = Calibration.fit(*known(60)[:4])
    by_seed, distance, _, _, _ = known(5, seed=1)
    uppers = [calibration.bands(by_seed, distance, level)[1] for level in (0.68, 0.685, 0.69)]
    assert uppers[1] == pytest.approx((uppers[0] + uppers[2]) / 2)
    assert (calibration.bands(by_seed - 5e-4, distance, 0.99)[0] >= 0).all()
    for level in (0, 0.005, 0.995, 1, 68, float("nan")):
        with pytest.raises(XanesflowError, match=r"from 0\.01 to 0\.99"):
            calibration.bands(by_seed, distance, level)


def test_a_perfect_model_and_members_that_are_all_the_same_have_error_bars():
    by_seed, distance, truth, ids, _ = known(20)
    same = np.repeat(by_seed[:1], 3, axis=0)
    for spectra in (same[0], truth):
        calibration = Calibration.fit(same, distance, spectra, ids)
        assert np.isfinite(calibration.sigma(same, distance)).all()
        assert coverage(calibration, same, distance, spectra, 0.95) >= 0.9
    assert np.isfinite(Calibration.fit(by_seed, np.zeros(20), truth, ids).sigma(by_seed, np.zeros(20))).all()


def test_too_few_spectra_or_materials_are_refused_with_both_numbers():
    by_seed, distance, truth, ids, _ = known(7)
    with pytest.raises(
        NotCalibratedError, match=r"7 spectra of 7 materials are too few .* \(at least 8 spectra of 4 materials"
    ):
        Calibration.fit(by_seed, distance, truth, ids)
    of_three = known(12, per_material=4)[:4]
    with pytest.raises(NotCalibratedError, match="12 spectra of 3 materials"):
        Calibration.fit(*of_three)
    with pytest.raises(NotCalibratedError, match=r"12 spectra of 3 materials .* both calibrate"):
        list(cross_fit(*of_three))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_refused_with_the_sites_name(value):
    by_seed, distance, truth, ids, _ = known(12)
    by_seed[1, 7, 3] = value
    with pytest.raises(XanesflowError, match=f"prediction of {ids[7]} "):
        Calibration.fit(by_seed, distance, truth, ids)
    by_seed, distance, truth, ids, _ = known(12)
    calibration = Calibration.fit(by_seed, distance, truth, ids)
    truth[5, 0] = distance[4] = value
    with pytest.raises(XanesflowError, match=f"spectrum of {ids[5]} "):
        Calibration.fit(by_seed, np.ones(12), truth, ids)
    with pytest.raises(XanesflowError, match="no finite numbers"):
        calibration.sigma(by_seed, distance)
    with pytest.raises(XanesflowError, match="do not fit each other"):
        Calibration.fit(by_seed, distance, truth[:5], ids)


def test_in_a_cross_fit_no_material_has_a_part_in_its_own_error_bars():
    by_seed, distance, truth, ids, _ = known(40, per_material=3)
    folds = list(cross_fit(by_seed, distance, truth, ids))
    assert sorted(np.concatenate([rows for rows, _ in folds])) == list(range(40))
    materials = np.array(materials_of(ids))
    rows, calibration = folds[0]
    assert calibration.n_materials == len(set(materials)) - len(set(materials[rows]))
    others = truth.copy()
    others[rows] += 1
    for (there, one), (here, other) in zip(folds, cross_fit(by_seed, distance, others, ids), strict=True):
        given = by_seed[:, there], distance[there]
        assert np.array_equal(there, here)
        assert np.array_equal(one.sigma(*given), other.sigma(*given)) == np.array_equal(rows, there)


def test_the_file_alone_gives_the_same_bands_and_says_whose_it_is(tmp_path):
    features = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    sites = TrainingSites.fit(features)
    by_seed, distance, truth, ids, _ = known(20, members=2)
    calibration = Calibration.fit(by_seed, distance, truth, ids, sites=sites, owner=OWNER)
    write_calibration(tmp_path / "c.h5", calibration, OWNER, "", {})
    again = read_calibration(tmp_path / "c.h5", OWNER)
    assert np.array_equal(again.bands(by_seed, distance, 0.68), calibration.bands(by_seed, distance, 0.68))
    assert np.array_equal(again.error_bound(by_seed, distance, 0.9), calibration.error_bound(by_seed, distance, 0.9))
    assert np.array_equal(again.sites.distance(features + 0.1), sites.distance(features + 0.1))
    assert (again.owner, again.n_spectra, again.n_materials) == (OWNER, 20, 20)
    with pytest.raises(XanesflowError, match="2 seeds at 30 energies, not for an array"):
        again.bands(by_seed[:1], distance, 0.68)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"subset": "Ni_FEFF"}, "of Cu_FEFF, not Ni_FEFF"),
        ({"model": "tuned"}, "of expert, not tuned"),
        ({"checkpoints": {0: "a" * 64}}, r"of the seeds \[0, 1\], not \[0\]"),
        ({"checkpoints": {0: "a" * 64, 1: "c" * 64}}, "its seed 1 has the hash bbbbbbbbbbbb, not cccccccccccc"),
    ],
)
def test_the_calibration_of_another_model_is_refused(tmp_path, change, said):
    write_calibration(tmp_path / "c.h5", Calibration.fit(*known(20, members=2)[:4]), OWNER, "", {})
    with pytest.raises(XanesflowError, match=f"the calibration of another model .{said}.*delete it"):
        read_calibration(tmp_path / "c.h5", replace(OWNER, **change))


def test_a_file_without_error_bars_tells_why_and_a_foreign_one_is_refused(tmp_path):
    write_calibration(tmp_path / "c.h5", None, OWNER, "2 spectra are too few.", {})
    with pytest.raises(NotCalibratedError, match="2 spectra are too few"):
        read_calibration(tmp_path / "c.h5", OWNER)
    (tmp_path / "text.h5").write_text("no HDF5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["energy"] = [1.0]
    for name in ("text.h5", "other.h5", "none.h5"):
        with pytest.raises(XanesflowError, match="is not a calibration of xanesflow"):
            read_calibration(tmp_path / name)


def test_distances_are_to_the_nearest_training_site_in_standard_deviations():
    rng = np.random.default_rng(0)
    training = rng.normal(size=(200, 5)) * [1, 10, 100, 0.1, 0] + 3  # the last one is constant
    sites = TrainingSites.fit(training)
    assert sites.distance(training) == pytest.approx(np.zeros(200), abs=1e-5)
    new = rng.normal(size=(20, 5)) * [1, 10, 100, 0.1, 0] + 3
    scaled = [(each - 3)[:, :4] / training.std(axis=0)[:4] for each in (training, new)]
    true = np.linalg.norm(scaled[1][:, None] - scaled[0][None], axis=2).min(axis=1)
    assert sites.distance(new) == pytest.approx(true, rel=1e-4)
    assert TrainingSites.fit(training[:0]).distance(new).tolist() == [0] * 20
    assert TrainingSites.fit(training[:1]).distance(training[:1]).tolist() == [0]


def test_of_many_features_the_leading_principal_axes_are_kept():
    rng = np.random.default_rng(0)
    training = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 100))  # 100 features, but only 6 ways to differ
    sites = TrainingSites.fit(training)
    assert sites.points.shape == (300, 32)
    new = training[:20] + 0.1 * training[20:40]
    true = np.linalg.norm((new[:, None] - training[None]) / training.std(axis=0), axis=2).min(axis=1)
    assert sites.distance(new) == pytest.approx(true, rel=1e-4)
