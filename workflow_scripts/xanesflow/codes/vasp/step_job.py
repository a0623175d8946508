"""The job of a VASP step, as a file in its folder. This module does not import custodian, which takes seconds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xanesflow.core.files import write_text

JOB, RESULT, GROUND_STATE, STARTS = "job.json", "result.json", "ground_state.json", "starts.txt"
CORRECTIONS = "corrections.json"
"""Files of a step: the job, its result, the figures of the ground state, a line for each start of VASP, and all
corrections, allowed or refused."""


@dataclass(frozen=True)
class Job:
    """The job of a folder."""

    command: tuple[str, ...]  # starts VASP
    max_errors: int  # corrections before custodian gives up
    max_bands: int  # largest NBANDS that a correction may set
    frozen_after: float  # seconds without output after which VASP counts as hung
    poll: float  # seconds between two checks that it still runs
    monitor_every: float  # seconds between two checks of its output
    # fractional coordinates (3,) of the core hole in the supercell; None: the ground state
    absorber: list[float] | None = None

    def write(self, folder: Path, **besides: Any) -> None:
        """Write job.json."""
        write_text(folder / JOB, json.dumps({"job": asdict(self), **besides}, indent=1))

    @classmethod
    def read(cls, folder: Path) -> Job:
        """Read job.json."""
        values: dict[str, Any] = json.loads((folder / JOB).read_text(encoding="utf-8"))["job"]
        return cls(**(values | {"command": tuple(values["command"])}))
