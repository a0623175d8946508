"""Where the real data for tests are: in $XANESFLOW_TEST_DATA, or ../shared/data beside the project."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("XANESFLOW_TEST_DATA", PROJECT.parent / "shared" / "data"))


@cache
def tracked_files() -> list[Path]:
    """Files of the project that git knows, as far as they are there; skips the test outside a checkout."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False).stdout
    if not listed:
        pytest.skip("not a git checkout")
    return [path for name in listed.split("\0") if name and (path := PROJECT / name).is_file()]


def shared(name: str = ".") -> Path:
    """A file or folder of the data for tests; skips the test, saying so, where it is absent."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"test data {path} are absent (set XANESFLOW_TEST_DATA)")
    return path
