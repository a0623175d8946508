"""Files that a browser sends: within limits, into the page's own folder, and found again by their id only."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from xanesflow.app.page_folder import SESSION, UPLOAD
from xanesflow.core.errors import XanesflowError
from xanesflow.core.limits import MEASURED_FILE, STRUCTURE_FILE, measured_file_too_large, structure_file_too_large
from xanesflow.core.text import plural, printable

LIMITS: dict[str, tuple[int, Callable[[str, int], str]]] = {
    "structure": (STRUCTURE_FILE, structure_file_too_large),
    "measured": (MEASURED_FILE, measured_file_too_large),
}
"""For each purpose of files the most bytes, and the sentence about a file's name and bytes where there are more."""

MOST_FILES = 1000
"""Files of a session that are kept at a time; a folder of 500 scans fits twice."""

MOST_BYTES = 2 * 2**30
"""Bytes of a session's files together."""

_DAYS = 7
_BLOCK = 2**18


@dataclass
class Uploads:
    """The files of all sessions.

    Attributes:
        folder: `SESSION/ID/NAME` below it.
        limits: as `LIMITS`.
    """

    folder: Path
    limits: Mapping[str, tuple[int, Callable[[str, int], str]]] = field(default_factory=lambda: LIMITS)

    def receive(self, session: str, purpose: str, name: str, size: int, stream: IO[bytes]) -> dict[str, str]:
        """Keep a file; returns its `id` and its `name` for people.

        Args:
            session: whose it is.
            purpose: one of `limits`.
            name: as the browser says.
            size: bytes that the browser announces.
            stream: the content.

        Raises:
            XanesflowError: it is too large, or the session has too many.
            OSError: it cannot be written.
        """
        most, too_large = self.limits[purpose]
        shown = printable(re.split(r"[/\\]", name)[-1], 200) or "file"
        if size > most:
            raise XanesflowError(too_large(shown, size))
        if not self._has_room(session, size):
            self.forget()
            if not self._has_room(session, size):
                raise XanesflowError(
                    f"More than {plural(MOST_FILES, 'file')}, or {MOST_BYTES // 2**30} GiB, at a time are too many; "
                    f"send fewer, or wait until the first are {_DAYS} days old and removed."
                )
        place = self.folder / session / secrets.token_hex(16)
        place.mkdir(parents=True)
        try:
            with (place / _safe(shown)).open("wb") as kept:
                while block := stream.read(min(_BLOCK, most + 1 - kept.tell())):
                    kept.write(block)
                    if kept.tell() > most:
                        raise XanesflowError(too_large(shown, max(size, most + 1)))
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return {"id": place.name, "name": shown}

    def path(self, session: str, file: object) -> Path:
        """The path of a session's file.

        Raises:
            XanesflowError: the session has no such file (any more).
        """
        place = self.folder / session / str(file)
        found = list(place.iterdir()) if UPLOAD.fullmatch(str(file)) and place.is_dir() else []
        if not found:
            raise XanesflowError("This file is not kept any more; choose it again.")
        return found[0]

    def _has_room(self, session: str, size: int) -> bool:
        """Whether a session may keep another file of a size."""
        sizes = [path.stat().st_size for path in (self.folder / session).glob("*/*")]
        return len(sizes) < MOST_FILES and sum(sizes) + size <= MOST_BYTES

    def forget(self) -> None:
        """Remove the files that are too old."""
        for place in self.folder.glob("*/*"):
            own = SESSION.fullmatch(place.parent.name) and UPLOAD.fullmatch(place.name)
            if own and place.stat().st_mtime < time.time() - 86400 * _DAYS:
                shutil.rmtree(place, ignore_errors=True)


def _safe(name: str) -> str:
    """A file's name with letters, digits and `_ . + -` only, which keeps its ending."""
    return re.sub(r"[^\w.+-]+", "_", name, flags=re.ASCII)[-120:].lstrip(".") or "file"
