"""Some of the spectra that curation left out, stored so that the report can show what was wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import h5py
import numpy as np

from xanesflow.codes.engine import ComputedSpectrum
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.registry import function_of, theory_of
from xanesflow.core.array_types import Floats
from xanesflow.core.arrays import read_array, write_array
from xanesflow.core.energy_grid import N_POINTS, energy_grid
from xanesflow.core.errors import BadRunError
from xanesflow.core.reasons import REASONS
from xanesflow.core.tables import REJECTED_COLUMNS as COLUMNS

PER_REASON = 6
"""Spectra that are stored for each reason."""


@dataclass(frozen=True)
class RejectedExample:
    """A spectrum that was left out."""

    material_id: str  # its material
    site_index: int  # 0-based index of the absorber into the structure
    reason: str  # why it was left out
    detail: str  # one sentence on this site
    spectrum: Floats  # (141,) bohr² on the subset's grid, NaN where nothing was computed
    badness: float = 0.0  # the examples with the largest values are stored


def spectrum_anyway(run: FinishedRun, theory: str, start_ev: float) -> Floats | None:
    """The spectrum in a rejected run's files, (141,) in bohr², NaN where there is none; None: there is nothing to draw.

    Args:
        run: from its chunk.
        theory: its level of theory; None is returned if its record in the registry has no `parse_spectrum` (VASP).
        start_ev: first energy of the grid.
    """
    record = theory_of(theory)
    parse = function_of(record.parse_spectrum)
    if parse is None:
        return None
    try:
        computed: ComputedSpectrum = parse(run.files.get(record.spectrum_file, b""))
    except BadRunError:
        return None
    order = np.argsort(computed.energy_ev)
    at, values = computed.energy_ev[order], computed.cross_section[order]
    spectrum = np.interp(energy_grid(start_ev), at, values, left=np.nan, right=np.nan)
    return spectrum if np.isfinite(spectrum).any() else None


def choose_examples(found: Iterable[RejectedExample]) -> list[RejectedExample]:
    """The worst few for each reason, in the order of the documented reasons."""
    by_reason: dict[str, list[RejectedExample]] = {}
    for each in found:
        by_reason.setdefault(each.reason, []).append(each)
    return [
        each
        for reason in REASONS
        for each in sorted(by_reason.get(reason, []), key=lambda e: (-e.badness, e.material_id, e.site_index))[
            :PER_REASON
        ]
    ]


def write_examples(parent: h5py.Group, examples: Sequence[RejectedExample]) -> None:
    """Write examples as a group of five columns."""
    for name in COLUMNS:
        write_array(parent, f"examples/{name}", [getattr(each, name) for each in examples])
    spectra = np.array([each.spectrum for each in examples]).reshape(len(examples), N_POINTS)
    write_array(parent, "examples/spectra", spectra)


def read_examples(parent: h5py.Group) -> list[RejectedExample]:
    """Read what `write_examples` wrote; none from a file of an earlier version."""
    if "examples" not in parent:
        return []
    columns = [read_array(parent, f"examples/{name}").tolist() for name in COLUMNS]
    return [RejectedExample(*row) for row in zip(*columns, read_array(parent, "examples/spectra"), strict=True)]
