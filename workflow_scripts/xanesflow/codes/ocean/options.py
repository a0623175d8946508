"""Options of the inputs of OCEAN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class OceanOptions:
    """The section `inputs.ocean` of the configuration."""

    cards: Mapping[str, str | None]  # entries of ocean.in; None leaves one out
    kpoint_length: float  # in Å; enough k-points to repeat the cell to a crystal of this size
    e_range: float  # eV above the Fermi level that the bands must cover
