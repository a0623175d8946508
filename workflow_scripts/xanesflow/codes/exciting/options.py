"""Options of the inputs of exciting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ExcitingOptions:
    """The section `inputs.exciting` of the configuration."""

    energy_window: Mapping[str, Sequence[float]]  # first and last absolute energy in Hartree, by absorber
    kpoint_length: float  # in Å; enough k-points to repeat the cell to a crystal of this size
    e_range: float  # eV above the Fermi level that the bands must cover
    gqmax: float  # largest |G+q| in 1/Bohr
