"""Is the FEFF 10 that comes with pip equal to the published FEFF 9 spectra, how long does it take, and what saves time?

    python studies/study_feff10.py --archive feff9-cu.tar.xz --out DIR     runs what is not there yet
    python studies/study_feff10.py --out DIR --table                       prints the section of docs/studies/feff10.md
    python studies/study_feff10.py --out DIR --update                      puts it there, and the rows into studies/

From the published POSCAR of a Cu site through our own feff.inp, at the paper's settings, to the spectrum, against the
published one. The sites are chosen by chance (seed 0), one in each of sixteen equal steps of size from the smallest
published cluster to 180 atoms, and two beyond 220. Each is run as the workflow runs it; eight of the sixteen, every
other one, also as plain `feff10-rs`, right after. One row a run in DIR/rows.jsonl, the cheapest first; a run that was
killed is started again, what is finished is not. DIR begins with the rows of studies/feff10_rows.jsonl, runs from
before.
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
import textwrap
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
RUNS, SITES = 26, 18

ROWS = Path(__file__).with_name("feff10_rows.jsonl")
PAGE, HEADING = Path(__file__).parents[1] / "docs/studies/feff10.md", "## The study so far"
UNEXPECTED = 1e-3
"""A deviation above this is looked into."""
NOT_IN_TURN = {"mp-561512_010"}
"""Sites whose two runs were hours or machines apart: no time is compared."""
EXPLAINED: dict[str, str] = {}
"""Site -> why its spectrum deviates by more than that, once somebody has found out."""


def main() -> None:
    """Run, or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--update", action="store_true")
    given = parser.parse_args()
    if not (given.archive or given.table or given.update):
        parser.error("name --archive to run, or --table or --update")
    given.out.mkdir(parents=True, exist_ok=True)
    rows = given.out / "rows.jsonl"
    if not rows.exists():
        shutil.copyfile(ROWS, rows)
    if given.table or given.update:
        finished = with_what_is_known(read_rows(rows))
        section = describe(finished, given.out)
        print(section)
        if given.update:
            update_page(section)
            write_rows(finished, given.out)
        return
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
    print(describe(read_rows(rows), given.out))


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


def with_what_is_known(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with what studies/feff10_rows.jsonl knows of them in addition, as spectra of earlier runs are not kept."""
    known = {(row["site"], row["way"]): row for row in read_rows(ROWS)}
    return [{**known.get((row["site"], row["way"]), {}), **row} for row in rows]


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


def describe(rows: list[dict[str, Any]], out: Path) -> str:
    """The section of docs/studies/feff10.md: the table, what it says, and what deviates more than expected."""
    ours = [row for row in rows if row["way"] == AS_THE_WORKFLOW]
    good = [row for row in ours if "deviation" in row]
    parts = [
        HEADING,
        wrap(f"{len(rows)} of the {RUNS} runs are done, {len(ours)} of the {SITES} sites. Deviation and RMS are from "
             "the published FEFF 9.9.1 spectrum, over its maximum."),
        table(rows),
        wrap("The seconds of the modules are of the wall, the others of the processor. The machine was shared with "
             "many other processes, which stretches the wall many times and, when it is very busy, the processor "
             "seconds of the same work up to threefold. Only runs right after each other can be compared."),
    ]  # fmt: skip
    if good:
        parts.append(accuracy(good))
    parts += outliers(good, rows, out)
    parts += both_ways(rows, out)
    return "\n\n".join(parts)


def wrap(text: str) -> str:
    """Break a paragraph as the page does."""
    return textwrap.fill(text, 118)


def table(rows: list[dict[str, Any]]) -> str:
    """One row a run, smallest clusters first."""
    lines = ["| site | atoms | kinds | way | deviation | RMS | iterations | processor s | pot | screen | scattering |",
             "|" + " --- |" * 11]  # fmt: skip
    for row in sorted(rows, key=lambda row: (row["atoms"], row["site"], row["way"] == PLAIN)):
        seconds = row["seconds"]
        scattering = seconds.get("scattering", seconds.get("fms", 0) + seconds.get("mkgtr", 0))
        cells = (
            row["site"], row["atoms"], row["potentials"], row["way"],
            f"{row['deviation']:.1e}" if "deviation" in row else f"exit code {row['exit_code']}",
            f"{row['rms']:.1e}" if "rms" in row else "", row["iterations"], f"{row['processor_s']:.0f}",
            f"{seconds.get('pot', 0):.0f}", f"{seconds.get('screen', 0):.0f}", f"{scattering:.0f}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def accuracy(good: list[dict[str, Any]]) -> str:
    """Median and worst deviation from the published spectra."""
    deviations = np.array([row["deviation"] for row in good])
    iterations = [row["iterations"] for row in good]
    unexpected = int((deviations > UNEXPECTED).sum())
    return wrap(
        f"**Accuracy.** {plural(len(good), 'site')} as the workflow runs them: the median deviation is "
        f"{np.median(deviations):.1e}, the worst {deviations.max():.1e}; {unexpected or 'none'} above {UNEXPECTED:g} "
        f"(expected: a median of 1e-4). The fields took {min(iterations)} to {max(iterations)} iterations."
    )


def outliers(good: list[dict[str, Any]], rows: list[dict[str, Any]], out: Path) -> list[str]:
    """What is known of each site above `UNEXPECTED`."""
    plain = {row["site"]: row for row in rows if row["way"] == PLAIN and "deviation" in row}
    lines = []
    for row in good:
        if row["deviation"] <= UNEXPECTED:
            continue
        site, known = row["site"], [f"deviation {row['deviation']:.1e}, RMS {row['rms']:.1e}"]
        if site in plain:
            known.append(f"the plain run deviates by {plain[site]['deviation']:.1e}")
        material, index = site.rsplit("_", 1)
        folder = next(out.glob(f"archive/*/{material}/FEFF-XANES/{index}_*"), None)
        kept = out / "spectra" / f"{site}_{AS_THE_WORKFLOW}.dat"
        if folder is not None:
            log = (folder / "feff.out").read_text(errors="replace")
            known.append(f"{row['iterations']} iterations, {log.count('New Fermi level')} in the published run")
            if kept.exists():
                known.append(shifted((folder / "xmu.dat").read_bytes(), kept.read_bytes()))
        known.append(EXPLAINED.get(site, "not explained yet"))
        lines.append(textwrap.fill(f"- {site}: {'; '.join(known)}.", 118, subsequent_indent="  "))
    return ["\n".join(["Sites above it:", "", *lines])] if lines else []


def shifted(published: bytes, ours: bytes) -> str:
    """How much of a deviation is a shift of the energies, as of another Fermi level."""
    one, other = parse_xmu(published), parse_xmu(ours)
    inside = one.energy_ev < one.energy_ev[0] + 60
    energy, truth = one.energy_ev[inside], one.cross_section[inside]
    shifts = np.arange(-200, 201) * 0.005

    def off(shift: float) -> float:
        there = np.interp(energy, other.energy_ev + shift, other.cross_section)
        return float(np.abs(there - truth).max() / truth.max())

    best = min(shifts, key=lambda shift: off(float(shift)))
    return f"shifted by {best:+.3f} eV it deviates by {off(float(best)):.1e}"


def both_ways(rows: list[dict[str, Any]], out: Path) -> list[str]:
    """Sites that were run both ways: what the workflow's way saves, and what it costs in accuracy."""
    by_way = {(row["site"], row["way"]): row for row in rows if row["exit_code"] == 0}
    both = [row for (site, way), row in by_way.items() if way == PLAIN and (site, AS_THE_WORKFLOW) in by_way]
    if not both:
        return []
    in_turn = sorted((row for row in both if row["site"] not in NOT_IN_TURN), key=lambda row: row["atoms"])
    small = [row for row in in_turn if row["atoms"] <= 120]

    def ratio(chosen: list[dict[str, Any]]) -> float:
        ours = sum(by_way[row["site"], AS_THE_WORKFLOW]["processor_s"] for row in chosen)
        return float(ours / sum(row["processor_s"] for row in chosen))

    said = f"**Both ways.** {plural(len(both), 'site')} so far."
    if in_turn:
        said += f" xanesflow's way took {ratio(in_turn):.2f} of the processor time of plain `feff10-rs` on "
        said += f"{plural(len(in_turn), 'site')} (bar: 0.6, goal: 0.4)"
        if small:
            said += f", and {ratio(small):.2f} on the {plural(len(small), 'site')} up to 120 atoms (bar: a third)"
        if len(in_turn) > 1:
            said += f"; one by one, from the smallest: {', '.join(f'{ratio([row]):.2f}' for row in in_turn)}"
        said += "."
    if skipped := sorted(row["site"] for row in both if row["site"] in NOT_IN_TURN):
        said += f" The two runs of {' and of '.join(skipped)} were hours or machines apart; no time is compared."
    apart = [value for row in both if (value := apart_of(row, out)) is not None]
    if apart:
        said += f" The two spectra of a site differ by {np.median(apart):.1e} of the maximum (median of {len(apart)}), "
        said += f"at most {max(apart):.1e} (bar: 2e-4)."
    return [wrap(said)]


def apart_of(row: dict[str, Any], out: Path) -> float | None:
    """Deviation of the spectrum as the workflow computes it from that of the plain run; None if it is not known."""
    pair = [out / "spectra" / f"{row['site']}_{way}.dat" for way in (PLAIN, AS_THE_WORKFLOW)]
    if all(path.exists() for path in pair):
        return compare(*(path.read_bytes() for path in pair))["deviation"]
    return row.get("apart")


def plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def update_page(section: str) -> None:
    """Put the section in the place of the one that docs/studies/feff10.md has."""
    before, _, rest = PAGE.read_text().partition(HEADING)
    after = rest.partition("\n## ")
    PAGE.write_text(f"{before}{section}\n{''.join(['', *after[1:]]) if after[1] else ''}")


def write_rows(rows: list[dict[str, Any]], out: Path) -> None:
    """Copy the rows into studies/, with what only the spectra in `out` tell."""
    for row in rows:
        if row["way"] == PLAIN and (apart := apart_of(row, out)) is not None:
            row["apart"] = apart
    ROWS.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
