"""Options of the FEFF engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FeffOptions:
    """How FEFF is run.

    Attributes:
        command: `simulations.feff_command`; None: the FEFF 10 of pip.
        inputs: the section `inputs.feff`: cards and radius.
        time_limit: seconds for all attempts at a site.
        max_corrections: attempts after the first.
        smaller_scf_radius: whether the radius of the self-consistent field may be made smaller as the last step.
        own_scattering: whether our own solver takes the place of FEFF's `fms` (see `scatter`), for the FEFF 10 of pip.
    """

    command: str | None
    inputs: Mapping[str, Any]
    time_limit: float
    max_corrections: int
    smaller_scf_radius: bool
    own_scattering: bool = True
