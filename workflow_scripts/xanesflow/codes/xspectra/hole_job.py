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
    """The job of a folder.

    Attributes:
        command: words before the programs.
        element: of the absorber.
        structure: of the cell, as a dictionary of pymatgen; the absorber comes first.
        cutoffs: of waves and charge in Ry.
        field_grid: k-points of the field.
        spectrum_grid: k-points of the spectrum; None: the ground state.
        spectrum_shift: 1 where these are moved by half a step.
        pairs: k-point, axis and number of pairs that follow from it.
        half_width_ev: half width for which the recursion converges.
        steps: most Lanczos steps.
        metals: whether a ground state without gap is good.
        max_corrections: further attempts at the field.
        steps_folder: where finished steps are kept until the run is finished (see `saved_steps`); None: nowhere.
        keep_steps: whether they stay there afterwards.
    """

    command: list[str]
    element: str
    structure: dict[str, Any]
    cutoffs: tuple[float, float]
    field_grid: tuple[int, int, int]
    spectrum_grid: tuple[int, int, int] | None
    spectrum_shift: tuple[int, int, int]
    pairs: list[tuple[int, int, int]]
    half_width_ev: float
    steps: int
    metals: bool
    max_corrections: int
    steps_folder: str | None = None
    keep_steps: bool = False

    def write(self, folder: Path) -> None:
        """Write job.json."""
        write_text(folder / JOB, json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> HoleJob:
        """Read job.json."""
        return cls(**json.loads((folder / JOB).read_text(encoding="utf-8")))
