"""One model over several elements, alone, or with the experts and with models tuned from it."""

import re

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from feff_runs import write_archive
from safetensors import safe_open
from workflow import QUICK, run, take_over, write_import_config

from xanesflow.models.network.checkpoint import load_checkpoint

STARTS_EV = {"Cu_FEFF": 8983.173, "Ti_FEFF": 4964.504}
MODELS = {"kinds": ["expert", "universal", "tuned"], **QUICK}


@pytest.fixture(scope="module")
def two_elements(tmp_path_factory):
    """An archive of 54 sites of Cu and 21 of Ti, too few for more than one test spectrum."""
    folder = tmp_path_factory.mktemp("two")
    sites = {"Cu_FEFF": write_archive(folder), "Ti_FEFF": write_archive(folder, element="Ti", materials=14, seed=1)}
    return folder, sites


def campaign(directory, runs, **changes):
    values = {"subsets": list(STARTS_EV), "models": MODELS, **changes}
    write_import_config(directory, runs, "chgnet", envelope=None, **values)


@pytest.fixture(scope="module")
def both_kinds(tmp_path_factory, two_elements):
    """Directory of a campaign of all kinds and a baseline that ran to the end."""
    directory = tmp_path_factory.mktemp("both")
    campaign(directory, two_elements[0], models=MODELS | {"simple_models": ["linear"]})
    run(directory)
    return directory


def test_a_universal_model_is_trained_once_for_its_theory_on_all_subsets(both_kinds):
    models = sorted(path.name for path in (both_kinds / "results/models").iterdir())
    tuned = ["tuned_chgnet_Cu_FEFF", "tuned_chgnet_Ti_FEFF"]
    assert models == ["expert_chgnet_Cu_FEFF", "expert_chgnet_Ti_FEFF", *tuned, "universal_chgnet_FEFF"]
    folder = both_kinds / "results/models/universal_chgnet_FEFF"
    model = load_checkpoint(folder / "seed0.safetensors")
    assert (model.card.kind, list(model.card.settings["widths"])) == ("universal", [500, 500, 550])
    for subset, start_ev in STARTS_EV.items():
        assert np.allclose(model.energy_of(subset), start_ev + 0.25 * np.arange(141), rtol=0, atol=1e-9)
    with h5py.File(both_kinds / "results/dataset/test.h5") as file:
        parts = np.concatenate([file[subset]["split"].asstr()[:] for subset in STARTS_EV])
    assert (model.card.n_train, model.card.n_val) == ((parts == "train").sum(), (parts == "val").sum())
    assert len(pd.read_csv(folder / "history.csv")) == len(model.card.history)
    with safe_open(folder / "seed0.safetensors", framework="numpy") as file:
        assert {"energy.Cu_FEFF", "energy.Ti_FEFF"} <= set(file.keys())


def test_metrics_have_a_row_of_each_model_subset_and_seed_that_numpy_agrees_with(both_kinds):
    table = pd.read_csv(both_kinds / "results/evaluation/metrics.csv")
    order = [(model, element, 0) for model in ("expert", "linear", "tuned", "universal") for element in ("Ti", "Cu")]
    assert list(zip(table["model"], table["element"], table["seed"], strict=True)) == order
    for row in table.to_dict("records"):
        subset = f"{row['element']}_{row['theory']}"
        with h5py.File(both_kinds / "results/dataset/test.h5") as file:
            part, spectra = file[subset]["split"].asstr()[:], file[subset]["spectra"][:]
        mean = spectra[part == "train"].mean(axis=0)
        path = both_kinds / f"results/evaluation/predictions/{row['model']}_chgnet_{subset}.h5"
        with h5py.File(path) as file:
            truth, predicted = file["spectra"][:], file["predictions"][:]
            assert np.array_equal(truth, spectra[part == "test"])
            assert np.allclose(file["energy"][:], STARTS_EV[subset] + 0.25 * np.arange(141), rtol=0, atol=1e-9)
        mse, of_mean = ((truth - predicted) ** 2).mean(1), ((truth - mean) ** 2).mean(1)
        assert (row["n_train"], row["n_test"]) == ((part == "train").sum(), len(truth))
        assert np.isclose(row["xi"], np.median(mse), rtol=1e-9)
        assert np.isclose(row["xi_baseline"], np.median(of_mean), rtol=1e-9)
        assert np.isclose(row["eta"], np.median(of_mean) / np.median(mse), rtol=1e-9)
        assert np.isclose(row["w_e"], (mse < of_mean).mean())
        assert np.isclose(row["w_s"], (np.abs(truth - predicted) < np.abs(truth - mean)).mean())
        assert np.isclose(row["mse_mean"], mse.mean(), rtol=1e-9)
    assert table.loc[table["element"] == "Ti", "n_test"].max() <= 3  # a tiny part is among them


def test_the_report_names_both_kinds_and_shows_each_training_once(both_kinds):
    page = (both_kinds / "results/report/report.html").read_text()
    results, _, trainings = page.partition("<h3>The trainings</h3>")
    for kind in ("Expert", "Universal", "Tuned", "Linear"):
        assert f"<h3>{kind} on chgnet, on all subsets together</h3>" in results
    for subset in STARTS_EV:
        assert re.search(rf"{subset}: <b>\d+ training and \d+ test spectr(um|a)</b>", page)
    assert all(name in page for name in ("ExpertXAS", "UniversalXAS", "Tuned-UniversalXAS"))
    curves = re.findall(r"<figcaption>(\w+ on chgnet, \w+)</figcaption>", trainings)
    assert curves == [
        *("expert on chgnet, Cu_FEFF", "expert on chgnet, Ti_FEFF", "universal on chgnet, FEFF"),
        *("tuned on chgnet, Cu_FEFF", "tuned on chgnet, Ti_FEFF"),
    ]
    assert page.count("data:image/svg+xml") == 2 + 8 + 5 + 1  # the last: all models side by side
    assert "Nothing to be done" in run(both_kinds)


def test_what_changes_trains_the_models_that_learn_from_it_and_no_others(both_kinds):
    def trainings(*arguments):
        return dict(re.findall(r"^(train_\w+) +(\d+)$", run(both_kinds, "--dry-run", *arguments), re.MULTILINE))

    universal = {"train_universal": "1", "train_tuned": "2"}  # both tuned models go on from it
    assert trainings("--forcerun", "results/spectra/Ti_FEFF.h5") == {"train_expert": "1", **universal}
    assert trainings("--config", "models={widths: {universal: [8]}}") == universal
    assert trainings("--config", "models={widths: {Cu_FEFF: [8]}}") == {"train_expert": "1"}
    assert trainings("--config", "models={tuned_dropout: 0}") == {"train_tuned": "2"}


def test_snakemakes_own_report_tells_of_it(both_kinds, tmp_path):
    run(both_kinds, "--report", str(tmp_path / "snakemake.html"))
    assert "Both parts are joined from all subsets of" in (tmp_path / "snakemake.html").read_text()


def test_a_universal_model_alone_with_a_subset_that_nothing_can_be_tested_on(tmp_path, both_kinds, two_elements):
    runs, sites = two_elements
    take_over(both_kinds, tmp_path, "structures", "simulations", "spectra", "features", "interpretation")
    (tmp_path / "splits").mkdir()
    for subset, names in sites.items():
        materials = sorted({name.rsplit("_", 1)[0] for name in names})
        tested = set(materials[:3]) if subset == "Cu_FEFF" else set()
        validated = set(materials[3:6])
        for part, wanted in {"test": tested, "val": validated, "train": set(materials) - tested - validated}.items():
            of_part = [name for name in names if name.rsplit("_", 1)[0] in wanted]
            (tmp_path / f"splits/{subset}_{part}.txt").write_text("\n".join(of_part))
    models = {**MODELS, "kinds": ["universal"], "widths": {"universal": [16]}}
    campaign(tmp_path, runs, splits={"files": "splits"}, models=models)
    assert "import_archive" not in run(tmp_path)
    table = pd.read_csv(tmp_path / "results/evaluation/metrics.csv")
    assert table["model"].tolist() == ["universal"] * 2
    ti, cu = table.to_dict("records")
    assert (ti["element"], ti["n_test"]) == ("Ti", 0) and np.isnan(ti["eta"])
    assert cu["n_test"] > 0 and np.isfinite([cu["eta"], cu["xi"], cu["w_e"], cu["w_s"], cu["mse_mean"]]).all()
    assert (
        "Ti_FEFF has no spectrum in its test part"
        in (tmp_path / "results/logs/predict_spectra/universal_chgnet_Ti_FEFF.log").read_text()
    )
    page = (tmp_path / "results/report/report.html").read_text()
    assert "UniversalXAS" in page and "ExpertXAS" not in page
    assert re.search(r"Ti_FEFF: <b>\d+ training and 0 test spectra</b>", page)


def test_a_search_is_made_when_asked_for_and_its_file_changes_the_model_it_is_of_alone(both_kinds):
    search = "search: {models: [universal], trials: 3, max_epochs: 1, space: {batch_size: [16, 32]}}"
    assert "search_settings" not in run(both_kinds, "--dry-run", "--forceall")
    run(both_kinds, "search", "--config", f"models={{{search}}}")
    folder = both_kinds / "results/models/search"
    assert pd.read_csv(folder / "chgnet_universal_trials.csv")["state"].tolist() == ["complete"] * 3
    found = folder / "chgnet_universal.yaml"
    best = yaml.safe_load(found.read_text())["models"]["batch_size"]["universal"]
    found.write_text(found.read_text().replace(f"universal: {best}", "universal: 24"))  # not what it has anyway
    names_it = f"models={{settings_files: [results/models/search/{found.name}], {search}}}"
    planned = run(both_kinds, "models", "search", "--dry-run", "--config", names_it)
    jobs = dict(re.findall(r"^(train_\w+|search_\w+) +(\d+)$", planned, re.MULTILINE))
    assert jobs == {"train_universal": "1", "train_tuned": "2"}
    assert "none.yaml of models.settings_files does not exist" in run(
        both_kinds, "--dry-run", "--config", "models={settings_files: [none.yaml]}", good=False
    )
