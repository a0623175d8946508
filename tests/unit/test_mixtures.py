"""Mixtures of made-up standards give their fractions back; components count what a series was made of."""

from dataclasses import replace

import numpy as np
import pytest
from measured_files import ENERGY
from scipy.stats import t

from xanesflow.core.errors import XanesflowError
from xanesflow.matching.components import find_components
from xanesflow.matching.each_scan import each_scan
from xanesflow.matching.mixtures import INDEPENDENT_EV, Standard, cautions, fit_mixtures
from xanesflow.matching.write_mix import draw_components, write_components
from xanesflow.measured.measured_spectrum import Scan
from xanesflow.measured.normalise import normalise

PEAKS = {"first": (6.0, 0.8, 8.0), "second": (9.0, 0.5, 20.0), "third": (3.0, 0.4, 6.0), "fourth": (15.0, 0.6, 40.0)}


def made(weights, *, noise=0.0, seed=0, shift=0.0):
    """A spectrum of peaks after one edge; weights by the name of a peak."""
    away = ENERGY - 7120 - shift
    lines = sum(w * PEAKS[n][1] * np.exp(-((away - PEAKS[n][0]) ** 2) / PEAKS[n][2]) for n, w in weights.items())
    edge = sum(weights.values()) * (0.5 + np.arctan(away / 0.8) / np.pi)
    return edge + lines + noise * np.random.default_rng(seed).normal(size=len(ENERGY))


def scan(values, name="sample"):
    return normalise(Scan(ENERGY, values, "normalised", name, "Fe", "K"))


def standards(*names, reach=1.0):
    return [Standard(name, ENERGY, made({name: 1.0}), (-reach, reach)) for name in names]


def test_fractions_and_shifts_are_recovered():
    away = made({"first": 0.35}) + made({"second": 0.65}, shift=0.4)
    fit = fit_mixtures(scan(away), standards(*PEAKS))
    best = fit.mixtures[0]
    assert best.standards == ("first", "second")
    assert best.fractions == pytest.approx([0.35, 0.65], abs=0.01)
    assert best.shifts_ev == pytest.approx([0.0, 0.4], abs=0.05)
    assert best.rms < 2e-3
    assert [each.rank for each in fit.mixtures] == list(range(1, len(fit.mixtures) + 1))
    assert all((each.fractions > 0).all() for each in fit.mixtures)


def test_intervals_hold_the_truth_as_often_as_they_say():
    held = []
    for seed in range(25):
        fit = fit_mixtures(
            scan(made({"first": 0.4, "second": 0.6}, noise=0.01, seed=seed)), standards("first", "second", reach=0.0)
        )
        (best,) = [each for each in fit.mixtures if len(each.standards) == 2]
        held += [low <= truth <= high for truth, low, high in zip((0.4, 0.6), best.low, best.high, strict=True)]
    assert np.mean(held) >= 0.85  # 95 % of 50, less three standard deviations


def test_fractions_add_up_to_one_where_asked():
    fit = fit_mixtures(scan(made({"first": 0.5, "third": 0.55})), standards("first", "third"), sum_to_one=True)
    assert fit.mixtures[0].fractions.sum() == pytest.approx(1.0, abs=1e-6)
    assert all(each.high.max() <= 1.0 for each in fit.mixtures)


def test_fixed_standards_have_the_intervals_of_linear_regression():
    given = standards("first", "third", reach=0.0)
    fit = fit_mixtures(scan(made({"first": 0.4, "third": 0.6}, noise=0.01)), given)
    (pair,) = [each for each in fit.mixtures if len(each.standards) == 2]
    matrix = np.array([np.interp(fit.energy_ev, each.energy_ev, each.values) for each in given]).T
    points = (fit.energy_ev[-1] - fit.energy_ev[0]) / INDEPENDENT_EV
    variance = np.sum((fit.values - pair.fitted) ** 2) / (points - 2) * np.linalg.inv(matrix.T @ matrix)
    expected = t.ppf(0.975, points - 2) * np.sqrt(np.diag(variance))
    assert (pair.high - pair.low) / 2 == pytest.approx(expected, rel=1e-6)


def test_a_standard_that_would_be_shifted_farther_is_named():
    away = made({"first": 0.35}) + made({"second": 0.65}, shift=1.6)
    best = fit_mixtures(scan(away), standards("first", "second")).mixtures[0]
    assert best.standards == ("first", "second") and best.at_limit == ("second",)
    assert fit_mixtures(scan(away), standards("first", "second", reach=2.0)).mixtures[0].at_limit == ()
    assert fit_mixtures(scan(away), standards("first", "second", reach=0.0)).mixtures[0].at_limit == ()


def test_the_smallest_of_shifts_can_be_allowed():
    assert fit_mixtures(scan(made({"first": 1.0})), standards("first", "second", reach=3e-4)).mixtures[0].rms < 1e-2


def test_a_needless_standard_does_not_win():
    fit = fit_mixtures(scan(made({"second": 1.0}, noise=0.002)), standards(*PEAKS))
    assert fit.mixtures[0].standards == ("second",)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (standards("first"), "at least two standards"),
        ([*standards("first")] * 300, "300 standards have 4500250 combinations of up to 3, more than the 500000"),
        (
            [*standards("first"), Standard("short", ENERGY[ENERGY < 7130], made({"first": 1})[ENERGY < 7130])],
            "short ends",
        ),
    ],
)
def test_what_cannot_be_fitted_is_said(given, sentence):
    with pytest.raises(XanesflowError, match=sentence):
        fit_mixtures(scan(made({"first": 1.0})), given)


def test_a_short_standard_is_left_out_or_named_as_what_cuts_the_fit_short():
    def short(last):
        near = last > ENERGY
        return Standard("short", ENERGY[near], made({"fourth": 1.0})[near])

    sample, long = scan(made({"first": 0.4, "second": 0.6})), standards("first", "second")
    whole = fit_mixtures(sample, long)
    assert whole.left_out == () and whole.cut_short == ""
    without = fit_mixtures(sample, [*long, short(7135)])
    assert without.mixtures[0].fractions == pytest.approx(whole.mixtures[0].fractions)
    assert without.left_out[0].startswith("short ends at 713") and not without.cut_short
    cut = fit_mixtures(sample, [*long, short(7150)])
    assert cut.left_out == () and cut.energy_ev[-1] < 7150 < whole.energy_ev[-1]
    (said,) = cautions([cut, cut])
    assert "29 eV after the edge instead of 60 eV, because of short (to 7150 eV)" in said
    with pytest.raises(XanesflowError, match=r"sample ends at .* give a longer scan"):
        fit_mixtures(replace(sample, parameters={"half_step_ev": ENERGY[-1] - 10}), long)


def test_all_components_above_the_noise_are_drawn_and_written(tmp_path):
    shapes = np.array([np.cos(k * (ENERGY - 7105) / 25) for k in range(14)])
    weights = np.random.default_rng(0).normal(size=(20, 14))
    first = scan(made({"first": 1.0}))
    series = [replace(first, flattened=first.flattened + each @ shapes) for each in weights]
    found = find_components(series)
    assert found.significant == found.shown > 10
    write_components(tmp_path / "pca.csv", found)
    assert f",score_{found.shown},misfit" in (tmp_path / "pca.csv").read_text()
    draw_components(tmp_path / "pca.svg", found)
    assert f">6 of {found.significant} drawn<" in (tmp_path / "pca.svg").read_text()


def test_components_count_what_a_series_is_made_of():
    shares = np.linspace(0, 1, 9)
    series = [scan(made({"first": a, "second": 1 - a}, noise=0.003, seed=k), f"scan {k}") for k, a in enumerate(shares)]
    found = find_components(series)
    assert found.significant == 2
    assert np.nanargmin(found.indicator) + 1 == 2
    # Against the eigenvalues of the matrix of scalar products
    eigenvalues = np.linalg.eigvalsh(found.spectra @ found.spectra.T)[::-1]
    assert found.variance == pytest.approx(eigenvalues / eigenvalues.sum(), abs=1e-10)
    assert found.rebuilt(9) == pytest.approx(found.spectra, abs=1e-10)
    assert found.misfit(2).max() < 0.006
    with pytest.raises(XanesflowError, match="at least 3 scans"):
        find_components(series[:2])


def test_a_series_may_have_more_scans_than_energies():
    first, second = (scan(made({name: 1.0})) for name in ("first", "second"))
    mixed = [a * first.flattened + (1 - a) * second.flattened for a in np.linspace(0, 1, 300)]
    levels = [np.nan] + [0.0015] * 299  # of one scan it is not known
    parameters = [{**first.parameters, "noise": level} for level in levels]
    given = zip(mixed, parameters, strict=True)
    found = find_components([replace(first, flattened=each, parameters=known) for each, known in given])
    assert found.noise == pytest.approx(0.0015)
    assert len(found.spectra) > len(found.energy_ev) == len(found.indicator)
    assert found.significant == 2
    assert found.rebuilt(2) == pytest.approx(found.spectra, abs=1e-10)


def test_a_scan_that_cannot_be_used_does_not_cost_the_others_their_answers():
    scans = [scan(made({"first": 1.0}), name) for name in ("one.dat", "two.dat")]

    def fail(spectrum, sentence="it is too short."):
        raise XanesflowError(sentence)

    said = []
    answers = each_scan(
        scans, lambda each: each.source if each is scans[1] else fail(each), lambda _, sentence: said.append(sentence)
    )
    assert answers == ["two.dat"] and said == ["one.dat: it is too short."]
    # Of one scan alone, and where all fail for one reason, this is the sentence.
    for given in (scans[:1], scans):
        with pytest.raises(XanesflowError, match=r"^it is too short\.$"):
            each_scan(given, fail, lambda _, sentence: said.append(sentence))
    assert len(said) == 1
    with pytest.raises(XanesflowError, match="None of the scans can be used, for the reasons above"):
        each_scan(scans, lambda each: fail(each, f"not {each.source}"), lambda _, sentence: said.append(sentence))
    assert said[1:] == ["one.dat: not one.dat", "two.dat: not two.dat"]
