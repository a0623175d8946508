"""FEFF's modules `fms` and `mkgtr` by our own solver, for the phase shifts that FEFF's `xsph` found.

Both solve the same dense linear problem for the same cluster and the same phase shifts; FEFF in single precision for
every atom, `codes.feff8l.scattering` for the absorber alone and with the symmetry of its site. What FEFF's later
modules read, `fms.bin`, is written as FEFF writes it. On a cluster of copper both agree to 1.3e-5 of the largest value.

Atoms beyond the radius of the card FMS may scatter once (`far_radius`), which FEFF leaves to its modules for paths.

Only the plain case is solved here: unpolarised, without spin, without thermal damping, one absorber. `own_case` says
of a folder whether it is that case; in every other FEFF's own modules run.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xanesflow.codes.feff8l.phase_file import read_phase_file, t_matrix, wave_number
from xanesflow.codes.feff8l.read_outputs import BOHR_ANGSTROM
from xanesflow.codes.feff8l.read_pad import pack
from xanesflow.codes.feff8l.scattering import Scattering
from xanesflow.core.array_types import Complexes
from xanesflow.core.damage import explain_damage

_A_LINE = 5  # complex numbers in a packed line
_NO_DAMPING = -1  # idwopt of fms.inp
_LOG = """FMS calculation of full Green's function, by xanesflow in place of fms and mkgtr ...
Using {points:5d} energy points.
FMS for a cluster of {atoms:4d} atoms
Done with module: FMS.

Done with module: MKGTR.

"""  # the lines by which `read_logs` checks a run


def own_case(folder: Path) -> bool:
    """Whether the scattering of a folder is the plain case that `scatter` solves; see the top of this module."""
    try:
        fms, general = _named(folder / "fms.inp"), _named(folder / "global.inp")
        spins = int((folder / "phase.bin").read_text(encoding="ascii").split(maxsplit=1)[0])
        _, damping, iterative = fms["mfms"]
        radius, direct = fms["rfms2"][:2]
        polarisation, spin, *_, nrixs = general["ipol"][:7]
        absorbers = general["nabs"][0]
    except (OSError, ValueError, IndexError, KeyError):
        return False
    plain = damping == _NO_DAMPING and iterative == 0 and radius > 0 and direct >= 2 * radius - 1e-3
    return plain and spins == 1 and polarisation == spin == nrixs == 0 and absorbers == 1


def scatter(folder: Path, *, far_radius: float = 0.0, all_orders: bool = False) -> str:
    """Solve the scattering of a folder; write fms.bin, and log3.dat as FEFF's modules do.

    Args:
        folder: with fms.inp, geom.dat and phase.bin of FEFF 10, for which `own_case` holds.
        far_radius: in Å; between the radius of FMS and this one, atoms scatter once, and the nearer atoms to all orders
            on the way there and back.
        all_orders: whether these atoms scatter to all orders too.

    Returns:
        What stands in log3.dat.

    Raises:
        XanesflowError: a file is missing or damaged.
    """
    path = folder / "phase.bin"
    with explain_damage(f"{path.name} of FEFF cannot be read: {{why}}.", quote=True):
        file = read_phase_file(path)
    given = _named(folder / "fms.inp")
    radius, limits = given["rfms2"][0], [int(limit) for limit in given["lmaxph(0:nph)"]]
    positions, kinds = _cluster(folder / "geom.dat", max(radius, far_radius))
    n_near = len(_cluster(folder / "geom.dat", radius)[0])

    # Channels above a potential's largest l do not scatter in `fms`, though phase.bin has their phase shifts.
    l_max = max(limits)
    ne = len(file.energy)
    t = []
    for limit, own in zip(limits, map(t_matrix, file.phases), strict=True):
        cut = np.zeros((l_max + 1, ne), dtype=np.complex128)
        cut[: limit + 1] = own[: limit + 1]
        t.append(cut)

    # The trace of the absorber's dipole block, times its matrix elements: the mean over polarisations.
    scattering = Scattering(positions, kinds, l_max=l_max, negligible_t=0.0, n_near=None if all_orders else n_near)
    traces = scattering.traces(wave_number(file.energy, file.reference), tuple(t))
    green = -(file.matrix_elements**2).sum(axis=0) / 3 * traces / 3
    _write_fms_bin(folder / "fms.bin", file.counts, radius, green)
    log = _LOG.format(points=ne, atoms=n_near)
    (folder / "log3.dat").write_text(log, encoding="ascii")
    return log


def _cluster(path: Path, radius: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Atoms of geom.dat within a sphere in Å: (n, 3) positions in bohr, (n,) potentials."""
    with explain_damage(f"{path.name} of FEFF cannot be read: {{why}}.", quote=True):
        rows = [line.split() for line in path.read_text(encoding="ascii").splitlines()[4:]]
        atoms = np.array([[float(word) for word in row[1:5]] for row in rows if row])
        positions, kinds = atoms[:, :3], atoms[:, 3].astype(np.int64)
    inside = np.linalg.norm(positions, axis=1) <= radius + 1e-3
    return positions[inside] / BOHR_ANGSTROM, kinds[inside]


def _named(path: Path) -> dict[str, list[float]]:
    """Rows of numbers of one of FEFF's small input files, each by the first word of the line above it."""
    rows: dict[str, list[float]] = {}
    name = ""
    for line in path.read_text(encoding="ascii").splitlines():
        words = line.replace(",", " ").split()
        try:
            rows.setdefault(name, []).extend(float(word) for word in words)
        except ValueError:
            name = words[0]
    return rows


def _write_fms_bin(path: Path, counts: tuple[int, ...], radius: float, green: Complexes) -> None:
    """Write the trace of the Green's function at each energy as FEFF's `mkgtr` does."""
    _, ne, ne1, ne3, n_potentials = counts[:5]
    packed = pack(green.view(np.float64))
    width = 16 * _A_LINE
    lines = [f"${packed[start : start + width]}" for start in range(0, len(packed), width)]
    numbers = "".join(f"{number:8d}" for number in (ne, ne1, ne3, n_potentials, 8, 0))
    path.write_text("\n".join([f"FMS rfms={radius:7.4f}", numbers, *lines, ""]), encoding="ascii")
