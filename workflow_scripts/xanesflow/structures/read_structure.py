"""Read a user's structure file in any supported form, without trusting it.

The result holds elements, positions and a cell, and nothing else. So a crystal is the same whichever file it came
from, and nothing else in a file is ever built or called.
"""

from __future__ import annotations

import warnings

from pymatgen.core import Structure

from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import UnusableStructure
from xanesflow.core.text import printable
from xanesflow.structures.check_structure import checked
from xanesflow.structures.poscar import parse_poscar, structure_text
from xanesflow.structures.read_cif import read_cif
from xanesflow.structures.read_json import read_json


def read_structure(content: bytes, form: str, *, partly_occupied: bool = False) -> tuple[Structure, str]:
    """Read a structure file.

    Args:
        content: its bytes.
        form: `poscar`, `cif`, `json`, `xyz` or `vasprun`.
        partly_occupied: whether the sites of a CIF or JSON file may be partly occupied.

    Returns:
        The structure, and a remark for the user on how it was read; empty if there is none.

    Raises:
        UnusableStructure: the file cannot be used; the message says why.
    """
    text = structure_text(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if form == "cif":
                return read_cif(text, partly_occupied=partly_occupied)
            if form == "json":
                return read_json(text, partly_occupied=partly_occupied)
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
        raise UnusableStructure(f"cannot be read: {what_is_wrong(error)}") from error
