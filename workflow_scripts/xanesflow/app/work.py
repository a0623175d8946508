"""What a worker process does: one piece of work, in a folder of its own, until it is done or its server ends."""

from __future__ import annotations

import importlib
import json
import multiprocessing as mp
import multiprocessing.connection as mpc
import os
import tempfile
import threading
import traceback
import warnings
from pathlib import Path
from typing import Any

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import write_text
from xanesflow.core.text import one_line

KINDS = {
    "read_structure": "xanesflow.app.structure_work:read_structure",
    "search_structures": "xanesflow.app.structure_work:search_structures",
    "expect_time": "xanesflow.app.structure_work:expect_time",
    "compute_spectra": "xanesflow.app.structure_work:compute_spectra",
    "predict_spectra": "xanesflow.app.structure_work:predict_spectra",
    "read_campaign": "xanesflow.app.campaign_work:read_campaign",
}
"""Functions `(work: Work) -> dict` by the name of what they do."""

HEAVY = ("xanesflow.app.structure_work",)
"""Imported once, before any worker begins; a worker is a copy of the process that has them."""

OUTCOME, RESULT, PROGRESS = "outcome.json", "result.json", "progress.json"


class Work:
    """One piece of work.

    Args:
        folder: of its own.
        given: what the view asks for.
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


def do_work(folder: str, kind: str, given: dict[str, Any]) -> None:
    """Do a piece of work; the target of a process. Writes result and outcome, whole or not at all."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work = Work(Path(folder), given)
    scratch = work.folder / "scratch"
    scratch.mkdir(exist_ok=True)
    tempfile.tempdir = os.environ["TMPDIR"] = str(scratch)
    warnings.simplefilter("ignore")  # of libraries, for their programmers
    failure = ""
    try:
        module, _, function = KINDS[kind].partition(":")
        work.show(getattr(importlib.import_module(module), function)(work))
    except Exception as error:
        failure = sentence_about(error)
    write_text(work.folder / OUTCOME, json.dumps({"error": failure}))


def sentence_about(error: Exception) -> str:
    """The sentence that the commands print about an error; a fault of xanesflow also prints its traceback."""
    if isinstance(error, XanesflowError):
        return str(error)
    if isinstance(error, OSError):
        where = f" ({Path(str(error.filename)).name})" if error.filename else ""
        return f"The system said: {error.strerror or error}{where}; fix that and try again."
    if isinstance(error, MemoryError):
        return "This needs more memory than there is; free some, or give less at a time."
    traceback.print_exception(error)
    return (
        f"This is a fault of xanesflow, not of yours; please report it: {type(error).__name__} {one_line(error, 200)}."
    )


def _end_with_parent() -> None:
    """End this process when the server ends, however that ends; what it started ends likewise (`kill_on_exit`)."""
    parent = mp.parent_process()
    if parent is not None:
        mpc.wait([parent.sentinel])
        os._exit(1)
