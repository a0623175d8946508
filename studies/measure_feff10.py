"""Processor time of the FEFF 10 that comes with pip at many settings, and how far the settings `quick` are off.

    python studies/measure_feff10.py --archive DIR --out studies/feff10_times.jsonl

DIR is the published archive of Cu runs, unpacked (studies/study_feff10.py leaves one). Two kinds of runs take turns:
the sites of that study at `xanesflow xanes --settings quick`, compared with the published spectrum, and examples of all
eight metals at settings drawn by chance (seed 0), the cheapest first. One row for each run; finished runs are not
started again.

studies/fit_cost.py fits the cost model to the rows. Seconds are those of the processor, as a shared machine makes the
wall longer. A very busy machine makes these longer too, up to threefold. So a standard run is made in between, and each
row says how many times slower it was (`slower`) than among the first rows, of a calmer machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from itertools import chain, islice, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from pymatgen.core import Structure

from xanesflow.codes.feff import pip_feff
from xanesflow.codes.feff.core_hours import describe_clusters, seconds_of_pip
from xanesflow.codes.feff.read_xmu import parse_xmu
from xanesflow.codes.feff.scatter import own_case, scatter
from xanesflow.codes.feff.write_inputs import Feff
from xanesflow.config.model import Config
from xanesflow.structures.examples import load_examples

sys.path.append(str(Path(__file__).parent))
from study_feff10 import AS_THE_WORKFLOW, chosen_runs, site_of

QUICK = {"SCF": "3.5 0 100 0.2 3", "FMS": "5.5 0", "EGRID": ["k_grid -1 0 0.04", "k_grid 0 4 0.06"]}
SCF_A = (2.5, 3.0, 3.5, 4.0, 4.5, 5.0)
FMS_A = (4.0, 4.5, 5.0, 5.5, 6.0, 7.0)
GRIDS = ("0 4 0.08", "0 4 0.06", "0 5 0.05", "0 6 0.04")
LONGEST_S = 120
"""Drawn runs that should take longer are left out."""
STANDARD = "v-bcc V SCF 3.0 FMS 5.0 k_grid 0 6 0.04"
STANDARD_S = 4.29
RUNS_BETWEEN = 4

Run = tuple[str, str, Structure, int, dict[str, Any], Path | None]


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=int, help="runs to make in this call; all by default")
    given = parser.parse_args()
    done = {json.loads(line)["run"] for line in given.out.read_text().splitlines()} if given.out.exists() else set()
    runs = filter(None, chain.from_iterable(zip_longest(quick_runs(given.archive), drawn_runs())))
    standard = next(each for each in drawn_runs() if each[0] == STANDARD)
    slower = 1.0
    for number, run in enumerate(islice((each for each in runs if each[0] not in done), given.most)):
        if number % RUNS_BETWEEN == 0:
            slower = sum(measure(standard)["seconds"].values()) / STANDARD_S
        row = measure(run) | {"slower": round(slower, 2)}
        with given.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)
    if given.out.exists():
        print_quick([json.loads(line) for line in given.out.read_text().splitlines()])


def print_quick(rows: list[dict[str, Any]]) -> None:
    """The table of docs/studies/feff10.md: `quick` against the published spectra."""
    print("| site | atoms within 5.5 Å | iterations | processor s | RMS | shift (eV) | RMS at the shift |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    quick = [row for row in rows if "rms" in row]
    for row in quick:
        print(f"| {row['run'].split()[0]} | {row['cluster']['fms_atoms']} | {row['iterations']} "
              f"| {sum(row['seconds'].values()):.0f} | {row['rms']:.3f} | {row['shift_ev']:+.2f} "
              f"| {row['rms_shifted']:.3f} |")  # fmt: skip
    for key in ("rms", "rms_shifted", "shift_ev"):
        values = [row[key] for row in quick]
        print(f"{key} of {len(values)} sites: median {np.median(values):.3f}, {min(values):.3f} to {max(values):.3f}")


def inputs_with(cards: dict[str, Any]) -> dict[str, Any]:
    """`inputs.feff` of the paper with some cards changed."""
    paper = Config().inputs.of("FEFF")
    return {**paper, "cards": {**paper["cards"], **cards}}


def quick_runs(archive: Path) -> Iterator[Run]:
    """The sites of studies/study_feff10.py at `quick`."""
    for folder, way in chosen_runs(archive):
        if way == AS_THE_WORKFLOW:
            structure = Structure.from_file(folder.parents[1] / "POSCAR")
            inputs = inputs_with(QUICK)
            yield f"{site_of(folder)} quick", "Cu", structure, int(folder.name[:3]), inputs, folder


def drawn_runs() -> list[Run]:
    """The examples, each with one absorber and settings drawn by chance; the cheapest first."""
    chance = random.Random(0)
    runs = []
    for example in load_examples():
        structure, element = example.structure(), chance.choice(list(example.inequivalent))
        site = next(i for i, atom in enumerate(structure) if atom.specie.symbol == element)
        scf_a, fms_a, grid = chance.choice(SCF_A), chance.choice(FMS_A), chance.choice(GRIDS)
        cards = {
            "SCF": f"{scf_a} 0 100 0.2 3", "FMS": f"{fms_a} 0",
            "EGRID": ["k_grid -1 0 0.04", f"k_grid {grid}"],
        }  # fmt: skip
        inputs = inputs_with(cards)
        (cluster,) = describe_clusters(structure, [site], inputs)
        if seconds_of_pip(cluster) < LONGEST_S and min(cluster.scf_rows) > 18:  # at least a neighbour in each sphere
            name = f"{example.id} {element} SCF {scf_a} FMS {fms_a} k_grid {grid}"
            runs.append((seconds_of_pip(cluster), (name, element, structure, site, inputs, None)))
    return [run for _, run in sorted(runs, key=lambda each: each[0])]


def measure(run: Run) -> dict[str, Any]:
    """Run a site module by module."""
    name, element, structure, site, inputs, published = run
    row: dict[str, Any] = {
        "run": name,
        "material": name.split(maxsplit=1)[0].partition("_")[0],
        "element": element,
        "inputs": {card: inputs["cards"][card] for card in ("SCF", "FMS", "EGRID")},
        "cluster": describe_clusters(structure, [site], inputs)[0].as_dict(),
    }
    with TemporaryDirectory(prefix="measure-feff10-") as temporary:
        top, folder = Path(temporary) / "written", Path(temporary) / "run"
        Feff(inputs, element=element).write(top, structure, [site])
        folder.mkdir()
        feff_inp = next(top.rglob("feff.inp"))
        shutil.copyfile(feff_inp, folder / "feff.inp")
        with (folder / "feff.out").open("wb") as printed:
            saved = os.dup(1)
            os.dup2(printed.fileno(), 1)
            try:
                row |= run_modules(folder)
            finally:
                os.dup2(saved, 1)
        row["iterations"] = (folder / "feff.out").read_text(errors="replace").count("New Fermi level")
        if row["exit_code"] == 0 and published is not None:
            row |= deviations((published / "xmu.dat").read_bytes(), (folder / "xmu.dat").read_bytes())
    return row


def run_modules(folder: Path) -> dict[str, Any]:
    """Processor seconds of each module."""
    seconds: dict[str, float] = {}
    begin = time.monotonic()
    for name in pip_feff.modules_for((folder / "feff.inp").read_text()):
        before = processor()
        if name == "fms" and own_case(folder):
            scatter(folder)
            seconds[pip_feff.OWN] = processor() - before
            continue
        if name == "mkgtr" and pip_feff.OWN in seconds:
            continue
        code = pip_feff.run_module(name, folder)
        seconds[name] = processor() - before
        if code:
            return {"exit_code": code, "seconds": seconds}
    rounded = {name: round(value, 2) for name, value in seconds.items()}
    return {"exit_code": 0, "seconds": rounded, "wall_s": round(time.monotonic() - begin, 1)}


def processor() -> float:
    """Seconds of processor of this process and its children."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in (resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF))
    )


def deviations(paper: bytes, quick: bytes) -> dict[str, float]:
    """How far a spectrum is from the published one, within 35 eV of the latter's first energy.

    Returns:
        The relative RMS as it is, and at the shift in eV (steps of 0.05, up to 3) at which it is least.
    """
    one, other = parse_xmu(paper), parse_xmu(quick)
    inside = one.energy_ev < one.energy_ev[0] + 35
    energy, truth = one.energy_ev[inside], one.cross_section[inside]

    def rms(shift: float) -> float:
        there = np.interp(energy, other.energy_ev + shift, other.cross_section)
        return float(np.sqrt(((there - truth) ** 2).mean() / (truth**2).mean()))

    shifts = np.arange(-60, 61) * 0.05
    best = min(shifts, key=lambda shift: rms(float(shift)))
    return {"rms": rms(0.0), "shift_ev": round(float(best), 2), "rms_shifted": rms(float(best))}


if __name__ == "__main__":
    main()
