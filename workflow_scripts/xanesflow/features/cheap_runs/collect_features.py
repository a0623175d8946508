"""Collect features of a subset's sites from finished runs of a cheaper level of theory, for delta models."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pymatgen.core import Structure

from xanesflow.codes.damaged_run import explain_bad_run
from xanesflow.codes.quick_look import packages_of
from xanesflow.codes.registry import reader_of, run_features
from xanesflow.codes.run_zip import check_record, read_chunk, sites_in_chunk
from xanesflow.core.errors import BadRunError, XanesflowError
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.provenance import provenance
from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import Site, Subset, site_id
from xanesflow.core.tables import read_structures
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
    workers: int = 1,
    config_json: str | None = None,
) -> None:
    """Write the features that a cheaper level of theory gives the sites of a subset.

    Runs and sites are matched by material and site index. Each run is checked against the subset's own structure, so
    that runs of another version of a material are rejected. A site without a good run is listed with the reason.

    Args:
        chunks: zips of the cheaper runs.
        output: HDF5 to write, with the layout of `compute_features`; in addition the attributes `settings` (of the
            runs, as JSON) and `energy_start_ev`.
        name: of the features, such as `feff8l`.
        subset: whose sites, such as `Cu_FEFF`.
        structures: Parquet of its structures.
        site_table: Parquet of its sites.
        energy_start_ev: first energy of its grid.
        workers: processes that read chunks.
        config_json: the configuration, to be stored in the file.

    Raises:
        XanesflowError: runs have different settings, or no site has a good run.
    """
    element, theory = Subset.parse(subset).element, run_features()[name]
    sites = pd.read_parquet(site_table, columns=["material_id", "site_index"])
    wanted = frozenset(zip(sites["material_id"], (int(i) for i in sites["site_index"]), strict=True))
    read = partial(
        _read_one_chunk, name=name, element=element, structures=structures, sites=wanted, start_ev=energy_start_ev
    )
    # Read the chunks in parallel. One model can only learn from runs with the same settings.
    rows: dict[Site, Row] = {}
    reasons: dict[Site, str] = {}
    settings: dict[str, Site] = {}
    for good, bad, seen in map_in_processes(read, chunks, workers):
        rows |= good
        reasons |= bad
        settings = seen | settings
    _check_one(settings, theory)
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
    text = next(iter(settings), "{}")
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
    for site in rejected[:5]:
        log.info("  %s, site %d: %s", site.material_id, site.site_index, site.detail)


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


def _read_one_chunk(
    chunk: Path, *, name: str, element: str, structures: Path, sites: frozenset[Site], start_ev: float
) -> tuple[dict[Site, Row], dict[Site, str], dict[str, Site]]:
    """Rows and rejections of a chunk's sites, and its settings (as JSON), each with a site that has them."""
    theory = run_features()[name]
    here = sites_in_chunk(chunk, theory) & sites
    if not here:
        return {}, {}, {}
    as_json = read_structures(structures, {material_id for material_id, _ in here})
    read = reader_of(theory)
    rows: dict[Site, Row] = {}
    reasons: dict[Site, str] = {}
    settings: dict[str, Site] = {}
    parsed: dict[str, Structure] = {}
    for run in read_chunk(chunk, theory):
        site = (run.material_id, run.site_index)
        if site not in here:
            continue
        if run.material_id not in parsed:  # runs come sorted by material: one structure at a time is enough
            parsed = {run.material_id: Structure.from_dict(json.loads(as_json[run.material_id]))}
        try:
            check_record(run)
            with explain_bad_run():
                spectrum = read(run, None, element=element, structure=parsed[run.material_id])
            rows[site] = columns_of(name, spectrum.energy_ev, spectrum.cross_section, run.record, start_ev)
        except BadRunError as error:
            reasons[site] = error.detail.rstrip(".")
            continue
        settings.setdefault(json.dumps(run.record.get("settings") or {}, sort_keys=True), site)
    return rows, reasons, settings
