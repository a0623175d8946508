"""Write inputs of OCEAN with Lightshow's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.kpoints import kpoints_rule
from xanesflow.codes.lightshow_bridge import import_lightshow, without_local_folders
from xanesflow.codes.ocean.options import OceanOptions
from xanesflow.core.errors import NoInputError


class Ocean:
    """Writes `OCEAN/<element>/{ocean.in,photon1,photon2,photon3}`, one set for all sites of a material."""

    def __init__(self, options: Mapping[str, Any], element: str) -> None:
        given = OceanOptions(**options)
        with without_local_folders():
            self._parameters: Any = import_lightshow("parameters.ocean").OCEANParameters(
                cards={card: value for card, value in given.cards.items() if value is not None},
                kpoints=kpoints_rule(given.kpoint_length),
                nbands=import_lightshow("common.nbands").UnitCellVolumeEstimate(e_range=given.e_range),
                edge="K",
            )

    def write(self, folder: Path, structure: Structure, sites: list[int]) -> dict[int, NoInputError]:
        """Write ocean.in, which names the sites in `edges`."""
        with without_local_folders():
            self._parameters.write(folder / self._parameters.name, structure_uc=structure, sites=sites)
        return {}
