"""List the sites of a campaign that are worth an expensive run, from its features. `xanesflow plan` calls this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from xanesflow.codes.registry import run_features
from xanesflow.config import result_paths as paths
from xanesflow.config.campaign import Campaign
from xanesflow.config.load import load_config
from xanesflow.config.result_paths import in_results
from xanesflow.core.errors import XanesflowError
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.reasons import TRIED_AGAIN
from xanesflow.core.sites import Site, rows_of_sites, site_id
from xanesflow.core.tables import read_parquet, write_csv
from xanesflow.features.compute_features import SiteFeatures, read_features
from xanesflow.models.delta.choose_sites import choose_sites
from xanesflow.spectra.store import read_spectra

_NOT_YET_RUN = TRIED_AGAIN | {"not_planned", "no_run"}
"""Reasons of sites that another run may give a spectrum."""

COLUMNS = ["rank", "material_id", "site_index", "formula", "core_hours", "variance_left"]


@dataclass(frozen=True)
class Plan:
    """The chosen sites."""

    # `COLUMNS`, the most informative site first. `variance_left` is the share of the variance that is left. Sites
    # that have been simulated come first, with rank 0, so the table lists all sites to simulate, finished ones
    # included.
    table: pd.DataFrame
    features: list[str]  # names of the features that were used
    without_features: list[str]  # sites that could not be considered, because features are missing
    done: int  # number of sites that have been simulated, whether their spectrum was good or left out
    sites: int  # number of all sites of the subset


def plan_sites(
    directory: str | Path,
    subset: str,
    budget: int,
    *,
    features: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Plan:
    """Choose the sites of a subset whose simulation reveals most about the others.

    Sites that have been simulated (`results/spectra`) are not chosen again. Those with a good spectrum count as known;
    those that failed or were left out by curation would only fail or be left out again.

    Args:
        directory: the campaign's working directory, which contains `results/`.
        subset: such as `Cu_FEFF`.
        budget: number of sites to choose.
        features: names of the features to use; None for those of the campaign, which are the ones in the configuration
            that the newest file of features records.
        progress: called with the number of chosen sites and the budget.

    Raises:
        XanesflowError: there are no sites or features, or fewer sites than the budget.
    """
    # Read the sites, and the features of those that have all of them.
    results = Path(directory) / paths.RESULTS
    path = in_results(results, paths.SITES, subset=subset)
    if not path.is_file():
        raise XanesflowError(
            f"There is no site table of {subset} in {results} ({path.name}); create it with `snakemake structures`."
        )
    sites = read_parquet(path)
    found = _features(results / "features", subset, features)
    rows = {name: rows_of_sites(of.material_id, of.site_index) for name, of in found.items()}
    wanted: list[Site] = [(m, int(i)) for m, i in zip(sites["material_id"], sites["site_index"], strict=True)]
    known = [site for site in wanted if all(site in of for of in rows.values())]
    joined = np.hstack([of.features[[rows[name][site] for site in known]] for name, of in found.items()])

    # Choose among the sites without a run.
    spectra, left_out = _simulated(in_results(results, paths.SPECTRA, subset=subset))
    done = [row for row, site in enumerate(known) if site in spectra]
    useless = [row for row, site in enumerate(known) if site in left_out]
    dimensions = {name: of.features.shape[1] for name, of in found.items()}
    materials = [material for material, _ in known]
    chosen, left = choose_sites(joined, dimensions, materials, budget, done=done, useless=useless, progress=progress)

    # List the sites that have been simulated with rank 0, whatever their features, then the chosen ones in their order.
    simulated = [site for site in wanted if site in spectra or site in left_out]
    listed = [*simulated, *(known[row] for row in chosen)]
    table = pd.DataFrame(listed, columns=["material_id", "site_index"])
    table = table.merge(sites[["material_id", "site_index", "formula", "core_hours"]], how="left")
    table.insert(0, "rank", [0] * len(simulated) + list(range(1, len(chosen) + 1)))
    table["variance_left"] = [np.nan] * len(simulated) + left.tolist()
    missing = [site_id(*site) for site in sorted(set(wanted) - set(known) - set(simulated))]
    return Plan(table[COLUMNS], list(found), missing, len(simulated), len(wanted))


def write_plan(path: str | Path, plan: Plan) -> None:
    """Write the table of sites as CSV."""
    write_csv(path, plan.table, "%.4g")


def _features(folder: Path, subset: str, names: Sequence[str] | None) -> dict[str, SiteFeatures]:
    """The features of a subset by name, those of cheap runs last.

    Raises:
        XanesflowError: there are none, or a name is missing.
    """
    there = {path.parent.name: path for path in sorted(folder.glob(f"*/{subset}.h5"))}
    if not there:
        raise XanesflowError(f"There are no features of {subset} in {folder}; compute them with `snakemake features`.")
    if missing := [name for name in names or [] if name not in there]:
        raise XanesflowError(
            f"There are no features {missing[0]} of {subset} in {folder}, but {', '.join(there)}; choose among these, "
            "or compute the others with `snakemake features`."
        )
    read = {name: read_features(there[name]) for name in names or there}
    chosen = names or _of_campaign(read)
    return {name: read[name] for name in sorted(chosen, key=lambda name: (name in run_features(), name))}


def _of_campaign(found: Mapping[str, SiteFeatures]) -> list[str]:
    """Those features that the campaign uses; others are left over from an earlier configuration, and may lack sites.

    The newest file records the campaign's configuration. Without one that this version can read, all features count.
    """
    newest = max(found.values(), key=lambda of: str(of.attributes.get("created", "")))
    try:
        campaign = Campaign(load_config(parse_object(newest.attributes["config"])))
    except (KeyError, ValueError, XanesflowError):
        return list(found)
    return [name for name in campaign.featurizers if name in found] or list(found)


def _simulated(path: Path) -> tuple[set[Site], set[Site]]:
    """Sites that have a curated spectrum, and sites whose runs failed or were left out by curation."""
    if not path.is_file():
        return set(), set()
    curated = read_spectra(path)
    left_out = {(each.material_id, each.site_index) for each in curated.rejected if each.reason not in _NOT_YET_RUN}
    return set(zip(curated.material_id, curated.site_index.tolist(), strict=True)), left_out
