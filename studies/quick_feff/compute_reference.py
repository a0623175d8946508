"""Spectra of FEFF 10 at the paper's settings for some sites of each of the eight metals, to measure other levels by.

    python studies/quick_feff/compute_reference.py --out DIR         computes what is not there yet
    python studies/quick_feff/compute_reference.py --out DIR --pack  puts what is there into reference.npz as well

The sites are those of sites.csv: example structures and entries of the American Mineralogist Crystal Structure
Database, some for each metal, from the metal to its highest oxidation state, each kind with a small cluster. Where FEFF
cannot compute a site, the table has the entry of the same element, oxidation state and number of nearest neighbours
that costs least and is not yet there (docs/studies/quick-feff.md names them).
Rounds go through the metals, Mn and Fe first; in a round the cheapest site that is left of each. One row for each site
in DIR/rows.jsonl; a run that was killed is started again. What stands there or in reference.npz is not: a new folder
goes on where the packed file ends. Five of its spectra are no sites of the table; they were computed before it was
made.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from pymatgen.core import Structure

from xanesflow.codes.engine import Engine
from xanesflow.codes.feff.core_hours import feff_costs
from xanesflow.codes.registry import engine_of
from xanesflow.codes.run_engine import read_folder, run_engine
from xanesflow.config.model import Config
from xanesflow.core.errors import FailedRunError, XanesflowError
from xanesflow.core.files import atomic_path
from xanesflow.structures.amcsd.find_mineral import find_mineral
from xanesflow.structures.examples import load_examples

SITES = Path(__file__).with_name("sites.csv")
PACKED = Path(__file__).with_name("reference.npz")
NAMES = ("element", "material", "site", "kind")
ORDER = ("Mn", "Fe", "Ti", "V", "Cr", "Co", "Ni", "Cu")


def main() -> None:
    """Compute what is missing, or pack what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pack", action="store_true", help="write reference.npz again")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    rows = given.out / "rows.jsonl"
    if given.pack:
        pack(known_rows(given.out), PACKED, NAMES)
        return
    simulations = Config().simulations
    options = {"command": None, "inputs": Config().inputs.of("FEFF"), **simulations.feff.model_dump()}
    engine = engine_of("FEFF", options)
    done = {(row["material"], row["site"]) for row in known_rows(given.out)}
    for site, structure in in_order(read_sites(), options):
        if (site["material"], site["site"]) not in done:
            row = {**site, "structure": structure.as_dict(verbosity=0), **run(engine, structure, site["site"])}
            with rows.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            shown = {key: row[key] for key in ("element", "material", "site", "error", "processor_s")}
            print(shown, flush=True)


def read_sites() -> list[dict[str, Any]]:
    """The rows of sites.csv."""
    with SITES.open(encoding="utf-8") as file:
        return [{**row, "site": int(row["site"])} for row in csv.DictReader(file)]


def structure_of(material: str) -> Structure:
    """An example structure or an entry of the database."""
    for example in load_examples():
        if example.id == material:
            return example.structure()
    found = find_mineral(material)
    if found is None:
        raise XanesflowError(f"There is no structure {material}.")
    return found.structure


def in_order(sites: list[dict[str, Any]], options: dict[str, Any]) -> list[tuple[dict[str, Any], Structure]]:
    """Sites with their structures: the cheapest of each metal, then the second of each, and so on."""
    structures = [structure_of(site["material"]) for site in sites]
    hours = [float(feff_costs(one, [site["site"]], options)[1][0]) for one, site in zip(structures, sites, strict=True)]
    for site, structure in zip(sites, structures, strict=True):
        assert structure[site["site"]].specie.symbol == site["element"], site
    places = []
    for element in ORDER:
        mine = sorted((k for k, site in enumerate(sites) if site["element"] == element), key=lambda k: hours[k])
        places += [(number, ORDER.index(element), k) for number, k in enumerate(mine)]
    return [(sites[k], structures[k]) for *_, k in sorted(places)]


def run(engine: Engine, structure: Structure, site_index: int) -> dict[str, Any]:
    """Run a site as the workflow does: energies, cross sections, and seconds of processor by module."""
    begin, before = time.monotonic(), processor()
    row: dict[str, Any] = {"error": "", "settings": engine.settings()}
    with TemporaryDirectory(prefix="study-") as name:
        folder = Path(name)
        try:
            run_engine(engine, structure, site_index, folder)
            spectrum = read_folder(engine, folder, structure, site_index)
            row |= {"energy": spectrum.energy_ev.tolist(), "mu": spectrum.cross_section.tolist()}
        except (FailedRunError, XanesflowError) as error:
            row["error"] = str(error)
        row |= {"record": engine.record(folder)}
    return {**row, "processor_s": round(processor() - before, 1), "wall_s": round(time.monotonic() - begin, 1)}


def processor(*, myself: bool = False) -> float:
    """Seconds of processor of this process, or of its children that have ended."""
    used = resource.getrusage(resource.RUSAGE_SELF if myself else resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Finished runs."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def known_rows(folder: Path, packed: Path = PACKED) -> list[dict[str, Any]]:
    """Finished runs of the packed file, then those of a folder that it lacks, failed ones among them."""
    rows = read_packed(packed)
    there = {identity(row) for row in rows}
    return rows + [row for row in read_rows(folder / "rows.jsonl") if identity(row) not in there]


def identity(row: dict[str, Any]) -> tuple[Any, ...]:
    """What a run is of: its material and site, and in the study the setting that was tried."""
    return row["material"], row["site"], row.get("tried")


def read_packed(path: Path) -> list[dict[str, Any]]:
    """The rows that `pack` wrote; none where there is no file."""
    if not path.exists():
        return []
    with np.load(path) as stored:
        data = dict(stored)
    energy, mu, run, structure = (data.pop(name, None) for name in ("energy", "mu", "run", "structure"))
    rows = []
    for k, told in enumerate(run):
        there = np.isfinite(energy[k])
        row = {name: values[k].item() for name, values in data.items()}
        row |= {"error": "", "energy": energy[k][there].tolist(), "mu": mu[k][there].tolist(), **json.loads(told)}
        rows.append(row if structure is None else {**row, "structure": json.loads(structure[k])})
    return rows


def pack(rows: list[dict[str, Any]], out: Path, names: Sequence[str]) -> None:
    """Write the good spectra into one npz: a row of the table for each, energies in eV, cross sections in bohr².

    Args:
        rows: finished runs; those that failed are left out.
        out: the file.
        names: which entries say what a run is of.
    """
    good = [row for row in rows if not row["error"]]
    points = max(len(row["energy"]) for row in good)
    padded = np.full((2, len(good), points), np.nan)
    for k, row in enumerate(good):
        padded[:, k, : len(row["energy"])] = row["energy"], row["mu"]
    named = {name: np.array([row[name] for row in good]) for name in names}
    if "structure" in good[0]:
        named["structure"] = np.array([json.dumps(row["structure"], sort_keys=True) for row in good])
    runs = [{key: row[key] for key in ("settings", "record", "processor_s")} for row in good]
    with atomic_path(out) as temporary:
        np.savez_compressed(
            temporary, **named, energy=padded[0], mu=padded[1],
            run=np.array([json.dumps(one, sort_keys=True) for one in runs]),
        )  # fmt: skip
    print(f"{len(good)} spectra in {out}, {len(rows) - len(good)} runs failed")


if __name__ == "__main__":
    main()
