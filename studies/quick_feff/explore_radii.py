"""Which radii of field and scattering are worth their time? One field for each site and radius, many scatterings of it.

    python studies/quick_feff/explore_radii.py --data ../shared/data --archive UNPACKED --reference DIR --out DIR

Only materials of the half that chooses (see study_quick_feff.py, whose sites these are). `pot`, `screen` and `xsph` run
once for each radius of the field, then our own scattering for each pair of radii (all orders, once). A row for each
site and radius of the field in DIR/rows.jsonl; what is there is not computed again. `--table` prints the table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from compute_reference import processor, read_rows
from study_quick_feff import SOURCES, Known, scores

from xanesflow.codes.feff.pip_feff import OWN, modules_for
from xanesflow.codes.feff.read_xmu import parse_xmu
from xanesflow.codes.feff.scatter import scatter
from xanesflow.codes.feffq.options import QuickSettings
from xanesflow.codes.feffq.write_inputs import write_feff_inp

FIELDS = {
    "3.5": (1, 3.5), "4.0": (1, 4.0), "4.5": (1, 4.5), "5.0": (1, 5.0), "13 atoms": (13, 3.0), "17 atoms": (17, 3.0),
}  # fmt: skip
"""Name -> least atoms in a sphere, least radius in Å."""

SCATTERINGS = ((5.5, 0.0), (5.5, 8.0), (6.5, 0.0), (6.5, 9.0), (7.5, 0.0))
"""Radii in Å to which atoms scatter to all orders, and once."""

MOST_ATOMS = 150  # beyond, a scattering takes minutes


def main() -> None:
    """Run, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fields", nargs="+", default=["3.5", "4.5"])
    parser.add_argument("--sources", nargs="+", default=["feff10", "published", "copper"])
    parser.add_argument("--sites", type=int, default=6, help="of each source")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    rows = given.out / "rows.jsonl"
    known = []
    for source in given.sources:
        choosing = (one for one in SOURCES[source](given) if not one.judges)
        known += [one for one, _ in zip(choosing, range(given.sites), strict=False)]
    if given.table:
        print_table(known, read_rows(rows))
        return
    done = {(row["material"], row["site"], row["field"]) for row in read_rows(rows)}
    for one in known:
        for field in given.fields:
            if (one.material, one.site, field) not in done:
                row = explore(one, field)
                with rows.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
                said = [(each["radii"], each["seconds"], scores(one, each)) for each in row["spectra"]]
                print(one.element, one.material, one.site, field, row["seconds"], said, flush=True)


def explore(one: Known, field: str) -> dict[str, Any]:
    """One field, and the spectra of all scatterings."""
    atoms, least = FIELDS[field]
    quick = QuickSettings(atoms, (least, max(least, 5.0)), (0.001, 0.01, 0.002), 5.5, 0.0, 0.06)
    row: dict[str, Any] = {"material": one.material, "site": one.site, "field": field, "spectra": [], "seconds": {}}
    with TemporaryDirectory(prefix="explore-") as name:
        folder = Path(name)
        text = write_feff_inp(one.structure, one.site, quick)
        (folder / "feff.inp").write_text(text)
        *until, _, _, path, genfmt, ff2x = modules_for(text)
        for module in until:
            if (seconds := timed(module, folder)) is None:
                return {**row, "error": f"{module} failed"}
            row["seconds"][module] = seconds
        fms_inp = (folder / "fms.inp").read_text()
        for radius, once in SCATTERINGS:
            (folder / "fms.inp").write_text(fms_inp.replace("5.50000     11.00000", f"{radius:.5f} {2 * radius:.5f}"))
            atoms_inside = sum(len(line.split()) > 4 and np.linalg.norm([float(w) for w in line.split()[1:4]]) <= radius
                               for line in (folder / "geom.dat").read_text().splitlines()[4:])  # fmt: skip
            if atoms_inside > MOST_ATOMS:
                continue
            before = processor(myself=True)
            scatter(folder, far_radius=once)
            seconds = {OWN: round(processor(myself=True) - before, 2)}
            for module in (path, genfmt, ff2x):
                timed(module, folder)
            spectrum = parse_xmu((folder / "xmu.dat").read_bytes())
            row["spectra"].append({
                "radii": (radius, once), "seconds": seconds[OWN], "error": "", "energy": spectrum.energy_ev.tolist(),
                "mu": spectrum.cross_section.tolist(),
            })  # fmt: skip
    return row


def timed(module: str, folder: Path) -> float | None:
    """Processor seconds of a module; None if it failed."""
    before = processor()
    command = [sys.executable, "-c", "import sys; from pathlib import Path; from xanesflow.codes.feff.pip_feff import "
               f"run_module; sys.exit(run_module({module!r}, Path({str(folder)!r})))"]  # fmt: skip
    code = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=False).returncode
    return None if code else round(processor() - before, 2)


def print_table(known: list[Known], rows: list[dict[str, Any]]) -> None:
    """Median over sites for each field and scattering."""
    by_key = {(row["material"], row["site"], row["field"]): row for row in rows}
    print("| field | scattering to, once to | sites | no shift, no scale: median, largest | own shift: median, "
          "largest | spread of the shift | s: field, scattering |")  # fmt: skip
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for field in FIELDS:
        for radii in SCATTERINGS:
            found = [
                (scores(one, each), row["seconds"], each)
                for one in known
                if (row := by_key.get((one.material, one.site, field))) is not None
                for each in row["spectra"]
                if tuple(each["radii"]) == radii
            ]
            if not found:
                continue
            as_is, own, shift = (np.array([each[key] for each, *_ in found]) for key in ("as_is", "own", "shift"))
            times = (
                np.median([sum(seconds.values()) for _, seconds, _ in found]),
                np.median([each["seconds"] for *_, each in found]),
            )
            cells = (
                field, f"{radii[0]:g}, {radii[1]:g}", len(found), f"{np.median(as_is):.3f}, {as_is.max():.3f}",
                f"{np.median(own):.3f}, {own.max():.3f}", f"{shift.std():.2f}", f"{times[0]:.0f}, {times[1]:.1f}",
            )  # fmt: skip
            print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main()
