"""Runs of the whole workflow that several tests look at; each is made once, whatever processes share the tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from feff_runs import write_archive
from filelock import FileLock
from workflow import run, write_config


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder of all processes that share the tests (make test), filled by the first of them that asks for it."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = base / f"once-{name}", base / f"once-{name}.done"
    with FileLock(base / f"once-{name}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> Path:
    """An archive of 54 self-made Cu runs in 36 materials, as a folder that none may change."""
    return made_once(tmp_path_factory, "runs", write_archive)


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

    made = made_once(tmp_path_factory, "finished", make)
    return shutil.copytree(made, tmp_path_factory.mktemp("finished") / "campaign")
