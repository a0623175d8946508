"""Read the final structure of a VASP run from its vasprun.xml."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
from pymatgen.core import Lattice, Structure

from xanesflow.core import limits
from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import UnusableStructure
from xanesflow.core.text import plural
from xanesflow.structures.check_structure import check_numbers, checked


def read_vasprun(text: str) -> tuple[Structure, str]:
    """Read the final structure.

    Returns:
        The structure, in the order of the run's POSCAR, and a remark for the user; empty if there is none.

    Raises:
        UnusableStructure: it is not a vasprun.xml, or its run has not ended.
    """
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise UnusableStructure("is no vasprun.xml: it declares entities")
    try:
        root = ElementTree.fromstring(text.encode())
    except ElementTree.ParseError as error:
        raise UnusableStructure(
            f"is cut off or no vasprun.xml ({what_is_wrong(error, quote=True)}); of a run that has not ended take "
            "CONTCAR"
        ) from error
    symbols = [
        str(row.findtext("c") or "").strip()
        for row in root.findall("./atominfo/array[@name='atoms']/set/rc")
    ]  # fmt: skip
    final = root.find("./structure[@name='finalpos']")
    if root.tag != "modeling" or final is None or not symbols:
        raise UnusableStructure(
            "holds no final structure (finalpos), so it is of a run that has not ended, or no vasprun.xml; take CONTCAR"
        )
    if len(symbols) > limits.ATOMS:
        raise UnusableStructure(f"has {len(symbols):,} atoms, and the limit is {limits.ATOMS:,}")
    matrix = _rows(final, "./crystal/varray[@name='basis']/v")
    fractions = _rows(final, "./varray[@name='positions']/v")
    if matrix.shape != (3, 3) or len(fractions) != len(symbols):
        raise UnusableStructure(f"names {plural(len(symbols), 'atom')} and gives {plural(len(fractions), 'position')}")
    check_numbers(matrix, fractions)
    return checked(Structure(Lattice(matrix), [{"r": "Zr"}.get(each, each) for each in symbols], fractions))


def _rows(element: ElementTree.Element, path: str) -> np.ndarray:
    try:
        rows = [[float(value) for value in (row.text or "").split()] for row in element.findall(path)]
        return np.array(rows).reshape(-1, 3)
    except ValueError as error:
        raise UnusableStructure(
            "has positions that are no numbers, as VASP writes *** for what does not fit"
        ) from error
