"""Read foreign files as text, within limits, and quote them without characters that could upset a terminal."""

from __future__ import annotations

import gzip
import io
import stat
import zlib
from pathlib import Path

from xanesflow.core import limits
from xanesflow.core.errors import XanesflowError

MOST_UNPACKED = limits.MEASURED_UNPACKED

_KINDS = (
    (b"PK\x03\x04", "a zip archive (or an Excel sheet)"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 or NeXus file"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
)


def on_one_line(text: str, length: int = 80) -> str:
    """Foreign text on one line, without control characters, cut to a length."""
    line = "".join(sign if sign.isprintable() else " " for sign in text)
    line = " ".join(line.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def read_text(path: Path) -> str:
    """The text of a file, plain or compressed with gzip.

    Raises:
        XanesflowError: it is missing, not a file, empty, too large, or not text.
    """
    name = on_one_line(str(path), 200)
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise XanesflowError(f"{name} is a folder; name the files in it.")
        if not stat.S_ISREG(found.st_mode):
            raise XanesflowError(f"{name} is not a regular file; give a file with a spectrum.")
        if found.st_size > limits.MEASURED_FILE:
            raise XanesflowError(limits.measured_file_too_large(name, found.st_size))
        data = path.read_bytes()
    except FileNotFoundError:
        raise XanesflowError(f"The file {name} does not exist; check its name.") from None
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise XanesflowError(f"The file {name} cannot be read ({problem}); check its name and permissions.") from None
    if data.startswith(b"\x1f\x8b"):
        data = _unpacked(data, name)
    return _decoded(data, name)


def check_length(text: str, name: str) -> None:
    """Refuse text in columns that is far longer than a spectrum; a compressed file may hold such text.

    Raises:
        XanesflowError: it is too long.
    """
    if len(text) > limits.MEASURED_FILE:
        raise XanesflowError(
            f"{name} has {len(text) / 1e6:.0f} MB of text, far more than a spectrum needs; give fewer columns."
        )
    if (lines := text.count("\n")) > limits.MEASURED_LINES:
        raise XanesflowError(
            f"{name} has {lines:,} lines, and at most {limits.MEASURED_LINES:,} are read; average neighbouring points."
        )


def _unpacked(data: bytes, name: str) -> bytes:
    try:
        text = gzip.GzipFile(fileobj=io.BytesIO(data)).read(MOST_UNPACKED + 1)  # of all members, where it has several
    except EOFError:
        raise XanesflowError(f"{name} is a gzip file whose end is missing; copy it again.") from None
    except (zlib.error, gzip.BadGzipFile):
        raise XanesflowError(f"{name} is a damaged gzip file; copy it again.") from None
    if len(text) > MOST_UNPACKED:
        raise XanesflowError(
            f"{name} unpacks to more than {MOST_UNPACKED / 1e6:.0f} MB, far more than spectra need; it is not read."
        )
    return text


def _decoded(data: bytes, name: str) -> str:
    for start, kind in _KINDS:
        if data.startswith(start):
            raise XanesflowError(f"{name} is {kind}; export the spectrum as text in columns.")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
    if not text.strip():
        raise XanesflowError(f"{name} is empty; give a file with a spectrum.")
    head = text[:100_000]
    odd = sum(1 for sign in head if sign == "\0" or (ord(sign) < 32 and sign not in "\t\n\r\f\x1a\x1b"))
    if odd > 0.001 * len(head):
        raise XanesflowError(f"{name} is not text; export the spectrum as text in columns.")
    return text.replace("\r\n", "\n").replace("\r", "\n")
