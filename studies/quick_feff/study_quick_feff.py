"""How near is FEFF 10 at small radii to FEFF at the paper's settings, and what does it cost?

    python studies/quick_feff/study_quick_feff.py --data ../shared/data --archive UNPACKED --reference DIR --out DIR
    python studies/quick_feff/study_quick_feff.py ... --table    prints the tables
    python studies/quick_feff/study_quick_feff.py ... --pack     puts what is there into quick.npz as well
    python studies/quick_feff/study_quick_feff.py ... --figure FILE    one site of each metal

Sites with a spectrum at the paper's settings: those of `compute_reference.py` (FEFF 10), and published ones (FEFF
9.9.1): validation sites of Ti V Cr Co Ni whose material also holds Cu and therefore has a POSCAR in the archive of Cu
runs, and Cu sites of that archive by chance (seed 0), one for each material. Materials whose hash is even choose the
settings, the others judge them. `--sources drawn` takes 80 further Cu sites, on which nothing was chosen. One row for
each site and setting in DIR/rows.jsonl; what stands there or in quick.npz is not computed again.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from compute_reference import identity, known_rows, pack, run
from pymatgen.core import Structure
from scipy.stats import spearmanr

from xanesflow.codes.feff.read_xmu import parse_xmu
from xanesflow.codes.feff8l.engine import Feff8lEngine
from xanesflow.codes.feff8l.options import EngineSettings
from xanesflow.codes.feffq.engine import FeffqEngine
from xanesflow.codes.feffq.options import SETTINGS, FeffqOptions, QuickSettings
from xanesflow.config.curation import PAPER_ENERGY_START_EV
from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import MAX_FLAT_START_EV, energy_grid, onto_grid
from xanesflow.core.figures import figure, in_thousandths, panels
from xanesflow.core.files import sha256_text
from xanesflow.core.sites import parse_site_id

FAST, NEAR = SETTINGS["fast"], SETTINGS["near"]
PACKED = Path(__file__).with_name("quick.npz")
TRIALS: dict[str, QuickSettings | None] = {
    "fast": FAST,
    "near": NEAR,
    "embedded": None,
    "fast, field from 3.5": replace(FAST, scf_radius=(3.5, 4.5)),
    "fast, only near atoms": replace(FAST, far_radius=0.0),
}
"""Settings that were tried; `fast` and `near` are those of the library, `embedded` is the embedded engine."""

MARGIN_EV = 3.0
COLOURS = {"fast": "tab:orange", "near": "tab:blue", "embedded": "tab:gray"}


@dataclass(frozen=True)
class Trial(FeffqOptions):
    """Options of the engine with other settings."""

    tried: QuickSettings = FAST

    @property
    def quick(self) -> QuickSettings:
        """The settings themselves."""
        return self.tried


@dataclass(frozen=True)
class Known:
    """A site with its spectrum (141,) in bohr² at the paper's settings."""

    source: str
    element: str
    material: str
    site: int
    structure: Structure
    spectrum: Floats

    @property
    def judges(self) -> bool:
        """Whether its material is in the half that judges."""
        return int(sha256_text(self.material), 16) % 2 == 1


def main() -> None:
    """Run, or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--archive", type=Path, required=True, help="feff9-cu.tar.xz, unpacked")
    parser.add_argument("--reference", type=Path, required=True, help="folder of compute_reference.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--settings", nargs="+", default=["fast", "near"], help=f"of {', '.join(TRIALS)}")
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=["feff10", "published", "copper"])
    parser.add_argument("--part", choices=("choose", "judge", "all"), default="all")
    parser.add_argument("--sites", type=int, default=1000, help="at most so many sites of each source")
    parser.add_argument("--table", action="store_true", help="print the tables")
    parser.add_argument("--pack", action="store_true", help="write quick.npz again")
    parser.add_argument("--figure", type=Path, help="draw one site of each metal")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    rows = known_rows(given.out, PACKED)
    if given.pack:
        pack(rows, PACKED, ("material", "site", "tried"))
        return
    known: list[Known] = []
    for source in given.sources:
        part = (one for one in SOURCES[source](given) if given.part in ("all", "judge" if one.judges else "choose"))
        known += islice(part, given.sites)
    if given.table:
        print_tables(known, rows, given.settings, given.data)
    if given.figure:
        draw_spectra(given.figure, known, rows, given.settings)
    if given.table or given.figure:
        return
    done = {identity(row) for row in rows}
    for one in known:
        for name in given.settings:
            of = {"material": one.material, "site": one.site, "tried": tried(name)}
            if identity(of) in done:
                continue
            row = {**of, **compute(name, one)}
            with (given.out / "rows.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(one.element, one.material, one.site, name, row["error"], row["processor_s"], scores(one, row),
                  row["record"].get("module_seconds"), flush=True)  # fmt: skip


def tried(name: str) -> str:
    """What a row of rows.jsonl says of its settings."""
    settings = TRIALS[name]
    return name if settings is None else json.dumps(settings.as_dict(), sort_keys=True)


def compute(name: str, one: Known) -> dict[str, Any]:
    """Run a site with some settings."""
    settings = TRIALS[name]
    if settings is None:
        return run(Feff8lEngine(EngineSettings()), one.structure, one.site)
    return run(FeffqEngine(Trial(tried=settings)), one.structure, one.site)


def feff10_sites(given: argparse.Namespace) -> Iterator[Known]:
    """Sites of reference.npz, and of a folder of `compute_reference.py` that goes on from there."""
    for row in known_rows(given.reference):
        if not row["error"]:
            start = PAPER_ENERGY_START_EV[row["element"]]
            energy, mu = np.array(row["energy"]), np.array(row["mu"])
            spectrum = onto_grid(energy, mu, start_ev=start, max_flat_start_ev=MAX_FLAT_START_EV)
            structure = Structure.from_dict(row["structure"])
            yield Known("FEFF 10", row["element"], row["material"], row["site"], structure, spectrum)


def published_sites(given: argparse.Namespace) -> Iterator[Known]:
    """Published validation sites whose POSCAR is in the archive of Cu runs; one for each material, metals in turn."""
    queues = []
    for element in ("Ti", "V", "Cr", "Co", "Ni"):
        stored, queue = np.load(given.data / f"3dtm_xanes_ml2024/{element}_FEFF_val.npz"), {}
        for k, name in enumerate(stored["ids"]):
            material, site = parse_site_id(str(name))
            poscar = given.archive / "Cu" / material / "POSCAR"
            if poscar.exists() and material not in queue:
                structure = Structure.from_file(poscar)
                if structure[site].specie.symbol == element:
                    queue[material] = Known("FEFF 9", element, material, site, structure, stored["spectra"][k])
        queues.append(list(queue.values()))
    for number in range(max(map(len, queues))):
        yield from (queue[number] for queue in queues if number < len(queue))


def copper_sites(given: argparse.Namespace) -> Iterator[Known]:
    """Published Cu sites by chance, one for each material."""
    materials = sorted(path.name for path in (given.archive / "Cu").iterdir())
    random.Random(0).shuffle(materials)
    for material in materials:
        runs = sorted(path.parent.name for path in (given.archive / "Cu" / material).glob("FEFF-XANES/*_Cu/xmu.dat"))
        if runs:
            yield copper_site(given, material, int(runs[int(sha256_text(material), 16) // 2 % len(runs)][:3]))


def drawn_sites(given: argparse.Namespace) -> Iterator[Known]:
    """The first Cu sites by the SHA-256 of their ids: 20 of the published validation part, 60 of the training part."""
    for part, number in (("val", 20), ("train", 60)):
        ids = (given.data / f"3dtm_xanes_ml2024/splits/Cu_FEFF_{part}.txt").read_text().split()
        sites = [parse_site_id(name) for name in sorted(ids, key=sha256_text)]
        runs = ((m, k) for m, k in sites if (given.archive / f"Cu/{m}/FEFF-XANES/{k:03d}_Cu/xmu.dat").exists())
        yield from (copper_site(given, *site) for site in islice(runs, number))


def copper_site(given: argparse.Namespace, material: str, site: int) -> Known:
    """A Cu site of the archive."""
    folder = given.archive / "Cu" / material
    xmu = parse_xmu((folder / f"FEFF-XANES/{site:03d}_Cu/xmu.dat").read_bytes())
    start = PAPER_ENERGY_START_EV["Cu"]
    spectrum = onto_grid(xmu.energy_ev, xmu.cross_section, start_ev=start, max_flat_start_ev=MAX_FLAT_START_EV)
    return Known("FEFF 9", "Cu", material, site, Structure.from_file(folder / "POSCAR"), spectrum)


SOURCES = {"feff10": feff10_sites, "published": published_sites, "copper": copper_sites, "drawn": drawn_sites}


def on_grid(one: Known, row: dict[str, Any], shift: float) -> Floats:
    """(141,) a quick spectrum on the grid of its element, shifted by so many eV."""
    return np.interp(energy_grid(PAPER_ENERGY_START_EV[one.element]), np.array(row["energy"]) + shift, row["mu"])


def rms(one: Known, row: dict[str, Any], shift: float, *, scaled: bool) -> float:
    """RMS difference over the mean of the known spectrum; scaled: to the same area."""
    ours = on_grid(one, row, shift)
    ours = ours * one.spectrum.sum() / ours.sum() if scaled else ours
    return float(np.sqrt(np.mean((ours - one.spectrum) ** 2)) / one.spectrum.mean())


SHIFTS = np.arange(-MARGIN_EV, MARGIN_EV + 1e-9, 0.05)


def scores(one: Known, row: dict[str, Any]) -> dict[str, float]:
    """As it is (no shift, no scale), and with its own best shift (areas alike); empty without a spectrum."""
    if row["error"]:
        return {}
    own = [rms(one, row, shift, scaled=True) for shift in SHIFTS]
    rank = float(spearmanr(on_grid(one, row, 0.0), one.spectrum)[0])
    best = int(np.argmin(own))
    found = {"as_is": rms(one, row, 0.0, scaled=False), "own": own[best], "shift": SHIFTS[best], "spearman": rank}
    return {name: round(float(value), 4) for name, value in found.items()}


def print_tables(known: list[Known], rows: list[dict[str, Any]], settings: list[str], data: Path) -> None:
    """The tables of docs/studies/quick-feff.md."""
    by_key = {identity(row): row for row in rows}
    print("| setting | ground | sites (failed) | no shift, no scale: median, 90 % | one shift: eV, median, 90 % | "
          "own shift: median, spread eV | processor s: median, 90 % | eta |")  # fmt: skip
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in settings:
        pairs = [(one, by_key[key]) for one in known if (key := (one.material, one.site, tried(name))) in by_key]
        grounds = {"all": pairs}
        grounds |= {element: [p for p in pairs if p[0].element == element] for element in PAPER_ENERGY_START_EV}
        for ground, inside in grounds.items():
            if inside:
                print_row(name, ground, inside, data)
    print_sites(known, rows, settings)


def print_sites(known: list[Known], rows: list[dict[str, Any]], settings: list[str]) -> None:
    """One row for each site, by metal: how near each setting comes as it is and at its own shift, and what it costs."""
    by_key = {identity(row): row for row in rows}
    metals = list(PAPER_ENERGY_START_EV)
    print(f"\n| site | half | {' | '.join(settings)} |\n| --- | --- |{' --- |' * len(settings)}")
    for one in sorted(known, key=lambda one: (metals.index(one.element), one.material)):
        ran = [by_key.get((one.material, one.site, tried(name))) for name in settings]
        if any(ran):
            site = f"{one.element}, {one.structure.composition.reduced_formula} ({one.material}, {one.site})"
            cells = (site, "judges" if one.judges else "chooses", *(describe(one, row) for row in ran))
            print(f"| {' | '.join(cells)} |")


def describe(one: Known, row: dict[str, Any] | None) -> str:
    """RMS as it is; own shift in eV and RMS there; processor seconds, where they are known."""
    if row is None or row["error"]:
        return row["error"] if row else ""
    found = scores(one, row)
    seconds = f"; {row['processor_s']:.0f} s" if np.isfinite(row["processor_s"]) else ""
    return f"{found['as_is']:.3f}; {found['shift']:+.2f}, {found['own']:.3f}{seconds}"


def print_row(name: str, ground: str, pairs: list[tuple[Known, dict[str, Any]]], data: Path) -> None:
    """One row of the table."""
    good = [(one, row) for one, row in pairs if not row["error"]]
    if not good:
        print(f"| {name} | {ground} | {len(pairs)} ({len(pairs)}) | | | | | |")
        return
    single = [scores(one, row) for one, row in good]
    as_is, own, shift = (np.array([each[key] for each in single]) for key in ("as_is", "own", "shift"))
    # One shift for each element, the one with the least median.
    common, used = np.empty(len(good)), []
    for element in sorted({one.element for one, _ in good}):
        mine = [k for k, (one, _) in enumerate(good) if one.element == element]
        moved = np.array([[rms(*good[k], each, scaled=True) for k in mine] for each in SHIFTS])
        best = int(np.argmin(np.median(moved, axis=1)))
        common[mine] = moved[best]
        used.append(f"{SHIFTS[best]:+.2f}")
    seconds = [row["processor_s"] for _, row in good if np.isfinite(row["processor_s"])]
    errors = np.array([np.mean((on_grid(one, row, 0.0) - one.spectrum) ** 2) for one, row in good])
    cells = (
        name, ground, f"{len(pairs)} ({len(pairs) - len(good)})", middle_and_high(as_is),
        f"{used[0] if len(used) == 1 else ''} {middle_and_high(common)}", f"{np.median(own):.3f}, {shift.std():.2f}",
        f"{np.median(seconds):.0f}, {np.quantile(seconds, 0.9):.0f}" if seconds else "",
        f"{eta(good, errors, data):.1f}",
    )  # fmt: skip
    print(f"| {' | '.join(cells)} |")


def middle_and_high(values: Floats) -> str:
    """Median and 90 % quantile."""
    return f"{np.median(values):.3f}, {np.quantile(values, 0.9):.3f}"


def eta(good: list[tuple[Known, dict[str, Any]]], errors: Floats, data: Path) -> float:
    """Median squared error of the mean published validation spectrum over that of the quick spectra; of one element."""
    elements = {one.element for one, _ in good}
    path = data / f"3dtm_xanes_ml2024/{min(elements)}_FEFF_val.npz"
    if len(elements) != 1 or not path.exists() or {one.source for one, _ in good} != {"FEFF 9"}:
        return float("nan")
    mean = np.load(path)["spectra"].mean(axis=0)
    baseline = [np.mean((one.spectrum - mean) ** 2) for one, _ in good]
    return float(np.median(baseline) / np.median(errors))


def draw_spectra(path: Path, known: list[Known], rows: list[dict[str, Any]], settings: list[str]) -> None:
    """A panel for each metal: its first site with all settings, of those that judge if there is one; nothing shifted.

    Args:
        path: SVG or PNG.
        known: sites with their spectra at the paper's settings.
        rows: runs.
        settings: names of `TRIALS`.
    """
    by_key = {identity(row): row for row in rows if not row["error"]}
    drawn: dict[str, Known] = {}
    for one in sorted(known, key=lambda each: not each.judges):
        if all((one.material, one.site, tried(name)) in by_key for name in settings):
            drawn.setdefault(one.element, one)
    with figure(path, 9.0, 4.8) as page:
        metals = [element for element in PAPER_ENERGY_START_EV if element in drawn]
        for axes, element in zip(panels(page, len(metals), 4), metals, strict=True):
            one = drawn[element]
            energy = energy_grid(PAPER_ENERGY_START_EV[element])
            axes.plot(energy, one.spectrum, color="black", linewidth=2.2, label="paper's settings")
            for name in settings:
                label = "embedded engine" if TRIALS[name] is None else f"quick FEFF, {name}"
                quick = on_grid(one, by_key[one.material, one.site, tried(name)], 0.0)
                axes.plot(energy, quick, color=COLOURS[name], linewidth=1.1, label=label)
            axes.set_title(f"{element} in {one.structure.composition.reduced_formula}", loc="left")
            axes.set_xlabel("Energy (eV)")
            axes.set_ylim(bottom=0.0)
            in_thousandths(axes.yaxis)
        page.axes[0].set_ylabel("Cross section (10⁻³ bohr²)")
        page.legend(*page.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)


if __name__ == "__main__":
    main()
