"""One reader for finished runs in a plain folder, .tar, .tar.gz, .tar.xz, .tar.bz2, .tar.zst or .zip.

Nothing is unpacked to disk. A compressed tar is read once, from front to back, and only the wanted members are held in
memory, one at a time. So names with `..`, absolute names, links and huge members do no harm. They are reported with
their problem instead of their content.
"""

from __future__ import annotations

import bz2
import gzip
import io
import logging
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

import zstandard

from xanesflow.core import limits
from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import one_line, plural, printable

log = logging.getLogger(__name__)

MEMBER_LIMIT = limits.ARCHIVE_MEMBER

FORMS = "a folder, .tar, .tar.gz, .tar.xz, .tar.bz2, .tar.zst or .zip"

# What Python's readers raise for headers that contradict themselves or refer to each other; their words help nobody.
_SENSELESS = (ValueError, IndexError, KeyError, OverflowError, MemoryError, RecursionError, struct.error)

_DAMAGE = (
    EOFError, OSError, lzma.LZMAError, zlib.error, tarfile.TarError, zipfile.BadZipFile, zstandard.ZstdError,
    NotImplementedError, *_SENSELESS,
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """One file of an archive."""

    name: str  # its path in the archive, with `/`, without a leading `./`
    content: bytes  # its bytes; empty where there is a problem
    problem: str = ""  # why it was not read, in one sentence; empty if it was


_READ, _NOTE = "read", "note"


@dataclass(frozen=True)
class _Chooser:
    """Chooses the members of an archive to read: see `read_archive`."""

    wanted: Callable[[str], bool]
    noted: Callable[[str], bool]
    limit: int

    def __call__(self, name: str, is_folder: bool) -> str:
        """Decide whether to read a member, to note that it exists, or to skip it."""
        return _READ if self.wanted(name) and not is_folder else _NOTE if self.noted(name) else ""

    def size_problem(self, size: int) -> str:
        if size < 0:
            return f"its size in the archive is {size:,} bytes"
        return f"it has {size:,} bytes, and the limit is {self.limit:,}" if size > self.limit else ""


def read_archive(
    path: str | Path,
    wanted: Callable[[str], bool],
    noted: Callable[[str], bool] = lambda name: False,
    *,
    limit: int = MEMBER_LIMIT,
) -> Iterator[Member]:
    """Yield the wanted members of an archive in its own order (a folder: sorted).

    Args:
        path: the archive.
        wanted: decides by a member's name whether to read it.
        noted: decides for all others, and for folders, whether to yield them without content; the rest is skipped.
        limit: most bytes of a member; larger ones are not read.

    Raises:
        XanesflowError: the archive does not exist, has an unknown format, or is damaged; names the file.
    """
    path = Path(path)
    if not path.exists():
        raise XanesflowError(f"{path} does not exist; set simulations.archive to {FORMS} with finished runs.")
    if not os.access(path, os.R_OK):
        raise XanesflowError(f"{path} cannot be read: permission denied.")

    choose = _Chooser(wanted, noted, limit)
    read = 0
    reader = _reader(path)
    try:
        for member in reader(path, choose):
            read += bool(member.content)
            yield member
    except _DAMAGE as error:
        said = "its headers make no sense" if isinstance(error, _SENSELESS) else one_line(str(error)) or "it ends"
        raise XanesflowError(
            f"{path} is damaged or incomplete: after {plural(read, 'file')} of runs, {said}; copy it again, or unpack "
            "what can be saved and name that folder."
        ) from error


def _reader(path: Path) -> Callable[[Path, _Chooser], Iterator[Member]]:
    """Choose the reader by the file's first bytes, because its name may be wrong."""
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
    if magic[:1] and 0x50 <= magic[0] <= 0x5F and magic[1:4] == b"\x2a\x4d\x18":  # pzstd begins with such a frame
        return partial(_read_tar, _open_zstd)
    for start, opener in openers.items():
        if magic.startswith(start):
            return partial(_read_tar, opener)
    if magic[257:262] == b"ustar":
        return partial(_read_tar, lambda plain: plain.open("rb"))
    raise XanesflowError(f"{path} is not an archive that can be read here; name {FORMS}.")


def _name_problem(name: str) -> str:
    if name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        return "its name in the archive is an absolute path"
    if ".." in PurePosixPath(name).parts:
        return "its name in the archive has '..' in it"
    if "\ufffd" in name:
        return "its name is not in UTF-8"
    return ""


def gunzip(member: Member, *, limit: int = MEMBER_LIMIT) -> Member:
    """Unpack a member whose name ends in `.gz`; return any other member unchanged.

    Args:
        member: of an archive.
        limit: most bytes after unpacking.
    """
    if not member.name.endswith(".gz") or not member.content:
        return member
    try:
        with gzip.open(io.BytesIO(member.content)) as opened:
            content = opened.read(limit + 1)
    except _DAMAGE as error:
        return Member(member.name, b"", f"it is damaged ({' '.join(str(error).split()) or 'it ends'})")
    if len(content) > limit:
        return Member(member.name, b"", f"it has more than {limit:,} bytes when unpacked, and that is the limit")
    return Member(member.name, content)


def _utf8(name: str) -> str:
    """Make a name safe to write to any file: bytes that are not UTF-8 become U+FFFD."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _clean(name: str) -> str:
    """Remove the leading `./` that `tar .` writes, and use `/` as separator and UTF-8."""
    name = _utf8(name).replace("\\", "/")
    while name.startswith("./"):
        name = name[2:]
    return name


def _read_folder(path: Path, choose: _Chooser) -> Iterator[Member]:
    def stop(error: OSError) -> None:  # os.walk alone would skip the folder, and its runs would be silently missing
        raise XanesflowError(f"{error.filename} cannot be listed ({error.strerror}), so its runs would be missed.")

    read: dict[str, str] = {}  # real path -> name of each folder that has been read
    for folder, subfolders, files in os.walk(path, onerror=stop, followlinks=True):
        # People link run folders to scratch. Follow links, but read each real folder once: links to each other would
        # lead to more paths than could ever be walked.
        first = read.setdefault(os.path.realpath(folder), folder)
        if first != folder:
            subfolders.clear()
            name, same = (_utf8(Path(each).relative_to(path).as_posix()) for each in (folder, first))
            log.warning(
                "%s: %s is the same folder as %s and is not read again.", path, printable(name), printable(same)
            )
            if choose(name, True):
                yield Member(name, b"", f"it is the same folder as {same}, and is not read again")
            continue
        subfolders.sort()
        for entry in [*subfolders, *sorted(files)]:
            full = Path(folder, entry)
            name = _utf8(full.relative_to(path).as_posix())
            chosen = choose(name, entry in subfolders)
            if chosen:
                yield _folder_member(full, name, choose, read=chosen == _READ)


def _folder_member(full: Path, name: str, choose: _Chooser, *, read: bool) -> Member:
    try:
        status = full.stat()
        if not read:
            return Member(name, b"")
        problem = choose.size_problem(status.st_size) if stat.S_ISREG(status.st_mode) else "it is not a plain file"
        problem = "its name is not in UTF-8" if "\ufffd" in name else problem
        return Member(name, b"" if problem else full.read_bytes(), problem)
    except OSError as error:
        return Member(name, b"", f"it cannot be read ({error.strerror})")


def _open_zstd(path: Path) -> Any:
    return zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True, closefd=True)


class _StrictTarInfo(tarfile.TarInfo):
    """Reads headers as tarfile does, but refuses two things that tarfile allows.

    tarfile takes a damaged header after the first as the end of the archive, so everything behind it would be silently
    lost. It also reads a header that announces gigabytes of names into memory.
    """

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> _StrictTarInfo:
        try:
            return super().fromtarfile(tar)
        except (tarfile.EmptyHeaderError, tarfile.EOFHeaderError):  # type: ignore[attr-defined]
            raise  # the regular end of the archive
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"a header is damaged ({error})") from error

    def _proc_member(self, tar: tarfile.TarFile) -> Any:
        names = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
        if self.type in names and self.size > limits.ARCHIVE_HEADER:
            raise tarfile.ReadError(f"a header of {self.size:,} bytes of names")
        return super()._proc_member(tar)  # type: ignore[misc]


class _Watched(io.RawIOBase):
    """A stream that remembers its last bytes and its position."""

    KEPT = 4 * tarfile.RECORDSIZE  # tarfile reads ahead by at most one record

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.tail = b""
        self.position = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size)
        self.position += len(data)
        self.tail = (self.tail + data)[-self.KEPT :]
        return data


def _read_tar(opener: Callable[[Path], Any], path: Path, choose: _Chooser) -> Iterator[Member]:
    with opener(path) as unpacked:
        stream = _Watched(unpacked)
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictTarInfo) as tar:
            for info in tar:
                tar.members.clear()  # type: ignore[attr-defined]  # otherwise a million members stay in memory
                name = _clean(info.name).rstrip("/")
                chosen = choose(name, info.isdir())
                if chosen:
                    yield _tar_member(tar, info, name, choose, read=chosen == _READ)
            ahead = stream.position - int(tar.offset)  # bytes read beyond the last member
        # A complete tar ends with blocks of zeros and nothing behind them; tarfile checks neither.
        if ahead < tarfile.BLOCKSIZE:
            raise EOFError("it ends before the tar's end mark")
        while rest := stream.tail[-ahead:] if ahead else stream.read(2**20):
            if rest.strip(b"\0"):
                raise EOFError("it goes on behind the tar's end mark, as when tars are joined by cat")
            ahead = 0


def _tar_member(tar: tarfile.TarFile, info: tarfile.TarInfo, name: str, choose: _Chooser, *, read: bool) -> Member:
    if info.isdir():
        return Member(name, b"")
    problem = _name_problem(name) or choose.size_problem(info.size if read else 0)
    if info.issym() or info.islnk():
        problem = f"it is a link to {_utf8(info.linkname)}"
    elif not info.isfile():
        problem = "it is not a plain file"
    opened = None if problem or not read else tar.extractfile(info)
    return Member(name, opened.read() if opened else b"", problem)


def _read_zip(path: Path, choose: _Chooser) -> Iterator[Member]:
    with zipfile.ZipFile(path) as packed:
        for info in packed.infolist():
            name = _clean(info.filename).rstrip("/")
            chosen = choose(name, info.is_dir())
            if chosen:
                yield _zip_member(packed, info, name, choose, read=chosen == _READ)


def _zip_member(packed: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, choose: _Chooser, *, read: bool) -> Member:
    if info.is_dir():
        return Member(name, b"")
    problem = _name_problem(name) or choose.size_problem(info.file_size if read else 0)
    if stat.S_ISLNK(info.external_attr >> 16):
        problem = "it is a link"
    elif info.flag_bits & 1:
        problem = "it is encrypted"
    if problem or not read:
        return Member(name, b"", problem)
    try:  # members of a zip are independent, so a damaged one does not stop the others
        with packed.open(info) as opened:
            content = opened.read(choose.limit + 1)  # the size in the zip's directory may be wrong
    except _DAMAGE as error:
        return Member(name, b"", f"it is damaged ({one_line(error)})")
    problem = choose.size_problem(len(content))
    return Member(name, b"" if problem else content, problem)
