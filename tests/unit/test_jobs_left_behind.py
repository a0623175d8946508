"""A job that a killed run left at work is waited for, and what it left half written is cleared away."""

import os
import subprocess
import sys
import time

from xanesflow.codes.lightshow_tree import folder_state
from xanesflow.core.files import atomic_path
from xanesflow.running.locks import hold_job

HOLDER = """
import sys, time
from xanesflow.core.files import atomic_path
from xanesflow.running.locks import hold_job
held = hold_job(sys.argv[1], [sys.argv[2]])
with atomic_path(sys.argv[2]) as temporary:
    temporary.write_text("half of it")
    print("at work", flush=True)
    time.sleep(float(sys.argv[3]))
"""


def start(folder, seconds):
    arguments = [str(folder / "job.lock"), str(folder / "out.txt"), str(seconds)]
    process = subprocess.Popen([sys.executable, "-c", HOLDER, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "at work\n"
    return process


def test_the_second_process_of_a_job_waits_and_writes_last(tmp_path, caplog):
    first = start(tmp_path, 1.5)
    begin = time.monotonic()
    with hold_job(tmp_path / "job.lock", [tmp_path / "out.txt"]):
        assert time.monotonic() - begin > 0.5
        assert (tmp_path / "out.txt").read_text() == "half of it"  # the first one had ended
        with atomic_path(tmp_path / "out.txt") as temporary:
            temporary.write_text("all of it")
    assert f"process {first.pid} on" in caplog.text
    assert first.wait() == 0
    assert (tmp_path / "out.txt").read_text() == "all of it"


def test_a_folders_state_changes_with_any_file_below_it(tmp_path):
    deep = tmp_path / "runs/Cu/mp-1/FEFF-XANES/000_Cu"
    deep.mkdir(parents=True)
    (deep / "xmu.dat").write_text("1")
    states = [folder_state(tmp_path / "runs")]
    assert folder_state(tmp_path / "runs") == states[0]
    os.utime(deep / "xmu.dat", ns=(0, time.time_ns() + 10**9))
    states.append(folder_state(tmp_path / "runs"))
    (deep / "feff.out").write_text("2")
    states.append(folder_state(tmp_path / "runs"))
    assert len(set(states)) == 3
    assert not folder_state(deep / "xmu.dat")
