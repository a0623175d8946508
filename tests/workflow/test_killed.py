"""SIGKILL at any moment leaves a directory in which the same command finishes the job with the same result."""

import os
import signal
import subprocess
import time

import h5py
import numpy as np
import pytest
from workflow import assert_same_arrays, command, run, start, write_config


def kill_when(directory, ready, *, whole_group=True):
    """Start the workflow and SIGKILL it as soon as `ready()`; says whether it was still running."""
    process = start(directory)
    deadline = time.monotonic() + 120
    while process.poll() is None and not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL) if whole_group else os.kill(process.pid, signal.SIGKILL)
    process.stdout.close()
    process.wait()
    return running


@pytest.mark.xdist_group("killed")
def test_a_killed_workflow_is_finished_by_the_same_command(tmp_path, runs):
    """Killed in the import, in the features, in the training (there its job goes on alone), then run to the end."""
    settings = {
        "subsets": ["Cu_FEFF"],
        "simulations": {"archive": str(runs)},
        "features": {"models": ["chgnet"]},
        "models": {"max_epochs": 60, "patience": 60, "learning_rate": 1e-3},
    }
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    write_config(whole, **settings)
    run(whole)

    write_config(killed, **settings)
    logs = killed / "results/logs"
    moments = [("import_archive", True), ("compute_features", True), ("curate_spectra", True), ("train_expert", False)]
    stopped = [
        kill_when(killed, lambda rule=rule: any((logs / rule).glob("*.log")), whole_group=group)
        for rule, group in moments
    ]
    assert sum(stopped) >= 2, stopped
    time.sleep(1)
    printed = run(killed)
    assert "LockException" not in printed
    assert "Nothing to be done" in run(killed)

    assert_same_arrays(whole / "results/dataset/test.h5", killed / "results/dataset/test.h5")
    metrics = "results/evaluation/metrics.csv"
    assert (whole / metrics).read_text() == (killed / metrics).read_text()
    predictions = "results/evaluation/predictions/expert_chgnet_Cu_FEFF.h5"
    assert_same_arrays(whole / predictions, killed / predictions)


def test_two_runs_in_one_directory_are_told_apart(tmp_path, runs):
    write_config(tmp_path, subsets=["Cu_FEFF"], simulations={"archive": str(runs)})
    first = start(tmp_path, "spectra")
    while first.poll() is None and not list((tmp_path / "results/logs").rglob("*.log")):
        time.sleep(0.02)
    second = subprocess.run(command(tmp_path, "spectra"), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert first.poll() is None, "the first run was over before the second one asked"
    first.communicate()
    assert second.returncode != 0
    assert f"in use by process {first.pid}" in second.stdout + second.stderr
    assert first.returncode == 0


def test_the_same_seed_gives_the_same_models(finished, tmp_path, runs):
    write_config(
        tmp_path,
        subsets=["Cu_FEFF"],
        simulations={"archive": str(runs)},
        features={"models": ["chgnet"]},
        models={"max_epochs": 3, "patience": 2, "learning_rate": 1e-3, "seeds": [0, 1]},
    )
    run(tmp_path, "evaluation")
    predictions = "results/evaluation/predictions/expert_chgnet_Cu_FEFF.h5"
    assert_same_arrays(finished / predictions, tmp_path / predictions)
    with h5py.File(tmp_path / predictions) as file:
        first, second = file["predictions_by_seed"][:]
    assert not np.allclose(first, second)
