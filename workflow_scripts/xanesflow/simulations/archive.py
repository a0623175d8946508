"""One reader for finished runs in a plain folder, .tar, .tar.gz, .tar.xz, .tar.bz2, .tar.zst or .zip.

Nothing is unpacked to disk: a compressed tar is read once, front to back, and only the members that are asked for
are held in memory, one at a time. So names with `..`, absolute names, links and huge members can do no harm; they
are reported with what is wrong with them instead of their content.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

import zstandard

from xanesflow.errors import XanesflowError

MEMBER_LIMIT = 64 * 2**20
"""Largest member in bytes that is read. A FEFF run's files have some 10 kB each, a xmu.dat never a MB."""

FORMS = "a folder, .tar, .tar.gz, .tar.xz, .tar.bz2, .tar.zst or .zip"

_DAMAGE = (
    EOFError, OSError, lzma.LZMAError, zlib.error, tarfile.TarError, zipfile.BadZipFile, zstandard.ZstdError,
    NotImplementedError, UnicodeDecodeError,
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """One file of an archive.

    Attributes:
        name: its path in the archive, with `/`, without a leading `./`.
        content: its bytes; empty where there is a problem.
        problem: why it was not read, in one sentence; empty if all is well.
    """

    name: str
    content: bytes
    problem: str = ""


def read_archive(path: str | Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    """Give the wanted members of an archive in the order they stand in it (a folder: sorted).

    Args:
        path: the archive.
        wanted: tells from a member's name whether to read it; the others are passed over.

    Raises:
        XanesflowError: there is no such archive, it is of no known form, or it is damaged; names the file.
    """
    path = Path(path)
    if not path.exists():
        raise XanesflowError(f"{path} does not exist; set simulations.archive to {FORMS} with finished runs.")
    if not os.access(path, os.R_OK):
        raise XanesflowError(f"{path} cannot be read: permission denied.")
    read = 0
    reader = _reader(path)
    try:
        for member in reader(path, wanted):
            read += 1
            yield member
    except _DAMAGE as error:
        raise XanesflowError(
            f"{path} is damaged or incomplete: after {read} files of runs, {' '.join(str(error).split()) or 'it ends'};"
            " copy it again, or unpack what can be saved and name that folder."
        ) from error


def _reader(path: Path) -> Callable[[Path, Callable[[str], bool]], Iterator[Member]]:
    """Choose by what the file holds, since names lie."""
    if path.is_dir():
        return _read_folder
    with path.open("rb") as opened:
        magic = opened.read(512)
    if magic.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _read_zip
    openers: dict[bytes, Callable[[Path], Any]] = {
        b"\x28\xb5\x2f\xfd": _open_zstd,
        b"\xfd7zXZ\x00": lzma.open,
        b"\x1f\x8b": gzip.open,
        b"BZh": bz2.open,
    }
    for start, opener in openers.items():
        if magic.startswith(start):
            return partial(_read_tar, opener)
    if magic[257:262] == b"ustar":
        return partial(_read_tar, lambda plain: plain.open("rb"))
    raise XanesflowError(f"{path} is no archive that can be read here; give {FORMS}.")


def _name_problem(name: str) -> str:
    if name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        return "its name in the archive is an absolute path"
    if ".." in PurePosixPath(name).parts:
        return "its name in the archive has '..' in it"
    if "\ufffd" in name:
        return "its name is not in UTF-8"
    return ""


def _size_problem(size: int) -> str:
    return f"it has {size:,} bytes, and the limit is {MEMBER_LIMIT:,}" if size > MEMBER_LIMIT else ""


def _utf8(name: str) -> str:
    """A name that can be written to any file: what is not UTF-8 becomes U+FFFD."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _clean(name: str) -> str:
    """The name without the leading `./` that `tar .` writes, with `/` as separator and in UTF-8."""
    name = _utf8(name).replace("\\", "/")
    while name.startswith("./"):
        name = name[2:]
    return name


def _read_folder(path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:

    def stop(error: OSError) -> None:  # os.walk alone would pass over it, and its runs would lack in silence
        raise XanesflowError(f"{error.filename} cannot be listed ({error.strerror}), so its runs would be missed.")

    seen: set[str] = set()  # people link run folders to scratch; links are followed, loops are not
    for folder, subfolders, files in os.walk(path, onerror=stop, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders.sort()
        for file in sorted(files):
            full = Path(folder, file)
            name = _utf8(full.relative_to(path).as_posix())
            if not wanted(name):
                continue
            try:
                status = full.stat()
                problem = _name_problem(name) or _size_problem(status.st_size)
                if not stat.S_ISREG(status.st_mode):
                    problem = "it is not a plain file"
                content = b"" if problem else full.read_bytes()
            except OSError as error:
                problem, content = f"it cannot be read ({error.strerror})", b""
            yield Member(name, content, problem)


def _open_zstd(path: Path) -> IO[bytes]:
    return zstandard.open(path, "rb")


class _Watched(io.RawIOBase):
    """A stream that remembers its last bytes: a whole tar ends in zeros, and tarfile does not mind if they lack."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.tail = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size)
        self.tail = (self.tail + data[-1024:])[-1024:]
        return data


def _read_tar(opener: Callable[[Path], IO[bytes]], path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    with opener(path) as unpacked:
        stream = _Watched(unpacked)
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for info in tar:
                tar.members.clear()  # type: ignore[attr-defined]  # else a million members stay in memory
                name = _clean(info.name)
                if not info.isdir() and wanted(name):
                    yield _tar_member(tar, info, name)
        while stream.read(2**20):  # to the end, where the compressed forms keep their checksum
            pass
        if len(stream.tail) < 1024 or any(stream.tail):
            raise EOFError("it ends before the tar's end mark")


def _tar_member(tar: tarfile.TarFile, info: tarfile.TarInfo, name: str) -> Member:
    problem = _name_problem(name) or _size_problem(info.size)
    if info.issym() or info.islnk():
        problem = f"it is a link to {_utf8(info.linkname)}"
    elif not info.isfile():
        problem = "it is not a plain file"
    opened = None if problem else tar.extractfile(info)
    return Member(name, opened.read() if opened else b"", problem)


def _read_zip(path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    with zipfile.ZipFile(path) as packed:
        for info in packed.infolist():
            name = _clean(info.filename)
            if info.is_dir() or not wanted(name):
                continue
            problem = _name_problem(name) or _size_problem(info.file_size)
            if stat.S_ISLNK(info.external_attr >> 16):
                problem = "it is a link"
            elif info.flag_bits & 1:
                problem = "it is encrypted"
            content = b""
            if not problem:
                with packed.open(info) as opened:
                    content = opened.read(MEMBER_LIMIT + 1)  # the size in the directory may be a lie
                if problem := _size_problem(len(content)):
                    content = b""
            yield Member(name, content, problem)
