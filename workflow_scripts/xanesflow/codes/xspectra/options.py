"""Options of the inputs of Quantum ESPRESSO and XSpectra, and of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class XspectraOptions:
    """The section `inputs.xspectra` of the configuration."""

    # least length of each edge in Å, or a matrix of repetitions; None: 9 Å
    supercell: float | Sequence[Sequence[int]] | None
    kpoint_length: float  # in Å; enough k-points to repeat the supercell to a crystal of this size
    ecutwfc: float  # cutoff of wave functions in Ry
    ecutrho: float  # cutoff of the charge density in Ry
    energies: Sequence[float]  # first and last energy in eV, relative to the Fermi level
    points: int  # number of energies


@dataclass(frozen=True)
class XspectraRunOptions:
    """The section `simulations.xspectra`, with what it takes from others."""

    inputs: Mapping[str, Any]  # the section `inputs.xspectra`; a run takes its supercell
    command: str = ""  # what stands before `pw.x` and `xspectra.x`, such as `mpirun -n 4`; empty: nothing
    hole_distance: float = 5.3  # least distance in Å between a hole and its images, where no supercell is given
    ecutwfc: float = 30.0  # cutoff of wave functions in Ry
    ecutrho: float = 240.0  # cutoff of the charge density in Ry
    field_length: float = 8.5  # in Å; enough k-points in the field to repeat the cell to a crystal of this size
    spectrum_length: float = 20.0  # the same for the k-points of the spectrum
    width: float = 0.8  # full width in eV of the Lorentzian for which the recursion must converge
    steps: int = 3000  # most Lanczos steps of a k-point
    metals: bool = False  # whether materials without a gap are computed
    time_limit: float = 86400.0  # seconds that a step may take
    max_corrections: int = 4  # further attempts at a field
