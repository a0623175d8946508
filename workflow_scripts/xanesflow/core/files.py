"""Write files so that nothing is lost, hash them, and list them."""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from xanesflow.core import limits
from xanesflow.core.errors import SenselessFileError, XanesflowError


def temporary_name(target: Path, middle: str) -> str:
    """Name a temporary file next to `target`; `middle` makes the name unique, or `*` makes it a pattern for all."""
    return f".{target.stem}.{middle}.tmp{target.suffix}"


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Give a temporary path next to `target`, which replaces `target` only if the block ends without an error.

    A kill at any moment leaves either the old file or the new one, never half of one. If two processes write the same
    target, each has its own temporary name, and the last to finish wins.

    Args:
        target: the file to write; missing parent folders are created.

    Yields:
        The path to write to. It has the suffix of `target`, because some libraries choose the format by it.

    Raises:
        FileNotFoundError: the block ended without writing the file.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(temporary_name(target, f"{os.getpid()}-{secrets.token_hex(4)}"))
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(target: str | Path) -> Iterator[Path]:
    """Give a temporary folder next to `target`, which gets that name only if the block ends without an error.

    Raises:
        XanesflowError: `target` exists.
    """
    target = Path(target)
    if os.path.lexists(target):
        raise XanesflowError(f"{target} already exists, and nothing is overwritten; name another folder.")
    temporary = target.with_name(temporary_name(target, "new"))
    shutil.rmtree(temporary, ignore_errors=True)  # left behind by a killed call
    temporary.mkdir(parents=True)
    try:
        yield temporary
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(target: str | Path, text: str) -> None:
    """Write `text` (UTF-8) to `target`, completely or not at all."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def json_text(value: Any, indent: int | None = None) -> str:
    """Write a value as JSON, with null for NaN and infinity, which JSON does not have."""
    return json.dumps(_plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def read_small(path: str | Path, most: int = limits.RECORD) -> bytes:
    """Read a file that should be small.

    Raises:
        OSError: it cannot be read.
        SenselessFileError: it is no plain file, or has more than `most` bytes.
    """
    with Path(path).open("rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise SenselessFileError("it is no plain file")
        content = opened.read(most + 1)
    if len(content) > most:
        raise SenselessFileError(f"it has more than {most:,} bytes")
    return content


def list_files(paths: Iterable[Path]) -> list[Path]:
    """The files given and those in the folders given, in the order of their names.

    Raises:
        XanesflowError: a path does not exist, or a folder is empty.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith("."))
            if not inside:
                raise XanesflowError(f"The folder {path} holds no files; name another.")
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise XanesflowError(f"There is no file or folder {path} (looked from {Path.cwd()}).")
    return files


def check_plot(path: Path) -> None:
    """Refuse a value of `--plot` without a figure's ending.

    Raises:
        XanesflowError: it has another.
    """
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise XanesflowError(f"--plot {path} must end with .png, .svg or .pdf; choose one of them.")


def user_cache() -> Path:
    """The user's cache folder for xanesflow: $XDG_CACHE_HOME/xanesflow, or what takes its place on this system."""
    return user_cache_path("xanesflow", appauthor=False, opinion=False)


def sha256_file(path: str | Path) -> str:
    """Compute the SHA-256 of a file as 64 hexadecimal digits, without loading the whole file."""
    with Path(path).open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


ROOM = 2**20
"""Bytes that a folder must have room for, so that a failure in it is not blamed on a full disk."""


def check_room(folder: Path) -> None:
    """Check that a folder takes another MiB, by writing it; quotas count too.

    Raises:
        OSError: it does not, mostly since the disk is full.
    """
    probe = folder / f".room-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with probe.open("wb") as opened:
            opened.write(bytes(ROOM))
            os.fsync(opened.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None
    finally:
        probe.unlink(missing_ok=True)


HASHES = "SHA256SUMS"
"""File with the hashes of a folder's files, which `sha256sum -c` reads."""


def write_hashes(folder: Path, paths: Iterable[Path]) -> None:
    """Write the hashes of files in a folder and its subfolders, sorted by path."""
    names = {path.relative_to(folder).as_posix(): sha256_file(path) for path in sorted(paths)}
    write_text(folder / HASHES, "".join(f"{sha}  {name}\n" for name, sha in names.items()))


def sha256_text(text: str) -> str:
    """Compute the SHA-256 of a text's UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()
