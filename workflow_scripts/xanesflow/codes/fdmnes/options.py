"""Options of the input of FDMNES."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FdmnesOptions:
    """The section `inputs.fdmnes` of the configuration.

    Attributes:
        energies: first energy, step and last energy in eV, as FDMNES reads them.
        radius: in Å, of the cluster around the absorber.
    """

    energies: str
    radius: float
