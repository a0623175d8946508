"""Packs files in every form that the archive reader knows, and in ways that no honest tool would."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import zstandard
from feff_runs import write_files

FORMS = ("folder", "tar", "tar.gz", "tar.xz", "tar.bz2", "tar.zst", "zip")
PACKED = FORMS[1:]

COMPRESS = {
    "tar": bytes,
    "tar.gz": lambda data: gzip.compress(data, 1, mtime=0),
    "tar.xz": lambda data: lzma.compress(data, preset=0),
    "tar.bz2": lambda data: bz2.compress(data, 1),
    "tar.zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def pack(form: str, path: Path, files: Mapping[str, bytes]) -> Path:
    """Write `files` (content by name, in their order) to `path` as `form`, one of `FORMS`."""
    if form == "folder":
        write_files(path, files)
    elif form == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in files.items():
                packed.writestr(name, content)
    else:
        path.write_bytes(COMPRESS[form](tar_bytes([(tar_info(name), content) for name, content in files.items()])))
    return path


def tar_info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def tar_bytes(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A tar of members as they are given, names and links included."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as packed:
        for info, content in members:
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zip_with_link(path: Path, name: str, target: str) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        info = zipfile.ZipInfo(name)
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(info, target)


def patch_zip_directory(path: Path, offset: int, value: bytes, *, local_offset: int | None = None) -> None:
    """Overwrite bytes of the first member's entry in a zip's directory, and of its local header."""
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02") + offset
    data[at : at + len(value)] = value
    if local_offset is not None:
        data[local_offset : local_offset + len(value)] = value
    path.write_bytes(data)
