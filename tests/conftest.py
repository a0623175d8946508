"""Fixtures for all tests; helpers that tests import stand in tests/support."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_once import SHARED
from shared_data import shared

SLOWEST_FIRST = (
    "slurm", "workflow", "unit/test_app_browser", "unit/test_feff8l", "unit/test_spectra_curation",
    "unit/test_simulations_random_faults", "unit/test_xspectra_engine", "",
)  # fmt: skip
"""Folders and files in the order in which they are given to the processes that share them (make test), so that at the
end none waits for the longest."""

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

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(here).as_posix()
        return next(place for place, start in enumerate(SLOWEST_FIRST) if name.startswith(start))

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def _folder_of_all_processes(tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.getbasetemp()
    SHARED["folder"] = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A Materials Project on loopback with the materials of materials_project_data.py, and the key to it."""
    from materials_project_data import documents
    from materials_project_server import KEY, serving

    monkeypatch.setenv("MP_API_KEY", KEY)
    with serving(documents()) as running:
        yield running


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data; tests that ask for it skip where it is absent."""
    return shared()
