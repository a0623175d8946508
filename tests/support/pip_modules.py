"""The FEFF 10 of pip as a folder with a program for each module, as somebody's own FEFF lies there."""

from __future__ import annotations

import sys
from pathlib import Path

from xanesflow.codes.feff.pip_feff import MODULES


def write_modules(folder: Path) -> Path:
    """Write a program for each module that always has something to do; nothing but the package is in them."""
    folder.mkdir()
    for name in (name for name, cards in MODULES.items() if not cards):
        program = folder / name
        worker = f'exec "{sys.executable}" -m feff10._worker'
        program.write_text(f"#!/bin/sh\nexport FEFF10_WORKER_STAGE={name} FEFF10_WORKER_DIR=.\n{worker}\n")
        program.chmod(0o755)
    return folder
