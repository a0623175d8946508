"""Estimate what a run of FEFF costs from the structure alone.

FEFF 9 spends its time in two places (SCF 7 Å, FMS 9 Å, one core): the full multiple scattering of the 9 Å cluster at
194 energies, and that of the 7 Å sphere around each unique potential at every energy of every iteration of the
self-consistent field. Both solve dense linear systems whose size is known before the run: each atom adds (l_max + 1)²
rows, where FEFF's own l_max is 3 (FMS) and 2 (SCF), and one less for the elements before carbon. The number of SCF
iterations is not known; it is larger for structures with an open-shell 3d metal. Hence

    core hours = exp(FEFF_CONSTANT + FEFF_OPEN_SHELL [Ti..Ni in the structure]) · F^FEFF_FMS · S^FEFF_SCF,

F the rows of the 9 Å cluster, S the sum over the unique potentials of the cubed rows of their 7 Å spheres.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from pymatgen.core import Structure
from scipy.spatial.distance import cdist

CLUSTER_RADIUS = 9.0
"""Radius in Å of a site's cluster: the FMS card of the paper, and what Lightshow writes into ATOMS."""

SCF_RADIUS = 7.0
"""Radius in Å of the SCF card of the paper."""

FEFF_CONSTANT, FEFF_FMS, FEFF_SCF, FEFF_OPEN_SHELL = -19.4564, 1.2111, 0.4495, 0.1955
"""Fitted by studies/fit_cost.py to the run times of 4,831 finished runs of FEFF 9.9.1 at Cu sites of 2,195 oxides
with 79 to 409 atoms within 9 Å. Cross-validated by material, half of the runs are within a factor of 1.07 and 90 %
within 1.19; the total of a campaign of 100 such materials is within 2.4 % in nine cases of ten. The hours are those of
one cluster's cores (2023); another machine differs by a constant factor. The fit saw no other absorbers and no
compounds without oxygen."""

_OPEN_SHELL = range(22, 29)  # Ti..Ni
_CARBON = 6


class Clusters(NamedTuple):
    """The properties of a structure's sites that decide FEFF's run time; arrays with one value for each site.

    Attributes:
        atoms: atoms within `CLUSTER_RADIUS`, the absorber included.
        fms_rows: rows of the linear system of the full multiple scattering.
        scf_work: sum over the unique potentials of the cubed rows of the system of their SCF sphere.
        open_shell: whether the structure holds one of Ti..Ni.
    """

    atoms: np.ndarray
    fms_rows: np.ndarray
    scf_work: np.ndarray
    open_shell: np.ndarray


def describe_clusters(structure: Structure, sites: Sequence[int]) -> Clusters:
    """Count the linear systems that FEFF has to solve at the sites of a structure.

    The unique potentials are the absorber and each element of its cluster, as Lightshow writes them. For each of them
    FEFF takes the atom nearest to the absorber; its SCF sphere holds only atoms of the cluster.

    Args:
        structure: an ordered structure.
        sites: 0-based indices of the absorbers.
    """
    numbers = np.array([site.specie.Z for site in structure])
    # Find each cluster, sorted by distance. exclude_self would compare indices of `sites` with those of all atoms.
    center, atom, image, distance = structure.get_neighbor_list(
        CLUSTER_RADIUS, [structure[i] for i in sites], exclude_self=False
    )
    order = np.lexsort((*image.T, atom, distance.round(6), center))
    atom, positions = atom[order], structure.cart_coords[atom[order]] + image[order] @ structure.lattice.matrix

    # Count rows cluster by cluster; `bounds` holds where each one begins and ends.
    bounds = np.searchsorted(center[order], np.arange(len(sites) + 1))
    fms_rows, scf_work = np.empty(len(sites)), np.empty(len(sites))
    for k, (start, end) in enumerate(pairwise(bounds)):
        z, xyz = numbers[atom[start:end]], positions[start:end]
        light = z < _CARBON
        _, nearest = np.unique(z[1:], return_index=True)
        within = cdist(xyz[[0, *(nearest + 1)]], xyz) <= SCF_RADIUS
        fms_rows[k] = np.where(light, 9, 16).sum()
        scf_work[k] = ((within @ np.where(light, 4, 9)).astype(float) ** 3).sum()
    open_shell = np.full(len(sites), bool(np.isin(numbers, _OPEN_SHELL).any()))
    return Clusters(np.diff(bounds), fms_rows, scf_work, open_shell)


def feff_core_hours(clusters: Clusters) -> np.ndarray:
    """Return expected core hours of FEFF 9 K-edge runs with the paper's cards on one core, one value for each site.

    They are means, not medians, so their sum is the expected sum. `studies/fit_cost.py` measures their errors.
    """
    exponent = FEFF_CONSTANT + FEFF_OPEN_SHELL * clusters.open_shell
    exponent += FEFF_FMS * np.log(clusters.fms_rows) + FEFF_SCF * np.log(clusters.scf_work)
    return np.exp(exponent)


def feff_costs(structure: Structure, sites: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the size of each site's cluster (n,), in atoms, and the expected core hours of its run (n,).

    Args:
        structure: an ordered structure.
        sites: 0-based indices of the absorbers.
    """
    clusters = describe_clusters(structure, sites)
    return clusters.atoms, feff_core_hours(clusters)
