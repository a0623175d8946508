"""Options of the VASP engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class VaspOptions:
    """Options of the engine.

    Attributes:
        element: of the absorbers.
        command: starts VASP, such as `srun vasp_std`.
        inputs: the section `inputs.vasp` of the configuration.
        time_limit: seconds that a step may take with all its corrections.
        max_errors: corrections of a step before it fails.
        frozen_after: seconds without output after which VASP counts as hung.
        at_a_time: how many runs a chunk computes at once.
        poll: seconds between two checks that VASP still runs.
        monitor_every: seconds between two checks of its output.
    """

    element: str
    command: str
    inputs: Mapping[str, Any]
    time_limit: float
    max_errors: int
    frozen_after: float
    at_a_time: int = 1
    poll: float = 0.5
    monitor_every: float = 60.0
