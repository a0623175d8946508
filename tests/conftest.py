"""Fixtures for all tests; helpers that tests import stand in tests/support."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from shared_data import shared

SLOWEST_FIRST = ("slurm", "workflow", "unit")
"""Folders in the order in which their files are given to the processes that share them (make test), so that at the end
none waits for the longest."""

# Libraries read these when they are loaded. Several processes share the cores, and the systems of tests are small: more
# threads would spend most of the time on waiting for each other.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

gc.disable()  # while the libraries are imported, nothing is there to be collected


def pytest_collection_finish() -> None:
    """Collect garbage again, but never look through all that the libraries have made."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in that order."""
    here = Path(__file__).parent
    items.sort(key=lambda item: SLOWEST_FIRST.index(item.path.relative_to(here).parts[0]))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data; tests that ask for it skip where it is absent."""
    return shared()
