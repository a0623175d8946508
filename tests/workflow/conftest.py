"""Runs of the whole workflow that several tests look at; each is made once, whatever processes share the tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from feff_runs import write_archive
from made_once import made_once
from workflow import run, write_finished_config


@pytest.fixture(scope="session")
def runs() -> Path:
    """An archive of 54 self-made Cu runs in 36 materials, as a folder that none may change."""
    return made_once("runs", write_archive)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, runs) -> Path:
    """Directory of a campaign that ran to the end: chgnet, balanced split, two seeds; each process has a copy."""

    def make(directory: Path) -> None:
        write_finished_config(directory, runs)
        run(directory)

    made = made_once("finished", make)
    return shutil.copytree(made, tmp_path_factory.mktemp("finished") / "campaign")
