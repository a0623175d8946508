"""Read a POSCAR, the form in which campaigns and archives store structures."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Structure

from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import UnusableStructure
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
        structure = parse_poscar(text.decode("ascii"))
    except UnicodeDecodeError:
        return BadStructure(material_id, "POSCAR is not a text file")
    except UnusableStructure as error:
        return BadStructure(material_id, f"POSCAR {error}", error.reason)
    return describe(material_id, structure, symprec=symprec)


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
