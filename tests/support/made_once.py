"""What several tests look at: made by the first that asks, whatever processes share the tests (make test)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

SHARED: dict[str, Path] = {}
"""`folder`: that of all processes; tests/conftest.py sets it."""


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """A folder of all processes, filled by the first of them that asks for it; none may change it."""
    folder, done = SHARED["folder"] / f"once-{name}", SHARED["folder"] / f"once-{name}.done"
    with FileLock(SHARED["folder"] / f"once-{name}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
