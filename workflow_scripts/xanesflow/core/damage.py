"""Say in plain words why a file cannot be used, whatever the libraries that read it raise."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from xanesflow.core.errors import BadTextError, LibraryError, XanesflowError
from xanesflow.core.text import one_line

_MISSING = re.compile(r"(?:object|attribute:?|name) ['\"](.{1,80}?)['\"](?: doesn't exist|\)|$)")
_PROGRAMMERS = (LookupError, TypeError, AttributeError, ArithmeticError, AssertionError, NameError)
_PYTHON = re.compile(
    r"\blen\(|[=!]=|\w=\w|\bto unpack\b|\barrays?\b|\bNoneType\b|\bobject\b|\bargument|\bdtype\b|\bshape\b"
)


@contextmanager
def explain_damage(sentence: str, *, quote: bool = False) -> Iterator[None]:
    """End the reading of a foreign file with one sentence, whatever its content makes a library raise.

    Use it around the reading alone, so that faults of the work on what was read keep their tracebacks.

    Args:
        sentence: for the user; `{why}` in it is replaced by `what_is_wrong`.
        quote: as `what_is_wrong` takes it.

    Raises:
        XanesflowError: the block raised an error.
    """
    try:
        yield
    except (XanesflowError, BrokenPipeError):
        raise
    except Exception as error:
        raise XanesflowError(sentence.replace("{why}", what_is_wrong(error, quote=quote))) from error


def what_is_wrong(error: BaseException, *, quote: bool = False) -> str:  # noqa: PLR0911, PLR0912 - one answer a kind
    """Why a file cannot be used, as a clause; the words of Python and its libraries help nobody.

    Args:
        error: raised by whatever read the file.
        quote: whether to say what the library says where there is no better answer and programmers alone would not
            understand it; for pymatgen, spglib and FEFF's readers, which name faults well.
    """
    said = str(error)
    if isinstance(error, BadTextError):
        return f"a text in it {one_line(said, 300)}"
    if isinstance(error, LibraryError):
        return one_line(said, 300)
    if "truncated file" in said:
        return "it is cut short"
    if "signature not found" in said:
        return "it is no HDF5 file"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    if isinstance(error, KeyError) and (match := _MISSING.search(said)):
        return f"it has no '{match[1]}'"
    if isinstance(error, KeyError) and len(error.args) == 1 and isinstance(error.args[0], str):
        name = one_line(error.args[0], 160)
        return f"it has no '{name[:80]}'" if name.isidentifier() else name
    if isinstance(error, json.JSONDecodeError):
        return "a part of it is no JSON"
    if isinstance(error, UnicodeDecodeError):
        return "a text in it is not UTF-8"
    if match := re.search(
        r"could not convert string to float: (.{1,60})|invalid literal for int\(\).*: (.{1,60})", said
    ):
        return f"{match[1] or match[2]} is no number"
    if type(error).__name__ == "LinAlgError":
        return "numbers that must be independent, such as lattice vectors, are not"
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    if isinstance(error, RecursionError):
        return "its parts are nested too deep"
    if quote and not isinstance(error, _PROGRAMMERS) and not _PYTHON.search(said):
        return one_line(error, 160)
    return "a part of it has another form than it should"
