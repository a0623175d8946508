"""Options of the inputs of Quantum ESPRESSO and XSpectra, and of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class XspectraOptions:
    """The section `inputs.xspectra` of the configuration.

    Attributes:
        supercell: least length of each edge in Å, or a matrix of repetitions; None: 9 Å.
        kpoint_length: in Å; enough k-points to repeat the supercell to a crystal of this size.
        ecutwfc: cutoff of wave functions in Ry.
        ecutrho: cutoff of the charge density in Ry.
        energies: first and last energy in eV, relative to the Fermi level.
        points: number of energies.
    """

    supercell: float | Sequence[Sequence[int]] | None
    kpoint_length: float
    ecutwfc: float
    ecutrho: float
    energies: Sequence[float]
    points: int


@dataclass(frozen=True)
class XspectraRunOptions:
    """The section `simulations.xspectra`, with what it takes from others.

    Attributes:
        inputs: the section `inputs.xspectra`; a run takes its supercell.
        command: what stands before `pw.x` and `xspectra.x`, such as `mpirun -n 4`; empty: nothing.
        hole_distance: least distance in Å between a hole and its images, where no supercell is given.
        ecutwfc: cutoff of wave functions in Ry.
        ecutrho: cutoff of the charge density in Ry.
        field_length: in Å; enough k-points in the field to repeat the cell to a crystal of this size.
        spectrum_length: the same for the k-points of the spectrum.
        width: full width in eV of the Lorentzian for which the recursion must converge.
        steps: most Lanczos steps of a k-point.
        metals: whether materials without a gap are computed.
        time_limit: seconds that a step may take.
        max_corrections: further attempts at a field.
    """

    inputs: Mapping[str, Any]
    command: str = ""
    hole_distance: float = 5.3
    ecutwfc: float = 30.0
    ecutrho: float = 240.0
    field_length: float = 8.5
    spectrum_length: float = 20.0
    width: float = 0.8
    steps: int = 3000
    metals: bool = False
    time_limit: float = 86400.0
    max_corrections: int = 4
