"""Computes the spectrum from atomic quantities and positions: multiple scattering, fine structure, contour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from threadpoolctl import threadpool_limits

from xanesflow.codes.feff8l.contour import absorption, thin_mesh
from xanesflow.codes.feff8l.read_outputs import BOHR_ANGSTROM, HARTREE_EV, Atomic
from xanesflow.codes.feff8l.scattering import Scattering
from xanesflow.core.array_types import Floats

GAP_IN_GAMMA = 1.25
"""Largest gap of the energies at which scattering is solved, in units of Γ; the spline between costs 0.1 %."""

_LOWEST_HEIGHT_EV = 0.1  # lower points of the vertical line add nothing to the point at Γ


@dataclass(frozen=True)
class Spectrum:
    """A K-edge absorption spectrum."""

    energy_ev: Floats  # (n,) absolute photon energies
    cross_section: Floats  # (n,) absorption cross section in bohr²
    background: Floats  # (n,) the same without scattering by the neighbours
    n_solved: int  # number of energies at which scattering was solved


def fms_cluster(atomic: Atomic, radius: float) -> tuple[Floats, NDArray[np.int64]]:
    """Atoms within a sphere of `radius` Å: their positions in bohr, (n, 3), and potentials, (n,)."""
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

    The fine structure is χ = -(κ₁² + κ₂²)/3 · Tr/3, where κ are the dipole matrix elements and Tr is the trace of the
    scattering at the absorber. The cross section at complex energies is F = F₀ + σ₀ χ, where F₀ and σ₀ are the atom's.

    Args:
        atomic: phases, matrix elements and cross section of the atoms.
        radius: radius of full multiple scattering in Å.
        single_radius: radius in Å; atoms between `radius` and this one scatter once.
        l_max: largest angular momentum.
        energies_ev: (n,) energies of the result, relative to the edge.
    """
    # Scattering is solved on the energies that suffice: part of the axis E + iΓ, and the vertical line.
    positions, kinds = fms_cluster(atomic, max(radius, single_radius))
    scattering = Scattering(positions, kinds, l_max=l_max, n_near=len(fms_cluster(atomic, radius)[0]))
    real = atomic.energy.real
    axis = np.arange(atomic.fermi_index, atomic.n_axis)
    vertical = np.arange(atomic.n_axis, len(real))
    vertical = vertical[atomic.energy.imag[vertical] * HARTREE_EV > _LOWEST_HEIGHT_EV]
    solved_axis = axis[thin_mesh(real[axis], GAP_IN_GAMMA * atomic.gamma)]
    solved = np.concatenate([solved_axis, vertical])
    t = tuple(atomic.t_matrix(k)[: l_max + 1, solved] for k in range(len(atomic.phases)))
    with threadpool_limits(limits=1, user_api="blas"):  # sites run in parallel, and systems this small gain nothing
        traces = scattering.traces(atomic.momentum[solved], t)
    # A spline of the trace fills the gaps of the axis.
    on_axis = CubicSpline(real[solved_axis], traces[: len(solved_axis)])(real[axis])
    on_vertical = traces[len(solved_axis) :]

    # The contour gives the absorption at real energies, with the neighbours' scattering and without it (trace 0).
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
    """F at the chosen energies of the mesh, Å²."""
    chi = -(atomic.matrix_elements[:, which] ** 2).sum(axis=0) / 3 * trace / 3
    return np.asarray(atomic.background[which] + atomic.edge_step[which] * chi)
