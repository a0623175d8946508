"""Small helpers for messages to the user."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def one_line(said: object, length: int | None = None, *, stop: bool = False) -> str:
    """Write the message of an error or program without line breaks, for use inside a sentence.

    Args:
        said: text, or an exception; an exception without a message gives its type.
        length: most characters; the rest becomes `...`. None: no limit.
        stop: whether to keep a full stop at the end.
    """
    text = " ".join(str(said).split())
    text = text if stop else text.rstrip(".")
    if not text and isinstance(said, BaseException):
        text = type(said).__name__
    return text if length is None or len(text) <= length else text[: length - 3] + "..."


def fortran_number(word: str) -> float:
    """Read a number as Fortran writes it, whose exponent may begin with d.

    Raises:
        ValueError: it is none.
    """
    return float(word.replace("D", "E").replace("d", "e"))


def plural(number: int, noun: str, several: str = "") -> str:
    """Write a number with its noun: `1 site`, `2 sites`; `several` is the plural of irregular nouns."""
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def listing(words: Sequence[str], last: str = "and") -> str:
    """Join words as in a sentence: `a`, `a and b`, `a, b and c`; `last` stands before the last one."""
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def first_of(names: Sequence[str], most: int = 5) -> str:
    """Name the first of many and count the rest: `a, b, c and 12 more`."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def first_few(names: Sequence[str], most: int = 3) -> str:
    """Name the first of many, where the sentence already gives their number: `a, b, c, ...`."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def subscripts(formula: str) -> str:
    """A formula with its numbers as subscripts."""
    return formula.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def printable(text: str, length: int | None = None) -> str:
    """Make text safe for tables and terminals: characters that are not UTF-8 or not printable become U+FFFD.

    Args:
        text: as a user or a file's name gave it.
        length: most characters; None: no limit.
    """
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)[:length]


def quoted(given: object, most: int = 80) -> str:
    """Quote a user's input inside a sentence, on one line, printable, and cut to `most` characters.

    Text stands in quotes; anything else is written as Python writes it.
    """
    text = one_line(printable(" ".join(str(given).split())), most, stop=True)
    return f"'{text}'" if isinstance(given, str) else text


def without_controls(text: str) -> str:
    """Make foreign text harmless where it is shown: whatever could steer a terminal or turn the line becomes U+FFFD.

    Line breaks and tabs stay; `printable` is for the cells of tables and allows neither.
    """
    if text.isprintable():
        return text
    return "".join(
        "\ufffd" if sign not in "\n\t" and unicodedata.category(sign) in {"Cc", "Cf", "Cs"} else sign for sign in text
    )


def clock(seconds: float) -> str:
    """Write a duration as a clock shows it: `1:05`, `1:01:05`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def about_time(seconds: float) -> str:
    """An estimate with one or two digits: `about 5 s`, `about 40 s`, `about 12 min`, `about 2.5 h`."""
    if seconds < 90:
        return f"about {seconds:.0f} s" if seconds < 10 else f"about {round(seconds, -1):.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
