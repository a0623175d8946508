"""Compare the embedded engine with published FEFF 9 spectra of the other elements, and of anatase.

    python studies/compare_elements.py ARCHIVE DATA [--sites 5]

ARCHIVE is the published archive of Cu runs. Many of its structures contain a second 3d metal, whose published
validation spectra are in DATA/3dtm_xanes_ml2024/<El>_FEFF_val.npz. The example structure of anatase is compared with
DATA/anatase/anatase_theory_FEFF.txt. No setting of the engine was chosen on these spectra. Each element has one common
shift.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from pymatgen.io.vasp import Poscar
from study_engine import judge

from xanesflow.codes.archive import read_archive
from xanesflow.codes.feff8l import compute_xanes
from xanesflow.codes.lightshow_tree import place_of
from xanesflow.config.curation import PAPER_ENERGY_START_EV
from xanesflow.core.energy_grid import energy_grid
from xanesflow.core.sites import parse_site_id
from xanesflow.structures.examples import load_examples

ELEMENTS = ("Ti", "V", "Cr", "Co", "Ni")


def row(name: str, grid: np.ndarray, spectra: list, references: list) -> None:
    """Print the row of an element."""
    pairs = list(zip(spectra, references, strict=True))
    shifts = np.arange(-4, 4.01, 0.05)
    medians = [np.median([judge(*s, r, x, grid)[1] for s, r in pairs]) for x in shifts]
    shift = shifts[int(np.argmin(medians))]
    rank, rms = np.array([judge(*s, r, shift, grid) for s, r in pairs]).T
    scale = [np.interp(grid, energy + shift, mu).sum() / reference.sum() for (energy, mu), reference in pairs]
    print(
        f"| {name} | {len(pairs)} | {shift:+.2f} | {np.median(rank):.3f} | {rank.min():.3f} | {np.median(rms):.3f} | "
        f"{rms.max():.3f} | {np.median(scale):.3f} |",
        flush=True,
    )


def main() -> None:
    """Compute the spectra and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sites", type=int, default=5, help="sites of each element, one for each material")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    published = {el: np.load(given.data / f"3dtm_xanes_ml2024/{el}_FEFF_val.npz") for el in ELEMENTS}
    wanted = {parse_site_id(str(name))[0] for one in published.values() for name in one["ids"]}
    structures = {}
    for member in read_archive(given.archive, lambda name: name.endswith("/POSCAR")):
        place = place_of(member.name, "FEFF")
        if place and place.material_id in wanted:
            structures[place.material_id] = Poscar.from_str(member.content.decode()).structure
    print("| element | sites | shift eV | Spearman median | worst | RMS median | worst | area, ours / FEFF 9 |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with ProcessPoolExecutor(given.workers) as pool:
        for element, one in published.items():
            chosen: dict[str, tuple] = {}
            for k, name in enumerate(one["ids"]):
                material, index = parse_site_id(str(name))
                structure = structures.get(material)
                if structure is not None and structure[index].specie.symbol == element and len(chosen) < given.sites:
                    chosen.setdefault(material, (structure, index, one["spectra"][k]))
            jobs = [pool.submit(compute_xanes, structure, index) for structure, index, _ in chosen.values()]
            results = [job.result() for job in jobs]
            spectra = [(result.energy_ev, result.cross_section) for result in results]
            row(element, energy_grid(PAPER_ENERGY_START_EV[element]), spectra, [one for *_, one in chosen.values()])
        anatase = next(one for one in load_examples() if one.id == "tio2-anatase").structure()
        index = next(k for k, site in enumerate(anatase) if site.specie.symbol == "Ti")
        energy, mu = np.loadtxt(given.data / "anatase/anatase_theory_FEFF.txt").T[:2]
        result = pool.submit(compute_xanes, anatase, index).result()
        grid = np.arange(energy[0] + 1, energy[0] + 36, 0.25)
        row("Ti, anatase", grid, [(result.energy_ev, result.cross_section)], [np.interp(grid, energy, mu)])


if __name__ == "__main__":
    main()
