"""A locked file, a full disk, a dead proxy, a read-only folder: each is named, and none is blamed on the data."""

import errno
import os
import socket
import subprocess
import sys

import h5py
import pytest
import requests
from fake_engine import Campaign
from small_disk import mounted

from xanesflow.codes.feff8l.engine import Feff8lEngine
from xanesflow.codes.feff8l.options import EngineSettings
from xanesflow.config.preflight import check_working_directory
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import check_room
from xanesflow.core.hdf5 import open_hdf5
from xanesflow.simulations.run_chunk import simulate_chunk
from xanesflow.structures.materials_project.retrying_http import RetryingAdapter, RetrySettings

READ = "import sys; from xanesflow.dataset.file import open_dataset; open_dataset(sys.argv[1])"


def test_a_file_that_another_program_writes_is_locked_and_not_damaged(tmp_path):
    path = tmp_path / "d.h5"
    with h5py.File(path, "w") as file:
        file["x"] = 1
        file.flush()
        done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert "d.h5 is locked: another program has it open for writing" in last and "damaged" not in last


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.ENOLCK, "Unable to open file (unable to lock file, errno = 37, No locks available)")

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(XanesflowError, match="HDF5_USE_FILE_LOCKING=FALSE"):
        open_hdf5(tmp_path / "d.h5")


def test_a_full_temporary_folder_stops_the_chunk_and_fails_no_site(tmp_path):
    """The programs of FEFF 8 run on a disk of 40 kB, which they do not notice."""
    campaign = Campaign(tmp_path / "campaign", core_hours=0.001).write("Sr")
    with mounted(tmp_path / "small", "size=40k") as small:
        with pytest.raises(XanesflowError, match=r"Cu_FEFF8L chunk 0: the disk is full at .*small.*; set TMPDIR to"):
            simulate_chunk(
                campaign.structures, campaign.site_table, campaign.output(), campaign.kept, subset=campaign.subset,
                chunk=0, engine=Feff8lEngine(EngineSettings()), scratch=small,
            )  # fmt: skip
        assert not list(small.iterdir())
    assert not list(campaign.folder.rglob("*.zip"))


def test_room_is_found_out_by_writing(tmp_path):
    check_room(tmp_path)
    assert not list(tmp_path.iterdir())
    with mounted(tmp_path / "small", "size=40k") as small, pytest.raises(OSError, match=str(small)) as caught:
        check_room(small)
    assert caught.value.errno == errno.ENOSPC


def test_a_proxy_that_does_not_answer_is_named_without_its_password(monkeypatch):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]  # nobody listens there
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{port}")
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    session = requests.Session()
    session.mount("https://", RetryingAdapter(RetrySettings(attempts=1, silence_s=5), "Materials Project"))
    with pytest.raises(XanesflowError) as caught:
        session.get("https://api.example.org/materials")
    said = str(caught.value)
    assert f"cannot be reached: the proxy 127.0.0.1:{port} (HTTPS_PROXY) fails (Connection refused)" in said
    assert "secret" not in said and "api.example.org" not in said


def test_a_read_only_working_directory_is_told_before_anything_is_planned(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_working_directory()
    with mounted(tmp_path / "ro", "size=40k,ro") as folder:
        monkeypatch.chdir(folder)
        with pytest.raises(XanesflowError, match=r"The working directory .*ro is read-only or not yours"):
            check_working_directory()
        monkeypatch.chdir(tmp_path)
    assert os.access(tmp_path, os.W_OK)
