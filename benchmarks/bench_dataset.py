"""Time to write, read, check, compare and package a dataset of the paper's size, in one table.

The workflow's own `build_dataset` writes a synthetic file with the published sizes of ten subsets (75,691 spectra). Its
spectra have the shape of a K edge, and its structures as many atoms as the published ones have on average.

    python benchmarks/bench_dataset.py [--folder DIR] [--part 1.0] [--all]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pandas as pd

import xanesflow
from xanesflow.config.load import load_config
from xanesflow.core.tables import write_rejected_group
from xanesflow.dataset.build import SubsetFiles, build_dataset
from xanesflow.dataset.check.validate import validate
from xanesflow.dataset.compare_releases import compare
from xanesflow.dataset.share.package import package_dataset
from xanesflow.spectra.store import CuratedSpectra, write_spectra
from xanesflow.structures.site_table import write_structure_rows

SIZES = {
    "Ti_FEFF": 6422, "V_FEFF": 10813, "Cr_FEFF": 3067, "Mn_FEFF": 17052, "Fe_FEFF": 12067, "Co_FEFF": 10753,
    "Ni_FEFF": 4335, "Cu_FEFF": 4172, "Ti_VASP": 3784, "Cu_VASP": 3226,
}  # fmt: skip
"""Numbers of spectra in the published subsets, all parts."""

NUMBERS = {"Ti": 22, "V": 23, "Cr": 24, "Mn": 25, "Fe": 26, "Co": 27, "Ni": 28, "Cu": 29}
STARTS_EV = load_config({"simulations": {"archive": "x"}}).curation.energy_start
SITES = 2.3  # per material, as in the published Cu subset
ATOMS = 30
OTHERS = ("Mg", "Ca", "Sr", "Ba", "Al", "Si", "Ge", "Sn", "Y", "La", "Na", "K", "Zn", "Ga", "Zr", "Nb", "Li", "P")


def structure(element: str, number: int) -> tuple[str, str]:
    """JSON and formula of an invented oxide: absorbers first; the other elements depend on the number."""
    random = np.random.default_rng(number)
    metals = random.integers(3, 8)
    names = [element] * metals + [OTHERS[number % len(OTHERS)]] * (2 + number // len(OTHERS) % 9)
    names += ["O"] * (ATOMS - len(names))
    edge = 7.5 + random.random()
    data = {
        "@module": "pymatgen.core.structure", "@class": "Structure", "charge": 0.0, "properties": {},
        "lattice": {"matrix": (edge * np.eye(3)).tolist(), "pbc": [True, True, True]},
        "sites": [{"species": [{"element": name, "occu": 1}], "abc": random.random(3).round(6).tolist(),
                   "properties": {}} for name in names],
    }  # fmt: skip
    return json.dumps(data, sort_keys=True), f"{element}{metals}O"


def make_files(folder: Path, subset: str, size: int) -> SubsetFiles:
    """Write the files from which `build_dataset` takes a subset."""
    element = subset.split("_", maxsplit=1)[0]
    folder = folder / subset
    folder.mkdir(parents=True)
    random = np.random.default_rng(size)
    material = np.minimum((np.arange(size) / SITES).astype(int), size)
    ids = [f"mp-{NUMBERS[element] * 100000 + k}" for k in material]
    first = np.r_[True, material[1:] != material[:-1]]
    site = np.arange(size) - np.maximum.accumulate(np.where(first, np.arange(size), 0))
    x = 0.25 * np.arange(141)
    wiggle = np.sin(x / random.uniform(1, 3, (size, 1))) ** 2
    spectra = 0.8 / NUMBERS[element] ** 2 * (0.55 + np.arctan(x - 8) / np.pi + 0.2 * wiggle)
    curated = CuratedSpectra(
        subset, STARTS_EV[element] + x, spectra, ids, site.astype(np.int64), np.ones(size, dtype=np.int64), []
    )
    write_spectra(folder / "s.h5", curated, {})
    distinct = list(dict.fromkeys(ids))
    described = [(name, *structure(element, int(name[3:]))) for name in distinct]
    write_structure_rows(folder / "s.parquet", [(name, text, formula, ATOMS) for name, text, formula in described])
    parts = ["train"] * 8 + ["val", "test"]
    rows = [(name, int(k), parts[m % 10]) for name, k, m in zip(ids, site, material, strict=True)]
    pd.DataFrame(rows, columns=["material_id", "site_index", "split"]).to_csv(folder / "split.csv", index=False)
    with h5py.File(folder / "f.h5", "w") as file:
        file.attrs.update(featurizer="m3gnet", meaning="random numbers", weights_hash="0" * 64, versions="{}")
        file.create_dataset("material_id", data=ids, dtype=h5py.string_dtype())
        file["site_index"] = site.astype(np.int64)
        file["features"] = random.normal(size=(size, 64)).astype(np.float32)
        write_rejected_group(file, [])
    return SubsetFiles(folder / "s.h5", folder / "s.parquet", folder / "split.csv", {"m3gnet": folder / "f.h5"})


def clock(what, repeat=1):
    """Seconds that a call takes, as the median of several."""
    seconds = []
    for _ in range(repeat):
        begin = time.perf_counter()
        what()
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds))


def forget(path: Path) -> None:
    """Make the system drop a file from its cache, so that the next read comes from the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def one_of(path: Path, row: int) -> None:
    """Open the file and read one spectrum."""
    with xanesflow.load(path) as data:
        data["Mn_FEFF"].spectra[row]


def read_raw(path: Path, size: int) -> None:
    """Read as many bytes as a subset's spectra have, straight from the file."""
    with path.open("rb", buffering=0) as file:
        file.seek(path.stat().st_size // 3)
        file.read(size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="folder for the file (about 250 MB); default: a temporary one")
    parser.add_argument("--part", type=float, default=1.0, help="share of the published sizes")
    parser.add_argument("--all", action="store_true", help="also check, compare and package it (minutes)")
    given = parser.parse_args()
    with TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        sizes = {subset: max(int(given.part * size), 60) for subset, size in SIZES.items()}
        files = {subset: make_files(folder / "of", subset, size) for subset, size in sizes.items()}
        path = folder / "d.h5"
        config = load_config({"subsets": list(sizes), "simulations": {"archive": "x"}}).as_json()
        make = lambda: build_dataset(path, files, campaign="d", creator="c", licence="CC0-1.0", config=config)  # noqa: E731
        print(f"{sum(sizes.values())} spectra in {len(sizes)} subsets")
        print(f"{'write':<52}{clock(make):10.2f} s    {path.stat().st_size / 1e6:.0f} MB")
        forget(path)
        rows = np.random.default_rng(0).integers(0, sizes["Mn_FEFF"], 200)
        print(f"{'open, read one spectrum (first time, from disk)':<52}{1e3 * clock(lambda: one_of(path, 7)):10.2f} ms")
        each = iter(rows.tolist())
        median = 1e3 * clock(lambda: one_of(path, next(each)), 100)
        print(f"{'open, read one spectrum (median of 100)':<52}{median:10.2f} ms")
        with xanesflow.load(path) as data:
            mn = data["Mn_FEFF"]
            print(f"{'read one spectrum of an open file (100)':<52}"
                  f"{1e3 * clock(lambda: mn.spectra[next(each)], 100):10.2f} ms")  # fmt: skip
            size = mn.spectra[:].nbytes
            for where in ("disk", "memory"):
                seconds = []
                for read in (lambda: mn.spectra[:], lambda: read_raw(path, size)):
                    if where == "disk":
                        forget(path)
                    seconds.append(clock(read))
                print(f"{'all spectra of Mn_FEFF, from ' + where:<52}{size / 1e6 / seconds[0]:10.0f} MB/s "
                      f" (plain read: {size / 1e6 / seconds[1]:.0f} MB/s)")  # fmt: skip
            print(f"{'iterate over the sites of Mn_FEFF':<52}{clock(lambda: sum(1 for _ in mn)):10.2f} s")
        if given.all:
            print(f"{'validate':<52}{clock(lambda: validate(path)):10.1f} s")
            print(f"{'diff with itself':<52}{clock(lambda: compare(path, path)):10.1f} s")
            package = lambda: package_dataset(path, folder / "p", version="1.0.0")  # noqa: E731
            print(f"{'package':<52}{clock(package):10.1f} s")


if __name__ == "__main__":
    main()
