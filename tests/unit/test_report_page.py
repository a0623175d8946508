"""The report's page, made from files that the test writes."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from subset_groups import write_subset

from xanesflow.core.figures import write_note
from xanesflow.report.page import ErrorBarFigures, ModelFigures, make_report
from xanesflow.simulations.state.campaign_status import CampaignStatus, SubsetStatus

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'


FIGURE, NOTE = Path("figure.svg"), Path("note.svg")
EXPERT = "expert on m3gnet, Cu_FEFF"


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Make the page of one subset: of a dataset, rows of metrics and of calibrations, and arguments of make_report."""
    monkeypatch.chdir(tmp_path)
    FIGURE.write_text(SVG)
    write_note(NOTE, "too many to name")
    Path("benchmarks/train_expert").mkdir(parents=True)
    for k, seconds in enumerate((10.0, 20.5)):
        text = f"s\th:m:s\tmax_rss\n{seconds}\t0:00:10\t{100 + k}\n"
        Path(f"benchmarks/train_expert/{k}.tsv").write_text(text)

    def page(
        *, n_train=600, title="A title", lacks=(), models=("expert",), elements=("Cu",), calibration=(), report=None,
        **row,
    ):  # fmt: skip
        n, dataset = n_train + 2, Path("d.h5")
        dataset.unlink(missing_ok=True)
        write_subset(
            dataset, "Cu_FEFF", np.zeros((n, 141)), ["mp-1"] * n, ["train"] * n_train + ["val", "test"],
            start_ev=8983, features={"m3gnet": (np.zeros((n, 64)), "a" * 64)},
            counts={"kept": n, "outside_envelope": 7, "no_run": 3}, title=title, created="2026-01-02",
            citation="paper", versions='{"xanesflow": "0"}', config="{}",
        )  # fmt: skip
        usual = {"features": "m3gnet", "theory": "FEFF", "part": "test", "n_train": n_train, "n_test": 50, "seed": 0}
        usual |= {"xi": 1e-9, "xi_baseline": 5e-9, "eta": 5.0, "w_e": 0.9, "w_s": 0.7, "mse_mean": 1e-9}
        table = [{**usual, **row, "model": model, "element": element} for model in models for element in elements]
        pd.DataFrame(table).to_csv("metrics.csv", index=False)
        rows = [("mp-9", 0, what) for what in lacks]
        pd.DataFrame(rows, columns=["material_id", "site_index", "lacks"]).to_csv("u.csv", index=False)
        given = {
            "dataset": dataset, "metrics": Path("metrics.csv"), "curation_figures": {"Cu_FEFF": FIGURE},
            "unmatched": {"Cu_FEFF": Path("u.csv")}, "named": {"Cu_FEFF": NOTE},
            "together": {"expert on m3gnet": (NOTE, NOTE)}, "models": [ModelFigures(EXPERT, *[FIGURE] * 4)],
            "learning_curves": {f"{EXPERT}, seed 0": FIGURE}, "benchmarks": Path("benchmarks"),
        }  # fmt: skip
        if calibration:
            pd.DataFrame(calibration).to_csv("calibration.csv", index=False)
            given |= {"calibration": Path("calibration.csv"), "error_bars": [ErrorBarFigures(EXPERT, *[FIGURE] * 3)]}
        make_report(Path("report.html"), **(given | (report or {})))
        return Path("report.html").read_text()

    return page


def test_the_page_loads_nothing_and_holds_all_figures(make):
    page = make()
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "@import" not in page
    assert page.count("data:image/svg+xml;base64,") == 6
    assert "<figcaption>expert on m3gnet, Cu_FEFF, seed 0</figcaption>" in page


ONLY_THERE = {
    "disordered crystals": (
        {"report": {"disordered": {"Cu_FEFF": FIGURE}}}, ["Spectra of the cells of each disordered crystal of Cu_FEFF"]
    ),
    "several models": (
        {"models": ("expert", "linear", "trees"), "report": {"comparison": FIGURE}},
        ["η of all models on all features", "linear regression", "gradient-boosted trees"],
    ),
    "the validation part": ({"part": "val"}, ["a little too good"]),
    "a universal model": (
        {"models": ("expert", "universal")}, ["UniversalXAS", "<b>universal</b>", "all subsets of a level of theory"]
    ),
    "sites without a spectrum": (
        {"lacks": ["named for test, without a spectrum"] * 4}, ["4 sites are named for test, without a spectrum"]
    ),
    "markup in a name": ({"title": "<script>alert(1)</script>"}, ["&lt;script&gt;"]),
}  # fmt: skip


@pytest.mark.parametrize(("given", "said"), ONLY_THERE.values(), ids=ONLY_THERE)
def test_the_page_says_it_where_it_is_so_and_nowhere_else(make, given, said):
    page, usual = make(**given), make()
    assert all(words in page and words not in usual for words in said)
    assert "<script" not in page


def test_the_page_says_what_kind_of_model_is_in_it_what_was_left_out_and_how_long_rules_took(make):
    page = make()
    assert "ExpertXAS" in page and "<b>expert</b>" in page
    assert "<code>outside_envelope</code></td><td>7</td>" in page and "<code>no_run</code></td><td>3</td>" in page
    assert "<code>train_expert</code></td><td>2</td><td>30.5</td><td>101</td>" in page


def test_a_figure_that_could_not_be_drawn_is_a_sentence_without_a_caption(make):
    write_note(Path("errors.svg"), "A & `b` <i>.")
    page = make(report={"models": [ModelFigures(EXPERT, Path("errors.svg"), *[FIGURE] * 3)]})
    assert '<p class="note">A &amp; <code>b</code> &lt;i&gt;.</p>' in page
    assert "How large the errors are" not in page and "From best to worst" in page
    assert page.count("data:image/svg+xml;base64,") == 5


def test_of_a_few_spectra_only_these_are_drawn(make):
    page = make(n_test=4)
    assert "Results on fewer than 5 spectra" in page and "<figcaption>expert on m3gnet, Cu_FEFF</figcaption>" in page
    assert page.count("data:image/svg+xml;base64,") == 3 and "How large the errors are" not in page
    assert "Results on fewer" not in make(n_test=5)


def test_few_spectra_come_first_with_their_names_and_models_are_judged_on_all_together(make):
    few = {"named": {"Cu_FEFF": FIGURE}, "together": {"expert on m3gnet": (FIGURE, FIGURE)}}
    page = make(n_train=5, n_test=2, report=few)
    assert page.index("Cu_FEFF: Cu K edge.") < page.index("How good are the models?")
    assert "<b>5 training and\n2 evaluated spectra</b>" in page and "Scores of each subset alone" in page
    assert "Expert on m3gnet, on all subsets together" in page and "Results on fewer" not in page
    many = make()
    assert "The spectra</" not in many and "together</h3>" not in many and "too many to name" not in many


def test_what_cheaper_runs_are_worth_stands_apart_from_the_trainings(make):
    title = "delta on chgnet+feff8l, Cu_FEFF"
    curves = {f"{EXPERT}, seed 0": FIGURE, title: FIGURE}
    page = make(report={"learning_curves": curves, "unseen_elements": {title: FIGURE}})
    assert page.count("data:image/svg+xml;base64,") == 6 + 2
    worth, trainings = page.split("What the cheaper runs are worth")[1].split("The trainings")
    assert worth.count(f"<figcaption>{title}: ") == 2
    assert title not in trainings and "smallest validation loss or, with the schedule one_cycle, the last" in " ".join(
        trainings.split()
    )
    assert "cheaper runs are worth" not in make()


def test_the_papers_value_stands_only_beside_what_can_be_compared(make):
    assert "<td>5.19</td>" in make()
    for other in ({"part": "val"}, {"features": "chgnet"}):
        assert "<td>5.19</td>" not in make(**other)


def test_the_papers_universal_model_is_compared_only_with_one_of_its_eight_elements(make):
    eight = ("Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu")
    page = make(models=("universal",), elements=eight)
    for eta in ("4.19", "5.19", "7.13", "13.15", "6.04", "9.58", "6.43", "2.75"):  # Table I
        assert f"<td>{eta}</td>" in page
    assert "<td>2.75</td>" not in make(models=("universal",), elements=eight[1:])
    both = make(models=("expert", "universal"), elements=("Cu",))
    assert "<td>5.19</td>" in both and "<td>2.75</td>" not in both


@pytest.mark.parametrize(("n_train", "n_test", "small"), [(99, 50, True), (100, 20, False), (600, 19, True)])
@pytest.mark.parametrize("part", ["test", "val"])
def test_small_sets_are_told_once_with_their_numbers_to_judge_no_model(make, n_train, n_test, small, part):
    page = make(n_train=n_train, n_test=n_test, part=part, models=("expert", "universal"), elements=("Ti", "Cu"))
    name = {"test": "test", "val": "validation"}[part]
    for subset in ("Ti_FEFF", "Cu_FEFF"):
        told = f"{subset}: <b>{n_train} training and {n_test} {name} spectra</b>"
        assert page.count(told) == small
    assert ("says nothing about a model" in page) == small
    if small:
        assert page.index("How good are the models?") < page.index("says nothing about a model") < page.index("<table>")


def test_undefined_figures_are_dashes(make):
    page = make(n_test=0, eta=np.nan)
    assert "<b>–</b>" in page and "nan" not in page.split('id="figures"')[0]
    assert "Without any spectrum to evaluate" in page


def test_simulations_are_told_with_failures_and_core_hours(make):
    assert "How did the simulations go?" not in make()
    computed = SubsetStatus("Cu_FEFF8L", 1234, 1200, failed={"timed_out": 30, "killed": 4}, core_hours_used=1.8512)
    computed.core_hours_expected = 2345.6
    imported = SubsetStatus("Ni_FEFF", 10, 10, imported=True)
    page = make(report={"status": CampaignStatus([computed, imported], None, {}, [], 0.0)})
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>.*?</tr>", page)]
    rows = {row[0]: [re.sub(r"</?code>", "", cell) for cell in row[1:]] for row in cells if len(row) == 8}
    assert rows["Cu_FEFF8L"] == ["1234", "1200", "34", "0", "30 timed_out, 4 killed", "1.85", "2,346"]
    assert rows["Ni_FEFF"] == ["10", "10", "0", "0", "", "imported", "–"]
    assert rows["all"] == ["1244", "1210", "34", "0", "30 timed_out, 4 killed", "1.85", "2,346"]


def test_error_bars_are_told_with_their_figures_or_why_there_are_none(make):
    assert "How far can the error bars be trusted?" not in make()
    row = {"model": "expert", "features": "m3gnet", "element": "Cu", "theory": "FEFF", "part": "test", "members": 5}
    row |= {"fitted": "val", "n_fit": 416, "n_fit_materials": 201, "n": 375, "n_materials": 180}
    figures = {"coverage_68": 0.6712, "coverage_95": 0.9487, "miscalibration_area": 0.0123, "spectra_below_95": 0.94}
    figures |= {"rank_correlation": 0.654, "ause": 0.0971, "ause_random": 0.35}
    page = make(calibration=[{**row, **figures, "reason": ""}])
    for told in ("416 spectra, validation", "375 spectra, test", "67.1 %", "94.9 %", "0.012", "0.65", "0.097", "0.350"):
        assert f">{told}</td>" in page
    assert page.count("data:image/svg+xml;base64,") == 9
    none = {**row, "fitted": "", "reason": "6 spectra of 3 materials are too few."} | dict.fromkeys(figures, np.nan)
    page = make(calibration=[none])
    assert "<b>no error bars</b>: 6 spectra of 3 materials are too few." in page
    assert "nan" not in page[page.index('id="error-bars"') : page.index('id="figures"')]
    assert page.count("data:image/svg+xml;base64,") == 6, "figures that say nothing are left out"
    # Models without error bars beside others are named once each, with their subsets, and have no row of dashes.
    simple = [{**none, "model": "linear", "element": name} for name in ("Ti", "Cu")]
    page = make(calibration=[{**row, **figures, "reason": ""}, *simple])
    assert "linear on m3gnet (Ti_FEFF, Cu_FEFF): <b>no error bars</b>" in page and "<td>–</td>" not in page
