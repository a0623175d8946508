"""Small helpers for the sentences that a user reads."""

from __future__ import annotations


def one_line(error: BaseException, length: int = 160) -> str:
    """An exception's message without line breaks, cut after `length` characters."""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return text if len(text) <= length else text[: length - 3] + "..."
