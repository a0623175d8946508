"""From atomic quantities and positions to the spectrum: multiple scattering, fine structure, contour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from threadpoolctl import threadpool_limits

from xanesflow.codes.feff8l.contour import absorption, thin_mesh
from xanesflow.codes.feff8l.read_outputs import BOHR_ANGSTROM, HARTREE_EV, Atomic
from xanesflow.codes.feff8l.scattering import Scattering

Floats = NDArray[np.float64]

GAP_IN_GAMMA = 1.25
"""Largest gap of the mesh on which scattering is solved, in units of the half width; the spline between costs 0.1 %."""

_LOWEST_HEIGHT_EV = 0.1  # points of the vertical line below tell nothing that the one at Γ does not


@dataclass(frozen=True)
class Spectrum:
    """A K-edge absorption spectrum.

    Attributes:
        energy_ev: (n,) absolute photon energies.
        cross_section: (n,) absorption cross section in bohr².
        background: (n,) the same without scattering by the neighbours.
        n_solved: number of energies at which scattering was solved.
    """

    energy_ev: Floats
    cross_section: Floats
    background: Floats
    n_solved: int


def fms_cluster(atomic: Atomic, radius: float) -> tuple[Floats, NDArray[np.int64]]:
    """Atoms within a sphere in Å: (n, 3) positions in bohr, (n,) potentials."""
    inside = np.linalg.norm(atomic.positions, axis=1) <= radius / BOHR_ANGSTROM + 1e-3
    return atomic.positions[inside], atomic.potential_of[inside]


def compute_spectrum(
    atomic: Atomic,
    *,
    radius: float,
    single_radius: float = 0.0,
    l_max: int,
    energies_ev: Floats,
) -> Spectrum:
    """Solve the scattering and integrate along the contour.

    The fine structure is χ = -(κ₁² + κ₂²)/3 · Tr/3, with κ the dipole matrix elements and Tr the trace of the
    scattering at the absorber; the cross section at complex energies is F = F₀ + σ₀ χ, F₀ and σ₀ those of the atom.

    Args:
        atomic: phases, matrix elements and cross section of the atoms.
        radius: sphere of full multiple scattering in Å.
        single_radius: sphere in Å of the atoms that scatter once if they lie outside the former.
        l_max: largest angular momentum.
        energies_ev: (n,) energies of the result, relative to the edge.
    """
    positions, kinds = fms_cluster(atomic, max(radius, single_radius))
    scattering = Scattering(positions, kinds, l_max=l_max, n_near=len(fms_cluster(atomic, radius)[0]))
    real = atomic.energy.real
    axis = np.arange(atomic.fermi_index, atomic.n_axis)
    vertical = np.arange(atomic.n_axis, len(real))
    vertical = vertical[atomic.energy.imag[vertical] * HARTREE_EV > _LOWEST_HEIGHT_EV]
    solved_axis = axis[thin_mesh(real[axis], GAP_IN_GAMMA * atomic.gamma)]
    solved = np.concatenate([solved_axis, vertical])
    t = tuple(atomic.t_matrix(k)[: l_max + 1, solved] for k in range(len(atomic.phases)))
    with threadpool_limits(limits=1, user_api="blas"):  # sites run side by side; systems so small gain nothing
        traces = scattering.traces(atomic.momentum[solved], t)
    on_axis = CubicSpline(real[solved_axis], traces[: len(solved_axis)])(real[axis])
    on_vertical = traces[len(solved_axis) :]

    omega = atomic.fermi + energies_ev / HARTREE_EV

    def absorb(axis_trace: NDArray[np.complex128], vertical_trace: NDArray[np.complex128]) -> Floats:
        along = absorption(
            omega,
            real[axis],
            _cross_section(atomic, axis, axis_trace),
            atomic.energy.imag[vertical],
            _cross_section(atomic, vertical, vertical_trace),
            fermi=atomic.fermi,
            gamma=atomic.gamma,
        )
        return along / BOHR_ANGSTROM**2

    return Spectrum(
        energy_ev=atomic.edge * HARTREE_EV + energies_ev,
        cross_section=absorb(on_axis, on_vertical),
        background=absorb(0 * on_axis, 0 * on_vertical),
        n_solved=len(solved),
    )


def _cross_section(atomic: Atomic, which: NDArray[np.int64], trace: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """F at some of the mesh's energies, Å²."""
    chi = -(atomic.matrix_elements[:, which] ** 2).sum(axis=0) / 3 * trace / 3
    return np.asarray(atomic.background[which] + atomic.edge_step[which] * chi)
