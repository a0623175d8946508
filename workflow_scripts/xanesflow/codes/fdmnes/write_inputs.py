"""Write the input of FDMNES with Lightshow's parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymatgen.core import Element, Structure

from xanesflow.codes.fdmnes.options import FdmnesOptions
from xanesflow.codes.lightshow_bridge import import_lightshow, without_local_folders
from xanesflow.core.errors import NoInputError, XanesflowError


class Fdmnes:
    """Writes `FDMNES/<element>_in.txt`, one file for all sites of a material."""

    def __init__(self, options: Mapping[str, Any], element: str) -> None:
        given = FdmnesOptions(**options)
        lightshow: Any = import_lightshow("parameters.fdmnes")
        self._element = element
        with without_local_folders():
            self._parameters = lightshow.FDMNESParameters(e_range=given.energies, radius=given.radius, edge="K")

    def write(self, folder: Path, structure: Structure, sites: list[int]) -> dict[int, NoInputError]:
        """Write the input. FDMNES itself finds the inequivalent sites of the absorber."""
        with without_local_folders():
            self._parameters.write(
                folder / self._parameters.name, structure=structure, Z_absorber=Element(self._element).Z
            )
        path = folder / self._parameters.name / f"{self._element}_in.txt"
        # Lightshow rounds angles to 0.1 degrees and positions to four digits, which moves atoms by 0.01 Å.
        lattice = structure.lattice
        crystal = "".join(f" {value:.6f}" for value in (*lattice.abc, *lattice.angles)).strip()
        atoms = "".join(f"  {site.specie.Z} {site.a:.8f} {site.b:.8f} {site.c:.8f}\n" for site in structure)
        text, number = re.subn(
            r"Crystal \n.*?\n(?=\nZ_Absorber)",
            f"Crystal \n{crystal}\n{atoms}",
            path.read_text(encoding="utf-8"),
            flags=re.DOTALL,
        )
        if number != 1:
            raise XanesflowError(f"{path.name} of FDMNES has {number} crystals; this version of Lightshow is unknown.")
        path.write_text(text, encoding="utf-8")
        return {}
