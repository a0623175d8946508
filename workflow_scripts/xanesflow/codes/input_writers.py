"""What a simulation code must offer so that its inputs are chunks of a campaign, and which codes there are."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from pymatgen.core import Structure

from xanesflow.core.errors import NoInputError, XanesflowError
from xanesflow.core.sites import WITH_INPUTS

_CODES = {
    "FEFF": "feff.Feff",
    "VASP": "vasp.Vasp",
    "OCEAN": "others.Ocean",
    "EXCITING": "others.Exciting",
    "XSPECTRA": "others.Xspectra",
    "FDMNES": "others.Fdmnes",
}


class Code(Protocol):
    """Writes the inputs of one simulation code by Lightshow's parameter objects."""

    def write(self, folder: Path, structure: Structure, sites: list[int]) -> dict[int, NoInputError]:
        """Write the inputs of sites of one material.

        Args:
            folder: of the material, `<element>/<material id>` of Lightshow's tree; the code's own folder is made in it.
            structure: the material, of plain elements.
            sites: 0-based indices of the absorbers, all of one element.

        Returns:
            The sites that no input can be written for.

        Raises:
            NoInputError: no input can be written for any of them.
        """
        ...


def plain(structure: Structure) -> Structure:
    """Elements, positions and cell, without the charges, moments and other properties that a source may give.

    Raises:
        NoInputError: disordered.
    """
    if not structure.is_ordered:
        raise NoInputError("disordered", "the structure has partially occupied sites")
    return Structure(structure.lattice.matrix, [site.specie.symbol for site in structure], structure.frac_coords)


def code_of(theory: str, options: Mapping[str, Any], element: str) -> Code:
    """The writer of a level of theory.

    Args:
        theory: as in the name of a subset.
        options: its part of the section `inputs` of the configuration.
        element: the absorber.

    Raises:
        XanesflowError: there is none.
    """
    if theory not in _CODES:
        raise XanesflowError(
            f"No inputs are written for {theory}, whose engine writes its own when it runs; there are inputs of "
            f"{', '.join(WITH_INPUTS)}."
        )
    module, name = _CODES[theory].split(".")
    code: Code = getattr(importlib.import_module(f"xanesflow.inputs.{module}"), name)(options, element)
    return code
