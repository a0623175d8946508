"""`structures: {source: amcsd}`: minerals become sites, once, and the next call has nothing to do."""

import json

import pandas as pd
from workflow import run, write_config

IDS = ["amcsd-0009326", "amcsd-0011371", "amcsd-0000143"]  # cuprite, bunsenite, hematite
MIXED = "amcsd-0009195"  # cuprospinel, with Cu and Fe on its octahedral places


def test_minerals_become_sites_and_their_references_are_kept(tmp_path):
    write_config(
        tmp_path,
        subsets=["Cu_FEFF8L", "Ni_FEFF8L", "Fe_FEFF8L"],
        chunks=1,
        structures={
            "source": "amcsd",
            "only": [*IDS, MIXED],
            "amcsd": {"systems": ["E-O", "E-O-Fe", "E-O-Cu"], "max_atoms": 60},
            "disorder": "random",
            "disorder_cells": {"number": 2, "max_atoms": 30},
        },
        simulations={"source": "run"},
    )
    run(tmp_path, "structures")
    folder = tmp_path / "results/structures"
    for subset, material, multiplicity in zip(("Cu", "Ni", "Fe"), IDS, (4, 4, 12), strict=True):
        table = pd.read_parquet(folder / f"{subset}_FEFF8L_sites.parquet")
        sites, cells = (table[(table["parent"] != "") == mixed] for mixed in (False, True))
        assert set(cells["parent"]) == (set() if subset == "Ni" else {MIXED})
        assert sites[["material_id", "multiplicity"]].to_numpy().tolist() == [[material, multiplicity]]
        manifest = json.loads((folder / f"amcsd/{subset}.json").read_text())
        assert manifest["materials"][material]["reference"]
        assert all(manifest["materials"][cell]["parent"] == MIXED for cell in cells["material_id"])
    assert "Nothing to be done" in run(tmp_path, "structures")
    # Another filter reads the minerals again.
    run(tmp_path, "structures", "--config", "structures={amcsd: {systems: [E-O, E-O-Fe, E-O-Cu], max_atoms: 64}}")
    query = json.loads((folder / "amcsd/Cu.json").read_text())["query"]
    assert query["max_atoms"] == 64
    # The report averages the cells.
    assert "draw_disordered" in run(tmp_path, "--dry-run")
