"""Writing so that nothing is lost, and hashing what was read."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def temporary_name(target: Path, middle: str) -> str:
    """Name of a temporary file beside `target`; `middle` makes it the writer's own, or `*` a pattern for all."""
    return f".{target.stem}.{middle}.tmp{target.suffix}"


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `target` that takes its place only when the block ends well.

    A kill at any moment leaves either the old file or the new one, never half of one. Two writers of one target
    each have a temporary name of their own; the last one to finish wins.

    Args:
        target: the file to write; missing parent folders are made.

    Yields:
        The path to write to. It ends like `target`, as some libraries go by the suffix.

    Raises:
        FileNotFoundError: the block ended without having written the file.
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


def write_text(target: str | Path, text: str) -> None:
    """Write `text` (UTF-8) to `target`, whole or not at all."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes as 64 hexadecimal digits, read in pieces."""
    with Path(path).open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


HASHES = "SHA256SUMS"
"""Name of the list of a folder's hashes, which `sha256sum -c` reads."""


def write_hashes(folder: Path, paths: Iterable[Path]) -> None:
    """List the hashes of files in or below a folder, in the order of their paths."""
    names = {path.relative_to(folder).as_posix(): sha256_file(path) for path in sorted(paths)}
    write_text(folder / HASHES, "".join(f"{sha}  {name}\n" for name, sha in names.items()))


def sha256_text(text: str) -> str:
    """SHA-256 of a text's UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()
