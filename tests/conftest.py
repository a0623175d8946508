"""Fixtures for all tests. That this file is here also puts tests/ on the path, for `feff_runs` and `shared`."""

from __future__ import annotations

from pathlib import Path

import pytest
from shared import shared


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data; tests that ask for it skip where it is absent."""
    return shared()
