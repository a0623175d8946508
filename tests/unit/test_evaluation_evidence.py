"""Intervals, tests between models, and the paper's Table I, against references that share nothing with the code."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, wilcoxon

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.evaluation import table_one
from xanesflow.evaluation.evaluate import evaluate_models
from xanesflow.evaluation.intervals import draw_materials, drawn_medians, interval, resample, write_intervals
from xanesflow.evaluation.predictions_file import Predictions, write_predictions
from xanesflow.evaluation.significance import compare_models, holm, material_medians, paired_p
from xanesflow.report.figures import comparison
from xanesflow.report.models_section import models_part

ENERGY_EV = 8983.173 + 0.25 * np.arange(141)


def some_predictions(scale=1e-5, *, model="expert", n=60, sites=1, seed=0, seeds=(0,), features="m3gnet", **changes):
    """A model whose errors are `scale` in size, on spectra that are the same for every model."""
    truth, rng = np.random.default_rng(99), np.random.default_rng(seed)
    spectra = truth.uniform(5e-4, 1e-3, size=(n * sites, 141))
    sizes = scale * np.repeat(np.exp(rng.normal(scale=0.5, size=n)), sites)
    by_seed = np.array([spectra + sizes[:, None] * (1 + 0.1 * k) for k in range(len(seeds))])
    ids = [f"mp-{k}_{site:03d}" for k in range(n) for site in range(sites)]
    made = Predictions(
        model, features, "Cu_FEFF", "test", 3340, list(seeds), ids, ENERGY_EV, spectra, by_seed.mean(axis=0), by_seed,
        np.full(141, 7e-4),
    )  # fmt: skip
    return replace(made, **changes)


def test_table_one_holds_the_papers_figures():
    eta, sizes = table_one.PAPER_ETA, table_one.PAPER_SIZES
    assert (eta["expert"]["Cu_FEFF"], eta["universal"]["Cu_FEFF"], eta["tuned"]["Cu_FEFF"]) == (5.19, 2.75, 4.81)
    assert (eta["expert"]["Mn_FEFF"], eta["tuned"]["Mn_FEFF"], eta["tuned"]["Ti_VASP"]) == (17.66, 29.81, 5.27)
    assert "Ti_VASP" not in eta["universal"] and sizes.keys() == eta["expert"].keys() == eta["tuned"].keys()
    assert sizes["Cu_FEFF"] == (3340, 416, 416) and sum(map(sum, sizes.values())) == 75691  # of all that is published


def test_what_is_not_of_the_papers_kind_is_told_and_not_compared():
    eight = [f"{element}_FEFF" for element in ("Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu")]
    assert table_one.obstacle("tuned", "m3gnet", "test", eight) == ""
    assert "7 of the paper's 8" in table_one.obstacle("tuned", "m3gnet", "test", eight[1:])
    assert table_one.obstacle("expert", "m3gnet", "test", ["Cu_FEFF"]) == ""
    assert "validation" in table_one.obstacle("expert", "m3gnet", "val", eight)
    assert "other features" in table_one.obstacle("expert", "chgnet", "test", eight)
    assert table_one.size_caution("Cu_FEFF", 3340, 416) == ""
    assert table_one.size_caution("Cu_FEFF", 3017, 375) == "3017 + 375 spectra, published 3340 + 416"


def card_of(kind, subset, *, start=None, scaling="paper", **changed):
    """The card of a model trained as the paper's, but for the settings given."""
    name = "universal" if kind == "universal" else subset
    asked = TrainingSettings.of_model(name, device="cuda", threads=4).as_dict()
    if kind == "tuned":
        asked |= {"widths": [500, 500, 550], "dropout": 0.0, "learning_rate": 1e-3}
    return SimpleNamespace(kind=kind, asked=asked | changed, settings={}, scaling=scaling, start=start)


def test_a_model_trained_otherwise_than_the_papers_names_what_differs():
    feff, vasp = {"subset": "FEFF"}, {"subset": "VASP"}
    for kind, start in (("expert", None), ("universal", None), ("tuned", feff)):
        assert table_one.unlike_paper(card_of(kind, "Cu_FEFF", start=start), "Cu_FEFF") == ""
    assert table_one.unlike_paper(card_of("tuned", "Cu_VASP", start=feff), "Cu_VASP") == ""
    said = table_one.unlike_paper(card_of("tuned", "Cu_VASP", start=vasp), "Cu_VASP")
    assert said == "it starts from the universal model of VASP, not of FEFF"
    best = card_of("expert", "Cu_FEFF", dropout=0.1, schedule="one_cycle", learning_rate=3e-3, widths=[9])
    said = table_one.unlike_paper(best, "Cu_FEFF")
    assert said == (
        "it was trained with widths [9], not [600, 600, 400]; dropout 0.1, not 0.5; "
        "learning_rate 0.003, not range_test; schedule one_cycle, not constant"
    )
    assert table_one.unlike_paper(card_of("expert", "Ni_FEFF8L", dropout=0.1), "Ni_FEFF8L") == ""
    assert table_one.obstacle("expert", "m3gnet", "test", ["Cu_FEFF"], said) == said


def test_what_differs_goes_from_the_model_to_the_table_and_the_report(tmp_path):
    unlike = "it was trained with dropout 0.1, not 0.5"
    made = some_predictions(unlike_paper=unlike)
    write_predictions(tmp_path / "p.h5", made, {})
    evaluate_models([tmp_path / "p.h5"], tmp_path / "m.csv", intervals_csv=tmp_path / "i.csv")
    (row,) = pd.read_csv(tmp_path / "i.csv").to_dict("records")
    assert np.isnan(row["paper_eta"]) and row["caution"] == f"not compared: {unlike}"
    part = models_part(tmp_path / "m.csv", tmp_path / "i.csv", None)
    assert part["paper"]["not_compared"] == {unlike: ["expert"]} and not part["paper"]["compared"]
    marks = comparison._marks(pd.read_csv(tmp_path / "m.csv").assign(subset="Cu_FEFF"), tmp_path / "i.csv")
    assert [np.isnan(mark.paper) for mark in marks.values()] == [True]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(5.0, 6.0, "within the interval"), (5.2, 6.0, "above the paper"), (4, 5.1, "below the paper")],
)
def test_a_result_stands_within_above_or_below(low, high, said):
    assert table_one.verdict(5.19, low, high) == said
    assert table_one.verdict(5.19, float("nan"), high) == ""


def test_the_interval_of_a_median_is_that_of_order_statistics():
    n = 201
    values = np.sort(np.random.default_rng(1).lognormal(size=n))
    materials = [f"mp-{k}" for k in range(n)]
    drawn = np.concatenate([drawn_medians(values, counts) for counts in draw_materials(materials, 4000)])
    low, high = interval(drawn)
    # The exact distribution-free interval: the ranks between which the median lies with 95 % (binomial).
    ranks = binom.ppf([0.025, 0.975], n, 0.5).astype(int)
    for found, rank in ((low, ranks[0]), (high, ranks[1])):
        assert values[rank - 4] <= found <= values[rank + 4]


def test_drawn_medians_are_those_of_the_repeated_values():
    rng = np.random.default_rng(2)
    values, counts = rng.normal(size=9), rng.integers(0, 3, size=(50, 9))
    counts[:, 0] += 1
    expected = [np.median(np.repeat(values, each)) for each in counts]
    assert drawn_medians(values, counts) == pytest.approx(expected)


def test_materials_are_drawn_not_sites():
    one, five = (some_predictions(n=40, sites=sites) for sites in (1, 5))
    narrow = [interval(resample(p.spectra, p.predictions, p.baseline, [i.split("_")[0] for i in p.ids]).xi)
              for p in (one, five)]  # fmt: skip
    # Five equal sites of each material know no more than one; drawing sites would narrow the interval 2.2 times.
    assert narrow[1] == pytest.approx(narrow[0], rel=1e-9)
    together = next(draw_materials(["a", "b", "a", "c", "b"], 300))
    assert (together[:, 0] == together[:, 2]).all() and (together[:, 1] == together[:, 4]).all()


def test_eta_has_an_interval_the_spread_of_its_seeds_and_the_papers_value(tmp_path):
    several = some_predictions(seeds=(3, 4, 5))
    write_intervals([several, some_predictions(model="linear")], tmp_path / "i.csv")
    expert, linear = pd.read_csv(tmp_path / "i.csv").to_dict("records")
    assert expert["eta_low"] < expert["eta"] < expert["eta_high"] and expert["n_materials"] == 60
    # Seed k errs 1 + 0.1 k times as much at every point, so its η is smaller by the square of that.
    assert expert["eta_seed_max"] / expert["eta_seed_min"] == pytest.approx(1.2**2)
    assert expert["seeds"] == 3 and expert["paper_eta"] == 5.19
    assert expert["caution"] == "3340 + 60 spectra, published 3340 + 416"
    assert np.isnan(linear["paper_eta"]) and np.isnan(linear["eta_seed_sd"])
    again = tmp_path / "again.csv"
    write_intervals([several, some_predictions(model="linear")], again)
    assert again.read_bytes() == (tmp_path / "i.csv").read_bytes()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_spectra_have_a_row_and_no_interval_below_two_materials(tmp_path, n):
    models = [some_predictions(model=model, n=n) for model in ("expert", "linear")]
    for each in models:
        write_predictions(tmp_path / f"{each.model}.h5", each, {})
    files = [tmp_path / f"{each.model}.h5" for each in models]
    tables = {f"{name}_csv": tmp_path / f"{name}.csv" for name in ("intervals", "significance")}
    evaluate_models(files, tmp_path / "m.csv", **tables)
    table = pd.read_csv(tables["intervals_csv"])
    assert table["n_test"].tolist() == [n, n] and table["eta_low"].isna().all() == (n < 2)
    assert len(pd.read_csv(tables["significance_csv"])) == (n > 0)


def test_a_subset_without_training_spectra_has_no_eta_and_no_interval(tmp_path):
    rows = write_intervals([some_predictions(baseline=np.full(141, np.nan))], tmp_path / "i.csv")
    assert np.isnan([rows[0]["eta"], rows[0]["eta_low"], rows[0]["w_s_high"]]).all() and rows[0]["verdict"] == ""


def test_holms_correction_is_that_of_the_textbook():
    # Holm (1979) by hand: 0.01 × 4, 0.02 × 3, then 0.03 × 2 = 0.06 and 0.04 × 1, which may not fall below it.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0] and holm([]) == []


def test_a_better_model_is_told_by_its_ratio_and_a_small_p(tmp_path):
    good, same, bad = (
        some_predictions(scale, model=model, seed=seed, n=80, sites=2)
        for scale, model, seed in ((1e-5, "expert", 1), (1e-5, "tuned", 2), (2e-5, "linear", 3))
    )
    rows = {frozenset((row.better, row.worse)): row for row in compare_models([good, same, bad])}
    clear, close = rows[frozenset(("expert", "linear"))], rows[frozenset(("expert", "tuned"))]
    assert (clear.better, clear.n_spectra, clear.n_materials) == ("expert", 160, 80)
    assert clear.p_holm < 1e-6 and clear.share > 0.75
    assert clear.ratio_low < 4 < clear.ratio_high, "twice the error is four times its square"
    assert close.p_holm > 0.05 and close.ratio_low < 1.4
    assert all(row.p <= row.p_holm for row in rows.values())


def test_the_test_is_wilcoxons_on_one_number_a_material():
    rng = np.random.default_rng(5)
    materials = [f"mp-{k // 3}" for k in range(60)]
    one, other = rng.lognormal(size=60), rng.lognormal(size=60)
    medians = [np.median(np.log(each).reshape(20, 3), axis=1) for each in (one, other)]
    order = np.argsort([f"mp-{k}" for k in range(20)])
    assert material_medians(one, materials) == pytest.approx(medians[0][order])
    assert paired_p(*(material_medians(each, materials) for each in (one, other))) == pytest.approx(
        wilcoxon(*medians).pvalue
    )
    assert paired_p(medians[0], medians[0]) == 1.0


def test_models_are_compared_on_the_spectra_that_both_predicted():
    one = some_predictions(n=10)
    rows = slice(3, 8)
    fewer = replace(
        some_predictions(2e-5, model="linear", n=10), ids=one.ids[rows], spectra=one.spectra[rows],
        predictions=one.spectra[rows] + 2e-5, by_seed=one.spectra[None, rows],
    )  # fmt: skip
    (row,) = compare_models([one, fewer])
    assert row.n_spectra == 5
    assert compare_models([one]) == [] and compare_models([]) == []
    assert compare_models([one, replace(fewer, ids=[f"x-{k}_000" for k in range(5)])]) == []
