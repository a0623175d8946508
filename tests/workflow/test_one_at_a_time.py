"""One run at a time in a directory, and the same result from each."""

import subprocess
import time

import h5py
import numpy as np
from workflow import assert_same_arrays, command, run, start, write_config


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
