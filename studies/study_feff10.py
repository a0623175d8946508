"""Is the FEFF 10 that comes with pip equal to the published FEFF 9 spectra, how long does it take, and what saves time?

    python studies/study_feff10.py --archive feff9-cu.tar.xz --out DIR                 runs what is not there yet
    python studies/study_feff10.py --archive feff9-cu.tar.xz --out DIR --table         prints the tables

From the published POSCAR of a Cu site through our own feff.inp, at the paper's settings, to the spectrum, against the
published one. The sites are chosen by chance (seed 0), one in each of sixteen equal steps of size from the smallest
published cluster to 180 atoms, and two beyond 220. Each is run as the workflow runs it; eight of the sixteen, every
other one, also as plain `feff10-rs`, right after. One row a run in DIR/rows.jsonl, the cheapest first; a run that was
killed is started again, what is finished is not. DIR begins with the rows of studies/feff10_rows.jsonl, runs from
before; copy the rows there when more are done.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from pymatgen.core import Structure

from xanesflow.codes.feff.pip_feff import modules_for, run_modules
from xanesflow.codes.feff.read_xmu import parse_xmu
from xanesflow.codes.feff.write_inputs import Feff
from xanesflow.config.model import Config

SMALLEST, LARGEST, STEPS = 79, 180, 16
BEYOND = 220
PLAIN = "plain"
AS_THE_WORKFLOW = "workflow"


def main() -> None:
    """Run, or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    rows = given.out / "rows.jsonl"
    if not rows.exists():
        shutil.copyfile(Path(__file__).with_name("feff10_rows.jsonl"), rows)
    if not given.table:
        unpacked = given.out / "archive"
        if not unpacked.exists():
            unpack(given.archive, unpacked)
        done = {(row["site"], row["way"]) for row in read_rows(rows)}
        for folder, way in chosen_runs(unpacked):
            if (site_of(folder), way) not in done:
                row = run(folder, way, given.out / "spectra")
                with rows.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(row, flush=True)
    print_tables(read_rows(rows), given.out / "spectra")


def unpack(archive: Path, out: Path) -> None:
    """Unpack the archive, all or nothing."""
    partial = out.with_name("archive.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    subprocess.run(["tar", "xf", archive, "-C", partial], check=True)
    partial.rename(out)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Finished runs."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def atoms_of(feff_inp: str) -> int:
    """Number of atoms in a feff.inp."""
    rows = feff_inp[feff_inp.index("ATOMS") :].splitlines()[1:]
    return sum(1 for row in rows if re.match(r"\s*-?\d", row))


def site_of(folder: Path) -> str:
    """`mp-390_000`."""
    return f"{folder.parents[1].name}_{folder.name[:3]}"


def chosen_runs(unpacked: Path) -> list[tuple[Path, str]]:
    """The sites and how each is run, the smallest cluster first."""
    sizes = {}
    for path in sorted(unpacked.rglob("FEFF-XANES/*/feff.inp")):
        if (path.parent / "xmu.dat").exists():
            sizes[path.parent] = atoms_of(path.read_text(errors="replace"))
    chance = random.Random(0)
    edges = np.linspace(SMALLEST, LARGEST + 1, STEPS + 1)
    chosen = []
    for low, high in pairwise(edges):
        inside = [folder for folder, n in sizes.items() if low <= n < high]
        if inside:
            chosen.append(chance.choice(inside))
    runs = [(folder, AS_THE_WORKFLOW) for folder in chosen]
    runs += [(folder, PLAIN) for folder in chosen[::2]]
    runs += [(folder, AS_THE_WORKFLOW) for folder in chance.sample([f for f, n in sizes.items() if n > BEYOND], 2)]
    return sorted(runs, key=lambda one: (sizes[one[0]], one[1] == PLAIN))


def run(published: Path, way: str, keep: Path) -> dict[str, Any]:
    """Run a site, keep its xmu.dat, and compare it with the published spectrum."""
    structure = Structure.from_file(published.parents[1] / "POSCAR")
    site_index = int(published.name[:3])
    with TemporaryDirectory(prefix="study-feff10-") as name:
        top, folder = Path(name) / "written", Path(name) / "run"
        Feff(Config().inputs.of("FEFF"), element="Cu").write(top, structure, [site_index])
        folder.mkdir()
        shutil.copyfile(next(top.rglob("feff.inp")), folder / "feff.inp")
        begin, before = time.monotonic(), _processor()
        with (folder / "feff.out").open("wb") as printed:
            saved = os.dup(1)
            os.dup2(printed.fileno(), 1)
            try:
                code = _plain(folder) if way == PLAIN else run_modules(folder, own_scattering=True)
            finally:
                os.dup2(saved, 1)
        processor = _processor() - before
        log = (folder / "feff.out").read_text(errors="replace")
        row: dict[str, Any] = {
            "site": site_of(published), "way": way, "atoms": atoms_of((folder / "feff.inp").read_text()),
            "potentials": len(re.findall(r"^\s*\d+\s+\d+\s+[A-Z][a-z]?\s", _potentials(folder), re.MULTILINE)),
            "exit_code": code, "processor_s": round(processor, 1), "wall_s": round(time.monotonic() - begin, 1),
            "iterations": len(re.findall("New Fermi level", log)),
            "seconds": {m[1]: float(m[2]) for m in re.finditer(r"^xanesflow: (\w+): ([\d.]+) s", log, re.MULTILINE)},
        }  # fmt: skip
        if code == 0:
            keep.mkdir(exist_ok=True)
            shutil.copyfile(folder / "xmu.dat", keep / f"{site_of(published)}_{way}.dat")
            row |= compare((published / "xmu.dat").read_bytes(), (folder / "xmu.dat").read_bytes())
    return row


def _potentials(folder: Path) -> str:
    text = (folder / "feff.inp").read_text()
    return text[text.index("POTENTIALS") : text.index("ATOMS")]


def _processor() -> float:
    """Seconds of processor of this process and its children."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in (resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF))
    )


def _plain(folder: Path) -> int:
    """The package as it is: the same modules, each in a process, nothing else."""
    for name in modules_for((folder / "feff.inp").read_text()):
        environment = {**os.environ, "FEFF10_WORKER_STAGE": name, "FEFF10_WORKER_DIR": str(folder)}
        begin = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "feff10._worker"], cwd=folder, env=environment, check=False)
        os.write(1, f"xanesflow: {name}: {time.monotonic() - begin:.2f} s\n".encode())
        if done.returncode:
            return done.returncode
    return 0


def compare(published: bytes, ours: bytes) -> dict[str, float]:
    """Largest deviation and RMS over the maximum of the published cross section, on its energies within 35 eV."""
    one, other = parse_xmu(published), parse_xmu(ours)
    inside = one.energy_ev < one.energy_ev[0] + 60
    there = np.interp(one.energy_ev[inside], other.energy_ev, other.cross_section)
    off = there - one.cross_section[inside]
    top = one.cross_section.max()
    return {"deviation": float(np.abs(off).max() / top), "rms": float(np.sqrt((off**2).mean()) / top)}


def print_tables(rows: list[dict[str, Any]], spectra: Path) -> None:
    """The tables of docs/studies."""
    print("| site | atoms | kinds | way | deviation | RMS | iterations | processor s | pot | screen | scattering |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        seconds = row["seconds"]
        scattering = seconds.get("scattering", seconds.get("fms", 0) + seconds.get("mkgtr", 0))
        cells = (
            row["site"], row["atoms"], row["potentials"], row["way"], f"{row.get('deviation', np.nan):.1e}",
            f"{row.get('rms', np.nan):.1e}", row["iterations"], f"{row['processor_s']:.0f}",
            f"{seconds.get('pot', 0):.0f}", f"{seconds.get('screen', 0):.0f}", f"{scattering:.0f}",
        )  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |")
    deviations = [row["deviation"] for row in rows if row["way"] == AS_THE_WORKFLOW and "deviation" in row]
    if deviations:
        print(f"\n{len(deviations)} sites: median deviation {np.median(deviations):.1e}, worst {max(deviations):.1e}")

    # Sites that were run both ways: what the workflow's way saves, and what it costs in accuracy.
    by_way = {(row["site"], row["way"]): row for row in rows}
    both = [site for site, way in by_way if way == PLAIN and (site, AS_THE_WORKFLOW) in by_way]
    if not both:
        return
    ours, plain = (sum(by_way[site, way]["processor_s"] for site in both) for way in (AS_THE_WORKFLOW, PLAIN))
    print(f"{len(both)} sites both ways: {ours / plain:.2f} of the processor time of plain feff10-rs")
    files = [[spectra / f"{site}_{way}.dat" for way in (PLAIN, AS_THE_WORKFLOW)] for site in both]
    apart = [
        compare(*(path.read_bytes() for path in pair))["deviation"]
        for pair in files
        if all(path.exists() for path in pair)  # rows from before have none
    ]
    if not apart:
        return
    print(f"largest deviation from the plain spectrum {max(apart):.1e}, median {np.median(apart):.1e}")


if __name__ == "__main__":
    main()
