"""Runs of the whole workflow that several tests look at; each is made once for a test process."""

from __future__ import annotations

from pathlib import Path

import pytest
from feff_runs import write_archive
from workflow import run, write_config


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> Path:
    """An archive of 54 self-made Cu runs in 36 materials, as a folder."""
    folder = tmp_path_factory.mktemp("runs")
    write_archive(folder)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory, runs) -> Path:
    """Directory of a campaign that ran to the end: chgnet, balanced split, two seeds."""
    directory = tmp_path_factory.mktemp("finished")
    write_config(
        directory,
        subsets=["Cu_FEFF"],
        simulations={"archive": str(runs)},
        features={"models": ["chgnet"]},
        models={"max_epochs": 3, "patience": 2, "learning_rate": 1e-3, "seeds": [0, 1]},
    )
    run(directory)
    return directory
