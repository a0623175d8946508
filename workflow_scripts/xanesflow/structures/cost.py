"""Estimates the cost of a campaign's simulations from the structures alone: core hours of each site and each subset.

The record of the level of theory (`codes.registry`) says how: `codes.feff.core_hours` for FEFF, which also asks for the
settings; the mean of docs/studies/engine.md for the embedded engine. If no run times are known, the core hours are
null, not guessed.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pymatgen.core import Structure

from xanesflow.codes.registry import function_of, theory_of
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.sites import Site, Subset
from xanesflow.core.tables import read_parquet, write_csv
from xanesflow.core.text import plural
from xanesflow.structures.material import Material, SiteCost

log = logging.getLogger(__name__)

COST_COLUMNS = [
    "subset", "sites", "materials", "cluster_atoms_median", "core_hours", "core_hours_90", "core_hours_longest",
    "basis",
]  # fmt: skip

CLUSTER_RADIUS = 9.0
"""Radius in Å of the clusters that are counted where the theory does not count its own."""


def cluster_atoms(structure: Structure, sites: Sequence[int], radius: float = CLUSTER_RADIUS) -> np.ndarray:
    """Number of atoms within `radius` Å of each site, the absorber included, as in FEFF's cluster."""
    center, *_ = structure.get_neighbor_list(radius, [structure[i] for i in sites], exclude_self=False)
    return np.bincount(center, minlength=len(sites))


def expected_costs(
    structure: Structure, sites: Sequence[int], theory: str, options: Mapping[str, Any]
) -> list[SiteCost]:
    """Estimate the cost of simulating sites of one structure at a level of theory.

    Args:
        structure: an ordered structure.
        sites: 0-based indices of the absorbers.
        theory: as in the name of a subset. If none of its run times are known, the core hours are NaN.
        options: what of the engine's options the cost depends on (`Campaign.cost_options`).
    """
    cost = function_of(theory_of(theory).cost)
    if cost is not None:
        atoms, hours = cost(structure, sites, options)
    else:
        atoms, hours = cluster_atoms(structure, sites), np.full(len(sites), hours_of_any_site(theory))
    return [SiteCost(int(a), float(h)) for a, h in zip(atoms, hours, strict=True)]


def hours_of_any_site(theory: str) -> float:
    """Core hours of a run at a level of theory, the same for every site; NaN if they differ or are unknown."""
    hours = theory_of(theory).core_hours
    return math.nan if hours is None else hours


def cost_of_sites(
    sites: Iterable[tuple[Material, int]], theory: str, options: Mapping[str, Any], *, workers: int = 1
) -> dict[Site, SiteCost]:
    """Estimate the cost of each site of a subset.

    Args:
        sites: materials, each with a 0-based site index.
        theory: level of theory of the subset.
        options: see `expected_costs`.
        workers: number of processes; it does not change the result.
    """
    absorbers: dict[tuple[str, str], list[int]] = {}
    for material, site_index in sites:
        absorbers.setdefault((material.material_id, material.structure), []).append(site_index)
    work = ((structure, indices) for (_, structure), indices in absorbers.items())
    found = map_in_processes(partial(_costs_in, theory=theory, options=options), work, workers)
    costs = [cost for in_structure in found for cost in in_structure]
    keys = [(material_id, i) for (material_id, _), indices in absorbers.items() for i in indices]
    return dict(zip(keys, costs, strict=True))


def _costs_in(absorbers: tuple[str, list[int]], *, theory: str, options: Mapping[str, Any]) -> list[SiteCost]:
    structure, sites = absorbers
    return expected_costs(Structure.from_dict(json.loads(structure)), sites, theory, options)


def summarise_cost(subset: str, site_table: pd.DataFrame) -> dict[str, str | int | float]:
    """One row of the cost table (`COST_COLUMNS`): the expected cost of a subset's simulations.

    Args:
        subset: such as `Cu_FEFF`.
        site_table: from `write_site_table`, with costs.

    Returns:
        Counts, and the total, 90 % quantile and maximum of the core hours; these are NaN unless all sites have a cost.
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
        "basis": theory_of(Subset.parse(subset).theory).cost_basis,
    }


def describe_cost(row: Mapping[str, str | int | float]) -> str:
    """A row of the cost table as one line for a log."""
    cluster = f"{row['cluster_atoms_median']:.0f} atoms in a cluster (median)"
    sites = f"{row['subset']}: {plural(int(row['sites']), 'site')}, {cluster}, expected cost"
    total, most, longest = (float(row[key]) for key in ("core_hours", "core_hours_90", "core_hours_longest"))
    if np.isnan(total):
        return f"{sites} unknown: {row['basis']}"
    spread = f" (90 % of sites under {_time(most)}, longest {_time(longest)})" if longest > most else ""
    return f"{sites} {_time(total)} on one core{spread}"


def estimate_cost(site_tables: Mapping[str, Path], output: Path) -> None:
    """Write the cost table, one row for each subset, and log it with its total.

    Args:
        site_tables: site table of each subset, by its name.
        output: CSV to write, with `COST_COLUMNS`; unknown values are empty.
    """
    rows = [summarise_cost(subset, read_parquet(path)) for subset, path in site_tables.items()]
    table = pd.DataFrame(rows, columns=COST_COLUMNS)
    write_csv(output, table, "%.6g")
    for row in rows:
        log.info("%s", describe_cost(row))
    known = table["core_hours"].notna()
    without = f", without {', '.join(table['subset'][~known])}" if not known.all() else ""
    total = _time(float(table["core_hours"].sum()))
    sites = plural(int(table["sites"][known].sum()), "site")
    log.info("Together: %s, expected cost %s on one core%s", sites, total, without)


def _time(hours: float) -> str:
    """Hours in a readable unit: `6,310 h`, `1.9 h`, `3.3 min`, `5.4 s`."""
    if hours >= 0.1:
        return f"{hours:,.0f} h" if hours >= 10 else f"{hours:.1f} h"
    return f"{hours * 60:.1f} min" if hours >= 1 / 60 else f"{hours * 3600:.2g} s"
