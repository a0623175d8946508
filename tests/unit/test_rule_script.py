"""What surrounds a rule's function: its log, its exit code, its processes, and the first look at an archive."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sentences import tells

from xanesflow.codes.lightshow_tree import check_archive
from xanesflow.core import parallel
from xanesflow.core.parallel import cores, map_in_processes
from xanesflow.prediction import predict_files

SCRIPT = """
import logging, sys, types, warnings
from xanesflow.config.rule_script import rule_log
from xanesflow.core.errors import XanesflowError
snakemake = types.SimpleNamespace(log=[sys.argv[1]], output=[], config={{"subsets": ["Cu_FEFF"]}})
with rule_log(snakemake) as config:
    logging.getLogger("xanesflow.stage").info("12 spectra kept")
    warnings.warn("a library is chatty")
    {last}
"""


def run_script(tmp_path, last):
    log = tmp_path / "rule.log"
    command = [sys.executable, "-c", SCRIPT.format(last=last), str(log)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr, log.read_text()


def test_a_script_that_ends_well_has_its_log_on_the_terminal_too_but_for_what_a_library_warns_of(tmp_path):
    code, shown, log = run_script(tmp_path, "print(config[:20])")
    assert code == 0
    assert "12 spectra kept" in shown and "12 spectra kept" in log
    assert '{"campaign": "3dtm_x' in shown
    assert "a library is chatty" in log and "a library is chatty" not in shown


NO_ROOM = "raise OSError(28, 'No space left on device', {})"
ENDS = {
    "a user's mistake": (
        "raise XanesflowError('x.zip is damaged; copy it again.')", ["ERROR: x.zip is damaged; copy it again."]
    ),
    "refused by the system": (
        NO_ROOM.format("'results/x.h5'"), ["ERROR: the system said: No space left on device", "(results/x.h5)"]
    ),
    "refused without a file": (NO_ROOM.format("None"), ["ERROR: the system said: No space left on device"]),
    "a fault of ours": ("1 / 0", ["fault of xanesflow", "ZeroDivisionError", "Traceback"]),
}  # fmt: skip


@pytest.mark.parametrize(("last", "words"), ENDS.values(), ids=ENDS)
def test_what_ends_a_script_is_one_sentence_and_only_a_fault_of_ours_has_its_traceback(tmp_path, last, words):
    code, shown, log = run_script(tmp_path, last)
    assert code == 1
    for text in (shown, log):
        assert all(word in text for word in words)
        assert all(word in words for word in ("Traceback", "(results/x.h5)") if word in text)


def square(number: int) -> int:
    return number * number


@pytest.mark.parametrize(("workers", "alone"), [(1, 0.0), (2, 0.0), (2, 60.0)])
def test_processes_answer_in_the_order_of_the_questions(monkeypatch, workers, alone):
    monkeypatch.setattr(parallel, "ALONE_SECONDS", alone)
    assert list(map_in_processes(square, range(20), workers)) == [k * k for k in range(20)]
    assert list(map_in_processes(square, [], workers)) == []


def process_of(number: int) -> tuple[int, int]:
    time.sleep(0.03)
    return number, os.getpid()


def test_cores_are_counted_where_the_system_does_not_say_which_a_process_may_use(monkeypatch):
    assert 1 <= cores() <= os.cpu_count()
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert cores() == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1 == predict_files._processes([Path("a.cif")])


def test_other_processes_are_started_for_long_work_alone(monkeypatch):
    def answers(n: int) -> list[tuple[int, int]]:
        return list(map_in_processes(process_of, range(n), 2))

    assert {process for _, process in answers(3)} == {os.getpid()}
    monkeypatch.setattr(parallel, "ALONE_SECONDS", 0.05)
    numbers, processes = zip(*answers(6), strict=True)
    assert numbers == (0, 1, 2, 3, 4, 5)
    assert processes[:2] == (os.getpid(),) * 2 and os.getpid() not in processes[2:]


def test_one_worker_starts_nothing_and_works_as_it_is_asked():
    asked = []
    answers = map_in_processes(lambda k: asked.append(k) or k, [1, 2, 3], 1)
    assert next(answers) == 1 and asked == [1]


def test_an_archive_that_is_not_there_is_told_before_anything_is_planned(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with tells("simulations.archive is runs.tar.xz, which does not exist", f"looked from {tmp_path}", "Cu_FEFF"):
        check_archive("runs.tar.xz", "Cu_FEFF")
    (tmp_path / "runs.tar.xz").touch()
    check_archive("runs.tar.xz", "Cu_FEFF")
