"""A whole dataset file of a dozen oxides for the tests, made by the workflow's own `build_dataset`."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import h5py
import numpy as np
import pandas as pd
from feff_runs import GRID_START_EV, PARTNERS, cuprite, perovskite
from pymatgen.core import Element

from xanesflow.config.load import load_config
from xanesflow.core.reasons import Rejected
from xanesflow.core.tables import write_rejected_group
from xanesflow.dataset.build import SubsetFiles, build_dataset
from xanesflow.spectra.store import CuratedSpectra, write_spectra
from xanesflow.structures.material import describe
from xanesflow.structures.site_table import write_structures

PARTS = ["train"] * 9 + ["val"] * 2 + ["test"] * 2
CONFIG = {"campaign": "small", "subsets": ["Cu_FEFF", "Ni_FEFF"], "simulations": {"archive": "runs"}}


def spectra_of(element, number, *, seed=0):
    """(number, 141) bohr²: an edge of about the height that a K edge has, with a wiggle of its own each."""
    x = 0.25 * np.arange(141)
    wiggle = np.random.default_rng(seed).uniform(1, 3, (number, 1))
    return (0.8 / Element(element).Z ** 2) * (0.55 + np.arctan(x - 8) / np.pi + 0.2 * np.sin(x / wiggle) ** 2)


def structures_of(element):
    """Thirteen materials, mp-0 to mp-12: perovskites with an absorber at atom 1, and cuprite with one at atom 0."""
    found = {f"mp-{k}": perovskite(element, partner, 3.8 + 0.05 * k) for k, partner in enumerate(PARTNERS)}
    return found | {"mp-12": cuprite(element)}


def subset_files(
    folder, subset, *, structures=None, parts=PARTS, rejected_detail="xmu.dat is missing or empty", settings=(), seed=0
):
    """The files that `build_dataset` takes a subset from."""
    folder = Path(folder) / subset
    folder.mkdir(parents=True)
    element = subset.split("_")[0]
    structures = structures or structures_of(element)
    ids, n = list(structures), len(structures)
    site_index = np.array([1 if len(s) == 5 else 0 for s in structures.values()], dtype=np.int64)
    curated = CuratedSpectra(
        subset=subset,
        energy_ev=GRID_START_EV[element] + 0.25 * np.arange(141),
        spectra=spectra_of(element, n, seed=seed),
        material_id=ids,
        site_index=site_index,
        multiplicity=np.array([1 if len(s) == 5 else 4 for s in structures.values()], dtype=np.int64),
        rejected=[Rejected("mp-99", 2, "no_output", rejected_detail)],
        corrections=["SCF ca1 0.2 -> 0.1"] + [""] * (n - 1),
        settings=settings,
        described={"settings": "FMS 9 0; SCF 7 0 (12 runs; 1 with SCF 5 0, not SCF 7 0)"} if settings else {},
    )
    write_spectra(folder / "s.h5", curated, {})
    write_structures(folder / "s.parquet", [describe(m, s, symprec=0.01) for m, s in structures.items()])
    rows = list(zip(ids, site_index, parts, strict=True))
    pd.DataFrame(rows, columns=["material_id", "site_index", "split"]).to_csv(folder / "split.csv", index=False)
    features = {}
    for name, width in (("chgnet", 3), ("m3gnet", 4)):
        features[name] = folder / f"{name}.h5"
        with h5py.File(features[name], "w") as file:
            file.attrs.update(featurizer=name, meaning="made up", weights_hash="b" * 64, versions="{}")
            file.create_dataset("material_id", data=ids, dtype=h5py.string_dtype())
            file["site_index"] = site_index
            file["features"] = np.random.default_rng(seed + width).normal(size=(n, width)).astype(np.float32)
            write_rejected_group(file, [])
    return SubsetFiles(folder / "s.h5", folder / "s.parquet", folder / "split.csv", features)


def write_dataset(folder, *, config=None, creator="the makers", subsets=("Cu_FEFF", "Ni_FEFF"), name="d.h5", **more):
    """Build a dataset in a folder; `more` goes to `subset_files`."""
    folder = Path(folder)
    files = {subset: subset_files(folder / "of", subset, **more) for subset in subsets}
    given = load_config({**CONFIG, "subsets": list(subsets), **(config or {})})
    build_dataset(folder / name, files, campaign="small", creator=creator, licence="CC-BY-4.0", config=given.as_json())
    shutil.rmtree(folder / "of")
    return folder / name


@cache
def _usual():
    return write_dataset(mkdtemp(prefix="xanesflow-tests-"))


def copy_of_dataset(folder, name="d.h5"):
    """A copy of the usual dataset, built once a process."""
    return Path(shutil.copy(_usual(), Path(folder) / name))


def seal_again(file):
    """What a damage that is not silent leaves: the hashes fit again, so that only the check meant finds it."""
    from xanesflow.dataset.file import seal

    seal(file)


def attributes(path):
    """The root attributes of a file, JSON decoded where it is some."""
    with h5py.File(path) as file:
        return {k: json.loads(v) if str(v).startswith("{") else v for k, v in file.attrs.items()}
