"""Accuracy of the embedded engine against FEFF 9.9.1: the study behind the defaults and docs/studies/engine.md.

    python studies/study_engine.py ARCHIVE --out DIR                      compute missing sites, print the table
    python studies/study_engine.py ARCHIVE --out DIR --set fms_radius=7   the same with other settings

ARCHIVE is the published archive of finished Cu runs. Sites are drawn at random, one for each material. The first ones
serve to choose settings (development). The others, from materials that no choice has seen, serve to evaluate (test).
Sites whose results are in DIR are not computed again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from pymatgen.core import Structure
from pymatgen.io.vasp import Poscar
from scipy.stats import spearmanr

from xanesflow.codes.archive import read_archive
from xanesflow.codes.feff.read_xmu import parse_xmu
from xanesflow.codes.feff8l import EngineSettings, compute_xanes
from xanesflow.codes.lightshow_tree import place_of
from xanesflow.config.curation import PAPER_ENERGY_START_EV
from xanesflow.core.energy_grid import energy_grid, onto_grid
from xanesflow.core.errors import XanesflowError

START_EV = PAPER_ENERGY_START_EV["Cu"]
GRID_EV = energy_grid(START_EV)
SEED = 7
DEVELOPMENT, TEST = 140, 64
"""Numbers of materials for choosing settings, and of materials that no choice has seen."""


def draw_names(archive: Path, n: int) -> dict[str, int]:
    """One site of each of `n` materials drawn at random; a larger `n` only adds materials at the end."""
    names: dict[str, list[int]] = {}
    for member in read_archive(archive, lambda name: False, lambda name: name.endswith("/xmu.dat")):
        place = place_of(member.name, "FEFF")
        if place and place.site_index is not None:
            names.setdefault(place.material_id, []).append(place.site_index)
    rng = random.Random(SEED)
    materials = sorted(names)
    rng.shuffle(materials)
    return {material: rng.choice(sorted(names[material])) for material in materials[:n]}


def draw_sites(archive: Path, n_development: int, n_test: int) -> tuple[list[dict], list[dict]]:
    """One site of each drawn material, with structure and FEFF 9 spectrum; always the same for the same archive."""
    chosen = draw_names(archive, n_development + n_test)
    sites: dict[str, dict] = {m: {"material_id": m, "site_index": i} for m, i in chosen.items()}

    def wanted(name: str) -> bool:
        place = place_of(name, "FEFF")
        if place is None or place.material_id not in chosen:
            return False
        return place.file == "POSCAR" or (place.file == "xmu.dat" and place.site_index == chosen[place.material_id])

    for member in read_archive(archive, wanted):
        place = place_of(member.name, "FEFF")
        site = sites[place.material_id]
        if place.file == "POSCAR":
            site["structure"] = Poscar.from_str(member.content.decode()).structure
        else:
            xmu = parse_xmu(member.content)
            site["reference"] = onto_grid(xmu.energy_ev, xmu.cross_section, start_ev=START_EV, max_flat_start_ev=10.0)
            site["fermi_ev"] = float(member.content.split(b"Mu=")[1].split(b"eV")[0])
    drawn = [sites[m] for m in chosen]
    return drawn[:n_development], drawn[n_development:]


def compute(site: dict, folder: Path, settings: EngineSettings) -> Path:
    """Compute a site unless its result exists; after a failure, the file holds the error sentence."""
    path = folder / f"{site['material_id']}_{site['site_index']:03d}.npz"
    if not path.exists():
        structure: Structure = site["structure"]
        try:
            result = compute_xanes(structure, site["site_index"], settings)
            values = {"energy": result.energy_ev, "mu": result.cross_section, "record": json.dumps(result.record)}
        except XanesflowError as error:
            values = {"error": str(error)}
        temporary = path.with_suffix(".part.npz")
        np.savez_compressed(temporary, **values)
        temporary.replace(path)
    return path


def judge(
    energy: np.ndarray, mu: np.ndarray, reference: np.ndarray, shift_ev: float, grid_ev: np.ndarray = GRID_EV
) -> tuple[float, float]:
    """Spearman's rank correlation and relative RMS difference of a shifted spectrum, scaled to the same area."""
    ours = np.interp(grid_ev, energy + shift_ev, mu)
    ours = ours * reference.sum() / ours.sum()
    return float(spearmanr(ours, reference)[0]), float(np.sqrt(np.mean((ours - reference) ** 2)) / reference.mean())


def best_shift(spectra: list, references: list) -> float:
    """The common shift of all sites, in eV, with the lowest median RMS."""
    shifts = np.arange(-3, 3.001, 0.05)
    medians = [np.median([judge(*s, r, x)[1] for s, r in zip(spectra, references, strict=True)]) for x in shifts]
    return float(shifts[int(np.argmin(medians))])


def load(paths: list[Path], sites: list[dict]) -> tuple[list, list, list, int]:
    """Spectra, references and records of all sites with a spectrum, and the number of sites without one."""
    spectra, references, records, failed = [], [], [], 0
    for path, site in zip(paths, sites, strict=True):
        with np.load(path) as stored:
            if "error" in stored:
                failed += 1
                print(f"  no spectrum: {path.stem}: {stored['error']}")
                continue
            spectra.append((stored["energy"], stored["mu"]))
            records.append(json.loads(str(stored["record"])) | {"fermi_feff9_ev": site["fermi_ev"]})
        references.append(site["reference"])
    return spectra, references, records, failed


def table_row(name: str, paths: list[Path], sites: list[dict], shift: float | None) -> float:
    """Print one row of the table; returns the shift used."""
    spectra, references, records, failed = load(paths, sites)
    used = best_shift(spectra, references) if shift is None else shift
    scores = np.array([judge(*s, r, used) for s, r in zip(spectra, references, strict=True)])
    own = np.array(
        [
            min((judge(*s, r, x)[1], x) for x in np.arange(-4, 4.01, 0.1))
            for s, r in zip(spectra, references, strict=True)
        ]
    )
    rank, rms = scores.T
    seconds = np.array([record["seconds"] for record in records])
    rungs = np.bincount([record["rung_number"] for record in records], minlength=6)[1:6]
    print(
        f"| {name} | {len(spectra)} | {failed} | {used:+.2f} | {np.median(rank):.3f} | {np.quantile(rank, 0.1):.3f} | "
        f"{np.median(rms):.3f} | {np.quantile(rms, 0.9):.3f} | {np.median(own[:, 0]):.3f} | {own[:, 1].std():.2f} | "
        f"{np.median(seconds):.1f} | {'/'.join(map(str, rungs))} |"
    )
    return used


def main() -> None:
    """Compute the sites and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--development", type=int, default=DEVELOPMENT)
    parser.add_argument("--test", type=int, default=TEST)
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of the engine, as JSON values"
    )
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    changes = {key: json.loads(value) for key, value in (one.split("=", 1) for one in given.set)}
    settings = replace(EngineSettings(), **changes)
    development, test = draw_sites(given.archive, given.development, given.test)
    # Results are stored by settings, which include the version of the engine and its learned correction.
    label = json.dumps(settings.as_dict(), sort_keys=True)
    folder = given.out / hashlib.sha256(label.encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(label)
    with ProcessPoolExecutor(given.workers) as pool:
        paths = list(pool.map(partial(compute, folder=folder, settings=settings), development + test))
    print(
        "| sites | n | without spectrum | shift eV | Spearman median | 10 % | RMS median | 90 % | own shift: RMS "
        "| its SD eV | s a site | rungs |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    n = len(development)
    shift = table_row("development", paths[:n], development, None)
    table_row("test, shift of development", paths[n:], test, shift)
    table_row("test, its own common shift", paths[n:], test, None)


if __name__ == "__main__":
    main()
