"""A job knows its limit: it stops before it is stopped, keeps what is finished, and blames no site."""

import logging
import os
import signal
import threading
import time

import pandas as pd
import pytest
from fake_engine import Campaign
from processes import FORK, until
from sentences import tells

from xanesflow.core.errors import XanesflowError
from xanesflow.running import slurm, walltime
from xanesflow.running.walltime import MARGIN, Limit


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("4:05", 245), ("3:04:05", 11045), ("2-03:04:05", 183845), ("0:00", 0), ("UNLIMITED", None), ("", None)],
)
def test_times_are_read_as_slurm_writes_them(text, seconds):
    assert slurm.seconds_of(text) == seconds


def test_a_job_asks_slurm_for_its_end_unless_it_was_told(monkeypatch, tmp_path):
    (tmp_path / "squeue").write_text('#!/bin/sh\ntest "$3" = 17 && echo 1:00:00\n')
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert slurm.job_end() is None
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert slurm.job_end() == pytest.approx(time.time() + 3600, abs=30)
    monkeypatch.setenv("SLURM_JOB_END_TIME", "1900000000")
    assert slurm.job_end() == 1.9e9
    monkeypatch.setenv(walltime.JOB_END, "1800000000")  # of another batch system
    assert Limit.of_this_job()._end == 1.8e9 - MARGIN
    monkeypatch.setenv(walltime.JOB_END, " 1800000000.7")
    assert Limit.of_this_job()._end == 1.8e9 + 0.7 - MARGIN


@pytest.mark.parametrize("given", ["2026-11-30T12:00", "nan", "1e999"])
def test_an_end_that_is_no_number_is_told(monkeypatch, given):
    monkeypatch.setenv(walltime.JOB_END, given)
    with tells(f"XANESFLOW_JOB_END is '{given}', which is no number; set it to the end"):
        Limit.of_this_job()


def test_nothing_is_started_that_does_not_fit_but_the_first_of_each_worker():
    limit = Limit(time.time() + 1000)
    assert limit.may_start(5000, workers=2) and limit.may_start(5000, workers=2)
    assert not limit.may_start(5000, workers=2)
    assert limit.may_start(100, workers=2)  # a short one still fits
    limit.learn(spent=1000, expected=10)  # this machine is slow
    assert not limit.may_start(100, workers=2)
    assert limit.why_stopped() == "what is left takes longer than its time allows"
    assert not Limit(time.time() - 1).may_start(1)
    assert Limit(None).may_start(1e9)


def test_a_chunk_whose_time_is_nearly_over_keeps_what_is_done_and_the_next_goes_on_there(tmp_path, monkeypatch):
    campaign = Campaign(tmp_path).write("Ba", "Ca", "Sr")
    monkeypatch.setenv(walltime.JOB_END, str(int(time.time()) + 5))
    begin = time.monotonic()
    with tells("Cu_FEFF8L chunk 0 stops with 1 of 3 sites done, as its time is nearly over"):
        campaign.run(workers=1, do={"Ca": "hang"})
    assert time.monotonic() - begin < 6
    assert campaign.computed() == {"Ba": 1, "Ca": 1}  # Sr was not started any more
    assert not campaign.output().exists() and not list((tmp_path / "scratch").iterdir())
    monkeypatch.delenv(walltime.JOB_END)
    assert campaign.run_again() == {"Ca": 1, "Sr": 1}


def test_a_chunk_starts_no_site_whose_expected_cost_does_not_fit(tmp_path, monkeypatch):
    campaign = Campaign(tmp_path).write("Ba", "Ca", "Sr")
    monkeypatch.setenv(walltime.JOB_END, str(int(time.time()) + 600))
    table = pd.read_parquet(campaign.site_table).sort_values("material_id")
    table.assign(core_hours=[1 / 3600, 1000.0, 1000.0]).to_parquet(campaign.site_table)
    with tells("Cu_FEFF8L chunk 0 stops with 1 of 3 sites done, as what is left takes longer than its time allows"):
        campaign.run(workers=1)
    assert campaign.computed() == {"Ba": 1}
    table.drop(columns="core_hours").to_parquet(campaign.site_table)  # as an earlier version wrote it
    assert campaign.run_again(workers=1) == {"Ca": 1, "Sr": 1}


def test_a_chunk_that_is_asked_to_end_blames_no_site(tmp_path):
    """As `scancel` does: all processes of the job get the signal, the engine's own among them."""
    campaign = Campaign(tmp_path).write("Ba", "Ca")
    mark = tmp_path / "marks/Ca 0"
    said, saying = FORK.Pipe(duplex=False)

    def run() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whatever earlier tests left
        try:
            campaign.run(workers=1, do={"Ca": "wait60"})
        except XanesflowError as error:
            saying.send(str(error))

    process = FORK.Process(target=run)
    process.start()
    try:
        until(lambda: mark.exists() and mark.read_text())
        os.kill(int(mark.read_text().split()[0]), signal.SIGTERM)
        time.sleep(0.2)
        process.terminate()
        assert said.poll(30)
        assert "stops with 1 of 2 sites done, as it was asked to end (SIGTERM)" in said.recv()
    finally:
        process.kill()
        process.join()
    assert campaign.run_again() == {"Ca": 1}


def test_the_signal_to_end_does_again_what_it_did_before(caplog):
    limit, stop, asked = Limit(None), threading.Event(), []
    before = signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
    try:
        with caplog.at_level(logging.INFO), limit.watched(stop):
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.wait(5) and not asked
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked
    finally:
        signal.signal(signal.SIGTERM, before)
