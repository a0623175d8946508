"""Turn the energies of a file (eV, keV or monochromator angles) into rising energies in eV, each once."""

from __future__ import annotations

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import plural
from xanesflow.measured.column_table import check_one_scan
from xanesflow.measured.measured_spectrum import Range

HC_EV_ANGSTROM = 12398.419843320026
"""Planck's constant times the speed of light (exact since 2019)."""

LOWEST_EV, HIGHEST_EV = 150.0, 150_000.0

SAME_EV = 1e-4
"""Energies that differ by less count as one."""

_UNITS = {"ev": "eV", "kev": "keV", "deg": "deg", "degree": "deg", "degrees": "deg"}


def to_ev(
    x: Floats, name: str, *, stated: str, angle: bool, asked: str | None, d_spacing: float | None
) -> tuple[Floats, str]:
    """Energies in eV and the unit they came in.

    Args:
        x: (n,) energies or angles as the file gives them.
        name: of the file, for sentences.
        stated: unit that the file states, or empty.
        angle: whether the file calls the column an angle.
        asked: unit that the user states.
        d_spacing: of the monochromator's planes, in Å.

    Raises:
        XanesflowError: the unit is not clear, or the energies cannot be right in it.
    """
    known = x[np.isfinite(x)]
    if len(known) < len(x) / 2:
        raise XanesflowError(f"{name}: most energies are no numbers; check --columns.")
    unit = asked or _UNITS.get(stated.strip().lower()) or ("deg" if angle else None)
    low, high = float(known.min()), float(known.max())
    if unit is None and high < LOWEST_EV:
        raise XanesflowError(
            f"{name}: the energies run from {low:.5g} to {high:.5g}, which cannot be eV; give --energy-unit keV, "
            "--energy-unit deg --d-spacing ANGSTROM for angles, or the right column with --columns energy=N,mu=N."
        )
    unit = unit or "eV"
    if unit == "deg":
        if not d_spacing or not 0 < d_spacing < np.inf:
            raise XanesflowError(
                f"{name} has angles instead of energies; give the monochromator's --d-spacing in Å (Si 111: 3.1356)."
            )
        if low <= 0 or high >= 90:
            raise XanesflowError(f"{name}: angles from {low:.5g} to {high:.5g} are not between 0 and 90 degrees.")
        energy = HC_EV_ANGSTROM / (2 * d_spacing * np.sin(np.radians(x)))
    else:
        energy = x * (1000.0 if unit == "keV" else 1.0)
    known = energy[np.isfinite(energy)]
    if known.min() < LOWEST_EV or known.max() > HIGHEST_EV:
        hint = "--energy-unit" if unit != "eV" or known.max() < LOWEST_EV else "--columns"
        raise XanesflowError(
            f"{name}: the energies run from {known.min():.5g} to {known.max():.5g} eV, which is not possible; "
            f"check {hint}."
        )
    return energy, unit


def in_order(
    energy: Floats, curves: list[Floats], name: str, exclude: tuple[Range, ...], *, lost: int = 0
) -> tuple[Floats, list[Floats], tuple[str, ...]]:
    """Sort points by energy, average repeats, and leave out points that are excluded or not numbers.

    Args:
        energy: (n,) in eV.
        curves: arrays of (n,); a point that one of them lacks is left out of all.
        name: of the file, for sentences.
        exclude: ranges of energy in eV to leave out.
        lost: points that are no numbers and were remarked on before.

    Returns:
        Energies, curves, and remarks about what was done.

    Raises:
        XanesflowError: most points are no numbers, or the file holds several scans.
    """
    remarks = []
    good = np.isfinite(energy) & np.isfinite(curves).all(axis=0)
    if good.sum() < len(good) / 2:
        raise XanesflowError(f"{name}: most points of the signal are no numbers; check --columns.")
    if (missing := int((~good).sum()) - lost) > 0:
        remarks.append(f"{plural(missing, 'point that is no number', 'points that are no numbers')} left out")
    check_one_scan(energy[np.isfinite(energy)], name)
    energy, curves = energy[good], [curve[good] for curve in curves]
    steps = np.diff(energy)
    if np.all(steps <= 0):
        energy, curves = energy[::-1], [curve[::-1] for curve in curves]
    elif np.any(steps < 0):
        remarks.append("the energies do not only rise; the points are sorted by energy")
        order = np.argsort(energy, kind="stable")
        energy, curves = energy[order], [curve[order] for curve in curves]
    starts = np.flatnonzero(np.concatenate([[True], np.diff(energy) > SAME_EV]))
    if len(starts) < len(energy):
        remarks.append(f"{plural(len(energy) - len(starts), 'repeat')} of energies averaged")
        counts = np.diff([*starts, len(energy)])
        energy, *curves = (np.add.reduceat(each, starts) / counts for each in (energy, *curves))
    kept = np.ones(len(energy), bool)
    for low, high in exclude:
        inside = (energy >= low) & (energy <= high)
        if not inside.any():
            remarks.append(f"no point lies within --exclude {low:g}:{high:g} eV")
        kept &= ~inside
    if not kept.all():
        remarks.append(f"{plural(int((~kept).sum()), 'point')} left out as --exclude says")
    return energy[kept], [curve[kept] for curve in curves], tuple(remarks)
