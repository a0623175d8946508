"""What the simulations of a campaign will cost, known from the structures alone: core hours a site and a subset.

FEFF 9 spends its time in two places (SCF 7 Å, FMS 9 Å, one core): the full multiple scattering of the 9 Å cluster at
194 energies, and that of the 7 Å sphere around each unique potential at every energy of every iteration of the
self-consistent field. Both solve dense linear systems whose size is known before the run: each atom counts
(l_max + 1)² rows, and FEFF takes by itself l_max 3 (FMS) and 2 (SCF), one less for the elements before carbon. How many
iterations the field needs is not known; it needs more where a metal with an open 3d shell is there. Hence

    core hours = exp(FEFF_CONSTANT + FEFF_OPEN_SHELL [Ti..Ni in the structure]) · F^FEFF_FMS · S^FEFF_SCF,

F the rows of the 9 Å cluster, S the sum over the unique potentials of the cubed rows of their 7 Å spheres.

For the embedded engine the seconds a site are those of docs/studies/engine.md. For VASP and the others no run times are
known, so their core hours are null rather than guessed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pymatgen.core import Structure
from scipy.spatial.distance import cdist

from xanesflow.core.files import atomic_path
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.sites import Site, Subset
from xanesflow.structures.material import Material, SiteCost

log = logging.getLogger(__name__)

CLUSTER_RADIUS = 9.0
"""Radius in Å of a site's cluster: the FMS card of the paper, and what Lightshow writes into ATOMS."""

SCF_RADIUS = 7.0
"""Radius in Å of the SCF card of the paper."""

FEFF_CONSTANT, FEFF_FMS, FEFF_SCF, FEFF_OPEN_SHELL = -19.4564, 1.2111, 0.4495, 0.1955
"""Fitted by studies/fit_cost.py to the run times of 4,831 finished runs of FEFF 9.9.1 at Cu sites of 2,195 oxides
with 79 to 409 atoms within 9 Å. Cross-validated by material, half of the runs are within a factor of 1.07 and 90 %
within 1.19; the total of a campaign of 100 such materials is within 2.4 % in nine cases of ten. They are hours of the
cores of one cluster (2023): another machine's differ by a factor. Other absorbers, and compounds without oxygen, were
not among the runs."""

FEFF8L_HOURS = 5.4 / 3600
"""Core hours of a site with the embedded engine: median 4.8 s and 90 % under 8.8 s on one core with the default options
(docs/studies/engine.md), of which a log-normal distribution has the mean 5.4 s."""

BASIS = {
    "FEFF": "fitted to 4,831 runs of FEFF 9.9.1 at Cu sites in oxides",
    "FEFF8L": "mean of the embedded engine with its default options",
}
"""What the core hours of a level of theory rest on; of the others no run times are known."""

COST_COLUMNS = [
    "subset", "sites", "materials", "cluster_atoms_median", "core_hours", "core_hours_90", "core_hours_longest",
    "basis",
]  # fmt: skip

_OPEN_SHELL = range(22, 29)  # Ti..Ni
_CARBON = 6
_BATCH = 64  # structures sent to a worker at once


class Clusters(NamedTuple):
    """What of the sites of a structure FEFF's time depends on; arrays of one value a site.

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
    """Count what FEFF will have to solve at the sites of a structure.

    The unique potentials are the absorber and each element of its cluster, as Lightshow writes them; FEFF takes for
    each the atom nearest to the absorber, and of its SCF sphere the atoms that the cluster holds.

    Args:
        structure: an ordered structure.
        sites: 0-based indices of the absorbers.
    """
    numbers = np.array([site.specie.Z for site in structure])
    # exclude_self would compare indices of `sites` with those of all atoms.
    center, atom, image, distance = structure.get_neighbor_list(
        CLUSTER_RADIUS, [structure[i] for i in sites], exclude_self=False
    )
    order = np.lexsort((*image.T, atom, distance.round(6), center))
    atom, positions = atom[order], structure.cart_coords[atom[order]] + image[order] @ structure.lattice.matrix
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


def cluster_atoms(structure: Structure, sites: Sequence[int], radius: float = CLUSTER_RADIUS) -> np.ndarray:
    """Number of atoms within `radius` Å of each of the sites, the absorber included, as FEFF's cluster holds them."""
    center, *_ = structure.get_neighbor_list(radius, [structure[i] for i in sites], exclude_self=False)
    return np.bincount(center, minlength=len(sites))


def feff_core_hours(clusters: Clusters) -> np.ndarray:
    """Expected core hours of FEFF 9 K-edge runs with the paper's cards on one core, one value a site.

    Means, not medians, so that their sum is the expected sum. How far off they are: `studies/fit_cost.py`.
    """
    exponent = FEFF_CONSTANT + FEFF_OPEN_SHELL * clusters.open_shell
    exponent += FEFF_FMS * np.log(clusters.fms_rows) + FEFF_SCF * np.log(clusters.scf_work)
    return np.exp(exponent)


def expected_costs(structure: Structure, sites: Sequence[int], theory: str) -> list[SiteCost]:
    """The cost of simulating sites of one structure at a level of theory.

    Args:
        structure: an ordered structure.
        sites: 0-based indices of the absorbers.
        theory: one of `xanesflow.core.sites.THEORIES`; with any but FEFF and FEFF8L the core hours are NaN.
    """
    if theory == "FEFF":
        clusters = describe_clusters(structure, sites)
        atoms, hours = clusters.atoms, feff_core_hours(clusters)
    else:
        atoms = cluster_atoms(structure, sites)
        hours = np.full(len(sites), FEFF8L_HOURS if theory == "FEFF8L" else np.nan)
    return [SiteCost(int(a), float(h)) for a, h in zip(atoms, hours, strict=True)]


def cost_of_sites(sites: Iterable[tuple[Material, int]], theory: str, *, workers: int = 1) -> dict[Site, SiteCost]:
    """The cost of each site of a subset.

    Args:
        sites: the materials with a 0-based site index each.
        theory: level of theory of the subset.
        workers: processes that share the structures; their number does not change what is returned.
    """
    absorbers: dict[tuple[str, str], list[int]] = {}
    for material, site_index in sites:
        absorbers.setdefault((material.material_id, material.structure), []).append(site_index)
    work = [(structure, indices) for (_, structure), indices in absorbers.items()]
    batches = [work[start : start + _BATCH] for start in range(0, len(work), _BATCH)]
    workers = workers if len(batches) > 1 else 1
    costs = [
        cost for batch in map_in_processes(partial(_cost_batch, theory=theory), batches, workers) for cost in batch
    ]
    keys = [(material_id, i) for (material_id, _), indices in absorbers.items() for i in indices]
    return dict(zip(keys, costs, strict=True))


def _cost_batch(batch: list[tuple[str, list[int]]], *, theory: str) -> list[SiteCost]:
    return [
        cost
        for structure, sites in batch
        for cost in expected_costs(Structure.from_dict(json.loads(structure)), sites, theory)
    ]


def summarise_cost(subset: str, site_table: pd.DataFrame) -> dict[str, str | int | float]:
    """One row of the cost table (`COST_COLUMNS`): what a subset's simulations will cost.

    Args:
        subset: such as `Cu_FEFF`.
        site_table: as `write_site_table` writes it, with costs.

    Returns:
        Counts; of the core hours the total, the 90 % quantile and the longest; NaN unless all sites have some.
    """
    hours = site_table["core_hours"].to_numpy(float)
    return {
        "subset": subset,
        "sites": len(site_table),
        "materials": site_table["material_id"].nunique(),
        "cluster_atoms_median": float(site_table["cluster_atoms"].median()),
        "core_hours": float(hours.sum()),
        "core_hours_90": float(np.quantile(hours, 0.9)),
        "core_hours_longest": float(hours.max()),
        "basis": BASIS.get(Subset.parse(subset).theory, "no run times known"),
    }


def describe_cost(row: Mapping[str, str | int | float]) -> str:
    """A row of the cost table as one line for a log."""
    cluster = f"{row['cluster_atoms_median']:.0f} atoms within {CLUSTER_RADIUS:g} Å (median)"
    sites = f"{row['subset']}: {row['sites']:,} sites, {cluster}, expected cost"
    total, most, longest = (float(row[key]) for key in ("core_hours", "core_hours_90", "core_hours_longest"))
    if np.isnan(total):
        return f"{sites} unknown: {row['basis']}"
    spread = f" (90 % under {_time(most)} a site, longest {_time(longest)})" if longest > most else ""
    return f"{sites} {_time(total)} on one core{spread}"


def estimate_cost(site_tables: Mapping[str, Path], output: Path) -> None:
    """Write the cost table, one row a subset, and log it with its total.

    Args:
        site_tables: site table of each subset, by its name.
        output: CSV to write, with `COST_COLUMNS`; what is not known is empty.
    """
    rows = [summarise_cost(subset, pd.read_parquet(path)) for subset, path in site_tables.items()]
    table = pd.DataFrame(rows, columns=COST_COLUMNS)
    with atomic_path(output) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    for row in rows:
        log.info("%s", describe_cost(row))
    known = table["core_hours"].notna()
    without = f", without {', '.join(table['subset'][~known])}" if not known.all() else ""
    total = _time(float(table["core_hours"].sum()))
    log.info("Together: %s sites, expected cost %s on one core%s", f"{table['sites'][known].sum():,}", total, without)


def _time(hours: float) -> str:
    """Hours as a reader likes them: `6,310 h`, `1.9 h`, `3.3 min`, `5.4 s`."""
    if hours >= 0.1:
        return f"{hours:,.0f} h" if hours >= 10 else f"{hours:.1f} h"
    return f"{hours * 60:.1f} min" if hours >= 1 / 60 else f"{hours * 3600:.2g} s"
