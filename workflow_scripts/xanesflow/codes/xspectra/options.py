"""What the inputs of Quantum ESPRESSO and XSpectra are written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class XspectraOptions:
    """The section `inputs.xspectra` of the configuration.

    Attributes:
        supercell: in Å; the cell is repeated until each edge is at least so long.
        kpoint_length: in Å; k-points are as many as make a crystal of this size from the supercell.
        ecutwfc: cutoff of wave functions in Ry.
        ecutrho: cutoff of the charge density in Ry.
        energies: first and last energy in eV, relative to the Fermi level.
        points: number of energies.
    """

    supercell: float
    kpoint_length: float
    ecutwfc: float
    ecutrho: float
    energies: Sequence[float]
    points: int
