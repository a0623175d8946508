"""Options of the inputs of Quantum ESPRESSO and XSpectra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class XspectraOptions:
    """The section `inputs.xspectra` of the configuration.

    Attributes:
        supercell: in Å; the cell is repeated until each edge has at least this length.
        kpoint_length: in Å; enough k-points to repeat the supercell to a crystal of this size.
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
