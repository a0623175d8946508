"""Read a user's structure file in any supported form, without trusting it.

The result holds elements, positions and a cell, and nothing else. So a crystal is the same whichever file it came
from, and nothing else in a file is ever built or called.
"""

from __future__ import annotations

import warnings

import numpy as np
from pymatgen.core import Structure

from xanesflow.core.errors import UnusableStructure
from xanesflow.core.text import one_line, printable
from xanesflow.structures.check_structure import checked
from xanesflow.structures.poscar import parse_poscar
from xanesflow.structures.read_cif import read_cif
from xanesflow.structures.read_json import read_json


def read_structure(content: bytes, form: str) -> tuple[Structure, str]:
    """Read a structure file.

    Args:
        content: its bytes.
        form: `poscar`, `cif`, `json`, `xyz` or `vasprun`.

    Returns:
        The structure, and a remark for the user on how it was read; empty if there is none.

    Raises:
        UnusableStructure: the file cannot be used; the message says why.
    """
    text = _text(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if form == "cif":
                return read_cif(text)
            if form == "json":
                return read_json(text)
            if form == "xyz":
                from xanesflow.structures.read_xyz import read_xyz  # ASE is slow to import

                return read_xyz(text)
            if form == "vasprun":
                from xanesflow.structures.read_vasprun import read_vasprun

                return read_vasprun(text)
            return checked(parse_poscar(text))
    except UnusableStructure as error:  # the message quotes the file, which may hold any characters
        raise UnusableStructure(printable(str(error)), error.reason) from error
    except MemoryError as error:
        raise UnusableStructure("cannot be read: it needs more memory than there is") from error
    except Exception as error:  # a broken file makes libraries raise all kinds of errors
        raise UnusableStructure(f"cannot be read: {one_line(error)}") from error


def same_structure(one: Structure, other: Structure, tolerance_a: float = 1e-3) -> bool:
    """Whether two structures have the same cell and the same atoms at the same places in the same order.

    Args:
        one: a structure.
        other: another; its cell may be rotated, because a CIF does not store the cell's orientation.
        tolerance_a: largest difference in Å; files round differently.
    """
    if [site.specie for site in one] != [site.specie for site in other]:
        return False
    if not np.allclose(one.lattice.abc, other.lattice.abc, rtol=0, atol=tolerance_a):
        return False
    if not np.allclose(one.lattice.angles, other.lattice.angles, rtol=0, atol=1e-2):
        return False
    apart = one.frac_coords - other.frac_coords
    apart -= np.round(apart)
    return bool((np.linalg.norm(apart @ one.lattice.matrix, axis=1) < tolerance_a).all())


def same_crystal(one: Structure, other: Structure) -> bool:
    """Whether two structures are one crystal, whatever the order of their atoms, their cells and their origins."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    if one.composition.reduced_composition != other.composition.reduced_composition:
        return False
    matcher = StructureMatcher(ltol=0.01, stol=0.02, angle_tol=0.5, primitive_cell=True, scale=False)
    return bool(matcher.fit(one, other))


def _text(content: bytes) -> str:
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
