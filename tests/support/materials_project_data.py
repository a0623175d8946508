"""Materials for a Materials Project on loopback, with the settings that make its client quick to give up."""

from __future__ import annotations

from pathlib import Path

from feff_runs import bent_chain, cuprite, layered, perovskite, rocksalt, rutile
from materials_project_server import document
from pymatgen.core import Lattice, Structure

from xanesflow.structures.materials_project.manifest import Manifest, Query
from xanesflow.structures.materials_project.query import query_materials_project
from xanesflow.structures.materials_project.retrying_http import RetrySettings

QUICK = RetrySettings(attempts=4, backoff_s=0.01, longest_wait_s=5, silence_s=0.4, answer_s=0.6)

METAL = Structure(Lattice.cubic(3.6), ["Cu"] * 4, [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
ALLOY = Structure(Lattice.cubic(4), [{"Cu": 0.5, "Ni": 0.5}], [[0, 0, 0]])
QUATERNARY = Structure(Lattice.cubic(4.2), ["Cu", "Sr", "O", "O", "O", "Ca"],
                       [[0, 0, 0], [0.5] * 3, [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5], [0.5, 0.5, 0]])  # fmt: skip
SULFIDE = rocksalt()
SULFIDE.replace_species({"O": "S"})


def documents() -> list[dict]:
    """Seven copper materials of the paper's systems, two of others, and two of titanium."""
    return [
        document("mp-361", cuprite(), task_ids=["mp-361", "mp-9361"]),
        document("mp-30", METAL),
        document("mp-1692", rocksalt()),
        document("mp-20", perovskite(), energy_above_hull=0.2),
        document("mp-21", layered(), theoretical=True),
        document("mvc-22", bent_chain()),
        document("mp-23", QUATERNARY),
        document("mp-40", SULFIDE),
        document("mp-41", rutile(), deprecated=True),
        document("mp-390", rutile("Ti")),
        document("mp-391", perovskite("Ti")),
    ]


COPPER = ["mp-1692", "mp-20", "mp-21", "mp-23", "mp-30", "mp-361", "mvc-22"]
"""The ids of what the paper's systems find, in the order of their names."""


def query(element: str = "Cu", **values) -> Query:
    systems = [element, f"{element}-O", f"{element}-O-*", f"{element}-O-*-*"]
    return Query.of(**{"element": element, "systems": systems, **values})


def ask(server, folder: Path, asked: Query | None = None, **options) -> Manifest:
    """Ask a server, as the rule does."""
    asked = asked or query()
    return query_materials_project(
        query=asked,
        structures=folder / f"{asked.element}.parquet",
        manifest=folder / f"{asked.element}.json",
        **{"endpoint": server.endpoint, "retries": QUICK, "page_size": 3, **options},
    )
