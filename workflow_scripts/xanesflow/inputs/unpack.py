"""Unpacks inputs into plain folders, for users who submit jobs by hand."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from xanesflow.codes.vasp.potcar import NO_LIBRARY, SPEC, assemble, library, read_potcar
from xanesflow.core.damage import explain_damage
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import atomic_path, sha256_text
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.text import quoted
from xanesflow.inputs.write_chunk import MANIFESTS

_LIMIT = 256 * 2**20
"""Largest size of one file in bytes; inputs are far smaller."""

_PACKING = 200
"""How many times smaller zips of inputs may be than what they hold."""


def unpack(zips: list[Path], out: Path, *, potcar: bool = False) -> tuple[int, int]:
    """Write all files of packed chunks below a folder; nothing is written unless all can be.

    Args:
        zips: chunks of inputs (or of finished runs).
        out: folder, made if missing. Files that it already holds must have the same content.
        potcar: write a POTCAR next to each POTCAR.spec, from the user's library.

    Returns:
        Number of files written, and number of files that were already there.

    Raises:
        XanesflowError: a zip cannot be read or names a file outside `out`, a file would overwrite a different one, or
            POTCARs are missing or differ from those that the manifest records.
    """
    if potcar and library() is None:
        raise XanesflowError(NO_LIBRARY)
    # First read everything and check it against the folder and between the zips, so that an error leaves no half.
    waiting: dict[Path, tuple[Path, str]] = {}  # target -> zip and name in it
    there = 0
    for path in zips:
        with _opened(path) as packed:
            for info in _members(path, packed):
                target = out / PurePosixPath(info.filename)
                _check_place(out, target, path)
                content = _content(path, packed, info)
                if target in waiting:
                    first = waiting[target][0]
                    with _opened(first) as other:
                        same = other.read(waiting[target][1]) == content
                    if not same:
                        raise XanesflowError(
                            f"{first} and {path} hold different files {info.filename}; unpack them into two folders."
                        )
                elif target.exists():
                    _check_same(target, content)
                    there += 1
                else:
                    waiting[target] = (path, info.filename)
    specs = list(_potcars(zips, out)) if potcar else []
    # Then write the files of the zips, and the POTCARs.
    written = 0
    for path in zips:
        with _opened(path) as packed:
            for target, (source, name) in waiting.items():
                if source == path:
                    with atomic_path(target) as temporary:
                        temporary.write_bytes(packed.read(name))
                    written += 1
    for target, titles, functional in specs:
        text = assemble(titles, functional)
        if target.exists():
            there += 1
            continue
        with atomic_path(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
        written += 1
    return written, there


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise XanesflowError(f"{path} does not exist; name the zips below results/inputs/.") from None
    except (zipfile.BadZipFile, OSError) as error:
        raise XanesflowError(
            f"{path} cannot be read as a zip ({error}); make it again by `snakemake inputs`."
        ) from None


def _members(path: Path, packed: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """The files of a zip whose names are safe to write."""
    announced = sum(info.file_size for info in packed.infolist())
    if announced > max(_LIMIT, _PACKING * path.stat().st_size):
        raise XanesflowError(
            f"{path} would unpack to {announced / 2**30:,.1f} GiB, far more than inputs of its size; it is left alone."
        )
    for info in packed.infolist():
        name = info.filename
        parts = name.split("/")
        unsafe = name.startswith("/") or "\\" in name or ":" in parts[0] or {"", ".", ".."} & set(parts)
        if info.is_dir():
            continue
        if unsafe or any(ord(sign) < 32 for sign in name):
            raise XanesflowError(
                f"{path} names the file {quoted(name)}, which would lie elsewhere; it is not unpacked."
            )
        if stat.S_ISLNK(info.external_attr >> 16) or info.file_size > _LIMIT:
            raise XanesflowError(f"{path}: {name} is a link or larger than any input; it is not unpacked.")
        yield info


def _check_place(out: Path, target: Path, path: Path) -> None:
    """Refuse a target that is a link or lies behind one that leads out of `out`, or whose folder is a file."""
    root = out.resolve()
    if target.is_symlink() or not target.resolve().is_relative_to(root):
        raise XanesflowError(f"{target} is a link or lies behind one; nothing of {path} is unpacked.")
    for parent in target.relative_to(out).parents:
        if (out / parent).exists() and not (out / parent).is_dir():
            raise XanesflowError(f"{out / parent} is a file where a folder belongs; choose another --out.")


def _content(path: Path, packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return packed.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise XanesflowError(f"{path} is damaged at {info.filename} ({error}); make it again.") from None


def _check_same(target: Path, content: bytes) -> None:
    if not target.is_file() or target.read_bytes() != content:
        raise XanesflowError(
            f"{target} is there already and differs; nothing was unpacked: choose another --out, or move it away."
        )


def _manifest(path: Path, packed: zipfile.ZipFile, name: str) -> tuple[str, dict[str, dict[str, str]]]:
    """Functional and recorded POTCARs of a manifest."""
    with explain_damage(f"{path} is damaged at {name[:80]} ({{why}}); make it again."):
        given = parse_object(packed.read(name))
        potcars = {str(title): dict(recorded or {}) for title, recorded in given["potcars"].items()}
        if not all({"sha256", "titel"} <= recorded.keys() for recorded in potcars.values() if recorded):
            raise ValueError
        return str(given["settings"]["potcar_functional"]), potcars


def _potcars(zips: list[Path], out: Path) -> Iterator[tuple[Path, list[str], str]]:
    """Check each POTCAR to write; yields its path, the titles in it and the set that they come from."""
    for path in zips:
        with _opened(path) as packed:
            names = packed.namelist()
            manifests = [_manifest(path, packed, n) for n in names if n.startswith(f"{MANIFESTS}/")]
            specs = [n for n in names if n.endswith(f"/{SPEC}")]
            if not specs:
                continue
            if not manifests:
                raise XanesflowError(
                    f"{path} holds no manifest, which would name the POTCARs that it needs; leave out --potcar."
                )
            functional, potcars = manifests[0]
            for title, recorded in potcars.items():
                text = read_potcar(title, functional)
                if text is not None and recorded and sha256_text(text) != recorded["sha256"]:
                    raise XanesflowError(
                        f"The POTCAR {title} of your library differs from the one with which {path} was written "
                        f"({recorded['titel']}); use that one, or leave out --potcar."
                    )
            for name in specs:
                titles = packed.read(name).decode("utf-8", "replace").split()
                target = (out / PurePosixPath(name)).with_name("POTCAR")
                _check_place(out, target, path)
                if target.exists():
                    _check_same(target, assemble(titles, functional).encode())
                else:
                    assemble(titles, functional)
                yield target, titles, functional
