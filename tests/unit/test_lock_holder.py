"""Who holds a lock and whether it lives, here and on other machines of a cluster."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from processes import until
from sentences import tells

from xanesflow.core.errors import XanesflowError
from xanesflow.running import lock_holder as holder
from xanesflow.running import slurm
from xanesflow.running.lock_holder import SILENT, SILENT_AFTER_JOB, SILENT_IN_JOB, Claim, Holder
from xanesflow.running.locks import hold_directory, hold_job


def elsewhere(**changes):
    """A holder on another node."""
    return replace(Holder.own(), host="node9", machine="another boot", **changes)


def write_claim(path, who, *, silent=0.0):
    path.write_text(json.dumps(vars(who)))
    then = time.time() - silent
    os.utime(path, (then, then))


@pytest.fixture
def told_by_slurm(tmp_path, monkeypatch):
    """Programs named squeue and sacct that say what the test says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def say(program, script):
        (folder / program).write_text(f"#!/bin/sh\n{script}\n")
        (folder / program).chmod(0o755 | stat.S_IXUSR)

    say("squeue", "echo no controller >&2; exit 1")
    say("sacct", "exit 1")
    return say


def test_a_process_of_this_machine_lives_if_it_is_there_however_silent_it_is():
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    own = Holder.own()
    there = replace(own, process=sleeper.pid, started=holder.process_start(sleeper.pid))
    assert there.here() and there.lives(1e6)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not there.lives(0.0)  # a zombie is dead
    sleeper.wait()
    assert not there.lives(0.0)
    assert own.lives(1e6) and not replace(own, started=own.started - 1).lives(0.0)  # the id is another process's now


def test_on_another_machine_the_last_sign_of_life_decides_where_nothing_can_be_asked(told_by_slurm):
    for who in (elsewhere(slurm_job=None), elsewhere(slurm_job="17")):
        assert who.lives(SILENT - 1) and not who.lives(SILENT + 1)


@pytest.mark.parametrize(
    ("answer", "limit"),
    [
        ("echo RUNNING", SILENT_IN_JOB),
        ("echo COMPLETING", SILENT_IN_JOB),
        ("echo NODE_FAIL", SILENT_AFTER_JOB),
        ("echo PENDING", SILENT_AFTER_JOB),  # put back into the queue: its processes are gone
        ("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", SILENT_AFTER_JOB),
        ("exit 0", SILENT_AFTER_JOB),
    ],
)
def test_on_another_machine_its_slurm_job_decides_how_long_it_may_be_silent(told_by_slurm, answer, limit):
    told_by_slurm("squeue", answer)
    who = elsewhere(slurm_job="17")
    assert who.lives(limit - 1) and not who.lives(limit + 1)


def test_a_suspended_job_is_alive_however_silent_it_is(told_by_slurm):
    told_by_slurm("squeue", "echo SUSPENDED")
    assert elsewhere(slurm_job="17").lives(1e6)


def test_accounting_is_asked_where_the_queue_has_forgotten_a_job(told_by_slurm):
    told_by_slurm("squeue", "echo slurm_load_jobs error: Invalid job id specified >&2; exit 1")
    assert slurm.job_state("17") == slurm.ENDED
    told_by_slurm("sacct", 'test "$5" = 17 && echo "CANCELLED by 0"')
    assert slurm.job_state("17") == "CANCELLED"


def test_the_former_life_of_a_requeued_job_is_told_by_its_silence(told_by_slurm, monkeypatch):
    told_by_slurm("squeue", "echo RUNNING")  # that is this life
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert not elsewhere().lives(SILENT_AFTER_JOB + 1)


def test_what_the_dead_held_is_taken_over_and_what_the_living_hold_is_not(tmp_path):
    path = tmp_path / "job.holder"
    living, claim = elsewhere(token="a", slurm_job=None), Claim(path)
    write_claim(path, living)
    assert claim.take() == living and json.loads(path.read_text())["host"] == "node9"
    write_claim(path, living, silent=SILENT + 5)
    assert claim.take() is None and claim.read()[0].process == os.getpid()
    assert Claim(path).take().process == os.getpid()
    claim.close()
    assert list(tmp_path.iterdir()) == []


def test_a_forked_child_leaves_the_claim_to_its_parent(tmp_path):
    claim = Claim(tmp_path / "job.holder")
    claim.take()
    if not (child := os.fork()):
        claim.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert claim.read()[0].process == os.getpid()
    claim.close()
    assert claim.read() is None


def test_of_many_that_take_over_one_dead_holder_only_one_gets_it(tmp_path, monkeypatch):
    path = tmp_path / "job.holder"
    for _ in range(20):
        write_claim(path, elsewhere(token="dead", slurm_job=None), silent=SILENT + 5)
        claims, got, ready = [Claim(path) for _ in range(8)], [], threading.Barrier(8)

        def take(claim, got=got, ready=ready):
            ready.wait()
            if claim.take() is None:
                got.append(claim)

        threads = [threading.Thread(target=take, args=[claim]) for claim in claims]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == 1
        got[0].close()
        assert list(tmp_path.iterdir()) == []


def test_a_claim_works_on_a_file_system_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    claim = Claim(tmp_path / "job.holder")
    assert claim.take() is None and Claim(claim.path).take().process == os.getpid()
    claim.path.write_text("")  # read while it was being written
    assert Claim(claim.path).take().host == "an unknown machine"
    claim.close()


def test_a_holder_shows_that_it_lives_and_ends_when_it_was_taken_over(tmp_path, monkeypatch):
    monkeypatch.setattr(holder, "BEAT", 0.05)
    ended = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: ended.set())
    try:
        claim = Claim(tmp_path / "job.holder")
        claim.take()
        os.utime(claim.path, (0, 0))
        until(lambda: claim.path.stat().st_mtime > 0)
        assert not ended.is_set()
        write_claim(claim.path, elsewhere(token="another"))
        assert ended.wait(10)
        claim.close()
        assert claim.read()[0].token == "another"  # what is not its own it leaves
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_job_that_works_on_another_node_is_waited_for(tmp_path, caplog, monkeypatch):
    path = tmp_path / "job.holder"
    write_claim(path, elsewhere(slurm_job="17"))
    threading.Timer(0.6, path.unlink).start()
    begin = time.monotonic()
    with hold_job(tmp_path / "job.lock", []):
        assert time.monotonic() - begin > 0.5
    assert "on node9 (Slurm job 17)); waiting for it to end" in caplog.text


def test_who_waits_for_another_node_stops_before_its_own_time_is_over(tmp_path, monkeypatch):
    write_claim(tmp_path / "job.holder", elsewhere(slurm_job=None))
    monkeypatch.setenv("XANESFLOW_JOB_END", str(int(time.time()) + 2))
    with pytest.raises(XanesflowError, match="still works at this, and the time of this job is nearly over"):
        hold_job(tmp_path / "job.lock", [])


def test_a_run_on_another_login_node_holds_the_working_directory(tmp_path):
    write_claim(tmp_path / ".holder", elsewhere(slurm_job=None))
    with tells(
        "in use by process", "on node9", "--directory. If it was killed there, its lock expires after 5 minutes"
    ):
        hold_directory(tmp_path)
    write_claim(tmp_path / ".holder", elsewhere(slurm_job=None), silent=SILENT + 5)
    hold_directory(tmp_path).close()
    assert not (tmp_path / ".holder").exists()
