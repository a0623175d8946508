"""`structures: {source: amcsd}`: minerals become sites, once, and the next call has nothing to do."""

import json

import pandas as pd
from workflow import run, write_config

IDS = ["amcsd-0009326", "amcsd-0011371", "amcsd-0000143"]  # cuprite, bunsenite, hematite


def test_minerals_become_sites_and_their_references_are_kept(tmp_path):
    write_config(
        tmp_path,
        subsets=["Cu_FEFF8L", "Ni_FEFF8L", "Fe_FEFF8L"],
        chunks=1,
        structures={"source": "amcsd", "only": IDS, "amcsd": {"systems": ["E-O"], "max_atoms": 40}},
        simulations={"source": "run"},
    )
    run(tmp_path, "structures")
    folder = tmp_path / "results/structures"
    for subset, material, multiplicity in zip(("Cu", "Ni", "Fe"), IDS, (4, 4, 12), strict=True):
        sites = pd.read_parquet(folder / f"{subset}_FEFF8L_sites.parquet")
        assert sites[["material_id", "multiplicity"]].to_numpy().tolist() == [[material, multiplicity]]
        manifest = json.loads((folder / f"amcsd/{subset}.json").read_text())
        assert manifest["materials"][material]["reference"]
    assert "Nothing to be done" in run(tmp_path, "structures")
    # Another filter reads the minerals again.
    run(tmp_path, "structures", "--config", "structures={amcsd: {systems: [E-O], max_atoms: 50}}")
    query = json.loads((folder / "amcsd/Cu.json").read_text())["query"]
    assert query["max_atoms"] == 50
