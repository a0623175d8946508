"""What a worker process does: one piece of work, in a folder of its own, until it or its parent ends."""

from __future__ import annotations

import importlib
import json
import multiprocessing as mp
import multiprocessing.connection as mpc
import os
import signal
import sys
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any

from xanesflow.core.errors import sentence_about
from xanesflow.core.files import write_text

OUTCOME, RESULT, PROGRESS = "outcome.json", "result.json", "progress.json"
NOT_WRITTEN = 64
"""Exit status of a process that could not write its outcome, plus the number of the system's error."""


class Work:
    """One piece of work.

    Args:
        folder: of its own.
        given: what was asked for.
    """

    def __init__(self, folder: Path, given: dict[str, Any]) -> None:
        self.folder, self.given = folder, given

    @property
    def files(self) -> Path:
        """Folder for files that the reader may download."""
        place = self.folder / "files"
        place.mkdir(exist_ok=True)
        return place

    def say(self, share: float, sentence: str) -> None:
        """Tell how far the work is.

        Args:
            share: from 0 to 1.
            sentence: what it is doing.
        """
        write_text(self.folder / PROGRESS, json.dumps({"share": share, "said": sentence}))

    def show(self, result: dict[str, Any]) -> None:
        """Show what is known so far."""
        write_text(self.folder / RESULT, json.dumps(result))


def do_work(folder: str, function: str, given: dict[str, Any]) -> None:
    """Call `module:function` with the work; the target of a process. Writes result and outcome, whole or not at all."""
    os.setsid()  # what it starts is of its group, and ends with it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work = Work(Path(folder), given)
    scratch = work.folder / "scratch"
    tempfile.tempdir = os.environ["TMPDIR"] = str(scratch)
    warnings.simplefilter("ignore")  # of libraries, for their programmers
    failure = ""
    try:
        scratch.mkdir(exist_ok=True)
        module, _, name = function.partition(":")
        work.show(getattr(importlib.import_module(module), name)(work))
    except Exception as error:
        failure = sentence_about(error)
    try:
        write_text(work.folder / OUTCOME, json.dumps({"error": failure}))
    except OSError as error:  # a full disk holds no sentence about itself
        sys.exit(NOT_WRITTEN + (error.errno or 0))


def _end_with_parent() -> None:
    """End this process with the one that started it, and its group; programs of engines end by `kill_on_exit`."""
    parent = mp.parent_process()
    if parent is not None:
        mpc.wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)
