"""From a campaign's features to a list of the sites that are worth an expensive run: what `xanesflow plan` calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from xanesflow.codes.registry import run_features
from xanesflow.config import result_paths as paths
from xanesflow.config.result_paths import in_results
from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import Site, site_id
from xanesflow.core.tables import write_csv
from xanesflow.features.compute_features import SiteFeatures, read_features
from xanesflow.models.delta.choose_sites import choose_sites
from xanesflow.spectra.store import read_spectra

COLUMNS = ["rank", "material_id", "site_index", "formula", "core_hours", "variance_left"]


@dataclass(frozen=True)
class Plan:
    """The sites chosen.

    Attributes:
        table: `COLUMNS`, the most telling site first; `variance_left` is the share of the variance that is left. Sites
            that have a spectrum come before, with rank 0, so that the table is all that is ever to be simulated.
        without_features: sites that could not be looked at, as features are missing.
        done: sites that have a spectrum already.
        sites: of the subset in all.
    """

    table: pd.DataFrame
    without_features: list[str]
    done: int
    sites: int


def plan_sites(
    directory: str | Path,
    subset: str,
    budget: int,
    *,
    features: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Plan:
    """Choose the sites of a subset whose simulation tells most about the others.

    Sites whose spectra are there already (`results/spectra`) are not chosen again, but what they tell counts.

    Args:
        directory: the campaign's working directory, with `results/` in it.
        subset: as `Cu_FEFF`.
        budget: how many sites.
        features: names of those to look at; None: all that are there, cheap runs last.
        progress: told how many are chosen, and of how many.

    Raises:
        XanesflowError: there are no sites or features, or fewer sites than are asked for.
    """
    results = Path(directory) / paths.RESULTS
    path = in_results(results, paths.SITES, subset=subset)
    if not path.is_file():
        raise XanesflowError(
            f"There is no site table of {subset} in {results} ({path.name}); make it with `snakemake structures`."
        )
    sites = pd.read_parquet(path)
    found = _features(results / "features", subset, features)
    rows = {
        name: {(m, int(i)): row for row, (m, i) in enumerate(zip(of.material_id, of.site_index, strict=True))}
        for name, of in found.items()
    }
    wanted: list[Site] = [(m, int(i)) for m, i in zip(sites["material_id"], sites["site_index"], strict=True)]
    known = [site for site in wanted if all(site in of for of in rows.values())]
    joined = np.hstack([of.features[[rows[name][site] for site in known]] for name, of in found.items()])
    spectra = _with_spectrum(in_results(results, paths.SPECTRA, subset=subset))
    done = [row for row, site in enumerate(known) if site in spectra]
    dimensions = {name: of.features.shape[1] for name, of in found.items()}
    materials = [material for material, _ in known]
    chosen, left = choose_sites(joined, dimensions, materials, budget, done=done, progress=progress)
    listed = [known[row] for row in [*done, *chosen]]
    table = pd.DataFrame(listed, columns=["material_id", "site_index"])
    table = table.merge(sites[["material_id", "site_index", "formula", "core_hours"]], how="left")
    table.insert(0, "rank", [0] * len(done) + list(range(1, len(chosen) + 1)))
    table["variance_left"] = [np.nan] * len(done) + left.tolist()
    missing = [site_id(*site) for site in sorted(set(wanted) - set(known))]
    return Plan(table[COLUMNS], missing, len(done), len(wanted))


def write_plan(path: str | Path, plan: Plan) -> None:
    """Write the sites chosen as CSV."""
    write_csv(path, plan.table)


def _features(folder: Path, subset: str, names: Sequence[str] | None) -> dict[str, SiteFeatures]:
    """The features of a subset by name, those of cheap runs last."""
    there = {path.parent.name: path for path in sorted(folder.glob(f"*/{subset}.h5"))}
    if not there:
        raise XanesflowError(f"There are no features of {subset} in {folder}; make them with `snakemake features`.")
    if missing := [name for name in names or [] if name not in there]:
        raise XanesflowError(
            f"There are no features {missing[0]} of {subset} in {folder}, but {', '.join(there)}; choose of these, or "
            "make them with `snakemake features`."
        )
    chosen = sorted(names or there, key=lambda name: (name in run_features(), name))
    return {name: read_features(there[name]) for name in chosen}


def _with_spectrum(path: Path) -> set[Site]:
    """Sites of which there is a curated spectrum."""
    if not path.is_file():
        return set()
    curated = read_spectra(path)
    return set(zip(curated.material_id, curated.site_index.tolist(), strict=True))
