"""SIGKILL in the middle of a job, seen by its half-written output or its log, and at what is left behind."""

import os
import re
import signal
import time
import zipfile
from functools import partial

import pandas as pd
from processes import until, working_in
from safetensors.numpy import load_file
from workflow import assert_same_arrays, run, start, write_finished_config

CHECKPOINT = "results/models/expert_chgnet_Cu_FEFF/seed0.safetensors"


def half_written(folder):
    """Whether a job has begun to write into a folder of results."""
    return any(path.stat().st_size for path in folder.glob(".*.tmp*"))


def logged(log, words):
    return log.exists() and words in log.read_text()


def kill_at(directory, moment, output, *arguments, main_only=False, fork_scripts=True, seconds=300):
    """Start the workflow and SIGKILL it (and all its jobs, unless `main_only`) at a moment before `output` is there.

    The moment must come within some seconds.
    """
    process = start(directory, *arguments, fork_scripts=fork_scripts)
    deadline = time.monotonic() + seconds
    while not moment():
        assert process.poll() is None, f"it ended by itself: {process.stdout.read()[-3000:]}"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    if main_only:
        os.kill(process.pid, signal.SIGKILL)
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    there = output.exists()
    if not main_only:
        process.stdout.close()
        until(lambda: not working_in(directory), "the end of all that worked there", 20)
    assert not there, f"killed too late: {output} was there"
    return process


def run_beside_orphans(directory, main, *arguments):
    """Run the same command while jobs of a killed `main` go on, and again when these have ended; what was printed."""
    orphans = working_in(directory)
    assert orphans, "no job went on"
    printed = run(directory, *arguments)
    assert "unlock" not in printed.lower()
    until(lambda: not set(orphans) & set(working_in(directory)), "the end of the orphaned job", 30)
    main.stdout.close()
    run(directory, *arguments)  # whatever an orphan left, the same command ends well
    assert "Nothing to be done" in run(directory, *arguments)
    return printed


def visible(directory, stages):
    """Files of results, by their path, that no job keeps for itself."""
    files = (path for stage in stages for path in (directory / "results" / stage).rglob("[!.]*") if path.is_file())
    return {str(path.relative_to(directory)) for path in files}


def assert_same_results(one, other, within=("",)):
    """All that does not tell when it was made."""
    files = visible(one, within)
    assert files == visible(other, within)
    for name in files:
        first, second = one / name, other / name
        if name.startswith(("results/logs", "results/benchmarks", "results/report")) or name.endswith("curve.svg"):
            continue
        if name.endswith(".h5"):
            assert_same_arrays(first, second)
        elif name.endswith(".safetensors"):
            tensors, others = load_file(first), load_file(second)
            assert tensors.keys() == others.keys()
            assert all((tensors[key] == others[key]).all() for key in tensors), name
        elif name.endswith(".zip"):
            with zipfile.ZipFile(first) as packed, zipfile.ZipFile(second) as packed_too:
                names = packed.namelist()
                assert names == packed_too.namelist()
                assert all(packed.read(each) == packed_too.read(each) for each in names), name
        elif name.endswith("history.csv"):
            losses = [pd.read_csv(path).filter(like="mse").to_numpy() for path in (first, second)]
            assert losses[0].size
            assert (losses[0] == losses[1]).all()
        else:
            assert first.read_bytes() == second.read_bytes(), name


def test_killed_in_the_middle_of_every_long_job(tmp_path, runs, finished):
    """With all its jobs; and at last alone, so that the same command runs beside the training that goes on."""
    write_finished_config(tmp_path, runs)
    results, logs = tmp_path / "results", tmp_path / "results/logs"
    kill_at(tmp_path, lambda: half_written(results / "simulations/Cu_FEFF"), results / "structures/Cu_FEFF.parquet")
    features = logs / "compute_features/chgnet_Cu_FEFF.log"
    kill_at(tmp_path, features.exists, results / "features/chgnet/Cu_FEFF.h5")
    training = logs / "train_expert/chgnet_Cu_FEFF.log"
    kill_at(tmp_path, lambda: logged(training, "epoch 1"), tmp_path / CHECKPOINT)
    training.unlink()
    main = kill_at(tmp_path, lambda: logged(training, "epoch 1"), tmp_path / CHECKPOINT, main_only=True)
    printed = run_beside_orphans(tmp_path, main)
    assert "Job stats" in printed
    assert not re.search("^(import_archive_Cu_FEFF|compute_features) ", printed, re.MULTILINE)  # done stays done
    assert_same_results(tmp_path, finished)


def test_an_import_that_goes_on_alone_disturbs_no_new_run(tmp_path, runs, finished):
    write_finished_config(tmp_path, runs)
    results = tmp_path / "results"
    moment = partial(half_written, results / "simulations/Cu_FEFF")
    main = kill_at(tmp_path, moment, results / "structures/Cu_FEFF.parquet", "spectra", main_only=True)
    run_beside_orphans(tmp_path, main, "spectra")
    assert_same_results(tmp_path, finished, within=("structures", "simulations", "spectra"))
