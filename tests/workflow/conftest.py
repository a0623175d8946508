"""Runs of the whole workflow that several tests look at; each is made once, whatever processes share the tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from feff_runs import write_archive
from made_once import made_once
from workflow import run, write_config


@pytest.fixture(scope="session")
def runs() -> Path:
    """An archive of 54 self-made Cu runs in 36 materials, as a folder that none may change."""
    return made_once("runs", write_archive)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, runs) -> Path:
    """Directory of a campaign that ran to the end: chgnet, balanced split, two seeds; each process has a copy."""

    def make(directory: Path) -> None:
        write_config(
            directory,
            subsets=["Cu_FEFF"],
            simulations={"archive": str(runs)},
            features={"models": ["chgnet"]},
            models={"max_epochs": 3, "patience": 2, "learning_rate": 1e-3, "seeds": [0, 1]},
        )
        run(directory)

    made = made_once("finished", make)
    return shutil.copytree(made, tmp_path_factory.mktemp("finished") / "campaign")
