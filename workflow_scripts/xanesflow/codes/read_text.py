"""Decode the files of a run as text."""

from __future__ import annotations

from xanesflow.core.errors import BadRunError


def text_of(name: str, content: bytes) -> str:
    """Decode a file as text.

    Raises:
        BadRunError: unreadable, because the file is not text; names the file.
    """
    if b"\0" in content:
        raise BadRunError("unreadable", f"{name} is binary")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        # a title in Latin-1 is harmless, a binary file is not
        if sum(byte > 127 for byte in content) > 0.02 * len(content):
            raise BadRunError("unreadable", f"{name} is not a text file") from None
        return content.decode("latin-1")
