"""The job of a step, as a file in its folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xanesflow.core.files import write_text

JOB, RESULT, GROUND_STATE, LANCZOS = "job.json", "result.json", "ground_state.json", "lanczos.json"
"""Files of a step: the job, its result, the figures of the ground state, and the Lanczos coefficients."""


@dataclass(frozen=True)
class HoleJob:
    """The job of a folder."""

    command: list[str]  # words before the programs
    element: str  # of the absorber
    structure: dict[str, Any]  # of the cell, as a dictionary of pymatgen; the absorber comes first
    cutoffs: tuple[float, float]  # of waves and charge in Ry
    field_grid: tuple[int, int, int]  # k-points of the field
    spectrum_grid: tuple[int, int, int] | None  # k-points of the spectrum; None: the ground state
    spectrum_shift: tuple[int, int, int]  # 1 where these are moved by half a step
    pairs: list[tuple[int, int, int]]  # k-point, axis and number of pairs that follow from it
    half_width_ev: float  # half width for which the recursion converges
    steps: int  # most Lanczos steps
    metals: bool  # whether a ground state without gap is good
    max_corrections: int  # further attempts at the field
    # where finished steps are kept until the run is finished (see `saved_steps`); None: nowhere
    steps_folder: str | None = None
    keep_steps: bool = False  # whether they stay there afterwards

    def write(self, folder: Path) -> None:
        """Write job.json."""
        write_text(folder / JOB, json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> HoleJob:
        """Read job.json."""
        return cls(**json.loads((folder / JOB).read_text(encoding="utf-8")))
