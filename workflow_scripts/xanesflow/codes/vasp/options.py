"""Options of the VASP engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class VaspOptions:
    """Options of the engine."""

    element: str  # of the absorbers
    command: str  # starts VASP, such as `srun vasp_std`
    inputs: Mapping[str, Any]  # the section `inputs.vasp` of the configuration
    time_limit: float  # seconds that a step may take with all its corrections
    max_errors: int  # corrections of a step before it fails
    frozen_after: float  # seconds without output after which VASP counts as hung
    at_a_time: int = 1  # how many runs a chunk computes at once
    poll: float = 0.5  # seconds between two checks that VASP still runs
    monitor_every: float = 60.0  # seconds between two checks of its output
