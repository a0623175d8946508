"""The file of phase shifts that `xsph` writes: `phase.pad` of FEFF 8 Lite, `phase.bin` of FEFF 10, in one format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xanesflow.codes.feff8l.read_pad import read_packed

_COUNTS = 7  # integers at the beginning of the first line


@dataclass(frozen=True)
class PhaseFile:
    """What the file holds, in hartree and bohr."""

    counts: tuple[int, ...]  # the first integers of the file: nsp, ne, ne1, ne3, nph, ihole, ik0
    energy: NDArray[np.complex128]  # (ne,) complex energies
    reference: NDArray[np.complex128]  # (ne,) complex reference energies
    phases: tuple[NDArray[np.complex128], ...]  # for each potential (l_max + 1, ne) complex phase shifts
    atomic_numbers: tuple[int, ...]  # Z of each potential
    matrix_elements: NDArray[np.complex128]  # (2, ne), i exp(iδ) M of the two dipole channels j = l ± 1/2


def read_phase_file(path: Path) -> PhaseFile:
    """Read the file.

    Raises:
        OSError: it cannot be read.
        ValueError, IndexError: it is damaged.
    """
    lines = path.read_text(encoding="ascii").splitlines()
    counts = tuple(int(word) for word in lines[0].split()[:_COUNTS])
    ne, n_potentials = counts[1], counts[4]
    _, at = read_packed(lines, 1)
    packed, at = read_packed(lines, at)
    contour = packed.astype(np.complex128)
    phases, numbers = [], []
    for _ in range(n_potentials + 1):
        l_max, number = (int(word) for word in lines[at].split()[:2])
        values, at = read_packed(lines, at + 1)
        size = (2 * l_max + 1) * ne
        by_energy = values[:size].reshape(ne, 2 * l_max + 1)
        phases.append(np.ascontiguousarray(by_energy[:, l_max:].T, dtype=np.complex128))
        numbers.append(number)
    # The matrix elements follow the phase shifts of the last potential.
    matrix_elements = values[size:].reshape(-1, ne)[:2].astype(np.complex128)
    return PhaseFile(counts, contour[:ne], contour[ne : 2 * ne], tuple(phases), tuple(numbers), matrix_elements)


def wave_number(energy: NDArray[np.complex128], reference: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Complex wave number p = √(2d + (αd)²) with d = energy - reference, the root with Im p > 0, (ne,)."""
    d = energy - reference
    p = np.sqrt(2 * d + (d / 137.035999) ** 2)
    return np.asarray(np.where(p.imag < 0, -p, p))


def t_matrix(phases: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """t_l = (exp(2iδ_l) - 1)/2i of a potential, (l_max + 1, ne)."""
    return np.asarray((np.exp(2j * phases) - 1) / 2j)
