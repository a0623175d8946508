"""campaigns/3dtm_xanes_ml2024.yaml on a few small materials.

The published POSCARs stand for Materials Project's answer, and the published runs for FEFF, which would take minutes
for each cluster (tests/support/replay_published.py).
"""

import shlex
import shutil
import sys

import forked_snakemake
import numpy as np
import pandas as pd
import pytest
import replay_published
from command_line import answer
from feff_runs import write_files
from materials_project_server import KEY, document, serving
from published_runs import files_of_materials, split_file
from pymatgen.io.vasp import Poscar
from shared_data import PROJECT, shared
from workflow import CALL, SNAKEMAKE

MATERIALS = ("mp-1005792", "mp-1021507", "mp-1022728", "mp-1023125", "mp-1023127", "mp-1023130", "mp-10335")
CAMPAIGN = PROJECT / "campaigns/3dtm_xanes_ml2024.yaml"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder `splits` with the published lines of the materials, their runs, and their POSCARs by id."""
    folder = tmp_path_factory.mktemp("published")
    structures = {}
    for name, content in files_of_materials(MATERIALS).items():
        _, material, *rest = name.split("/")
        if rest == ["POSCAR"]:
            structures[material] = Poscar.from_str(content.decode()).structure
        else:
            write_files(folder / "runs" / f"{material}_{rest[1]}", {rest[2]: content})
    (folder / "splits").mkdir()
    for part in ("train", "val", "test"):
        wanted = [line for line in split_file(part) if line.rsplit("_", 1)[0] in MATERIALS]
        (folder / f"splits/Cu_FEFF_{part}.txt").write_text("".join(f"{line}\n" for line in wanted))
    return folder, structures


def call(directory, *arguments):
    words = [*SNAKEMAKE, *arguments, "--directory", str(directory), "--max-threads", "1", "--configfile",
             str(CAMPAIGN), str(directory / "here.yaml")]  # fmt: skip
    code, printed = forked_snakemake.call(words[len(CALL) :], folder=directory, seconds=600)
    assert code == 0, printed[-6000:]
    return printed


def test_a_share_of_the_published_dataset_comes_out_as_published(tmp_path, published, monkeypatch):
    folder, structures = published
    assert set(structures) == set(MATERIALS)
    shutil.copytree(folder / "splits", tmp_path / "splits")
    shutil.copytree(shared("m3gnet/M3GNet-MP-2021.2.8-PES"), tmp_path / "weights")
    stand_in = shlex.join([sys.executable, "-I", "-S", replay_published.__file__, str(folder / "runs")])
    (tmp_path / "here.yaml").write_text(
        f"subsets: [Cu_FEFF]\nchunks: 2\nsimulations: {{feff_command: {stand_in!r}}}\n"
        "features: {m3gnet_weights: weights}\ncuration: {envelope: {FEFF: null}}\n"  # of a handful of spectra
    )
    with serving([document(name, structure) for name, structure in structures.items()]) as server:
        monkeypatch.setenv("MP_API_KEY", KEY)
        monkeypatch.setenv("MP_API_ENDPOINT", server.endpoint)
        call(tmp_path, "structures", "dataset")
    (cost,) = pd.read_csv(tmp_path / "results/structures/cost.csv").itertuples()
    assert cost.subset == "Cu_FEFF" and cost.materials == len(MATERIALS) and cost.core_hours > 0

    # Every site that the split files name is there, with the published spectrum and features.
    named = [line for path in (tmp_path / "splits").iterdir() for line in path.read_text().split()]
    arrays = shared("3dtm_xanes_ml2024/Cu_FEFF_val.npz")
    dataset, table = tmp_path / "results/dataset/3dtm_xanes_ml2024.h5", tmp_path / "sites.csv"
    code, printed = answer("dataset", "diff", dataset, arrays, "-o", table)
    assert code == 1, printed  # most of the published sites are missing
    sites = pd.read_csv(table).set_index("site")
    here = sites[sites["where"] != "only old"]
    assert sorted(here.index) == sorted(named)
    common = here[here["where"] == "both"]
    assert sorted(common.index) == sorted((tmp_path / "splits/Cu_FEFF_val.txt").read_text().split())
    assert (common["spectrum"] < 1e-8).all() and (common["m3gnet"] < 1e-5).all() and len(common) == 2
    assert f"2 of {len(np.load(arrays)['ids'])} sites of Cu_FEFF_val.npz in" in printed
