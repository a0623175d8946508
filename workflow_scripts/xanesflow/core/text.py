"""Small helpers for the sentences that a user reads."""

from __future__ import annotations

from collections.abc import Sequence


def one_line(said: object, length: int | None = None, *, stop: bool = False) -> str:
    """What an error or a program said, for use inside a sentence: without line breaks.

    Args:
        said: an exception, whose type stands for an empty message, or text.
        length: of more characters the rest is cut and replaced by `...`; None: no limit.
        stop: whether a full stop at its end stays.
    """
    text = " ".join(str(said).split())
    text = text if stop else text.rstrip(".")
    if not text and isinstance(said, BaseException):
        text = type(said).__name__
    return text if length is None or len(text) <= length else text[: length - 3] + "..."


def plural(number: int, noun: str, several: str = "") -> str:
    """A number with its noun: `1 site`, `2 sites`; `several` is the plural where an s does not make it."""
    return f"{number} {noun if number == 1 else several or noun + 's'}"


def listing(words: Sequence[str]) -> str:
    """Words in a sentence: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def first_of(names: Sequence[str], most: int = 5) -> str:
    """The first of many names in a sentence: `a, b, c and 12 more`."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def first_few(names: Sequence[str], most: int = 3) -> str:
    """The first of many names where their number is known: `a, b, c, ...`."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def printable(text: str, length: int | None = None) -> str:
    """Text as it can stand in a table and on a terminal: what is not UTF-8 or not printable becomes U+FFFD.

    Args:
        text: as it came from a user or a file's name.
        length: characters after which it is cut; None: none.
    """
    decoded = text.encode(errors="surrogateescape").decode(errors="replace")
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in decoded)[:length]


def clock(seconds: float) -> str:
    """A duration as a clock shows it: `1:05`, `1:01:05`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
