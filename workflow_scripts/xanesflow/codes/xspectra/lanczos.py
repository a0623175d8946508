"""Lanczos coefficients of XSpectra: which k-points it must compute, and the spectrum of any width from what it saved.

XSpectra computes all points of a grid. Its restart file names those that are done, so with one that calls the points
done that follow from others by symmetry, it computes only the rest. It saves the tridiagonal matrix (a, b) and the norm
of the first vector for each point. The spectrum is then exact and costs nothing: the eigenvalues of that matrix are
poles, the squared first components of its eigenvectors their weights, of which those below the Fermi level are left
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh_tridiagonal

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import BadRunError
from xanesflow.core.units import INVERSE_FINE_STRUCTURE, RYDBERG_EV

_FILL = 4  # coefficients of a point that counts as done; XSpectra's own plot needs a few
_SPINS = 2.0
_SAME_POINT = 1e-4  # steps of the grid


@dataclass(frozen=True)
class Chain:
    """The Lanczos chain of one k-point and polarisation."""

    weight: float  # part of the average over k-points and polarisations that it stands for
    norm: float  # of the first vector
    a: Floats  # (m,) diagonal in Ry
    b: Floats  # (m - 1,) beside it in Ry


def signed_axes(rotations: Sequence[Floats]) -> list[Floats]:
    """Return the rotations that map each Cartesian axis onto an axis, with their negatives for time reversal."""
    kept = [r for r in rotations if np.allclose(np.abs(np.abs(r) - np.round(np.abs(r))), 0, atol=1e-5)]
    return [np.round(sign * r) for r in kept for sign in (1, -1)]


def inequivalent_pairs(
    grid: tuple[int, int, int], shift: tuple[int, int, int], cell: Floats, rotations: Sequence[Floats]
) -> dict[tuple[int, int], int]:
    """Find the pairs of k-point and Cartesian axis that the others follow from.

    The spectrum of polarisation along an axis at a k-point is that of the rotated axis at the rotated k-point, and that
    at -k, so the average over the grid and the three axes needs one pair of each orbit.

    Args:
        grid: number of k-points along each reciprocal vector.
        shift: 1 where the grid is moved by half a step.
        cell: (3, 3) lattice vectors, a row each.
        rotations: Cartesian rotations of the absorber's site.

    Returns:
        Number in the grid (in XSpectra's order, the last vector fastest) and axis -> how many pairs it stands for.
    """
    divisions = np.array(grid)
    points = np.array([(i, j, k) for i in range(grid[0]) for j in range(grid[1]) for k in range(grid[2])])
    fractions = (points + np.array(shift) / 2) / divisions
    reciprocal = np.linalg.inv(cell).T  # rows, without 2π
    number_of = {tuple(point): k for k, point in enumerate(points.tolist())}
    found: dict[tuple[int, int], int] = {}
    seen: set[tuple[int, int]] = set()
    operations = signed_axes(rotations)
    for start in ((k, axis) for axis in range(3) for k in range(len(points))):
        if start in seen:
            continue
        orbit, waiting = {start}, [start]
        while waiting:
            k, axis = waiting.pop()
            for operation in operations:
                moved = (operation @ (fractions[k] @ reciprocal)) @ cell.T
                place = moved * divisions - np.array(shift) / 2
                if np.abs(place - np.round(place)).max() > _SAME_POINT:
                    continue  # the grid has not this symmetry
                other = number_of[tuple((np.round(place).astype(int) % divisions).tolist())]
                pair = (other, int(np.argmax(np.abs(operation[:, axis]))))
                if pair not in orbit:
                    orbit.add(pair)
                    waiting.append(pair)
        seen |= orbit
        found[start] = len(orbit)
    return found


def keeps_grid(
    grid: tuple[int, int, int], shift: tuple[int, int, int], cell: Floats, rotations: Sequence[Floats]
) -> bool:
    """Return whether all rotations map a grid of k-points onto itself; arguments as for `inequivalent_pairs`."""
    points = np.array([(i, j, k) for i in range(grid[0]) for j in range(grid[1]) for k in range(grid[2])])
    half = np.array(shift) / 2
    waves = (points + half) / np.array(grid) @ np.linalg.inv(cell).T
    moved = [waves @ np.asarray(rotation).T @ cell.T * np.array(grid) - half for rotation in rotations]
    return all(np.abs(place - np.round(place)).max() < _SAME_POINT for place in moved)


def restart_file(todo: Sequence[int], points: int, *, steps: int, core_ev: float, fermi_ev: float, axis: int) -> str:
    """Write the restart file that calls all k-points done but some.

    Args:
        todo: numbers of the points to compute.
        points: of the grid.
        steps: most Lanczos steps (xniter).
        core_ev: energy of the core level, which XSpectra only copies.
        fermi_ev: Fermi level of the core-hole calculation.
        axis: of the polarisation.
    """
    done = [0 if k in set(todo) else 1 for k in range(points)]
    light = " ".join("1.0" if k == axis else "0.0" for k in range(3))
    filled = " ".join(["0.5"] * (_FILL * points))
    return (
        f"# save_file_version={2:8d}\n# save_file_kind   ={'unfinished':<32}\n# date=20000101\n"
        f"# number of lanczos stored={1:4d}\n#\n#\n F 1\n 1 {points} {steps}\n {_FILL}\n {core_ev} {fermi_ev}\n"
        f" 0.0 1.0 0.0\n {light}\n{' '.join(map(str, done))}\n{' '.join(['0.0'] * points)}\n"
        f"{' '.join([str(_FILL)] * points)}\n{filled}\n{filled.replace('0.5', '1.0')}\n"
    )


def read_chains(text: str, weights: dict[int, float]) -> tuple[list[Chain], float, float]:
    """Read the chains of some k-points from what XSpectra saved.

    Args:
        text: the file.
        weights: number of a k-point -> its weight in the average.

    Returns:
        The chains, the energy of the core level and the Fermi level in eV.

    Raises:
        BadRunError: unreadable, or not_a_number.
    """
    try:
        words = " ".join(line for line in text.splitlines() if not line.startswith("#")).split()
        points, longest = int(words[3]), int(words[5])
        core_ev, fermi_ev = float(words[6]), float(words[7])
        values = words[14:]
        norms = np.array(values[:points], dtype=float)
        lengths = np.array(values[points : 2 * points], dtype=int)
        body = np.array(values[2 * points :], dtype=float).reshape(2, points, longest)
    except (ValueError, IndexError):
        raise BadRunError("unreadable", "the file of Lanczos coefficients is not what XSpectra saves") from None
    chains = []
    for k, weight in weights.items():
        length = int(lengths[k])
        chain = Chain(weight, float(norms[k]), body[0, k, :length], body[1, k, : length - 1])
        if not (np.isfinite(chain.norm) and np.isfinite(chain.a).all() and np.isfinite(chain.b).all()):
            raise BadRunError("not_a_number", f"the Lanczos coefficients of k-point {k + 1} hold NaN")
        if not chain.norm > 0:
            raise BadRunError("no_output", f"XSpectra did not compute k-point {k + 1}")
        chains.append(chain)
    return chains, core_ev, fermi_ev


def spectrum_of(
    chains: Sequence[Chain], *, core_ev: float, fermi_ev: float, energy_ev: Floats, width_ev: float
) -> Floats:
    """Return the cross section (n,) in bohr² at energies relative to the Fermi level.

    Args:
        chains: of all k-points and polarisations; their weights sum to 1.
        core_ev: energy of the 1s level that counts in the prefactor.
        fermi_ev: energy of the Fermi level in the chains' own scale.
        energy_ev: (n,).
        width_ev: full width of the Lorentzian.
    """
    half = width_ev / 2
    total = np.zeros(len(energy_ev))
    for chain in chains:
        poles, vectors = eigh_tridiagonal(chain.a, chain.b)
        poles = poles * RYDBERG_EV - fermi_ev
        strengths = vectors[0] ** 2 * chain.norm**2
        empty = poles > 0
        lines = half / ((energy_ev[:, None] - poles[empty]) ** 2 + half**2)
        total += chain.weight * _SPINS * RYDBERG_EV * (lines @ strengths[empty])
    photon = (energy_ev + fermi_ev + core_ev) / RYDBERG_EV
    return np.asarray(4 * np.pi / INVERSE_FINE_STRUCTURE * photon * total)


def as_plain(chains: Sequence[Chain]) -> list[dict[str, Any]]:
    """Return the chains as plain values for JSON, with nine digits."""
    return [{"weight": c.weight, "norm": c.norm, "a": _short(c.a), "b": _short(c.b)} for c in chains]


def _short(values: Floats) -> list[float]:
    return [float(f"{value:.9g}") for value in values]


def from_plain(values: Sequence[dict[str, Any]]) -> list[Chain]:
    """Return the chains that `as_plain` wrote."""
    return [Chain(float(v["weight"]), float(v["norm"]), np.array(v["a"]), np.array(v["b"])) for v in values]
