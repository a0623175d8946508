"""Run `pw.x` until its field converges: which corrections are allowed, and what is read from it.

Like custodian's for VASP, the corrections change how the field is found and not the result: mixing, diagonalisation,
number of iterations, and more bands where there were too few.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xanesflow.core.errors import FailedRunError
from xanesflow.core.units import RYDBERG_EV

START: Mapping[str, Any] = {
    "conv_thr": 1e-6, "mixing_beta": 0.4, "electron_maxstep": 80, "diagonalization": "david", "diago_david_ndim": 2,
}  # fmt: skip
"""Entries of &electrons at the first attempt."""

METAL_RY = 1e-4
"""Smearing contribution to the energy, per cell, above which the ground state counts as metallic."""

_ENERGY = re.compile(r"^!\s+total energy\s+=\s+(-?[\d.]+) Ry", re.MULTILINE)
_FERMI = re.compile(r"the Fermi energy is\s+(-?[\d.]+) ev", re.IGNORECASE)
_SMEARING = re.compile(r"smearing contrib\. \(-TS\)\s+=\s+(-?[\d.]+) Ry")
_VERSION = re.compile(r"Program PWSCF v\.?\s*(\S+)")
_BANDS = re.compile(r"number of Kohn-Sham states=\s*(\d+)")
_MEMORY = re.compile(r"Estimated max dynamical RAM per process >\s*([\d.]+) (MB|GB)")
_DIAGONALISATION = ("s matrix not positive", "problems computing cholesky", "eigenvalues not conv")
_DONE = "convergence has been achieved"


@dataclass(frozen=True)
class ConvergedField:
    """A converged field."""

    energy_ry: float  # total energy
    fermi_ev: float  # Fermi level
    smearing_ry: float  # contribution of the smearing to the energy; large for a metal
    version: str  # of Quantum ESPRESSO


def read_field(printed: str) -> ConvergedField:
    """Read what `pw.x` printed.

    Raises:
        FailedRunError: not_converged, truncated or not_a_number.
    """
    if _DONE not in printed:
        raise FailedRunError("not_converged", f"the self-consistent field did not converge: {last_words(printed)}")
    energy, fermi = _ENERGY.findall(printed), _FERMI.findall(printed)
    if not energy or not fermi or "JOB DONE" not in printed:
        raise FailedRunError("truncated", "what pw.x printed ends before its time")
    smearing = _SMEARING.findall(printed)
    version = _VERSION.search(printed)
    return ConvergedField(
        float(energy[-1]), float(fermi[-1]), float(smearing[-1]) if smearing else 0.0, version[1] if version else ""
    )


def correct(electrons: Mapping[str, Any], printed: str) -> dict[str, list[Any]]:
    """Choose the changes of a next attempt, after `pw.x` ended without a converged field.

    Args:
        electrons: the entries of the attempt that failed.
        printed: by `pw.x`.

    Returns:
        Entry -> value before and after; empty: nothing helps.
    """
    changes: dict[str, list[Any]] = {}
    said = printed.lower()

    def change(key: str, value: Any) -> None:
        if electrons.get(key) != value:
            changes[key] = [electrons.get(key), value]

    if "charge is wrong" in said or "too few bands" in said or "bands smaller than" in said:
        if (bands := _BANDS.search(printed)) and "nbnd" not in electrons:
            change("nbnd", int(1.2 * int(bands[1])) + 4)
    elif any(words in said for words in _DIAGONALISATION):
        change("diagonalization", "cg")
    if (not changes and "convergence not achieved" in said) or "too many bands are not converged" in said:
        if electrons["mixing_beta"] > 0.25:
            change("mixing_beta", 0.2)
        elif electrons.get("mixing_mode") != "local-TF":
            change("mixing_mode", "local-TF")
            change("mixing_beta", 0.1)
        else:
            change("diagonalization", "cg")
        if changes:
            change("electron_maxstep", 200)
    return changes


def check_insulator(field: ConvergedField) -> None:
    """Check that a ground state has a gap.

    Raises:
        FailedRunError: cannot_simulate, for a metal.
    """
    if abs(field.smearing_ry) > METAL_RY:
        raise FailedRunError(
            "cannot_simulate",
            f"the material is a metal in this calculation (smearing changes its energy by {field.smearing_ry:.4f} Ry), "
            "and the few k-points of its field are for materials with a gap; use FEFF, or simulations.xspectra.metals",
        )


def hole_energy_ev(hole: ConvergedField, ground: ConvergedField, *, hole_core_ry: float, core_ry: float) -> float:
    """Return the photon energy in eV that lifts the 1s electron to the Fermi level, by the difference of both fields.

    Args:
        hole: the field with the hole.
        ground: without it, in the same cell.
        hole_core_ry: energy of all electrons minus that of the pseudopotential, of the atom with the hole.
        core_ry: the same of the atom without it.
    """
    return (hole.energy_ry - ground.energy_ry + hole_core_ry - core_ry) * RYDBERG_EV


def memory_mb(printed: str) -> float | None:
    """Return the memory that `pw.x` says it needs, in MB; None if it says nothing."""
    match = _MEMORY.search(printed)
    return float(match[1]) * (1000 if match[2] == "GB" else 1) if match else None


def last_words(printed: str) -> str:
    """Return the last lines that say something, as one line."""
    lines = [" ".join(line.split()) for line in printed.splitlines() if line.strip(" %-=*\t")]
    return " | ".join(lines[-3:])[-300:] or "it printed nothing"
