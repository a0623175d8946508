"""A single structure file that a user names: which form it has, what its material is called, and what is in it."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from pymatgen.core import Structure

from xanesflow.core.errors import UnusableStructure
from xanesflow.structures.read_structure import read_structure

FILE_LIMIT = 16 * 2**20
"""Largest structure file in bytes that is read; 100,000 atoms have some 6 MB."""

FORMS = {".cif": "cif", ".json": "json", ".vasp": "poscar", ".poscar": "poscar"}


def read_structure_file(path: Path) -> tuple[Structure, str]:
    """Read a POSCAR, CIF or pymatgen JSON file, whatever it is called.

    Returns:
        The structure, and what its reader should know of how it was read; empty if nothing.

    Raises:
        UnusableStructure: what is wrong with the file.
    """
    taken_as = ""
    try:
        content = content_of(path)
        form = form_of(path.name, content)
        if form == "poscar" and path.suffix.lower() not in FORMS:
            taken_as = " (taken as a POSCAR; a CIF or pymatgen JSON file would do too)"
        return read_structure(content, form)
    except UnusableStructure as error:
        raise UnusableStructure(f"{error}{taken_as}", error.reason) from None


def content_of(path: Path) -> bytes:
    """The bytes of a structure file.

    Raises:
        UnusableStructure: it is no plain file, too large, or cannot be read.
    """
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


def form_of(name: str, content: bytes) -> str:
    """`poscar`, `cif` or `json`: what a file's ending says, else what its content looks like."""
    if form := FORMS.get(Path(name).suffix.lower()):
        return form
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return "json"
    cif = re.search(rb"^\s*data_", content, re.MULTILINE) and re.search(rb"^\s*(_|loop_)", content, re.MULTILINE)
    return "cif" if cif else "poscar"


def name_of(path: Path) -> str:
    """A file's name without its ending; of `POSCAR` the folder's name, as far as it was given."""
    name = path.stem if path.suffix.lower() in FORMS else path.name
    if match := re.fullmatch(r"(?:POSCAR|CONTCAR)[_.](.+)", name, re.DOTALL):
        name = match[1]
    elif name in ("POSCAR", "CONTCAR") and path.parent.name not in ("", ".."):
        name = path.parent.name
    return plain_name(name)


def plain_name(name: str) -> str:
    """A name of letters, digits, `_ . + -` alone, fit for a file and a table."""
    return re.sub(r"[^\w.+-]+", "_", name, flags=re.ASCII).strip("._-")[:150] or "structure"
