"""Reads the outputs of the FEFF 8 Lite programs: phase shifts, matrix elements, atomic cross section, geometry."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xanesflow.codes.feff8l.phase_file import read_phase_file, t_matrix, wave_number
from xanesflow.core.damage import explain_damage
from xanesflow.core.errors import XanesflowError

BOHR_ANGSTROM = 0.52917721067
HARTREE_EV = 27.211386
"""FEFF's own constants, which its files were written with; those of `core.units` differ by 2e-8."""


@dataclass(frozen=True)
class Atomic:
    """Scattering by each potential and the absorber's cross section, on a mesh of complex energies.

    The first `n_axis` energies lie on the line E + iΓ, the others on the vertical line above the Fermi level.
    Energies are in hartree above the potential's zero, lengths in bohr, cross sections in Å².
    """

    energy: NDArray[np.complex128]  # (ne,) complex energies
    reference: NDArray[np.complex128]  # (ne,) complex reference energies (interstitial potential with self-energy)
    n_axis: int  # number of energies on the line E + iΓ
    fermi_index: int  # 0-based index of the mesh point at the Fermi level
    phases: tuple[NDArray[np.complex128], ...]  # complex phase shifts of each potential, (l_max + 1, ne)
    matrix_elements: NDArray[np.complex128]  # (2, ne), i exp(iδ) M of the two dipole channels j = l ± 1/2
    edge_step: NDArray[np.float64]  # (ne,) atomic cross section (xsnorm), Å²
    background: NDArray[np.complex128]  # (ne,) complex atomic cross section on the contour (dum1 + i dum2), Å²
    fermi: float  # Fermi level
    edge: float  # absolute energy of the edge
    gamma: float  # half the width of the core hole: the imaginary part Γ of the first energies
    positions: NDArray[np.float64]  # (natt, 3) of the cluster's atoms, the absorber first
    potential_of: NDArray[np.int64]  # (natt,) index of each atom's potential; the absorber's is 0
    atomic_numbers: tuple[int, ...]  # Z of each potential

    @property
    def momentum(self) -> NDArray[np.complex128]:
        """Complex wave number p = √(2d + (αd)²) with d = energy - reference, the root with Im p > 0, (ne,)."""
        return wave_number(self.energy, self.reference)

    def t_matrix(self, potential: int) -> NDArray[np.complex128]:
        """t_l = (exp(2iδ_l) - 1)/2i of a potential, (l_max + 1, ne)."""
        return t_matrix(self.phases[potential])


def read_atomic(folder: Path) -> Atomic:
    """Read the outputs of rdinp, pot and xsph in a folder.

    Raises:
        XanesflowError: a file is missing, damaged, or does not match the others.
    """
    geometry = _json(folder / "geom.json")
    cross = _json(folder / "xsect.json")
    path = folder / "phase.pad"
    with explain_damage(f"{path.name} or xsect.json of FEFF 8 cannot be used: {{why}}", quote=True):
        # phase.pad: a header, the contour (energies, then reference energies), then one block for each potential. A
        # block holds its phase shifts for l from -l_max to l_max; the last one also holds the matrix elements.
        file = read_phase_file(path)
        _, ne, ne1, *_, ik0 = file.counts
        # Atoms come from geom.json, the atomic cross section and the levels from xsect.json.
        natt = int(geometry["natt"])
        positions = np.array([geometry[axis][:natt] for axis in "xyz"], dtype=float).T / BOHR_ANGSTROM
        background = np.array(cross["dum1"][:ne]) + 1j * np.array(cross["dum2"][:ne])
        atomic = Atomic(
            energy=file.energy,
            reference=file.reference,
            n_axis=ne1,
            fermi_index=ik0 - 1,
            phases=file.phases,
            matrix_elements=file.matrix_elements,
            edge_step=np.array(cross["xsnorm"][:ne], dtype=float),
            background=background,
            fermi=float(cross["edge"]),
            edge=float(cross["emu"]),
            gamma=float(cross["gamach"]) / 2 / HARTREE_EV,
            positions=positions,
            potential_of=np.array(geometry["iph"][:natt], dtype=np.int64),
            atomic_numbers=file.atomic_numbers,
        )
    _check(atomic, ne)
    return atomic


def _json(path: Path) -> dict[str, Any]:
    with explain_damage(f"{path.name} of FEFF 8 is missing or damaged: {{why}}", quote=True):
        return dict(json.loads(path.read_text(encoding="utf-8")))


def _check(atomic: Atomic, ne: int) -> None:
    arrays = [atomic.energy, atomic.reference, atomic.background, atomic.edge_step, *atomic.phases]
    if any(values.shape[-1] != ne for values in arrays) or atomic.matrix_elements.shape != (2, ne):
        raise XanesflowError(
            "phase.pad and xsect.json of FEFF 8 do not belong together: their energies differ in number"
        )
    if not all(np.isfinite(values).all() for values in [*arrays, atomic.matrix_elements]):
        raise XanesflowError("phase.pad or xsect.json of FEFF 8 holds NaN or infinite values")
    if not (0 <= atomic.fermi_index < atomic.n_axis < ne) or atomic.potential_of[0] != 0:
        raise XanesflowError("phase.pad of FEFF 8 has no vertical contour, so xsph did not run for XANES")
