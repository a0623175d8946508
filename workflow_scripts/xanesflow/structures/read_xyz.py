"""Read xyz and extended xyz files: a crystal if the file is periodic, else a molecule in a large box."""

from __future__ import annotations

import io
import re

import numpy as np
from pymatgen.core import Lattice, Structure

from xanesflow.core import limits
from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import UnusableStructure
from xanesflow.core.text import plural
from xanesflow.structures.check_structure import check_numbers, checked

VACUUM_A = 25.0
"""Empty space between a molecule and its images, larger than the radius of any cluster."""


def read_xyz(text: str) -> tuple[Structure, str]:
    """Read an xyz file with ASE.

    Returns:
        The structure, and a remark if it is a molecule in a box.

    Raises:
        UnusableStructure: it is not an xyz file, is cut off, holds several structures, or is periodic along some
            axes only.
    """
    from ase import Atoms  # slow to import
    from ase.io import read

    lines = text.rstrip().splitlines()
    count = lines[0].strip()
    if not count.isdecimal() or len(count) > 9 or not int(count):
        raise UnusableStructure(f"is no xyz file: its first line is '{count[:30]}' and not the number of atoms")
    announced = int(count)
    if announced > limits.ATOMS:
        raise UnusableStructure(f"announces {announced:,} atoms, and the limit is {limits.ATOMS:,}")
    if len(lines) < announced + 2:
        raise UnusableStructure(
            f"is cut off: it announces {plural(announced, 'atom')} and has {plural(len(lines) - 2, 'row')} of positions"
        )
    further = next((line.strip() for line in lines[announced + 2 :] if line.strip()), "")
    if further.isdecimal():
        raise UnusableStructure("holds several structures; write the one that is wanted to a file of its own")
    if further:
        raise UnusableStructure(
            f"announces {plural(announced, 'atom')} and goes on with '{further[:30]}'; correct the number of atoms"
        )
    # ASE does not know deuterium.
    rows = [re.sub(r"^(\s*)[DT](?=\s)", r"\1H", line) for line in lines[2 : announced + 2]]
    try:
        atoms = read(io.StringIO("\n".join([*lines[:2], *rows, ""])), format="extxyz", index=0)
    except Exception as error:  # ASE raises all kinds of errors
        raise UnusableStructure(
            "is no xyz file: a row is not an element's symbol and a place in Å, or its second line is wrong "
            f"({what_is_wrong(error)})"
        ) from error
    if not isinstance(atoms, Atoms):
        raise UnusableStructure("holds several structures")
    symbols, places = atoms.get_chemical_symbols(), atoms.get_positions()
    if "X" in symbols:
        raise UnusableStructure("holds X, which is no element")
    matrix = np.array(atoms.cell.tolist(), dtype=np.float64)
    if not atoms.pbc.any():
        return checked_molecule(symbols, places)
    if not atoms.pbc.all():
        raise UnusableStructure(
            "is periodic along some axes only, such as a layer, by its pbc; if its cell has enough vacuum along the "
            'others, write pbc="T T T"'
        )
    if abs(float(np.linalg.det(matrix))) < 1e-3:
        raise UnusableStructure(
            "is periodic and has no cell, or a cell without volume; give three vectors as Lattice, or for a molecule "
            'write pbc="F F F"'
        )
    check_numbers(matrix, places @ np.linalg.inv(matrix))
    return checked(Structure(Lattice(matrix), symbols, places, coords_are_cartesian=True))


def checked_molecule(symbols: list[str], places: np.ndarray) -> tuple[Structure, str]:
    """Put a molecule into a cube with `VACUUM_A` around it; return it with a remark that it is a molecule.

    Args:
        symbols: elements of its n atoms.
        places: positions in Å (n, 3).

    Raises:
        UnusableStructure: a position is not finite or far from the others, or atoms are too close.
    """
    if not np.isfinite(places).all() or np.ptp(places, axis=0).max() > 900:
        raise UnusableStructure("has coordinates that are not finite or far apart")
    edge = float(np.ceil(np.ptp(places, axis=0).max() + VACUUM_A))
    middle = (places.max(axis=0) + places.min(axis=0)) / 2
    structure = Structure(Lattice.cubic(edge), symbols, places - middle + edge / 2, coords_are_cartesian=True)
    plain, note = checked(structure)
    remark = f"it is not periodic, so it is taken as a molecule in vacuum, in a cube of {edge:g} Å"
    return plain, "; ".join(filter(None, (remark, note)))
