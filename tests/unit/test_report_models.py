"""The part of the report on how good the models are, from tables that the test writes."""

import html
import re

import pandas as pd
import pytest

from xanesflow.core.templates import environment
from xanesflow.evaluation.significance import Comparison
from xanesflow.report.models_section import MOST_DRAWN, models_part, worth_drawing

ROW = {"element": "Cu", "theory": "FEFF", "features": "m3gnet", "part": "test", "n_train": 3340, "n_test": 416}
FIGURES = {"xi": 1e-9, "xi_baseline": 5e-9, "w_e": 0.9, "w_s": 0.7, "mse_mean": 1e-9}


def metrics_row(model, eta, seed=0, **changes):
    return {**ROW, **FIGURES, "model": model, "eta": eta, "seed": seed, **changes}


def interval_row(model, low, high, **changes):
    ends = {f"{name}_{end}": value for name, value in (("w_e", 0.9), ("w_s", 0.7)) for end in ("low", "high")}
    return {**ROW, **ends, "model": model, "eta_low": low, "eta_high": high, "n_materials": 300, **changes}


def pair(better, worse, p, *, share=0.8, ratio=1.5):
    both = ("Cu", "FEFF", "test", better, "m3gnet", worse, "m3gnet")
    return vars(Comparison(*both, 416, 300, ratio, 1.2, 1.9, share, p / 3, p))


render = environment("xanesflow.report").get_template("models.html").render


@pytest.fixture
def part(tmp_path):
    """Make the part of the page as data, and as text without line breaks."""

    def make(metrics, intervals=(), pairs=()):
        paths = []
        for name, rows in (("metrics", metrics), ("intervals", intervals), ("significance", pairs)):
            paths.append(tmp_path / f"{name}.csv" if rows else None)
            if rows:
                pd.DataFrame(rows).to_csv(paths[-1], index=False)
        data = models_part(*paths)
        page = render(models_part=data, comparison=None, together={})
        return data, html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))

    return make


def test_the_paper_stands_beside_a_result_with_a_plain_word(part):
    rows = [metrics_row("expert", 5.0)]
    for low, high, word in (
        (4.5, 5.6, "within the interval"),
        (5.3, 6.0, "above the paper"),
        (4.0, 5.0, "below the paper"),
    ):
        data, page = part(rows, [interval_row("expert", low, high)])
        assert data["rows"][0]["verdict"] == word and f"compared with the paper's: {word}" in page
        assert "other numbers of spectra" not in page and "the same" in page
    data, page = part([metrics_row("expert", 5.0, n_train=3017, n_test=375)], [interval_row("expert", 4.5, 5.6)])
    assert "3017 + 375 3340 + 416" in page and "other numbers of spectra than the published" in page


def test_a_result_of_another_kind_is_not_compared_and_says_why(part):
    data, page = part([metrics_row("tuned", 5.0)], [interval_row("tuned", 4.0, 6.0)])
    assert data["paper"]["compared"] == [] and "its universal model saw 1 of the paper's 8 elements: tuned." in page
    assert "4.81" not in page


def test_several_seeds_are_one_row_with_their_spread(part):
    rows = [metrics_row("expert", eta, seed) for seed, eta in ((0, 5.0), (1, 5.4), ("ensemble", 5.6))]
    data, page = part([*rows, metrics_row("linear", 2.0)], [interval_row("expert", 5.1, 6.2)])
    linear, expert = data["rows"]
    assert (expert["eta"], expert["seeds"], expert["eta_seed_min"], expert["eta_seed_max"]) == (5.6, 2, 5.0, 5.4)
    assert expert["best"] and not linear["best"] and linear["eta_low"] != linear["eta_low"]
    assert "5.00–5.40" in page and "(2 seeds, SD 0.28)" in page and "5.10–6.20" in page and "Each seed, with ξ" in page


def test_standings_tell_what_is_worse_what_is_alike_and_where_medians_and_pairs_disagree(part):
    metrics = [metrics_row(model, 5.0) for model in ("expert", "linear", "trees", "tuned")]
    pairs = [pair("expert", "linear", 1e-6), pair("expert", "trees", 0.2, share=0.55, ratio=1.1),
             pair("expert", "tuned", 1e-4, share=0.4, ratio=1.01), pair("trees", "linear", 0.01)]  # fmt: skip
    data, page = part(metrics, pairs=pairs)
    (standing,) = data["standings"]
    assert standing["best"] == "expert" and standing["worse"] == ["linear"]
    assert standing["alike"] == ["trees"] and standing["torn"] == ["tuned"]
    assert "nearer on most materials, though with a larger median: tuned" in page and "All 4 pairs" in page


def test_one_model_alone_says_that_there_is_nothing_to_compare(part):
    _, page = part([metrics_row("expert", 5.0)])
    assert "There is nothing to compare" in page and "No simple models" in page and "nan" not in page


def test_names_are_escaped(tmp_path):
    pd.DataFrame([metrics_row("<script>alert(1)</script>", 5.0)]).to_csv(tmp_path / "m.csv", index=False)
    page = render(models_part=models_part(tmp_path / "m.csv", None, None), comparison=None, together={})
    assert "<script" not in page and "&lt;script&gt;" in page


def test_of_many_results_the_best_of_each_subset_is_drawn():
    etas = {"expert": 5.0, "tuned": 6.0, "linear": float("nan")}
    rows = [
        {"model": model, "features": "m3gnet", "subset": subset, "eta": eta}
        for subset in ("Cu_FEFF", "Ti_FEFF")
        for model, eta in etas.items()
    ]
    titles = [f"{row['model']} on m3gnet, {row['subset']}" for row in rows]
    assert worth_drawing(titles, rows) == titles
    more = [*titles, *[f"expert on soap{k}, Cu_FEFF" for k in range(MOST_DRAWN)]]
    assert worth_drawing(more, rows) == ["tuned on m3gnet, Cu_FEFF", "tuned on m3gnet, Ti_FEFF"]
