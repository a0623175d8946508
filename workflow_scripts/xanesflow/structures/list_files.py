"""Find the structure files of a folder and their materials, without reading them, so that planning stays quick."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import sha256_file
from xanesflow.core.sites import MATERIAL_ID, MATERIAL_ID_RULE
from xanesflow.core.text import first_few, printable
from xanesflow.structures.file_forms import PACKED, form_by_name, name_in, without_packing
from xanesflow.structures.material import BadStructure

LOOKED_FOR = "<id>/POSCAR, <id>.cif, <id>.json, <id>.vasp, <id>.poscar, <id>.xyz or POSCAR_<id>, compressed or not"

_FIRST = [name + packed for packed in ("", *PACKED) for name in ("POSCAR", "CONTCAR")]


@dataclass(frozen=True, order=True)
class StructureFile:
    """A structure file: its material's id, its path below the folder, its form, and its full path."""

    material_id: str
    name: str
    form: str
    path: Path


@dataclass
class FolderListing:
    """The contents of a folder: structure files, entries that cannot be used, and the names of everything else."""

    files: list[StructureFile] = field(default_factory=list)
    bad: list[BadStructure] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    deeper: list[str] = field(default_factory=list)


def directory_state(path: str | Path) -> str:
    """A text that changes when the structure files of a folder change, for a rule that reads them.

    Snakemake itself looks only at the folder's own time. Files that `read_directory` does not read have no effect.

    Returns:
        A short text from names, sizes and times of the structure files; empty if the folder cannot be listed.
    """
    try:
        listing = list_structures(Path(path))
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


def state_of_source(source: str, directory: str | None) -> str | dict[str, str]:
    """A value that changes when the structures of `structures.source` change, for a rule that reads them.

    Args:
        source: `directory`, `examples`, `amcsd`, or another source, for which rules watch other files.
        directory: the folder, for source `directory`.

    Returns:
        As `directory_state` for a folder, the hash of each file of the example library, the hash of the database of
        minerals, or an empty text.

    Raises:
        XanesflowError: the source is `amcsd`, and its package is missing.
    """
    if source == "amcsd":
        from xanesflow.structures.amcsd.database import database_hash

        return database_hash()
    if source == "directory" and directory:
        return directory_state(directory)
    if source != "examples":
        return ""
    library = Path(__file__).parent / "examples"
    return {path.name: sha256_file(path) for path in sorted(library.glob("*.yaml"))}


def states_of_candidates(names: Iterable[str]) -> dict[str, str | dict[str, str]]:
    """Values that change when structures named as in `measured.candidates` change: libraries and folders.

    Raises:
        XanesflowError: minerals are among them, and the package of their database is missing.
    """
    sources = {"examples": "examples", "minerals": "amcsd"}
    return {name: state_of_source(sources.get(name, "directory"), name) for name in names}


def list_structures(folder: Path, called: str = "structures.directory is {}") -> FolderListing:
    """Find the structure files of a folder, in the order of their ids.

    Args:
        folder: the folder.
        called: how a message names it; `{}` stands for its path.

    Raises:
        XanesflowError: there is no such folder, it cannot be listed, or it holds no structure file.
    """
    where = called.format(folder)
    if not _is_folder(folder):
        problem = "is not a folder" if os.path.lexists(folder) else "does not exist"
        raise XanesflowError(
            f"{where}, which {problem} (looked from {Path.cwd()}); name a folder with {LOOKED_FOR} in it."
        )
    listing = FolderListing()
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
            f"{describe_listing(listing)}); put structure files there or name another folder."
        )
    listing.files.sort()
    return listing


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir(), key=lambda entry: os.fsencode(entry.name))


def _is_folder(path: Path) -> bool:
    try:  # Path.is_dir raises if a folder may be listed but not entered
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def _list_file(entry: Path, listing: FolderListing) -> None:
    """Add a file directly in the folder to the listing."""
    material_id = name_in(entry.name)
    if material_id is not None:
        _add(material_id, entry, entry.name, form_by_name(entry.name) or "poscar", listing)
    elif without_packing(entry.name) in ("POSCAR", "CONTCAR"):
        detail = f"{entry.name} has no id; call it POSCAR_<id> or put it into a folder that is called <id>"
        listing.bad.append(BadStructure(entry.name, detail))
    elif entry.is_symlink() and not os.path.exists(entry):  # noqa: PTH110 - Path.exists raises at a loop of links
        # It may have been the folder of a material.
        listing.bad.append(BadStructure(printable(entry.name), f"{printable(entry.name)} is a link that leads nowhere"))
    else:
        listing.others.append(printable(entry.name))


def _list_material(folder: Path, root: Path, listing: FolderListing) -> None:
    """Add the files of a material's folder to the listing."""
    shown = printable(folder.name)
    if folder.is_symlink() and root.resolve().is_relative_to(folder.resolve()):
        listing.bad.append(BadStructure(shown, f"{shown} is a link back to a folder that it stands in"))
        return
    try:
        entries = _entries(folder)
    except OSError as error:
        listing.bad.append(BadStructure(shown, f"the folder {shown} cannot be listed ({error.strerror})"))
        return
    listing.deeper += [f"{shown}/{printable(entry.name)}" for entry in entries if _is_folder(entry)]
    files = [entry for entry in entries if not _is_folder(entry)]
    chosen = [entry for name in _FIRST for entry in files if entry.name == name][:1]
    known = [entry for entry in files if form_by_name(entry.name)]
    # An xyz file or a vasprun.xml mostly accompanies the structure file, and is used only if it is alone.
    chosen = chosen or [entry for entry in known if form_by_name(entry.name) not in ("xyz", "vasprun")] or known
    if len(chosen) > 1:
        detail = (
            f"the folder {shown} stands for one material and holds {len(chosen)} structure files "
            f"({first_few([printable(entry.name) for entry in chosen])}); leave one there, or call it POSCAR"
        )
        listing.bad.append(BadStructure(shown, detail, "duplicate_id"))
    elif chosen:
        form = form_by_name(chosen[0].name) or "poscar"
        _add(folder.name, chosen[0], f"{folder.name}/{chosen[0].name}", form, listing)
    unread = [f"{shown}/{printable(entry.name)}" for entry in files if entry not in chosen]
    listing.others += unread if entries else [f"{shown}/"]


def _add(material_id: str, path: Path, name: str, form: str, listing: FolderListing) -> None:
    if MATERIAL_ID.fullmatch(material_id):
        listing.files.append(StructureFile(material_id, printable(name), form, path))
        return
    detail = f"{printable(name)} gives an id that cannot name a material; take {MATERIAL_ID_RULE}"
    listing.bad.append(BadStructure(printable(material_id), detail))


def describe_listing(listing: FolderListing) -> str:
    """`structure files: 3, not read: 2 (a.txt, b.out), deeper folders, not looked into: 1 (x/y)`."""
    parts = [f"structure files: {len(listing.files)}"]
    if listing.others:
        parts.append(f"not read: {len(listing.others)} ({first_few(listing.others)})")
    if listing.deeper:
        parts.append(f"deeper folders, not looked into: {len(listing.deeper)} ({first_few(listing.deeper)})")
    return ", ".join(parts)
