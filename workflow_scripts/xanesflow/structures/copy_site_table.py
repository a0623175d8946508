"""Copies the structures and sites of a subset for another level of theory."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from xanesflow.core.files import atomic_path
from xanesflow.core.sites import chunk_of
from xanesflow.core.tables import read_parquet
from xanesflow.core.text import plural
from xanesflow.structures.cost import hours_of_any_site

log = logging.getLogger(__name__)


def copy_site_table(
    structures: Path, site_table: Path, shared_structures: Path, shared_sites: Path, *, theory: str, chunks: int
) -> None:
    """Copy the structures and the site table of a subset for runs of another level of theory.

    Both levels then have the same structures and site indices, so that their spectra can be paired.

    Args:
        structures: Parquet of the subset's structures.
        site_table: Parquet of its sites.
        shared_structures: Parquet to write.
        shared_sites: Parquet to write, with the other theory's chunks and expected costs.
        theory: the other level of theory.
        chunks: number of chunks into which its simulations are divided.
    """
    table = read_parquet(structures)
    sites = read_parquet(site_table)
    sites["chunk"] = [chunk_of(material_id, chunks) for material_id in sites["material_id"]]
    sites["cluster_atoms"] = pd.array([None] * len(sites), dtype="Int64")
    sites["core_hours"] = hours_of_any_site(theory)
    with atomic_path(shared_structures) as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")
    with atomic_path(shared_sites) as temporary:
        sites.to_parquet(temporary, index=False)
    number, materials = plural(len(sites), "site"), plural(sites["material_id"].nunique(), "material")
    log.info("shared with %s: %s of %s", theory, number, materials)
