"""Writes the input of the FEFF 8 programs for the cluster around an absorber."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xanesflow.codes.feff8l.options import Rung
from xanesflow.core.damage import explain_damage


@dataclass(frozen=True)
class Potential:
    """A kind of atoms that share one potential."""

    atomic_number: int  # Z
    symbol: str  # of the element
    count: float  # number of atoms of the material's formula that it represents


@dataclass(frozen=True)
class Feff8lCluster:
    """Atoms around an absorber."""

    positions: NDArray[np.float64]  # (n, 3) in Å, the absorber first and at the origin, then by distance
    potentials: tuple[Potential, ...]  # the absorber's first, then one for each element around it
    potential_of: NDArray[np.int64]  # (n,) index of each atom's potential
    # features of crystal and absorber for the learned Fermi level (see `fermi_level.describe`); None: there is no
    # model for the absorber's element
    traits: tuple[float, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "positions": self.positions.tolist(),
            "potentials": [vars(potential) for potential in self.potentials],
            "potential_of": self.potential_of.tolist(),
            "traits": self.traits,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Feff8lCluster:
        """The cluster from what `as_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: the values do not come from `as_dict`.
        """
        positions = np.array(values["positions"], dtype=float)
        potential_of = np.array(values["potential_of"], dtype=np.int64)
        if positions.shape != (len(potential_of), 3):
            raise ValueError("the numbers of positions and potentials differ")
        potentials = tuple(Potential(**one) for one in values["potentials"])
        traits = None if values["traits"] is None else tuple(float(value) for value in values["traits"])
        return cls(positions, potentials, potential_of, traits)


def feff_inp(cluster: Feff8lCluster, rung: Rung, *, core_hole: bool) -> str:
    """Write feff.inp for the potentials, phases and cross section of a K edge.

    Args:
        cluster: the atoms.
        rung: settings of the self-consistent field.
        core_hole: whether the absorber has a 1s hole.
    """
    lines = ["EDGE K", "S02 1.0", "CONTROL 1 1 1 1 1 1", "PRINT 1 0 0 0 0 3", "EXCHANGE 0 0 0 2"]
    if rung.scf_radius is not None:
        lines.append(f"SCF {rung.scf_radius:.3f} 0 {rung.scf_iterations} {rung.mixing:g} 3")
    lines += ["EXAFS 20", f"RPATH {np.linalg.norm(cluster.positions[-1]) + 0.01:.3f}"]
    if not core_hole:
        lines.append("NOHOLE")
    lines += ["", "POTENTIALS", "* ipot  Z  tag  lmax1  lmax2  stoichiometry"]
    for k, one in enumerate(cluster.potentials):
        lines.append(f"{k:4d} {one.atomic_number:4d} {one.symbol:>3s} -1 -1 {one.count:.4f}")
    lines += ["", "ATOMS", "* x  y  z  ipot  distance"]
    for position, potential in zip(cluster.positions, cluster.potential_of, strict=True):
        x, y, z = position
        lines.append(f"{x:12.6f}{y:12.6f}{z:12.6f}{potential:4d}{np.linalg.norm(position):12.5f}")
    return "\n".join([*lines, "END", ""])


def ask_for_xanes(folder: Path) -> None:
    """Change rdinp's xsph.json to ask for a XANES mesh, with a vertical line of points above the Fermi level.

    FEFF 8 Lite's own cards can ask for EXAFS only.

    Raises:
        XanesflowError: rdinp's file is missing or damaged.
    """
    path = folder / "xsph.json"
    with explain_damage("xsph.json of FEFF 8 is damaged: {why}", quote=True):
        values = json.loads(path.read_text(encoding="utf-8"))
        values.update(ispec=1, xkstep=0.06, xkmax=3.4)  # 1/Å: the step near the edge, and the last wave number
    path.write_text(json.dumps(values), encoding="utf-8")
