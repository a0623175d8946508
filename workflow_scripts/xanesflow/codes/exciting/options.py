"""Options of the inputs of exciting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ExcitingOptions:
    """The section `inputs.exciting` of the configuration.

    Attributes:
        energy_window: first and last absolute energy in Hartree, by absorber.
        kpoint_length: in Å; enough k-points to repeat the cell to a crystal of this size.
        e_range: eV above the Fermi level that the bands must cover.
        gqmax: largest |G+q| in 1/Bohr.
    """

    energy_window: Mapping[str, Sequence[float]]
    kpoint_length: float
    e_range: float
    gqmax: float
