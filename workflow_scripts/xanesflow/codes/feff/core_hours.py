"""Estimate what a run of FEFF costs from the structure and from `inputs.feff`.

FEFF spends its time in two places. The self-consistent field (`pot`) treats, for each unique potential, the scattering
in a sphere of the radius on the card SCF, in every iteration. The full multiple scattering (`fms`) treats it in the
sphere of the card FMS, at each energy of the spectrum. Both are dense linear systems whose size is known before the
run: each atom adds (l_max + 1)² rows, where FEFF's own l_max is 2 (SCF) and 3 (FMS), and one less for the elements
before carbon. Making such a system, which costs as its size squared, takes longer than solving it:

    seconds = c + iterations · Σ over potentials (p₀ + p₂ n²) + energies · f₂ m²,

n the rows of a potential's sphere and m those of the card FMS. The number of iterations is not known; its mean is
larger for compounds with an open-shell 3d metal, and smaller for elements.

So much for the FEFF 10 of pip. A FEFF of the user's own was fitted to the published runs of FEFF 9, all at the same
settings, by

    hours = exp(constant + openshell [Ti..Ni in the structure]) · m^fms · (Σ n³)^scf · energies / 194.

studies/fit_cost.py fitted both, see docs/studies/cost.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from pymatgen.core import Structure
from scipy.spatial.distance import cdist

PIP_ITERATIONS, PIP_ITERATIONS_OPEN = 15.7, 21.4
"""Mean iterations of the published runs of FEFF 9.9.1 at Cu sites, without and with one of Ti..Ni in the structure."""

PIP_ITERATIONS_ELEMENT = 12.7
"""Mean iterations of the runs of studies/feff10_times.jsonl in elements."""

PIP_FIXED, PIP_FIELD, PIP_FIELD_ROWS, PIP_FMS_ROWS = 1.71, 0.0595, 9.13e-6, 1.62e-8
"""c, p₀, p₂ and f₂ of the FEFF 10 of pip with xanesflow's scattering, in processor seconds of one core (2026)."""

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
_XANES = (8.0, 0.05)  # FEFF's own largest k and step


@dataclass(frozen=True)
class Cluster:
    """What of a site decides FEFF's time."""

    atoms: int  # within `inputs.feff.radius`, the absorber included
    fms_atoms: int  # within the card FMS
    fms_rows: int  # rows of the linear system of the full multiple scattering
    scf_rows: tuple[int, ...]  # rows of the system of each unique potential's sphere; empty without a card SCF
    energies: int  # of the spectrum
    # whether the structure is a compound of one of Ti..Ni; in the metals the field needs no more iterations than
    # elsewhere
    open_shell: bool

    @property
    def one_element(self) -> bool:
        """Whether there is one element in the cluster: the absorber's potential and one more."""
        return len(self.scf_rows) <= 2

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
    open_shell = bool(np.isin(numbers, _OPEN_SHELL).any() and len(set(numbers)) > 1)
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
    return next(iter(_numbers(cards.get(card) or "")), 0.0)


def _energies(cards: Mapping[str, Any]) -> int:
    """Number of energies at which FEFF solves the scattering, from the lines of EGRID or from XANES."""
    lines = cards.get("EGRID") or ()
    lines = lines.splitlines() if isinstance(lines, str) else lines
    points, last = 0.0, 0.0
    for line in lines:
        kind, _, words = line.strip().partition(" ")
        values = _numbers(words.replace("last", f"{last:g}"))
        if kind.endswith("_grid") and len(values) == 3 and values[2] > 0:
            points += abs(values[1] - values[0]) / values[2]
            last = values[1]
    if not points:
        largest, step = (*_numbers(cards.get("XANES") or ""), *_XANES)[:2]
        points = largest / step if step > 0 else 0.0
    return _VERTICAL + round(points)


def _numbers(words: str) -> list[float]:
    """The numbers before the first word that is none."""
    found: list[float] = []
    for word in words.split():
        try:
            found.append(float(word))
        except ValueError:
            break
    return found


def seconds_of_pip(cluster: Cluster) -> float:
    """Processor seconds of a run of the FEFF 10 of pip with xanesflow's scattering."""
    iterations = PIP_ITERATIONS_OPEN if cluster.open_shell else PIP_ITERATIONS
    if cluster.one_element:
        iterations = PIP_ITERATIONS_ELEMENT
    field = sum(PIP_FIELD + PIP_FIELD_ROWS * rows**2 for rows in cluster.scf_rows)
    return PIP_FIXED + iterations * field + cluster.energies * PIP_FMS_ROWS * cluster.fms_rows**2


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
