"""Where the real data for tests are: in $XANESFLOW_TEST_DATA, or ../shared/data beside the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("XANESFLOW_TEST_DATA", PROJECT.parent / "shared" / "data"))


def shared(name: str = ".") -> Path:
    """A file or folder of the data for tests; skips the test, saying so, where it is absent."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"test data {path} are absent (set XANESFLOW_TEST_DATA)")
    return path
