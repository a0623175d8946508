"""The folder of the page: the file by which it knows its own, and the names of what it may remove there."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import temporary_name
from xanesflow.running.work_queue import PLACE

SECRET = ".xanesflow-app"
"""Marks a folder as the page's, and holds the secret that signs its cookies; only its owner can read it."""

SESSION = re.compile("own|[0-9a-f]{32}")
"""A session: that of the only user, or of a browser."""

UPLOAD = re.compile("[0-9a-f]{32}")
"""The folder of an upload within that of its session."""

_BEGUN = re.compile(r"\.+(holder|xanesflow-app)\b.*")  # lock of the folder, and what a killed start left behind


def prepare_folder(folder: Path) -> None:
    """Make the page's folder if it is missing, and refuse one that is not its own: it removes old files in it.

    Folders of versions that had no `SECRET` hold what only the page names so.

    Raises:
        XanesflowError: it is a file, or holds other files.
        OSError: it cannot be made or read.
    """
    if folder.exists() and not folder.is_dir():
        raise XanesflowError(f"{folder} is a file; name a new or empty folder with --folder.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / SECRET).is_file():
        return
    uploads, work = folder / "uploads", folder / "work"
    inside = [each for each in folder.iterdir() if not _BEGUN.fullmatch(each.name)]
    own = (
        all(each in (uploads, work) and each.is_dir() for each in inside)
        and all(PLACE.fullmatch(each.name) for each in work.glob("*"))
        and all(SESSION.fullmatch(each.name) for each in uploads.glob("*"))
        and all(UPLOAD.fullmatch(each.name) for each in uploads.glob("*/*"))
    )
    if not own:
        raise XanesflowError(f"{folder} holds other files; name a new or empty folder with --folder.")


def secret_of(folder: Path) -> str:
    """The secret of a folder, which is made with it the first time.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / SECRET
    if not path.is_file():
        temporary = folder / temporary_name(path, secrets.token_hex(4))
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_hex(32).encode())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return path.read_text(encoding="ascii")
