"""What the columns of a cheaper run mean: its spectrum with a margin, then numbers of its potentials.

The spectrum has the steps of the dataset's grid and extends it at both ends, so that it can be shifted in energy by as
much (`models.delta.alignment`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xanesflow.codes.feff8l.field import DESCRIBED
from xanesflow.codes.feffq.read_field import FIELD as QUICK_FIELD
from xanesflow.codes.registry import run_features
from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import MAX_FLAT_START_EV, N_POINTS, STEP_EV, check_covered
from xanesflow.core.errors import BadRunError, GridNotCoveredError
from xanesflow.core.files import sha256_text

Row = NDArray[np.float32]

MARGIN_POINTS = 24
"""6 eV at each end."""

FRAME_POINTS = N_POINTS + 2 * MARGIN_POINTS
"""189 columns of a spectrum in bohr²."""

FIELD = tuple(sorted(DESCRIBED))
"""Numbers of the embedded engine's self-consistent field, as its record names them, in the order of the columns."""

OF_RUN = ("edge_ev", "converged", "last_change_ev")
"""Further numbers of a run: absolute edge in eV, whether the field converged (0 or 1), its last change in eV."""

LEVELS = ("fermi_ev", "third_ev", "second_ev", "first_ev", "start_ev")
"""Those of `FIELD` that are Fermi levels of the field's iterations, the last one first."""

NUMBERS = defaultdict(int, {"feff8l": len(FIELD) + len(OF_RUN), "feffq": len(QUICK_FIELD)})
"""Number of columns after the spectrum, by name of the features; 0 for other theories."""


def frame_energies(start_ev: float) -> Floats:
    """(189,) absolute energies in eV of the spectrum's columns, for a dataset's grid that begins at `start_ev`."""
    energies: Floats = start_ev + STEP_EV * (np.arange(FRAME_POINTS, dtype=np.float64) - MARGIN_POINTS)
    return energies


def blocks_of(numbers: Floats) -> list[Floats]:
    """Split the numbers of runs for the kernels.

    Those of the embedded engine, (n, 20), are the Fermi levels, (n, 5), and all others, (n, 15). Earlier levels are
    taken relative to the last one. How the field still moved says where it would have ended, which would be lost in the
    spread of the levels themselves.

    Returns:
        The blocks: two for the embedded engine, one for other theories; none if runs have no numbers, (n, 0).
    """
    if numbers.shape[1] != NUMBERS["feff8l"]:
        return [numbers] if numbers.shape[1] else []
    at = [FIELD.index(name) for name in LEVELS]
    last = numbers[:, at[:1]]
    return [np.hstack([last, numbers[:, at[1:]] - last]), np.delete(numbers, at, axis=1)]


def columns_of(name: str, energy_ev: Floats, cross_section: Floats, record: Mapping[str, Any], start_ev: float) -> Row:
    """(d,) columns of a run.

    Args:
        name: of the features, such as `feff8l`.
        energy_ev: (n,) absolute energies in eV of its spectrum.
        cross_section: (n,) the spectrum in bohr².
        record: its run.json, or the engine's record of a run, which holds the numbers.
        start_ev: first energy of the dataset's grid.

    Raises:
        BadRunError: the spectrum does not cover the grid, or the record lacks a number.
    """
    try:
        check_covered(energy_ev, start_ev=start_ev, max_flat_start_ev=MAX_FLAT_START_EV)
    except GridNotCoveredError as error:
        raise BadRunError("grid_not_covered", str(error)) from None
    try:
        numbers = _NUMBERS_OF[name](record) if name in _NUMBERS_OF else []
    except (KeyError, TypeError):
        why = ", as the engine of xanesflow 0.1 wrote none" if name == "feff8l" else ""
        raise BadRunError("unreadable", f"its record lacks numbers of the potentials{why}") from None
    spectrum = np.interp(frame_energies(start_ev), energy_ev, cross_section)
    row: Row = np.concatenate([spectrum, numbers]).astype(np.float32)
    if not np.isfinite(row).all():
        raise BadRunError("not_a_number", "a number of the run is not finite")
    return row


def _of_embedded_engine(record: Mapping[str, Any]) -> list[float]:
    field, convergence = record["field"], record["convergence"]
    numbers = [float(field[each]) for each in FIELD]
    # With a single iteration, the last change is the one from the level of the free atoms.
    only = convergence["iterations"] == 1
    change = abs(field["fermi_ev"] - field["start_ev"]) if only else convergence["last_change_ev"]
    return [*numbers, record["edge_ev"], float(convergence["converged"]), change]


def _of_quick_feff(record: Mapping[str, Any]) -> list[float]:
    return [float(record["field"][each]) for each in QUICK_FIELD]


_NUMBERS_OF = {"feff8l": _of_embedded_engine, "feffq": _of_quick_feff}


def differing_setting(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The first name, in alphabetical order, whose value differs between two runs' settings; None if they are equal."""
    return next((key for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key)), None)


def settings_hash(name: str, settings: Mapping[str, Any]) -> str:
    """SHA-256 that differs for runs of other settings or of another version of the code."""
    return sha256_text(json.dumps({"features": name, **settings}, sort_keys=True))


def meaning_of(name: str) -> str:
    """What the columns are."""
    numbers = f", then {NUMBERS[name]} numbers of its potentials" if NUMBERS[name] else ""
    theory = run_features()[name]
    return f"the spectrum of a {theory} run of the site, bohr², from 6 eV below the grid to 6 eV above{numbers}"
