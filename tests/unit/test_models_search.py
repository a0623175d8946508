"""The search for settings: what it finds, what it keeps, and how it goes on."""

import csv
import json
import os
import signal
from dataclasses import replace

import h5py
import numpy as np
import optuna
import pytest
import torch
import yaml
from processes import SPAWN
from sentences import tells
from test_models_data import add_subset, make_dataset

import xanesflow.models.search.search_settings as module
from xanesflow.config.load import read_config_file
from xanesflow.config.search_space import SearchSpace
from xanesflow.config.settings_file import read_found
from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.errors import XanesflowError
from xanesflow.models.network import fit
from xanesflow.models.network.fit import fit_model, train_model
from xanesflow.models.search.search_settings import SearchPlan, search_settings

SPACE = {
    "widths": {"layers": {"low": 1, "high": 2}, "units": {"low": 4, "high": 16, "step": 4}},
    "batch_size": [4, 8],
    "dropout": {"low": 0, "high": 0.5, "step": 0.1},
    "learning_rate": {"low": "1e-4", "high": 0.1, "log": True},
}
BASE = TrainingSettings(max_epochs=2, seed=5)


def search(folder, space=SPACE, trials=4, *, settings=BASE, dataset=None, subsets=("Cu_FEFF",), **plan):
    folder.mkdir(exist_ok=True)
    return search_settings(
        dataset or make_dataset(folder / "d.h5"),
        folder / "best.yaml",
        model=subsets[0] if len(subsets) == 1 else "universal",
        subsets=subsets,
        features="m3gnet",
        settings=settings,
        plan=SearchPlan(SearchSpace.parse(space), trials, **plan),
        study=folder / "study/study.journal",
        trials=folder / "trials.csv",
        figure=folder / "search.svg",
    )


def rows(folder):
    """The table of the trials without their times."""
    with (folder / "trials.csv").open(encoding="utf-8") as opened:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(opened)]


def journal(folder):
    return [json.loads(line) for line in (folder / "study/study.journal").read_text().splitlines()]


def n_trials_begun(folder):
    return sum(entry["op_code"] == 4 for entry in journal(folder))


def n_trials_finished(folder):
    return sum(entry["op_code"] == 6 and entry["state"] in (1, 2) for entry in journal(folder))


def test_the_best_settings_are_those_of_the_best_trial_and_train_to_its_error(tmp_path):
    found = search(tmp_path, trials=6)
    complete = [row for row in rows(tmp_path) if row["state"] == "complete"]
    best = min(complete, key=lambda row: float(row["val_mse"]))
    assert found.origin["val_mse_bohr4"] == float(best["val_mse"])
    assert "-".join(map(str, found.settings["widths"])) == best["widths"]
    settings = TrainingSettings(max_epochs=2, seed=5, **found.settings)
    outputs = {5: tmp_path / "m.safetensors"}
    [model] = train_model(
        "expert", tmp_path / "d.h5", outputs, subsets=["Cu_FEFF"], features="m3gnet", settings=settings
    )
    assert model.card.val_mse == found.origin["val_mse_bohr4"]
    assert (tmp_path / "search.svg").read_text().count("ended early") <= 1
    assert len(rows(tmp_path)) == 6


def test_losses_of_trials_are_compared_in_the_units_of_their_value(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOOK_EVERY", 2)
    search(tmp_path, {"output": ["softplus", "difference"]}, trials=4)
    reported = {entry["intermediate_value"] for entry in journal(tmp_path) if entry["op_code"] == 7}
    values = {float(row["val_mse"]) for row in rows(tmp_path)}
    assert len(values) == 2 and sorted(reported) == pytest.approx(sorted(values), rel=1e-5)


def test_test_spectra_make_no_difference_to_a_search(tmp_path):
    found = search(tmp_path / "a")
    dataset = make_dataset(tmp_path / "other.h5")
    with h5py.File(dataset, "a") as file:
        tested = file["Cu_FEFF/split"].asstr()[:] == "test"
        file["Cu_FEFF/spectra"][:] = np.where(tested[:, None], 1e6, file["Cu_FEFF/spectra"][:])
    other = search(tmp_path / "b", dataset=dataset)
    assert other.settings == found.settings
    assert rows(tmp_path / "a") == rows(tmp_path / "b")


def test_the_same_search_writes_the_same_and_another_seed_tries_others(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        search(tmp_path / name, seed=seed)
    for file in ("best.yaml", "search.svg"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    assert rows(tmp_path / "a") != rows(tmp_path / "c")


def test_the_first_trial_has_the_settings_of_the_configuration_if_they_are_in_the_space(tmp_path):
    given = TrainingSettings(widths=(16, 12), batch_size=8, dropout=0.3, learning_rate=0.02, max_epochs=2)
    search(tmp_path / "in", trials=1, settings=given)
    (first,) = rows(tmp_path / "in")
    assert (first["widths"], first["batch_size"]) == ("16-12", "8")
    assert (first["dropout"], first["learning_rate"]) == ("0.3", "0.02")
    search(tmp_path / "out", trials=1, settings=TrainingSettings(widths=(17,), max_epochs=2))
    assert rows(tmp_path / "out")[0]["widths"] != "17"


def interrupt():
    """What Ctrl-C does; the signal itself is ignored where the tests run in the background of a shell."""
    raise KeyboardInterrupt


def end_in_trial(trial, end, replace=setattr):
    """Let a search end in its so many-th trial, after the first epoch of it was reported."""
    calls = []

    def train(*arguments, report=None, **others):
        calls.append(0)

        def then_end(epoch, rate):
            report(epoch, rate)
            if len(calls) == 1 + trial:  # the first call is the check of the data
                end()

        return fit_model(*arguments, report=then_end if report else None, **others)

    replace(module, "fit_model", train)


def search_until_it_is_killed(folder):
    end_in_trial(3, lambda: os.kill(os.getpid(), signal.SIGKILL))
    search(folder, trials=14)


def test_a_search_that_was_killed_goes_on_and_finds_what_an_undisturbed_one_finds(tmp_path, monkeypatch):
    # Beyond ten trials the choices are no longer random, but learned from the trials before.
    search(tmp_path / "whole", trials=14)
    killed = tmp_path / "killed"
    process = SPAWN.Process(target=search_until_it_is_killed, args=(killed,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert n_trials_finished(killed) == 2
    file = killed / "study/study.journal"
    kept = file.read_bytes()
    with file.open("ab") as opened:
        opened.write(b'{"op_code":7,"worker_id"')  # a kill in the middle of a line
    with monkeypatch.context() as patched:
        end_in_trial(10, interrupt, patched.setattr)
        with pytest.raises(KeyboardInterrupt):
            search(killed, trials=14)
    assert file.read_bytes().startswith(kept)
    assert n_trials_finished(killed) == 2 + 9
    search(killed, trials=14)
    assert n_trials_begun(killed) == 14 + 2, "only the two that were cut short are made again"
    assert rows(killed) == rows(tmp_path / "whole")
    assert (killed / "best.yaml").read_bytes() == (tmp_path / "whole/best.yaml").read_bytes()


def test_more_trials_go_on_with_a_finished_search_and_none_are_made_twice(tmp_path):
    search(tmp_path, trials=3)
    first = rows(tmp_path)
    search(tmp_path, trials=3)
    assert n_trials_begun(tmp_path) == 3
    search(tmp_path, trials=5)
    assert rows(tmp_path)[:3] == first and n_trials_begun(tmp_path) == 5


def test_another_space_or_other_data_begin_a_new_study_and_say_so(tmp_path, caplog):
    search(tmp_path, trials=2)
    first = rows(tmp_path)
    search(tmp_path, {**SPACE, "batch_size": [8]}, trials=2)
    assert "Cu_FEFF on m3gnet: space changed since the last search" in caplog.text
    dataset = make_dataset(tmp_path / "e.h5", seed=3)
    search(tmp_path, {**SPACE, "batch_size": [8]}, trials=2, dataset=dataset)
    assert "m3gnet: data changed since the last search" in caplog.text
    assert n_trials_begun(tmp_path) == 6
    search(tmp_path, trials=2)
    assert rows(tmp_path) == first and n_trials_begun(tmp_path) == 6, "the first study is gone on with"


def test_a_trial_ends_early_if_it_is_worse_than_three_quarters_of_those_before(tmp_path):
    settings = TrainingSettings(widths=(4,), batch_size=64, dropout=0.0, max_epochs=52, patience=99)
    search(tmp_path, {"learning_rate": {"low": 1e-6, "high": 0.1, "log": True}}, trials=14, settings=settings)
    best = [{} for _ in range(14)]
    for entry in journal(tmp_path):
        if entry["op_code"] == 7:
            best[entry["trial_id"]][entry["step"]] = entry["intermediate_value"]
    complete, early = [], 0
    for row, own in zip(rows(tmp_path), best, strict=True):
        assert list(own) == list(range(10, int(row["epochs"]) + 1, 10))
        assert sorted(own.values(), reverse=True) == list(own.values())
        looks = [epoch for epoch in (30, 40, 50) if epoch in own] if len(complete) >= 8 else []
        worse = [epoch for epoch in looks if own[epoch] > np.quantile([other[epoch] for other in complete], 0.75)]
        if worse:
            assert (row["state"], row["epochs"], row["val_mse"]) == ("ended_early", str(worse[0]), "")
            assert row["reason"] == f"worse than three quarters of the others at epoch {worse[0]}"
            early += 1
        else:
            assert (row["state"], row["epochs"]) == ("complete", "52")
            complete.append(own)
    assert early >= 1


def test_a_trial_that_cannot_be_trained_is_told_and_none_is_trained_twice(tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(module, "fit_model", lambda *args, **others: trained.append(0) or fit_model(*args, **others))
    settings = TrainingSettings(widths=(8,), batch_size=16, dropout=0.0, max_epochs=2)
    search(tmp_path, {"learning_rate": [1e-2, 1e25]}, trials=8, settings=settings)
    of_rate = {row["learning_rate"]: row for row in rows(tmp_path)}
    wild = of_rate["1e+25"]
    assert (wild["state"], wild["val_mse"]) == ("ended_early", "")
    assert "The loss became" in wild["reason"]
    assert all({**row, "trial": ""} == {**of_rate[row["learning_rate"]], "trial": ""} for row in rows(tmp_path))
    assert len(trained) == 1 + 2  # the first is the check of the data


def test_a_network_too_large_for_the_device_is_a_bad_trial_and_no_reason_to_stop(tmp_path, monkeypatch):
    def train(kind, name, data, settings, **others):
        if settings.batch_size == 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return fit_model(kind, name, data, settings, **others)

    monkeypatch.setattr(module, "fit_model", train)
    small = TrainingSettings(widths=(8,), max_epochs=1)
    space = {"batch_size": [4, 8], "scaling": ["paper", "standardise"]}
    found = search(tmp_path, space, trials=9, pruner="none", settings=small)
    assert found.settings["batch_size"] == 8
    told = {(row["batch_size"], row["state"], row["reason"]) for row in rows(tmp_path)}
    assert told == {("4", "ended_early", "the device has too little memory for it"), ("8", "complete", "")}


def test_a_rate_that_each_trial_finds_itself_can_be_among_the_choices(tmp_path):
    search(tmp_path, {"learning_rate": [None, 0.01]}, trials=1, settings=TrainingSettings(widths=(8,), max_epochs=1))
    stored = yaml.safe_load((tmp_path / "best.yaml").read_text())
    assert stored["models"]["settings"] == {"Cu_FEFF": {"learning_rate": "range_test"}}
    assert read_found(tmp_path / "best.yaml").settings == {"learning_rate": None}


def test_a_search_of_several_subsets_learns_from_all_of_them(tmp_path):
    dataset = make_dataset(tmp_path / "d.h5")
    add_subset(dataset, "Ti_FEFF", 4964.504, n=30, seed=1)
    found = search(tmp_path, trials=2, dataset=dataset, subsets=("Ti_FEFF", "Cu_FEFF"))
    assert (found.model, list(found.origin["data_sha256"])) == ("universal", ["Cu_FEFF", "Ti_FEFF"])
    assert yaml.safe_load((tmp_path / "best.yaml").read_text())["models"]["batch_size"].keys() == {"universal"}


@pytest.mark.parametrize("subsets", [("Cu_FEFF",), ("Cu_FEFF", "Ti_FEFF")])
def test_a_trial_fits_no_kernel_since_its_value_is_the_networks_error(tmp_path, monkeypatch, subsets):
    dataset = make_dataset(tmp_path / "d.h5")
    add_subset(dataset, "Ti_FEFF", 4964.504, n=30, seed=1)
    monkeypatch.setattr(fit, "KernelRidge", None)  # a fit would fail
    search(tmp_path / "a", trials=2, dataset=dataset, subsets=subsets)
    search(tmp_path / "b", trials=2, dataset=dataset, subsets=subsets, settings=replace(BASE, kernel_share=0.5))
    assert rows(tmp_path / "b") == rows(tmp_path / "a")


def test_no_trial_begins_after_the_hours_are_over(tmp_path, caplog):
    search(tmp_path, trials=50, hours=1e-9)
    assert len(rows(tmp_path)) == 1
    assert "1 of 50 trials took" in caplog.text
    assert read_found(tmp_path / "best.yaml").origin["trials"] == {"asked_for": 50, "complete": 1, "ended_early": 0}


def test_bad_data_or_device_stop_a_search_before_its_first_trial(tmp_path):
    dataset = make_dataset(tmp_path / "d.h5", split=["train"] * 20 + ["test"] * 20)
    with pytest.raises(XanesflowError, match=r"too few spectra to train a model \(train 20, val 0"):
        search(tmp_path, dataset=dataset)
    assert not (tmp_path / "study").exists()


def test_a_search_in_which_nothing_can_be_trained_says_why(tmp_path):
    with pytest.raises(XanesflowError, match=r"None of the 2 trials .* The loss became .* models.search.space"):
        search(
            tmp_path, {"learning_rate": [1e25, 1e26]}, trials=2, settings=TrainingSettings(widths=(8,), max_epochs=3)
        )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace('"op_code":4', '"op_code":99', 1),
        lambda text: "PK" + text,
        lambda text: "\n".join(text.splitlines()[1:]) + "\n",
        lambda text: '{"a": 1}\n',
    ],
)
def test_a_damaged_study_is_told_in_one_sentence(tmp_path, spoil):
    search(tmp_path, trials=1)
    path = tmp_path / "study/study.journal"
    path.write_text(spoil(path.read_text()))
    with tells(match=r"study.journal is damaged, or no study of Optuna .*delete it"):
        search(tmp_path, trials=2)


def test_a_study_of_another_version_of_optuna_is_not_gone_on_with(tmp_path, monkeypatch):
    search(tmp_path, trials=1)
    path = tmp_path / "study/study.journal"
    path.write_text(path.read_text().replace(f'"optuna":"{optuna.__version__}"', '"optuna":"4.5.0"'))
    with pytest.raises(XanesflowError, match=rf"begun with Optuna 4.5.0, but this is {optuna.__version__}"):
        search(tmp_path, trials=2)


def test_the_file_is_a_configuration_and_says_where_it_comes_from(tmp_path):
    found = search(tmp_path)
    again = read_found(tmp_path / "best.yaml")
    assert again == found
    assert again.origin["versions"]["optuna"] == optuna.__version__
    models = read_config_file(tmp_path / "best.yaml").models
    assert models.widths == {"Cu_FEFF": list(found.settings["widths"])}
    assert models.batch_size == {"Cu_FEFF": found.settings["batch_size"]}
    assert models.settings == {"Cu_FEFF": {k: found.settings[k] for k in ("dropout", "learning_rate")}}
