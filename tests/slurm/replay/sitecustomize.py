"""Python loads this at its start where PYTHONPATH names this folder: it counts the starts of the embedded engine.

Beside that, Snakemake looks at its Slurm jobs every two seconds here; by itself it would ever less often.

A site that was computed once is replayed from then on: the recorded files are put in place instead of computing them.
What is to go wrong stands in faults.json, beside marks/ and recorded/ in the folder $XANESFLOW_TEST_REPLAY:
{"<name of the site>": {"do": ..., "times": n}}, for the first n starts of that site.
"""

import atexit
import json
import math
import os
import shutil
import signal
import sys
import time
from pathlib import Path


def name_of_site():
    """All sites are nickel's in its fcc crystal: they are told by the lattice constant, as `a3.50`."""
    positions = json.loads(Path("site.json").read_text())["cluster"]["positions"]
    nearest = min(distance for each in positions if (distance := math.dist(each, positions[0])) > 0.1)
    return f"a{nearest * math.sqrt(2):.2f}"


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def do(what, folder):
    if what == "die":  # the job's script, above the guard
        os.kill(parent_of(os.getppid()), signal.SIGKILL)
        time.sleep(600)
    if what == "memory":  # more than a job has at first, but not more than twice that
        taken = bytearray(900_000_000)
        taken[::4096] = b"x" * len(taken[::4096])
        time.sleep(4)
    if what == "hang":
        time.sleep(600)
    while what == "wait" and not (folder / "go").exists():
        time.sleep(0.1)


def main(folder):
    name = name_of_site()
    number = 0
    while True:
        try:
            (folder / f"marks/{name} start {number}").touch(exist_ok=False)
            break
        except FileExistsError:
            number += 1
    faults = folder / "faults.json"
    fault = json.loads(faults.read_text()).get(name, {}) if faults.exists() else {}
    if number < fault.get("times", 0):
        do(fault["do"], folder)
    recorded = folder / "recorded" / name
    if recorded.exists():
        for path in recorded.iterdir():
            shutil.copyfile(path, path.name)
        sys.stdout.write((recorded / "feff.out").read_text())
        sys.stdout.flush()
        (folder / f"marks/{name} end {number}").touch()
        os._exit(0)

    def record():
        if Path("result.json").exists():
            shutil.copytree(".", recorded)

    atexit.register(record)


if "XANESFLOW_TEST_REPLAY" in os.environ and sys.orig_argv[-3:] == ["-m", "xanesflow.codes.feff8l", "run"]:
    main(Path(os.environ["XANESFLOW_TEST_REPLAY"]))


# Jobs have their scripts forked (tests/support/forked_scripts.py), but those that meet faults, which Slurm watches.
if "--target-jobs" in sys.orig_argv and not any("simulate_chunk" in word for word in sys.orig_argv):
    sys.executable = os.environ.get("XANESFLOW_TEST_SCRIPTS", sys.executable)


if "--profile" in sys.orig_argv and sys.orig_argv[1:3] == ["-m", "snakemake"]:
    from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

    RemoteExecutor.next_seconds_between_status_checks = property(lambda _: 2, lambda *_: None)
