"""Options of the input of FDMNES."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FdmnesOptions:
    """The section `inputs.fdmnes` of the configuration."""

    energies: str  # first energy, step and last energy in eV, as FDMNES reads them
    radius: float  # in Å, of the cluster around the absorber
