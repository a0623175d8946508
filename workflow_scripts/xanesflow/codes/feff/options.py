"""Options of the FEFF engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FeffOptions:
    """How FEFF is run."""

    command: str | None  # `simulations.feff_command`; None: the FEFF 10 of pip
    inputs: Mapping[str, Any]  # the section `inputs.feff`: cards and radius
    time_limit: float  # seconds for all attempts at a site
    max_corrections: int  # attempts after the first
    smaller_scf_radius: bool  # whether the radius of the self-consistent field may be made smaller as the last step
    # whether our own solver takes the place of FEFF's `fms` (see `scatter`), for the FEFF 10 of pip
    own_scattering: bool = True
