"""Nothing is lost: files appear whole or not at all, and a folder has one holder, who cannot leave the lock behind."""

import hashlib
import json
import os
import stat
import threading

import pytest
from processes import kill, start_python

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import atomic_path, sha256_file, write_text
from xanesflow.running.locks import hold_directory, hold_job


def test_a_file_takes_its_place_when_the_block_ends(tmp_path):
    target = tmp_path / "new" / "folder" / "x.h5"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent and temporary.suffix == ".h5" and temporary != target
        temporary.write_text("new")
        assert not target.exists()
        written = temporary.stat().st_ino
    assert target.stat().st_ino == written  # renamed, not copied: a copy can be seen half made
    assert target.read_text() == "new"
    assert [p.name for p in target.parent.iterdir()] == ["x.h5"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "x.txt"
    target.write_text("old")
    with pytest.raises(error), atomic_path(target) as temporary:
        temporary.write_text("half of it")
        raise error
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_block_that_wrote_nothing_is_an_error_and_leaves_the_old_file(tmp_path):
    target = tmp_path / "x.txt"
    target.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_path(target):
        pass
    assert target.read_text() == "old"


WRITE_HALF = """
import sys
from xanesflow.core.files import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half of it")
    print("written", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("old", ["old", None])
def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path, old):
    target = tmp_path / "x.txt"
    if old is not None:
        target.write_text(old)
    process = start_python(WRITE_HALF, target)
    assert process.first_line == "written"
    kill(process)
    assert (target.read_text() if target.exists() else None) == old
    write_text(target, "new")  # what a killed writer left is not in the way
    assert target.read_text() == "new"


def test_of_writers_at_the_same_time_one_wins_whole(tmp_path):
    target = tmp_path / "x.txt"
    texts = [letter * 100_000 for letter in "abcdefgh"]
    together = threading.Barrier(len(texts))

    def write(text):
        with atomic_path(target) as temporary:
            together.wait()
            temporary.write_text(text)
            together.wait()

    threads = [threading.Thread(target=write, args=[text]) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_text() in texts
    assert list(tmp_path.iterdir()) == [target]


def test_a_new_file_has_the_permissions_that_the_user_gives_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "x.txt", "Å")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.txt").stat().st_mode) == 0o640
    assert (tmp_path / "x.txt").read_bytes() == b"\xc3\x85"


@pytest.mark.parametrize("content", [b"", b"abc", b"x" * 3_000_000])
def test_a_files_hash_is_that_of_its_bytes(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    assert sha256_file(tmp_path / "x") == hashlib.sha256(content).hexdigest()


HOLD = """
import sys
from xanesflow.running.locks import hold_directory
lock = hold_directory(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_holder_of_a_folder_is_refused_and_told_who_holds_it(tmp_path):
    folder = tmp_path / "results"
    holder = start_python(HOLD, folder)
    try:
        with pytest.raises(XanesflowError) as caught:
            hold_directory(folder)
    finally:
        kill(holder)
    assert holder.first_line == "held"
    assert f"{folder.resolve()} is in use by process {holder.pid} on " in str(caught.value)
    assert "--directory" in str(caught.value) and "\n" not in str(caught.value)


def test_a_killed_holder_leaves_no_lock_behind(tmp_path):
    holder = start_python(HOLD, tmp_path)
    kill(holder)
    hold_directory(tmp_path).close()


def test_a_holder_that_closes_lets_the_next_one_in(tmp_path):
    hold_directory(tmp_path / "made").close()
    second = hold_directory(tmp_path / "made")
    assert json.loads((tmp_path / "made/.holder").read_text())["process"] == os.getpid()
    second.close()


def test_what_a_killed_job_left_half_written_is_cleared_away_and_nothing_else(tmp_path):
    target = tmp_path / "out" / "x.txt"
    write_text(target, "old")
    write_text(target.with_name("xy.txt"), "another job's")
    for name in ("x.txt", "xy.txt"):
        kill(start_python(WRITE_HALF, target.with_name(name)))
    assert len(list(target.parent.iterdir())) == 4
    hold_job(tmp_path / "job.lock", [target]).close()
    left = {path.name for path in target.parent.iterdir()}
    assert {"x.txt", "xy.txt"} < left and len(left) == 3
    assert target.read_text() == "old"
