"""Read a single structure file that a user names: find its form, its material's name, and its structure."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import stat
import unicodedata
import zlib
from pathlib import Path

from pymatgen.core import Structure

from xanesflow.core import limits
from xanesflow.core.errors import UnusableStructure
from xanesflow.structures.file_forms import form_by_name, name_in, without_packing
from xanesflow.structures.read_structure import read_structure

FILE_LIMIT = limits.STRUCTURE_FILE

_OPEN = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_MAGIC = {rb"\x1f\x8b": ".gz", rb"BZh[1-9]1AY&SY": ".bz2", rb"\xfd7zXZ\x00": ".xz"}


def read_structure_file(path: Path, *, partly_occupied: bool = False) -> tuple[Structure, str]:
    """Read a POSCAR, CIF, pymatgen JSON, xyz or vasprun.xml file, compressed or not, whatever it is called.

    Sites may be partly occupied only if `partly_occupied`.

    Returns:
        The structure, and a remark for the user on how it was read; empty if there is none.

    Raises:
        UnusableStructure: the file cannot be used; the message says why.
    """
    taken_as = ""
    try:
        content = content_of(path)
        form = form_of(path.name, content)
        if form == "poscar" and form_by_name(path.name) is None:
            taken_as = " (taken as a POSCAR; a CIF, pymatgen JSON, xyz or vasprun.xml file would do too)"
        return read_structure(content, form, partly_occupied=partly_occupied)
    except UnusableStructure as error:
        raise UnusableStructure(f"{error}{taken_as}", error.reason) from None


def content_of(path: Path) -> bytes:
    """The bytes of a structure file, unpacked if it is compressed.

    Raises:
        UnusableStructure: it is not a plain file, is too large, or cannot be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a FIFO would block forever
            raise UnusableStructure("is not a plain file")
        if status.st_size > FILE_LIMIT:
            raise UnusableStructure(f"has {status.st_size:,} bytes, and the limit is {FILE_LIMIT:,}")
        with path.open("rb") as opened:
            content = opened.read(FILE_LIMIT)
    except OSError as error:
        raise UnusableStructure(f"cannot be read: {error.strerror}") from error
    packed = next((ending for magic, ending in _MAGIC.items() if re.match(magic, content)), None)
    return content if packed is None else _unpacked(content, packed)


def _unpacked(content: bytes, ending: str) -> bytes:
    try:
        with _OPEN[ending](io.BytesIO(content)) as opened:  # type: ignore[operator]
            plain: bytes = opened.read(FILE_LIMIT + 1)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise UnusableStructure(f"cannot be unpacked ({ending}): it is cut off or damaged") from error
    if len(plain) > FILE_LIMIT:
        raise UnusableStructure(f"has more than {FILE_LIMIT:,} bytes unpacked, which is the limit")
    return plain


def form_of(name: str, content: bytes) -> str:
    """`poscar`, `cif`, `json`, `xyz` or `vasprun`: by the file's name, else by its content."""
    if form := form_by_name(name):
        return form
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] in (b"{", b"["):
        return "json"
    if b"<modeling>" in start[:300]:
        return "vasprun"
    if re.match(rb"\d+[ \t]*\r?\n[^\r\n]*\r?\n\s*[A-Z][a-z]?([ \t]+[+-]?\.?\d\S*){3}", start):
        return "xyz"
    lines = content.replace(b"\r", b"\n")
    cif = re.search(rb"^[ \t]*data_", lines, re.MULTILINE) and re.search(rb"^[ \t]*(_|loop_)", lines, re.MULTILINE)
    return "cif" if cif else "poscar"


def name_of(path: Path) -> str:
    """The material's name: the file's name without its ending; for `POSCAR` the folder's name, if the path has one."""
    plain = without_packing(path.name)
    if plain in ("POSCAR", "CONTCAR", "vasprun.xml") and path.parent.name not in ("", ".."):
        return plain_name(path.parent.name)
    return plain_name(name_in(path.name) or plain)


def plain_name(name: str) -> str:
    """Reduce a name to letters of any script, digits and `_ . + -`, so that it is safe in files and tables."""
    plain = re.sub(r"[^\w.+-]+", "_", unicodedata.normalize("NFC", name)).strip("._-")
    return plain.encode()[:150].decode(errors="ignore") or "structure"
