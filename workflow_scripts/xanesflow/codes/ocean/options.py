"""Options of the inputs of OCEAN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class OceanOptions:
    """The section `inputs.ocean` of the configuration.

    Attributes:
        cards: entries of ocean.in; None leaves one out.
        kpoint_length: in Å; enough k-points to repeat the cell to a crystal of this size.
        e_range: eV above the Fermi level that the bands must cover.
    """

    cards: Mapping[str, str | None]
    kpoint_length: float
    e_range: float
