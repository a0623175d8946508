"""Reads the self-consistent field from pot's outputs, describes it by numbers, and raises its Fermi level."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xanesflow.codes.feff8l.convergence import Convergence
from xanesflow.codes.feff8l.read_outputs import HARTREE_EV
from xanesflow.codes.feff8l.read_pad import WIDTH, pack, unpack
from xanesflow.core.damage import explain_damage
from xanesflow.core.errors import XanesflowError

_HEADER_REALS = 13  # of pot.pad: average Norman radius, Fermi level, interstitial potential and density, ...
_FERMI = 1
_DESCRIBING = [0, 2, 3, 7, 8, 9, 10]  # the others belong to the absorber's atom or count the atoms
DESCRIBED = (
    "fermi_ev",
    "norman_radius_mean",
    "interstitial_potential",
    "interstitial_density",
    "plasmon_energy",
    "core_valence_separation",
    "r_s",
    "k_f",
    "start_ev",
    "first_ev",
    "second_ev",
    "third_ev",
    "iterations",
    "charge",
    "largest_charge",
    "smallest_charge",
    "norman_radius",
)
"""Names of the numbers of `Field.describe`, in its order."""

_LINE = 80  # packed characters in a line

_NUMBER = r"(-?[\d.]+(?:E[+-]?\d+)?)"
_START = re.compile(rf"mu_old=\s*{_NUMBER}")
_CHARGE = re.compile(rf"^[^\S\n]+\d+[^\S\n]+{_NUMBER}[^\S\n]*$", re.MULTILINE)
_RADIUS = re.compile(rf"Overlap\s+0\s+{_NUMBER}")


@dataclass(frozen=True)
class Field:
    """The self-consistent field, as pot reports it."""

    header: tuple[float, ...]  # the 13 reals at the head of pot.pad (hartree, bohr)
    convergence: Convergence  # how the Fermi level developed
    start_ev: float  # Fermi level of the overlapped free atoms
    charges: tuple[float, ...]  # charge transfer of each potential, electrons
    norman_radius: float  # of the absorber, Å

    @property
    def fermi_ev(self) -> float:
        """The Fermi level in eV."""
        return self.header[_FERMI] * HARTREE_EV

    def describe(self) -> NDArray[np.float64]:
        """(17,) numbers that describe the field (`DESCRIBED`), for the learned Fermi level and for models of spectra.

        Fermi level (eV); average Norman radius, interstitial potential and density, plasmon energy, core-valence
        separation, r_s and k_F, as in pot.pad; starting level and the first three levels (eV); number of iterations;
        the absorber's charge, largest and smallest charge; the absorber's Norman radius.
        """
        levels = self.convergence.fermi_levels_ev
        first = [*levels, *[levels[-1]] * 3][:3]
        return np.array(
            [
                self.fermi_ev,
                *(self.header[k] for k in _DESCRIBING),
                self.start_ev,
                *first,
                self.convergence.iterations,
                self.charges[0],
                max(self.charges),
                min(self.charges),
                self.norman_radius,
            ]
        )


def read_field(path: Path, printed: str, convergence: Convergence) -> Field:
    """Read the field from pot's file and output.

    Args:
        path: pot.pad.
        printed: pot's output.
        convergence: from `read_convergence`.

    Raises:
        XanesflowError: the file or the output does not come from a pot run with a self-consistent field.
    """
    _, _, _, header = _read_header(path)
    _, found, after = printed.rpartition("Charge transfer")
    charges = _CHARGE.findall(after) if found else []
    start, radius = _START.search(printed), _RADIUS.search(printed)
    if not charges or start is None or radius is None or not convergence.fermi_levels_ev:
        raise XanesflowError(
            "the output of FEFF 8's pot holds no self-consistent field: charges, levels or radii are missing"
        )
    return Field(
        tuple(float(value) for value in header),
        convergence,
        float(start[1]),
        tuple(float(charge) for charge in charges),
        float(radius[1]),
    )


def raise_fermi_level(path: Path, added_ev: float) -> None:
    """Raise the Fermi level in pot.pad, in place.

    Args:
        path: pot.pad as pot wrote it.
        added_ev: eV.

    Raises:
        XanesflowError: the file was not written by pot.
    """
    lines, start, stop, values = _read_header(path)
    values[_FERMI] += added_ev / HARTREE_EV
    text = pack(values)
    lines[start:stop] = ["!" + text[k : k + _LINE] for k in range(0, len(text), _LINE)]
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")


def _read_header(path: Path) -> tuple[list[str], int, int, NDArray[np.float64]]:
    """Returns the lines of pot.pad, the first line of the header's reals, the line after them, and the reals."""
    with explain_damage("pot.pad of FEFF 8 cannot be used: {why}", quote=True):
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
        start = next(k for k, line in enumerate(lines) if line.startswith("!"))
        stop = start
        packed = ""
        while len(packed) < _HEADER_REALS * WIDTH:
            packed += lines[stop].removeprefix("!").rstrip()
            stop += 1
        values = unpack(packed)
        if len(values) != _HEADER_REALS:
            raise ValueError("the header has another length")
    return lines, start, stop, values
