"""What a step of XSpectra costs, from its cell alone: atoms, k-points, recursions, memory and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from xanesflow.codes.xspectra.hole_cell import HoleCell, hole_cell
from xanesflow.codes.xspectra.lanczos import inequivalent_pairs
from xanesflow.codes.xspectra.options import XspectraRunOptions
from xanesflow.core.errors import FailedRunError, XanesflowError
from xanesflow.core.text import plural
from xanesflow.running.memory import free_memory_mb

_A3_AN_ATOM = 11.4  # of anatase, whose runs the figures below were measured on
_MEMORY = (100.0, 23.1, 0.16)  # MB of n such atoms: 0.24 GB for 6, 0.73 for 24, 1.6 for 48
_FIELD_S = (10.0, 0.15)  # seconds of a field: constant, and by n² and 100 for k-points
_CHAIN_S = 0.007  # seconds of a recursion by n²; 24 atoms take 4 s


@dataclass(frozen=True)
class StepPlan:
    """The plan of a site."""

    atoms: int  # in the cell
    distance_a: float  # from the hole to its nearest image
    field_grid: tuple[int, int, int]  # k-points of the field
    spectrum_grid: tuple[int, int, int]  # k-points of the spectrum
    spectrum_shift: tuple[int, int, int]  # 1 where they are moved by half a step
    pairs: dict[tuple[int, int], int]  # (k-point, axis) -> number of pairs that follow from it by symmetry
    memory_mb: float  # expected
    seconds: float  # of one processor, expected

    def sentence(self) -> str:
        """Return the plan as one line."""
        field, spectrum = ("×".join(map(str, grid)) for grid in (self.field_grid, self.spectrum_grid))
        return (
            f"{plural(self.atoms, 'atom')}, holes {self.distance_a:.2f} Å apart, {field} k-points in the field and "
            f"{spectrum} in the spectrum ({plural(len(self.pairs), 'recursion')} by symmetry), about "
            f"{self.memory_mb:.0f} MB and {max(1, round(self.seconds / 60))} min of one processor"
        )


def plan_step(cell: HoleCell, options: XspectraRunOptions) -> StepPlan:
    """Plan the steps of a site from its cell."""
    size = cell.structure.volume / _A3_AN_ATOM
    scale = (options.ecutwfc / 40.0) ** 1.5
    field_grid, spectrum_grid = cell.grid(options.field_length), cell.grid(options.spectrum_length)
    shift = cell.shift(spectrum_grid)
    pairs = inequivalent_pairs(spectrum_grid, shift, cell.structure.lattice.matrix, cell.rotations)
    constant, linear, square = _MEMORY
    irreducible = max(1.0, np.prod(field_grid) / 2 / len(cell.rotations))
    seconds = 2 * (_FIELD_S[0] + _FIELD_S[1] * size**2 * scale * irreducible) + _CHAIN_S * size**2 * scale * len(pairs)
    return StepPlan(
        atoms=len(cell.structure), distance_a=cell.distance_a, field_grid=field_grid, spectrum_grid=spectrum_grid,
        spectrum_shift=shift, pairs=pairs, memory_mb=constant + scale * (linear * size + square * size**2),
        seconds=float(seconds),
    )  # fmt: skip


def check_memory(needed_mb: float) -> None:
    """Check that this machine has the memory, where it says how much is free (Linux).

    Raises:
        FailedRunError: killed, so that the next run of the chunk tries again.
    """
    free = free_memory_mb()
    if free is not None and needed_mb > free:
        raise FailedRunError(
            "killed",
            f"it needs about {needed_mb:,.0f} MB of memory and {free:,.0f} MB are free; run fewer sites at a time, or "
            "make the cell smaller (inputs.xspectra.supercell)",
        )


def xspectra_costs(
    structure: Structure, sites: Sequence[int], options: Mapping[str, Any]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return atoms of the cell and expected core hours of each site.

    Args:
        structure: the material.
        sites: 0-based indices of the absorbers.
        options: those of the engine's that the plan depends on.

    Returns:
        (n,) atoms, and (n,) hours; NaN where no cell is found.
    """
    wanted = XspectraRunOptions(**options)
    supercell = wanted.inputs.get("supercell")
    atoms, hours = [], []
    for site in sites:
        try:
            cell = hole_cell(structure, site, supercell=supercell, distance_a=wanted.hole_distance)
            plan = plan_step(cell, wanted)
        except XanesflowError:
            atoms.append(0)
            hours.append(np.nan)
        else:
            atoms.append(plan.atoms)
            hours.append(plan.seconds / 3600)
    return np.array(atoms), np.array(hours)
