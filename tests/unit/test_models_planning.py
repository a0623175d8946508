"""The planner's choice, against plain linear algebra and against chance."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from command_line import answer
from delta_data import DIMENSIONS, START_EV, eta, world
from rich.console import Console
from sentences import tells
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from xanesflow.cli import terminal
from xanesflow.cli.plan import show_plan
from xanesflow.config import result_paths as paths
from xanesflow.config.load import load_config
from xanesflow.config.result_paths import fill
from xanesflow.core.errors import XanesflowError
from xanesflow.core.reasons import Rejected
from xanesflow.core.site_list import read_site_list
from xanesflow.features.compute_features import write_features
from xanesflow.models.delta import choose_sites as module_of_choice
from xanesflow.models.delta.choose_sites import LENGTH, NOISE, choose_sites
from xanesflow.models.delta.delta_model import DeltaSettings, fit_delta
from xanesflow.models.delta.learning_curve import only_train_on
from xanesflow.models.delta.plan_sites import plan_sites, write_plan
from xanesflow.models.kernel_ridge import standardised_inputs
from xanesflow.spectra.store import CuratedSpectra, write_spectra


def variance_left(points: np.ndarray, known: list[int], weights: np.ndarray) -> float:
    """Share of the weighted variance that a Gaussian process of scikit-learn has left."""
    process = GaussianProcessRegressor(Matern(LENGTH, nu=1.5), alpha=NOISE, optimizer=None)
    process.fit(points[known], np.zeros(len(known)))
    return float(np.sum(weights * process.predict(points, return_std=True)[1] ** 2) / weights.sum())


def test_each_site_is_the_one_that_leaves_the_least_variance():
    features = np.random.default_rng(0).normal(size=(25, 4)).astype(np.float32)
    points = standardised_inputs(features, [4])
    materials = ["mp-1"] * 16 + [f"mp-{k}" for k in range(2, 11)]  # one with 16 sites, which count a quarter each
    weights = np.array([0.25] * 16 + [1.0] * 9)
    chosen, left = choose_sites(features, {"radial": 4}, materials, 4, done=[7])
    known = [7]
    for site, share in zip(chosen, left, strict=True):
        best = min(set(range(25)) - set(known), key=lambda row: variance_left(points, [*known, row], weights))
        assert site == best
        known.append(best)
        assert share == pytest.approx(variance_left(points, known, weights), rel=1e-5)


def test_chosen_sites_teach_more_than_random_ones():
    """A crowd of near-copies and a few others: chance takes the crowd."""
    data = world(n_train=200, n_test=60, seed=3)
    crowd = data.rows("train")[40:]
    data.features[crowd] = data.features[crowd[0]] + 1e-3 * np.random.default_rng(0).normal(
        size=(len(crowd), data.features.shape[1])
    )
    data.spectra[crowd] = data.spectra[crowd[0]]
    train = data.rows("train")
    materials = [data.ids[row] for row in train]
    chosen, _ = choose_sites(data.features[train], DIMENSIONS, materials, 30)
    rng = np.random.default_rng(1)
    draws = [train[chosen], *(rng.choice(train, 30, replace=False) for _ in range(3))]
    test = data.features[data.rows("test")]
    found = [eta(data, fit_delta(only_train_on(data, d), DeltaSettings("feff8l")).predict(test)) for d in draws]
    assert found[0] > 1.15 * np.mean(found[1:])


def test_more_sites_than_there_are_cannot_be_chosen():
    features = np.random.default_rng(0).normal(size=(10, 4))
    with tells(match="no site has all these features; compute them with `snakemake features`"):
        choose_sites(features[:0], {"radial": 4}, [], 8)
    with tells(match=r"8 sites cannot be chosen: 7 sites have features .* choose a number from 1 to 7"):
        choose_sites(features, {"radial": 4}, list("abcdefghij"), 8, done=[0, 1, 2])
    with tells(match="There is no site to choose: 10 sites have features, and each has a run"):
        choose_sites(features, {"radial": 4}, list("abcdefghij"), 5, done=range(8), useless=[8, 9])


def test_with_more_sites_with_spectra_than_memory_holds_new_ones_are_still_chosen(monkeypatch):
    monkeypatch.setattr(module_of_choice, "MOST_SITES", 60)
    features, materials = np.random.default_rng(0).normal(size=(90, 4)), [f"mp-{k}" for k in range(90)]
    for done, budget in ((range(80), 8), (range(45), 30)):  # few others, and as many as there is room for
        useless = [len(done), len(done) + 1]
        chosen, left = choose_sites(features, {"radial": 4}, materials, budget, done=done, useless=useless)
        assert len(set(chosen)) == budget and not {*done, *useless} & set(chosen)
        assert (np.diff(left) < 0).all()
        again = choose_sites(features, {"radial": 4}, materials, budget, done=done, useless=useless)[0]
        assert np.array_equal(chosen, again)


@pytest.fixture
def campaign(tmp_path):
    """A working directory with a site table and features of 12 sites, one of which has no features."""
    results = tmp_path / "results"
    sites = pd.DataFrame({"material_id": [f"mp-{k}" for k in range(12)], "site_index": range(12)})
    table = sites.assign(formula="CuO", core_hours=1.5)
    (results / "structures").mkdir(parents=True)
    table.to_parquet(results / "structures/Cu_FEFF_sites.parquet")
    rng = np.random.default_rng(0)
    for name, kept in (("chgnet", 12), ("radial", 11)):
        attributes = {"featurizer": name, "meaning": "", "weights_hash": "", "versions": "{}"}
        path = results / f"features/{name}/Cu_FEFF.h5"
        path.parent.mkdir(parents=True)
        write_features(path, sites[:kept], rng.normal(size=(kept, 5)).astype(np.float32), [], attributes)
    return tmp_path


def finish(campaign, sites, left_out=()):
    """Write the spectra file of a campaign in which these sites have a spectrum."""
    path, n = campaign / "results/spectra/Cu_FEFF.h5", len(sites)
    path.parent.mkdir(exist_ok=True)
    ids, numbers = [material for material, _ in sites], np.array([number for _, number in sites])
    grid, ones = START_EV + 0.25 * np.arange(141), np.ones(n, dtype=np.int64)
    found = CuratedSpectra("Cu_FEFF", grid, np.ones((n, 141)), ids, numbers, ones, left_out, [""] * n)
    write_spectra(path, found, {})


def test_a_campaign_is_planned_from_its_features_and_the_list_is_read_back(campaign):
    plan = plan_sites(campaign, "Cu_FEFF", 4)
    assert plan.without_features == ["mp-11_011"]
    assert (plan.done, plan.sites, len(plan.table)) == (0, 12, 4)
    assert plan.table["core_hours"].sum() == 6
    write_plan(campaign / "plan.csv", plan)
    assert read_site_list(campaign / "plan.csv") == set(
        zip(plan.table["material_id"], plan.table["site_index"], strict=True)
    )


@pytest.mark.parametrize("output", [None, "inside", "outside"])
def test_the_path_to_configure_is_the_one_that_the_campaign_sees(campaign, monkeypatch, output):
    monkeypatch.chdir(campaign.parent)
    beside = f"{campaign.name}.csv"
    written = {"inside": f"{campaign.name}/my.csv", "outside": beside}.get(output)
    seen = {"inside": "my.csv", "outside": f"{campaign.parent}/{beside}"}.get(output, "results/plan/Cu_FEFF.csv")
    arguments = ["plan", "-s", "Cu_FEFF", "-b", "3", "-d", campaign.name, *(["-o", written] if written else [])]
    code, printed = answer(*arguments, columns=500)
    assert code == 0 and f"simulations: {{sites: {{Cu_FEFF: {seen}}}}}" in printed
    assert (campaign / seen).exists()


def test_sites_with_a_spectrum_stay_in_the_list_and_are_not_chosen_again(campaign):
    first = plan_sites(campaign, "Cu_FEFF", 3).table
    finish(campaign, list(zip(first["material_id"], first["site_index"], strict=True)))
    then = plan_sites(campaign, "Cu_FEFF", 2)
    assert then.done == 3
    assert then.table["rank"].tolist() == [0, 0, 0, 1, 2]
    assert set(then.table["material_id"][:3]) == set(first["material_id"])
    assert len(set(then.table["material_id"])) == 5


def test_sites_whose_runs_were_left_out_are_not_chosen_again_but_give_no_information(campaign):
    """Their runs exist and would be left out again; a site that was killed may be chosen, as another run may end."""
    first = plan_sites(campaign, "Cu_FEFF", 3).table
    sites = list(zip(first["material_id"], first["site_index"].tolist(), strict=True))
    ids = list(first["material_id"])
    left_out = [Rejected(*sites[1], "outside_envelope", "too high"), Rejected(*sites[2], "killed", "no memory")]
    finish(campaign, sites[:1], left_out)
    then = plan_sites(campaign, "Cu_FEFF", 9)
    assert then.done == 2
    assert set(then.table["material_id"][:2]) == set(ids[:2]) and ids[2] in set(then.table["material_id"][2:])
    with pytest.raises(XanesflowError, match="9 sites have features and no run yet"):
        plan_sites(campaign, "Cu_FEFF", 10)
    # What is left of the variance is more than if the spectrum that was left out were known.
    finish(campaign, sites[:2])
    better = plan_sites(campaign, "Cu_FEFF", 1).table["variance_left"].iloc[-1]
    assert then.table["variance_left"].iloc[2] > better


def test_simulated_sites_without_features_stay_in_the_list(campaign):
    """A list without them would take their spectra out of the dataset, though they are done."""
    finish(campaign, [("mp-11", 11), ("mp-0", 0)])
    plan = plan_sites(campaign, "Cu_FEFF", 2)
    assert (plan.done, plan.without_features) == (2, [])
    assert plan.table["material_id"].tolist()[:2] == ["mp-0", "mp-11"]
    assert plan.table["rank"].tolist() == [0, 0, 1, 2]


def test_features_of_an_earlier_configuration_take_no_site_away(campaign):
    sites = pd.read_parquet(campaign / "results/structures/Cu_FEFF_sites.parquet")[["material_id", "site_index"]]
    for name, kept, year in (("chgnet", 12, 2026), ("m3gnet", 3, 2025)):
        config = load_config({"subsets": ["Cu_FEFF"], "features": {"models": [name]}}).as_json()
        attributes = {"featurizer": name, "meaning": "", "weights_hash": "", "versions": "{}", "config": config}
        path = campaign / f"results/features/{name}/Cu_FEFF.h5"
        path.parent.mkdir(exist_ok=True)
        features = np.random.default_rng(1).normal(size=(kept, 5)).astype(np.float32)
        write_features(path, sites[:kept], features, [], attributes | {"created": f"{year}-01-01T00:00:00+00:00"})
    plan = plan_sites(campaign, "Cu_FEFF", 9)
    assert (plan.features, plan.without_features, len(plan.table)) == (["chgnet"], [], 9)
    named = plan_sites(campaign, "Cu_FEFF", 1, features=["m3gnet", "chgnet"])
    assert named.features == ["chgnet", "m3gnet"] and len(named.without_features) == 9


def test_the_command_shows_its_progress_and_gives_advice_that_the_workflow_takes(campaign, monkeypatch):
    """Sites of imported runs cannot be simulated here, so the advice is another one."""
    said, seen = [], []
    for imported in (False, True):
        if imported:
            path = campaign / fill(paths.REJECTED_RUNS, subset="Cu_FEFF")
            path.parent.mkdir(parents=True)
            path.touch()
        out, bar = (Console(file=io.StringIO(), width=200, force_terminal=live) for live in (False, True))
        monkeypatch.setattr(terminal, "results", lambda console=out: console)
        monkeypatch.setattr(terminal, "messages", lambda console=bar: console)
        show_plan(campaign, "Cu_FEFF", 1, features=[], output=campaign / "plan.csv")
        said.append(out.file.getvalue())
        seen.append(bar.file.getvalue())
    assert all("Choosing 1 site of Cu_FEFF" in text for text in seen)
    assert "1 of 12 sites chosen (0 have been simulated)" in said[0]
    assert f"simulations: {{sites: {{Cu_FEFF: {campaign / 'plan.csv'}}}}}" in " ".join(said[0].split())
    assert "simulations: {" not in said[1] and "add their runs to the archive (simulations.archive)" in said[1]
    advised = {"sites": {"Cu_FEFF": str(campaign / "plan.csv")}}
    structures = {"structures": {"source": "examples"}, "subsets": ["Cu_FEFF"]}
    load_config({**structures, "simulations": {"source": "run", **advised}})
    with pytest.raises(XanesflowError, match="sites"):
        load_config({"subsets": ["Cu_FEFF"], "simulations": {"source": "archive", "archive": "runs", **advised}})


def test_what_is_known_counts_as_if_it_had_been_chosen_one_by_one():
    """Conditioning on all known sites at once, against the choice itself, which conditions on one after the other."""
    features = np.random.default_rng(3).normal(size=(30, 4))
    chosen, left = choose_sites(features, {"radial": 4}, [f"m{k // 3}" for k in range(30)], 8)
    after, left_after = choose_sites(features, {"radial": 4}, [f"m{k // 3}" for k in range(30)], 4, done=chosen[:4])
    assert after.tolist() == chosen[4:].tolist()
    assert left_after == pytest.approx(left[4:], rel=1e-5)


def test_missing_tables_and_features_are_told(campaign, tmp_path):
    with pytest.raises(XanesflowError, match=r"no site table of Ni_FEFF .*`snakemake structures`"):
        plan_sites(campaign, "Ni_FEFF", 1)
    with pytest.raises(XanesflowError, match=r"no features soap of Cu_FEFF .* but chgnet, radial"):
        plan_sites(campaign, "Cu_FEFF", 1, features=["soap"])


BAD_LISTS = {
    "no such column": ("material,site\nmp-1,0\n", "cannot be read"),
    "no number": ("material_id,site_index\nmp-1,one\n", "line 2: 'mp-1', 'one' is no site"),
    "empty": ("material_id,site_index\n", "is empty"),
}


@pytest.mark.parametrize("text, told", BAD_LISTS.values(), ids=BAD_LISTS)
def test_a_list_of_sites_that_is_none_is_told_in_one_sentence(tmp_path, text, told):
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(XanesflowError, match=told):
        read_site_list(path)
