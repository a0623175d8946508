"""Collect features of a subset's sites from finished runs of a cheaper level of theory, for delta models."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pymatgen.core import Structure

from xanesflow.codes.damaged_run import explain_bad_run
from xanesflow.codes.quick_look import packages_of
from xanesflow.codes.registry import function_of, reader_of, run_features, theory_of
from xanesflow.codes.run_zip import check_record, read_chunk, sites_in_chunk
from xanesflow.core.errors import BadRunError, XanesflowError
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.provenance import provenance
from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import Site, Subset, site_id
from xanesflow.core.tables import read_parquet, read_structures
from xanesflow.core.text import plural, quoted
from xanesflow.features.cheap_runs.columns import (
    FRAME_POINTS,
    NUMBERS,
    Row,
    columns_of,
    differing_setting,
    meaning_of,
    settings_hash,
)
from xanesflow.features.compute_features import REASON, write_features
from xanesflow.spectra.mixed_settings import RunSettings, other_settings

log = logging.getLogger(__name__)


def collect_cheap_runs(
    chunks: list[Path],
    output: Path,
    *,
    name: str,
    subset: str,
    structures: Path,
    site_table: Path,
    energy_start_ev: float,
    mixed_settings: bool = False,
    workers: int = 1,
    config_json: str | None = None,
) -> None:
    """Write the features that a cheaper level of theory gives the sites of a subset.

    Runs and sites are matched by material and site index. Each run is checked against the subset's own structure, so
    that runs of another version of a material are rejected. So are imported runs with other physics settings than most
    imported ones, as curation does. A site without a good run is listed with the reason.

    Args:
        chunks: zips of the cheaper runs.
        output: HDF5 to write, with the layout of `compute_features`; in addition the attributes `settings` (of the
            runs, as JSON) and `energy_start_ev`.
        name: of the features, such as `feff8l`.
        subset: whose sites, such as `Cu_FEFF`.
        structures: Parquet of its structures.
        site_table: Parquet of its sites.
        energy_start_ev: first energy of its grid.
        mixed_settings: whether imported runs with other physics settings are kept.
        workers: processes that read chunks.
        config_json: the configuration, to be stored in the file.

    Raises:
        XanesflowError: our own runs have different settings, or no site has a good run.
    """
    element, theory = Subset.parse(subset).element, run_features()[name]
    sites = read_parquet(site_table, ["material_id", "site_index"])
    wanted = frozenset(zip(sites["material_id"], (int(i) for i in sites["site_index"]), strict=True))
    read = partial(
        _read_one_chunk, name=name, element=element, structures=structures, sites=wanted, start_ev=energy_start_ev
    )
    found = RowsOfRuns()
    for chunk in map_in_processes(read, chunks, workers):
        found.add(chunk)
    rows, reasons = found.rows, found.reasons
    # One model can only learn from runs with the same settings. Of imported runs, their inputs say which these are.
    _check_one(found.settings, theory)
    others = other_settings(found.physics, None, subset=f"{element}_{theory}", keep=mixed_settings)
    for site, detail in {} if mixed_settings else others.items():
        reasons[site] = f"its physics settings are not those of most runs: {detail}"
        del rows[site]
    order = [site for site in sorted(wanted) if site in rows]
    rejected = [
        Rejected(*site, REASON, f"{theory}: {reasons.get(site, 'there is no run of it')}.")
        for site in sorted(wanted - rows.keys())
    ]
    if not order:
        example = (
            f"; for example {site_id(rejected[0].material_id, rejected[0].site_index)}: {rejected[0].detail}"
            if rejected
            else "."
        )
        raise XanesflowError(
            f"None of the {plural(len(wanted), 'site')} of {subset} has a run of {theory}{example} Where runs failed, "
            f"fix the cause, call `xanesflow retry {element}_{theory}`, and run again."
        )
    # A model's file takes over the settings, so that a new structure can be computed in the same way.
    text = next(iter(found.settings), "{}")
    attributes: dict[str, Any] = {
        "featurizer": name,
        "dimension": FRAME_POINTS + NUMBERS[name],
        "meaning": meaning_of(name),
        "weights_hash": settings_hash(name, json.loads(text)),
        "settings": text,
        "energy_start_ev": energy_start_ev,
        **provenance([*chunks, structures, site_table], packages_of(theory), config_json),
    }
    table = pd.DataFrame(order, columns=["material_id", "site_index"])
    write_features(Path(output), table, np.array([rows[site] for site in order]), rejected, attributes)
    log.info(
        "%s: %s of %s with a run of %s, %d without", name, plural(len(order), "site"), subset, theory, len(rejected)
    )
    for each in rejected[:5]:
        log.info("  %s, site %d: %s", each.material_id, each.site_index, each.detail)


def _check_one(settings: Mapping[str, Site], theory: str) -> None:
    """Raise an error if runs have different settings."""
    if len(settings) < 2:
        return
    (first, one), (second, other) = list(settings.items())[:2]
    here, there = json.loads(first), json.loads(second)
    key = differing_setting(here, there)
    assert key is not None  # as JSON they differ
    raise XanesflowError(
        f"The {theory} runs of {site_id(*one)} and {site_id(*other)} have different settings ({key}: "
        f"{quoted(here.get(key))} "
        f"and {quoted(there.get(key))}), so no model can learn from both; run snakemake simulations to make them the "
        "same."
    )


@dataclass
class RowsOfRuns:
    """What the runs of chunks give: columns or a reason for each site, and the settings of the runs.

    `settings` holds those that records state, as JSON, each with a site that has them. `physics` has those of imported
    runs, whose records state none.
    """

    rows: dict[Site, Row] = field(default_factory=dict)
    reasons: dict[Site, str] = field(default_factory=dict)
    settings: dict[str, Site] = field(default_factory=dict)
    physics: dict[Site, RunSettings] = field(default_factory=dict)

    def add(self, other: RowsOfRuns) -> None:
        """Add what the runs of a further chunk give."""
        self.rows |= other.rows
        self.reasons |= other.reasons
        self.settings = other.settings | self.settings
        self.physics |= other.physics


def _read_one_chunk(
    chunk: Path, *, name: str, element: str, structures: Path, sites: frozenset[Site], start_ev: float
) -> RowsOfRuns:
    """Read the runs of a chunk's sites."""
    theory = run_features()[name]
    here = sites_in_chunk(chunk, theory) & sites
    found = RowsOfRuns()
    if not here:
        return found
    as_json = read_structures(structures, {material_id for material_id, _ in here})
    read, settings_of = reader_of(theory), function_of(theory_of(theory).run_settings)
    parsed: dict[str, Structure] = {}
    for run in read_chunk(chunk, theory):
        site = run.site
        if site not in here:
            continue
        if run.material_id not in parsed:  # runs come sorted by material: one structure at a time is enough
            parsed = {run.material_id: Structure.from_dict(json.loads(as_json[run.material_id]))}
        try:
            check_record(run)
            with explain_bad_run():
                spectrum = read(run, None, element=element, structure=parsed[run.material_id])
            row = columns_of(name, spectrum.energy_ev, spectrum.cross_section, run.record, start_ev)
            physics = settings_of(run) if run.imported and settings_of is not None else None
        except BadRunError as error:
            found.reasons[site] = error.detail.rstrip(".")
            continue
        found.rows[site] = row
        if physics is not None:
            found.physics[site] = RunSettings(physics, imported=True)
        found.settings.setdefault(json.dumps(run.record.get("settings") or {}, sort_keys=True), site)
    return found
