"""Estimate what a run of FEFF costs from the structure and from `inputs.feff`.

FEFF spends its time in two places. The self-consistent field (`pot`) solves, for each unique potential, the scattering
in a sphere of the radius on the card SCF, at every energy of every iteration. The full multiple scattering (`fms`)
solves it once in the sphere of the card FMS, at each energy of the spectrum. Both are dense linear systems whose size
is known before the run: each atom adds (l_max + 1)² rows, where FEFF's own l_max is 2 (SCF) and 3 (FMS), and one less
for the elements before carbon. Building a system costs as its size squared, solving it as its size cubed:

    seconds = c₀ + Σ over potentials (p₀ + p₂ n² + p₃ n³) · [o if one of Ti..Ni is in the structure]
                 + energies · (f₂ m² + f₃ m³),

n the rows of a potential's sphere and m those of the card FMS. The number of iterations is not known; it is larger for
structures with an open-shell 3d metal, hence o.

So much for the FEFF 10 of pip. A FEFF of the user's own was fitted to the published runs of FEFF 9, all at the same
settings, by

    hours = exp(constant + openshell [Ti..Ni in the structure]) · m^fms · (Σ n³)^scf · energies / 194.

studies/fit_cost.py fitted both, see docs/studies/cost.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from pymatgen.core import Structure
from scipy.spatial.distance import cdist

PIP_FIXED, PIP_OPEN_SHELL = 3.0, 1.2
PIP_FIELD = np.array([1.0, 0.0, 2e-6])
PIP_FMS = np.array([0.0, 1e-11])
"""c₀, o, (p₀, p₂, p₃) and (f₂, f₃) of the FEFF 10 of pip, in processor seconds."""

OWN_CONSTANT, OWN_FMS, OWN_SCF, OWN_OPEN_SHELL = -19.4564, 1.2111, 0.4495, 0.1955
"""Fitted to the run times of 4,831 finished runs of FEFF 9.9.1 at Cu sites of 2,195 oxides with 79 to 409 atoms within
9 Å. Cross-validated by material, half of the runs are within a factor of 1.07 and 90 % within 1.19; the total of a
campaign of 100 such materials is within 2.4 % in nine cases of ten. The hours are those of one cluster's cores (2023);
another machine differs by a constant factor. The fit saw no other absorbers, no compounds without oxygen, and no other
settings than the paper's."""

PAPER_ENERGIES = 194

_OPEN_SHELL = range(22, 29)  # Ti..Ni
_CARBON = 6
_VERTICAL = 19  # energies that FEFF adds off the real axis
_GRID = re.compile(r"\s*(?:user_grid|[ke]_grid)\s+(\S+)\s+(\S+)\s+(\S+)")


@dataclass(frozen=True)
class Cluster:
    """What of a site decides FEFF's time.

    Attributes:
        atoms: within `inputs.feff.radius`, the absorber included.
        fms_atoms: within the card FMS.
        fms_rows: rows of the linear system of the full multiple scattering.
        scf_rows: rows of the system of each unique potential's sphere; empty without a card SCF.
        energies: of the spectrum.
        open_shell: whether the structure holds one of Ti..Ni.
    """

    atoms: int
    fms_atoms: int
    fms_rows: int
    scf_rows: tuple[int, ...]
    energies: int
    open_shell: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def describe_clusters(structure: Structure, sites: Sequence[int], inputs: Mapping[str, Any]) -> list[Cluster]:
    """Count the linear systems that FEFF has to solve at the sites of a structure.

    The unique potentials are the absorber and each element of its cluster, as Lightshow writes them. For each of them
    FEFF takes the atom nearest to the absorber; its SCF sphere holds only atoms of the cluster.

    Args:
        structure: an ordered structure.
        sites: 0-based indices of the absorbers.
        inputs: the section `inputs.feff`: cards and radius.
    """
    numbers = np.array([site.specie.Z for site in structure])
    scf_a, fms_a = (_radius(inputs["cards"], card) for card in ("SCF", "FMS"))
    energies = _energies(inputs["cards"])
    open_shell = bool(np.isin(numbers, _OPEN_SHELL).any())
    # Find each cluster, sorted by distance. exclude_self would compare indices of `sites` with those of all atoms.
    center, atom, image, distance = structure.get_neighbor_list(
        float(inputs["radius"]), [structure[i] for i in sites], exclude_self=False
    )
    order = np.lexsort((*image.T, atom, distance.round(6), center))
    atom, positions = atom[order], structure.cart_coords[atom[order]] + image[order] @ structure.lattice.matrix

    # Count rows cluster by cluster; `bounds` holds where each one begins and ends.
    bounds = np.searchsorted(center[order], np.arange(len(sites) + 1))
    clusters = []
    for start, end in pairwise(bounds):
        z, xyz = numbers[atom[start:end]], positions[start:end]
        light = z < _CARBON
        inside = (distance[order][start:end] <= fms_a) & (fms_a > 0)
        _, nearest = np.unique(z[1:], return_index=True)
        within = cdist(xyz[[0, *(nearest + 1)]], xyz) <= scf_a
        rows = within @ np.where(light, 4, 9) if scf_a else np.array([], dtype=int)
        fms_rows = int(np.where(light, 9, 16)[inside].sum())
        clusters.append(
            Cluster(len(z), int(inside.sum()), fms_rows, tuple(map(int, rows)), energies, open_shell=open_shell)
        )
    return clusters


def _radius(cards: Mapping[str, Any], card: str) -> float:
    """First number of a card in Å; 0 if it is left out."""
    return float(cards[card].split()[0]) if cards.get(card) else 0.0


def _energies(cards: Mapping[str, Any]) -> int:
    """Number of energies at which FEFF solves the scattering, from the lines of EGRID or from XANES."""
    lines = cards.get("EGRID") or ()
    lines = lines.splitlines() if isinstance(lines, str) else lines
    steps, last = 0.0, 0.0
    for match in filter(None, map(_GRID.match, lines)):
        first = last if match[1] == "last" else float(match[1])
        last, step = float(match[2]), float(match[3])
        steps += (last - first) / step
    if not steps:
        largest, step, *_ = (*map(float, str(cards["XANES"]).split()), 4.0, 0.07)[:2]
        steps = largest / step
    return _VERTICAL + round(steps)


def seconds_of_pip(cluster: Cluster) -> float:
    """Processor seconds of a run of the FEFF 10 of pip with xanesflow's scattering."""
    rows = np.array(cluster.scf_rows, dtype=float)
    field = (PIP_FIELD * np.array([[n**0, n**2, n**3] for n in rows]).reshape(-1, 3).sum(0)).sum()
    field *= PIP_OPEN_SHELL if cluster.open_shell else 1.0
    scattering = cluster.energies * (PIP_FMS * np.array([cluster.fms_rows**2, cluster.fms_rows**3])).sum()
    return float(PIP_FIXED + field + scattering)


def hours_of_own(cluster: Cluster) -> float:
    """Core hours of a run of a FEFF 9 or 10 of the user's own."""
    if not cluster.scf_rows or not cluster.fms_rows:
        return math.nan
    work = sum(float(n) ** 3 for n in cluster.scf_rows)
    exponent = OWN_CONSTANT + OWN_OPEN_SHELL * cluster.open_shell
    exponent += OWN_FMS * math.log(cluster.fms_rows) + OWN_SCF * math.log(work)
    return math.exp(exponent) * cluster.energies / PAPER_ENERGIES


def feff_costs(structure: Structure, sites: Sequence[int], options: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the size of each site's cluster (n,), in atoms, and the expected core hours of its run (n,).

    They are means, not medians, so their sum is the expected sum.

    Args:
        structure: an ordered structure.
        sites: 0-based indices of the absorbers.
        options: of the engine: `inputs` (the section `inputs.feff`) and `command` (None: the FEFF 10 of pip).
    """
    clusters = describe_clusters(structure, sites, options["inputs"])
    own = options["command"] is not None
    hours = [hours_of_own(each) if own else seconds_of_pip(each) / 3600 for each in clusters]
    return np.array([each.atoms for each in clusters]), np.array(hours)
