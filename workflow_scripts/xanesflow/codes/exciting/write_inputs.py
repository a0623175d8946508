"""Write inputs of exciting with Lightshow's parameters."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.exciting.options import ExcitingOptions
from xanesflow.codes.kpoints import kpoints_rule
from xanesflow.codes.lightshow_bridge import import_lightshow, without_local_folders
from xanesflow.core.errors import NoInputError, XanesflowError


class Exciting:
    """Writes `EXCITING/<site>_<element>/input.xml`."""

    def __init__(self, options: Mapping[str, Any], element: str) -> None:
        given = ExcitingOptions(**options)
        window = given.energy_window.get(element)
        if window is None:
            raise XanesflowError(
                f"inputs.exciting.energy_window has no entry for {element}; add its window in Hartree."
            )
        lightshow: Any = import_lightshow("parameters.exciting")
        cards = copy.deepcopy(lightshow.EXCITING_DEFAULT_CARDS)  # Lightshow changes them
        cards["xs"]["energywindow"]["intv"] = f"{window[0]:g} {window[1]:g}"
        self._element = element
        with without_local_folders():
            self._parameters = lightshow.EXCITINGParameters(
                cards=cards,
                species_directory="./",
                kpoints=kpoints_rule(given.kpoint_length),
                nbands=import_lightshow("common.nbands").UnitCellVolumeEstimate(e_range=given.e_range),
                gqmax=given.gqmax,
                edge="K",
            )

    def write(self, folder: Path, structure: Structure, sites: list[int]) -> dict[int, NoInputError]:
        """Write input.xml of each site."""
        name = self._parameters.name
        with without_local_folders():
            self._parameters.write(folder / name, structure_uc=structure, sites=sites)
        alike = structure.indices_from_symbol(self._element)
        for site in sites:
            path = folder / name / f"{site:03}_{self._element}" / "input.xml"
            # exciting counts atoms within a species, but Lightshow writes the index into the whole structure.
            text, number = re.subn(
                r'xasatom="\d+"', f'xasatom="{alike.index(site) + 1}"', path.read_text(encoding="utf-8")
            )
            if number != 1:
                raise XanesflowError(
                    f"{path.name} of exciting names {number} absorbers; this version of Lightshow is unknown."
                )
            path.write_text(text, encoding="utf-8")
        return {}
