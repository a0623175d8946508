"""One run at a time in a directory, and the same result from each."""

import os
import signal
import time

import h5py
import numpy as np
from workflow import assert_same_arrays, run, start, take_over, write_config, write_finished_config


def test_two_runs_in_one_directory_are_told_apart(tmp_path, runs):
    write_config(tmp_path, subsets=["Cu_FEFF"], simulations={"archive": str(runs)})
    first = start(tmp_path, "spectra")
    while first.poll() is None and not list((tmp_path / "results/logs").rglob("*.log")):
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGSTOP)  # or it may be over before the second one asks
    printed = run(tmp_path, "spectra", good=False)
    os.kill(first.pid, signal.SIGCONT)
    first.communicate()
    assert f"in use by process {first.pid}" in printed
    assert first.returncode == 0


def test_the_same_seed_gives_the_same_models(finished, tmp_path, runs):
    write_finished_config(tmp_path, runs)
    # All before it is made anew in test_kill_moments.
    take_over(finished, tmp_path, "structures", "simulations", "spectra", "features")
    # By processes that were not forked from the ones that made the other: the order of sets differs too.
    predictions = "results/evaluation/predictions/expert_chgnet_Cu_FEFF.h5"
    assert "train_expert" in run(tmp_path, predictions, fork_scripts=False)
    assert_same_arrays(finished / predictions, tmp_path / predictions)
    with h5py.File(tmp_path / predictions) as file:
        first, second = file["predictions_by_seed"][:]
    assert not np.allclose(first, second)
