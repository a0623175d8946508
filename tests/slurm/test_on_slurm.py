"""Campaigns on a real Slurm, undisturbed and with the faults of a cluster: nothing is lost, nothing done twice."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import h5py
import pytest
import yaml
from processes import until
from slurm_campaign import SlurmCampaign, materials, names_of_chunk

TAIL = [
    "curate_spectra", "compute_features", "split_sites", "build_dataset", "train_expert", "calibrate_model",
    "predict_spectra", "evaluate_models", "draw_curation", "draw_evaluation", "draw_uncertainty", "draw_comparison",
    "describe_sites", "map_features", "make_report",
]  # fmt: skip
OF_ONE_CORE = ["simulate_chunk", "describe_sites", "map_features"]


pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def profiles(tmp_path_factory, slurm):
    """A user's folder of profiles, with the one for Slurm installed as users do."""
    folder = tmp_path_factory.mktemp("profiles")
    done = subprocess.run(
        [sys.executable, "-m", "xanesflow", "profile", "install", "slurm"],
        env={**os.environ, "XDG_CONFIG_HOME": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    path = folder / "snakemake/slurm/config.yaml"
    profile = yaml.safe_load(path.read_text())
    assert profile["default-resources"]["slurm_partition"] == "short"  # the default one, told by sinfo
    assert profile["slurm-status-command"] == "squeue"  # no accounts are kept here
    # What follows is for the sake of time alone.
    profile |= {
        "latency-wait": 5,
        "slurm-init-seconds-before-status-checks": 1,
        "set-threads": [f"{rule}=1" for rule in OF_ONE_CORE],
    }
    path.write_text(yaml.safe_dump(profile))
    return folder


@pytest.fixture(scope="module")
def whole_at_work(tmp_path_factory, profiles):
    """A campaign in a clone of the workflow by `snakemake --profile slurm`, literally, whose simulations are done.

    All that comes after them is one job, which has the whole chain in it, and goes on beside the other campaigns.
    """
    folder = tmp_path_factory.mktemp("whole")
    campaign = SlurmCampaign(folder / "clone", folder / "profiles", folder / "recorded").write(chunks=2).clone()
    path = shutil.copytree(profiles, campaign.profiles) / "snakemake/slurm/config.yaml"
    grouped = {**yaml.safe_load(path.read_text()), "groups": [f"{rule}=tail" for rule in TAIL]}
    del grouped["group-components"]
    path.write_text(yaml.safe_dump(grouped))
    assert campaign.command()[1:] == ["-m", "snakemake", "--profile", "slurm"]
    process = campaign.start()
    zips = [campaign.folder / f"results/simulations/Ni_FEFF8L/000{chunk}.zip" for chunk in (0, 1)]
    until(
        lambda: process.poll() is not None or all(path.exists() for path in zips), "the runs of the whole campaign", 400
    )
    yield campaign, process
    process.wait(timeout=400)


@pytest.fixture(scope="module")
def whole(whole_at_work):
    """The same up to its report."""
    campaign, process = whole_at_work
    campaign.end(process)
    return campaign


@pytest.fixture(scope="module")
def disturbed(whole_at_work, profiles, slurm):
    """A campaign whose jobs meet all faults, and in the meantime one whose Snakemake is killed twice."""
    whole, undisturbed = whole_at_work
    died, memory, late, cancelled = (names_of_chunk(chunk, 4)[1] for chunk in range(4))
    faulty = SlurmCampaign(whole.folder.parent / "faulty", profiles, whole.recorded).write(
        chunks=4,
        **{
            died: {"do": "die", "times": 1},
            memory: {"do": "memory", "times": 2},
            late: {"do": "hang", "times": 1},
            cancelled: {"do": "hang", "times": 1},
        },
    )
    slow = [names_of_chunk(chunk, 2)[2] for chunk in (0, 1)]
    killed = SlurmCampaign(whole.folder.parent / "killed", profiles, whole.recorded).write(
        chunks=2, **{name: {"do": "wait", "times": 1} for name in slow}
    )
    # A job needs a minute to start its two Snakemakes on a busy machine, and one of them is to run out of time.
    snakemake = faulty.start("simulations", "--set-resources", "simulate_chunk:runtime=3")
    first = killed.start("simulations")
    until(lambda: faulty.started(cancelled), "the site of the job to cancel", 400)
    job = until(lambda: slurm.job_of(faulty.folder, "Ni_FEFF8L_0003"))  # squeue may be slow to answer
    slurm.ask("scancel", job)
    until(lambda: all(map(killed.started, slow)), "both slow sites", 400)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    second = killed.start("simulations")
    until(lambda: killed.logs_of_jobs().count("waiting for it to end") == 2, "the wait of both second jobs", 240)
    os.kill(second.pid, signal.SIGKILL)
    second.wait()
    until(lambda: faulty.started(late), "the site that runs out of time", 240)
    until(lambda: undisturbed.poll() is not None, "the end of the whole campaign", 400)
    slurm.kill_slurmd()
    time.sleep(3)
    slurm.start_slurmd()
    (killed.folder / "go").touch()
    until(lambda: not slurm.jobs(killed.folder, "pending", "running", "completing"), "the end of all jobs", 240)
    killed.run("simulations")
    faulty.end(snakemake)
    return faulty, killed


def test_after_every_fault_of_a_job_no_finished_site_is_computed_twice_and_none_is_missing(disturbed, whole):
    """A job that dies, one over its memory, one over its time, one cancelled, and slurmd killed and started again."""
    faulty, _ = disturbed
    met = {names_of_chunk(chunk, 4)[1] for chunk in range(4)}
    assert faulty.starts() == {name: 2 if name in met else 1 for name in materials().values()}
    assert faulty.files() == whole.files()
    stops = re.findall(r"chunk \d stops with .*?;", (faulty.folder / "printed.txt").read_text())
    assert "chunk 2 stops with 1 of 2 sites done, as its time is nearly over;" in stops
    assert "chunk 3 stops with 1 of 2 sites done, as it was asked to end (SIGTERM);" in stops


def test_after_snakemake_was_killed_the_same_command_goes_on_while_the_old_jobs_run_and_after_them(disturbed, whole):
    _, killed = disturbed
    assert killed.starts() == dict.fromkeys(materials().values(), 1)
    assert killed.files() == whole.files()
    logs = killed.logs_of_jobs()
    assert logs.count("A killed run left this job at work (process ") == 2 and "(Slurm job " in logs
    assert logs.count("4 sites: 0 computed, 4 kept from before, 0 failed") == 2
    assert "unlock" not in (killed.folder / "printed.txt").read_text()


def test_a_whole_campaign_runs_by_the_command_that_users_type(whole):
    assert whole.starts() == dict.fromkeys(materials().values(), 1)
    results = whole.folder / "results"
    assert (results / "report/report.html").exists() and (results / "evaluation/metrics.csv").exists()
    with h5py.File(results / "dataset/nickel.h5") as file:
        assert sorted(file["Ni_FEFF8L/material_id"].asstr()[:]) == sorted(materials())
    printed = (whole.folder / "printed.txt").read_text()
    assert "Using profiles slurm and workflow specific profile" in printed  # profiles/default is read too
    assert "executor: slurm" in printed or "SLURM run ID" in printed
