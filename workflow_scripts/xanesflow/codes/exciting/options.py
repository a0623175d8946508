"""What the inputs of exciting are written from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ExcitingOptions:
    """The section `inputs.exciting` of the configuration.

    Attributes:
        energy_window: first and last absolute energy in Hartree, by absorber.
        kpoint_length: in Å; k-points are as many as make a crystal of this size from the cell.
        e_range: eV above the Fermi level that the bands must cover.
        gqmax: largest |G+q| in 1/Bohr.
    """

    energy_window: Mapping[str, Sequence[float]]
    kpoint_length: float
    e_range: float
    gqmax: float
