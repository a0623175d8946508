"""A folder of a user's own structure files: what is in it, under which id, and what cannot be used."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import stat
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path

from pymatgen.core import Structure

from xanesflow.errors import XanesflowError
from xanesflow.parallel import map_in_processes
from xanesflow.structures.readers import read_structure, same_structure
from xanesflow.structures.sites import BadStructure, Material, UnusableStructure, describe

log = logging.getLogger(__name__)

FILE_LIMIT = 16 * 2**20
"""Largest structure file in bytes that is read; 100,000 atoms have some 6 MB."""

LOOKED_FOR = "<id>/POSCAR, <id>.cif, <id>.json, <id>.vasp, <id>.poscar or POSCAR_<id>"

_FORMS = {".cif": "cif", ".json": "json", ".vasp": "poscar", ".poscar": "poscar"}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,149}(?<!_)")
_BATCH = 16  # files sent to a worker at once
_NAMED = 3  # how many of many names a sentence holds


@dataclass(frozen=True, order=True)
class _File:
    """A structure file: the id that it is of, its path below the folder, how to read it, and where it lies."""

    material_id: str
    name: str
    form: str
    path: Path


@dataclass
class _Listing:
    """What a folder holds: structure files, places that cannot be used, and the names of all the rest."""

    files: list[_File] = field(default_factory=list)
    bad: list[BadStructure] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    deeper: list[str] = field(default_factory=list)


def read_directory(path: str | Path, *, symprec: float, workers: int = 1) -> list[Material | BadStructure]:
    """Read the structure files of a folder and of the folders in it.

    A file `<id>.cif`, `<id>.json` (pymatgen's Structure), `<id>.vasp`, `<id>.poscar`, `POSCAR_<id>` or `POSCAR.<id>`
    is the material `<id>`; so is a folder `<id>` with a POSCAR, else a CONTCAR, else a single file with one of those
    endings. Deeper folders and other files are counted in the log.

    Args:
        path: the folder.
        symprec: spglib's distance tolerance in Å.
        workers: processes that read files; their number does not change what is returned.

    Returns:
        The materials and what cannot be used, in the order of their ids. Of several files of one id none is used,
        unless they hold the same structure.

    Raises:
        XanesflowError: there is no such folder, it cannot be listed, or it holds no structure file.
    """
    path = Path(path)
    listing = _list(path)
    batches = [listing.files[start : start + _BATCH] for start in range(0, len(listing.files), _BATCH)]
    read = [
        each for batch in map_in_processes(partial(_read_batch, symprec=symprec), batches, workers) for each in batch
    ]
    unusable = {bad.material_id: bad for bad in listing.bad}
    found: list[Material | BadStructure] = []
    for material_id, group in groupby(zip(listing.files, read, strict=True), key=lambda pair: pair[0].material_id):
        found.append(_one_of(list(group), unusable.pop(material_id, None)))
    found += unusable.values()
    log.info("%s: %s", path, _describe(listing))
    return sorted(found, key=lambda each: each.material_id)


def directory_state(path: str | Path) -> str:
    """What tells that a folder of structure files has changed, to a rule that reads it.

    Snakemake itself looks at the folder's own time alone. Files that `read_directory` would not read do not count.

    Returns:
        A short text from names, sizes and times of the structure files; empty if the folder cannot be listed.
    """
    try:
        listing = _list(Path(path))
    except XanesflowError:
        return ""
    entries = [f"{bad.material_id} {bad.detail}" for bad in listing.bad]
    for file in listing.files:
        try:
            status = file.path.stat()
            entries.append(f"{file.name} {status.st_size} {status.st_mtime_ns}")
        except OSError as error:
            entries.append(f"{file.name} {error.strerror}")
    digest = hashlib.sha256("\n".join(sorted(entries)).encode(errors="surrogateescape")).hexdigest()
    return f"{len(entries)} structures, {digest[:16]}"


def _list(folder: Path) -> _Listing:
    """Find the structure files of a folder, those of one id beside each other.

    Raises:
        XanesflowError: there is no such folder, it cannot be listed, or it holds no structure file.
    """
    where = f"structures.directory is {folder}"
    if not _is_folder(folder):
        told = "is not a folder" if os.path.lexists(folder) else "does not exist"
        raise XanesflowError(
            f"{where}, which {told} (looked from {Path.cwd()}); name a folder with {LOOKED_FOR} in it."
        )
    listing = _Listing()
    try:
        entries = _entries(folder)
    except OSError as error:
        raise XanesflowError(
            f"{where} (looked from {Path.cwd()}), which cannot be listed ({error.strerror}); make it readable."
        ) from error
    for entry in entries:
        if _is_folder(entry):
            _list_material(entry, folder, listing)
        else:
            _list_file(entry, listing)
    if not listing.files and not listing.bad:
        raise XanesflowError(
            f"{where}, which holds no structure (looked from {Path.cwd()} for {LOOKED_FOR}, and found "
            f"{_describe(listing)}); put structure files there or name another folder."
        )
    listing.files.sort()
    return listing


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir(), key=lambda entry: os.fsencode(entry.name))


def _is_folder(path: Path) -> bool:
    try:  # Path.is_dir raises where a folder lets its names be listed and nothing more
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def _list_file(entry: Path, listing: _Listing) -> None:
    """Sort in a file that stands in the folder itself."""
    form = _FORMS.get(entry.suffix.lower(), "")
    material_id = entry.stem
    if not form and (match := re.fullmatch(r"POSCAR[_.](.+)", entry.name, re.DOTALL)):
        form, material_id = "poscar", match[1]
    elif not form and entry.name.lower() in _FORMS:
        form, material_id = _FORMS[entry.name.lower()], entry.name
    if form:
        _add(material_id, entry, entry.name, form, listing)
    elif entry.name in ("POSCAR", "CONTCAR"):
        detail = f"{entry.name} has no id; call it POSCAR_<id> or put it into a folder that is called <id>"
        listing.bad.append(BadStructure(entry.name, detail))
    elif entry.is_symlink() and not os.path.exists(entry):  # noqa: PTH110 - Path.exists raises at a loop of links
        # It may have been the folder of a material.
        listing.bad.append(BadStructure(_shown(entry.name), f"{_shown(entry.name)} is a link that leads nowhere"))
    else:
        listing.others.append(_shown(entry.name))


def _list_material(folder: Path, root: Path, listing: _Listing) -> None:
    """Sort in the files of a material's folder."""
    shown = _shown(folder.name)
    if folder.is_symlink() and root.resolve().is_relative_to(folder.resolve()):
        listing.bad.append(BadStructure(shown, f"{shown} is a link back to a folder that it stands in"))
        return
    try:
        entries = _entries(folder)
    except OSError as error:
        listing.bad.append(BadStructure(shown, f"the folder {shown} cannot be listed ({error.strerror})"))
        return
    listing.deeper += [f"{shown}/{_shown(entry.name)}" for entry in entries if _is_folder(entry)]
    files = [entry for entry in entries if not _is_folder(entry)]
    chosen = [entry for name in ("POSCAR", "CONTCAR") for entry in files if entry.name == name][:1]
    chosen = chosen or [entry for entry in files if entry.suffix.lower() in _FORMS]
    if len(chosen) > 1:
        detail = (
            f"the folder {shown} stands for one material and holds {len(chosen)} structure files "
            f"({_some([_shown(entry.name) for entry in chosen])}); leave one there, or call it POSCAR"
        )
        listing.bad.append(BadStructure(shown, detail, "duplicate_id"))
    elif chosen:
        form = _FORMS.get(chosen[0].suffix.lower(), "poscar")
        _add(folder.name, chosen[0], f"{folder.name}/{chosen[0].name}", form, listing)
    unread = [f"{shown}/{_shown(entry.name)}" for entry in files if entry not in chosen]
    listing.others += unread if entries else [f"{shown}/"]


def _add(material_id: str, path: Path, name: str, form: str, listing: _Listing) -> None:
    if _ID.fullmatch(material_id):
        listing.files.append(_File(material_id, _shown(name), form, path))
        return
    detail = (
        f"{_shown(name)} gives an id that cannot name a material; take up to 150 of A-Z a-z 0-9 . _ + -, the first a "
        "letter or digit and the last no _"
    )
    listing.bad.append(BadStructure(_shown(material_id), detail))


def _read_batch(files: list[_File], *, symprec: float) -> list[Material | BadStructure]:
    return [_read_file(file, symprec=symprec) for file in files]


def _read_file(file: _File, *, symprec: float) -> Material | BadStructure:
    try:
        structure, note = read_structure(_content(file.path), file.form)
    except UnusableStructure as error:
        return BadStructure(file.material_id, f"{file.name} {error}", error.reason)
    material = describe(file.material_id, structure, symprec=symprec)
    if isinstance(material, BadStructure) or not note:
        return material
    notes = "; ".join(filter(None, (f"{file.name}: {note}", material.note)))
    return Material(
        material.material_id, material.structure, material.formula, material.elements, material.equivalent, notes
    )


def _content(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a FIFO would wait for ever
            raise UnusableStructure("is not a plain file")
        if status.st_size > FILE_LIMIT:
            raise UnusableStructure(f"has {status.st_size:,} bytes, and the limit is {FILE_LIMIT:,}")
        with path.open("rb") as opened:
            return opened.read(FILE_LIMIT)
    except OSError as error:
        raise UnusableStructure(f"cannot be read: {error.strerror}") from error


def _one_of(
    found: list[tuple[_File, Material | BadStructure]], unusable: BadStructure | None
) -> Material | BadStructure:
    """The material of one id, of which there may be several files, and a folder or link that cannot be used."""
    (first, material), *rest = found
    if unusable:
        detail = f"{first.name} has the id of another place in the folder: {unusable.detail}"
        return BadStructure(first.material_id, detail, "duplicate_id")
    if not rest:
        return material
    materials = [each for _, each in found if isinstance(each, Material)]
    structures = [Structure.from_dict(json.loads(each.structure)) for each in materials]
    names = _some([file.name for file, _ in found])
    if len(materials) == len(found) and all(same_structure(structures[0], other) for other in structures[1:]):
        log.info("%s: %s hold the same structure; the first one is used", first.material_id, names)
        return material
    differ = "hold different structures" if len(materials) == len(found) else "are not all readable"
    detail = f"{names} have one id and {differ}, so none of them is used; rename or remove all but one"
    return BadStructure(first.material_id, detail, "duplicate_id")


def _describe(listing: _Listing) -> str:
    """`structure files: 3, not read: 2 (a.txt, b.out), deeper folders, not looked into: 1 (x/y)`."""
    parts = [f"structure files: {len(listing.files)}"]
    if listing.others:
        parts.append(f"not read: {len(listing.others)} ({_some(listing.others)})")
    if listing.deeper:
        parts.append(f"deeper folders, not looked into: {len(listing.deeper)} ({_some(listing.deeper)})")
    return ", ".join(parts)


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _shown(name: str) -> str:
    """A file's name as it can stand in a table and on a terminal: what is not UTF-8 or not printable becomes U+FFFD."""
    decoded = name.encode(errors="surrogateescape").decode(errors="replace")
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in decoded)
