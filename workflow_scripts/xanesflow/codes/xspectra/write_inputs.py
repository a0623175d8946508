"""Write inputs of Quantum ESPRESSO and XSpectra with Lightshow's parameters."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.kpoints import kpoints_rule
from xanesflow.codes.lightshow_bridge import import_lightshow, without_local_folders
from xanesflow.codes.supercell import find_absorber, make_supercell, repeat_by_matrix
from xanesflow.codes.xspectra.options import XspectraOptions
from xanesflow.core.errors import NoInputError

_LENGTH_A = 9.0  # Lightshow's


class Xspectra:
    """Writes `XSpectra/GS/gs.in`, and for each site `XSpectra/<site>_<element>/{es.in,dipole<n>/xanes.in}`."""

    def __init__(self, options: Mapping[str, Any], element: str) -> None:
        given = XspectraOptions(**options)
        lightshow: Any = import_lightshow("parameters.xspectra")
        cards = copy.deepcopy(lightshow.XSPECTRA_DEFAULT_CARDS)
        cards["QE"]["system"] |= {"ecutwfc": given.ecutwfc, "ecutrho": given.ecutrho}
        first, last = given.energies
        cards["XS"]["plot"] |= {"xemin": first, "xemax": last, "xnepoint": given.points}
        self._supercell = given.supercell if given.supercell is not None else _LENGTH_A
        with without_local_folders():
            self._parameters = lightshow.XSpectraParameters(
                cards=cards, kpoints=kpoints_rule(given.kpoint_length), edge="K"
            )

    def write(self, folder: Path, structure: Structure, sites: list[int]) -> dict[int, NoInputError]:
        """Write ground state, excited state and spectrum; the absorber is a species of its own, such as `Ti+`."""
        supercell, places = self._repeat(structure, sites)
        with without_local_folders():
            self._parameters.write(
                folder / self._parameters.name, structure_sc=supercell, sites=sites, index_mapping=places
            )
        return {}

    def _repeat(self, structure: Structure, sites: list[int]) -> tuple[Structure, dict[int, int]]:
        """Repeat the cell to a length or by a matrix, and find the absorbers in it."""
        if isinstance(self._supercell, int | float):
            return make_supercell(structure, sites, float(self._supercell))
        repeated = repeat_by_matrix(structure, self._supercell).get_sorted_structure()
        return repeated, {site: find_absorber(repeated, structure, site) for site in sites}
