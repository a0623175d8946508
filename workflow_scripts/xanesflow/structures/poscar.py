"""Read a POSCAR, the form in which campaigns and archives store structures."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Structure

from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import UnusableStructure
from xanesflow.core.text import printable
from xanesflow.structures.material import BadStructure, Material, describe
from xanesflow.structures.poscar_text import plain_poscar


def read_poscar(material_id: str, text: bytes, *, symprec: float) -> Material | BadStructure:
    """Read a POSCAR and find its symmetry-equivalent atoms.

    Args:
        material_id: name to give it.
        text: the file's bytes.
        symprec: spglib's distance tolerance in Å.
    """
    try:
        structure = parse_poscar(structure_text(text))
    except UnusableStructure as error:
        return BadStructure(material_id, printable(f"POSCAR {error}"), error.reason)
    return describe(material_id, structure, symprec=symprec)


def structure_text(content: bytes) -> str:
    """Decode a structure file, whose names and remarks may be in any encoding, with one kind of line ends.

    Raises:
        UnusableStructure: it is empty or binary.
    """
    if not content.strip():
        raise UnusableStructure("is empty")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # only names and comments hold such characters; all that matters is ASCII
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # a lone CR ended lines on old Macintoshes
    if any(ord(sign) < 32 and not sign.isspace() for sign in set(text) - {"\x1a"}):
        raise UnusableStructure("is a binary file, not text")
    return text.replace("\x1a", "")


def parse_poscar(text: str) -> Structure:
    """Read a POSCAR's text.

    Raises:
        UnusableStructure: it cannot be read, or its structure is impossible.
    """
    from pymatgen.io.vasp import Poscar  # slow to import

    try:
        poscar = Poscar.from_str(plain_poscar(text))
        structure = poscar.structure
    except UnusableStructure:
        raise
    except Exception as error:  # pymatgen raises all kinds of errors
        problem = "it ends too early, or a line is too short" if isinstance(error, IndexError) else what_is_wrong(error)
        raise UnusableStructure(f"cannot be read: {problem}") from error
    if not poscar.true_names:  # VASP 4 wrote no names; pymatgen then takes H, He, Li ...
        raise UnusableStructure(
            "does not name its elements, as VASP 4 wrote it; write their symbols into a line above the numbers of atoms"
        )
    if structure.volume < 1e-3:
        raise UnusableStructure(
            "has a cell without volume: its three vectors lie in one plane, or are far too short; correct them"
        )
    if not np.isfinite(structure.frac_coords).all() or not np.isfinite(structure.volume):
        raise UnusableStructure("has coordinates or a cell that are not finite")
    return structure
