"""Does a delta model of Cu help another metal? What 0, 1 and 3 expensive spectra of a new metal are worth.

    python studies/quick_feff/study_delta_across.py --data ../shared/data --archive UNPACKED --out DIR
    python studies/quick_feff/study_delta_across.py ... --table

Spectra are published ones (FEFF 9.9.1, the paper's settings): Cu sites by chance, one for each material, and validation
sites of Ti V Cr Co Ni whose materials also hold Cu (the sites of study_quick_feff.py). A cheaper level runs at each. To
learn from several metals together, each spectrum and its cheap run are divided by the mean of the cheap run, which any
new site has too, and the run's edge counts from the start of the metal's grid. One row for each site in
DIR/<theory>.jsonl; what is there is not computed again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from compute_reference import read_rows, run
from study_quick_feff import Known, copper_sites, published_sites

from xanesflow.codes.registry import engine_of
from xanesflow.config.curation import PAPER_ENERGY_START_EV
from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import energy_grid
from xanesflow.core.sites import site_id
from xanesflow.features.cheap_runs.columns import FIELD, FRAME_POINTS, OF_RUN, columns_of
from xanesflow.features.featurize_structures import FeatureFailure
from xanesflow.features.featurizers import get_featurizer
from xanesflow.models.delta.alignment import best_shifts, onto_grid
from xanesflow.models.delta.delta_model import DeltaSettings, fit_delta
from xanesflow.models.subset_data import SubsetData

BLOCKS = ("chgnet", "radial", "angular")
OPTIONS = {"FEFF8L": {"fermi_level": "scf"}, "FEFFQ": {}}
KNOWN_SITES = (0, 1, 3)
DRAWS = 10


def main() -> None:
    """Run, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--archive", type=Path, required=True, help="feff9-cu.tar.xz, unpacked")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--theory", choices=OPTIONS, default="FEFF8L")
    parser.add_argument("--copper", type=int, default=100, help="number of Cu sites")
    parser.add_argument("--table", action="store_true", help="print the table")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"{given.theory}.jsonl"
    others = list(published_sites(given))
    asked = {one.material for one in others}
    copper = (one for one in copper_sites(given) if one.material not in asked)
    known = [*others, *islice(copper, given.copper)]
    if given.table:
        print_table(known, read_rows(path), given.theory.lower())
        return
    engine = engine_of(given.theory, OPTIONS[given.theory])
    done = {(row["element"], row["material"], row["site"]) for row in read_rows(path)}
    for one in known:
        of = {"element": one.element, "material": one.material, "site": one.site}
        if tuple(of.values()) not in done:
            row = of | run(engine, one.structure, one.site)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(*of.values(), row["error"], row["processor_s"], flush=True)


def together(
    known: list[Known], rows: list[dict[str, Any]], cheap: str, *, divided: bool = True
) -> tuple[SubsetData, np.ndarray]:
    """All sites with a good run as one subset.

    Returns:
        The subset, spectra and runs divided by the mean of each run if `divided`, and the metal (n,) of each site.
    """
    by_site = {(row["element"], row["material"], row["site"]): row for row in rows if not row["error"]}
    pairs = [(one, by_site[key]) for one in known if (key := (one.element, one.material, one.site)) in by_site]
    structures, atoms = [one.structure for one, _ in pairs], [[one.site] for one, _ in pairs]
    blocks = {name: get_featurizer(name).compute(structures, atoms=atoms) for name in BLOCKS}
    features, spectra, kept = [], [], []
    for k, (one, row) in enumerate(pairs):
        found = [blocks[name][k] for name in BLOCKS]
        if any(isinstance(each, FeatureFailure) or not np.isfinite(each).all() for each in found):
            continue
        start = PAPER_ENERGY_START_EV[one.element]
        columns = columns_of(cheap, np.array(row["energy"]), np.array(row["mu"]), row["record"], start)
        mean = float(columns[:FRAME_POINTS].mean()) if divided else 1.0
        columns[:FRAME_POINTS] /= mean
        if cheap == "feff8l":
            columns[FRAME_POINTS + len(FIELD) + OF_RUN.index("edge_ev")] -= start
        features.append(np.concatenate([*(each[0] for each in found), columns]))
        spectra.append(one.spectrum / mean)
        kept.append(one)
    sizes = {name: len(blocks[name][0][0]) for name in BLOCKS}
    sizes[cheap] = len(features[0]) - sum(sizes.values())
    data = SubsetData(
        path=Path(),
        subset="Cu_FEFF",
        features_name="+".join(sizes),
        energy_ev=energy_grid(PAPER_ENERGY_START_EV["Cu"]),
        spectra=np.array(spectra),
        features=np.array(features, dtype=np.float32),
        split=np.full(len(kept), "test"),
        ids=[site_id(f"{one.element}-{one.material}", one.site) for one in kept],
        feature_dimensions=sizes,
        featurizers={name: {} for name in sizes},
        file_sha256="",
        data_sha256="",
    )
    return data, np.array([one.element for one in kept])


def print_table(known: list[Known], rows: list[dict[str, Any]], cheap: str) -> None:
    """For each metal and number of its sites that are known: the median error of each way on the others."""
    data, metals = together(known, rows, cheap)
    frames = data.features[:, -data.feature_dimensions[cheap] :][:, :FRAME_POINTS].astype(float)
    shifts = best_shifts(frames, data.spectra)
    for metal in np.unique(metals):
        mine = shifts[metals == metal]
        print(f"{metal}: {len(mine)} sites, shifts {mine.mean():+.2f} ± {mine.std():.2f} eV")
    print("\n| metal | known sites | as it is | moved as the known ones, or Cu | delta of Cu and these | delta of all "
          "other metals and these |\n| --- | --- | --- | --- | --- | --- |")  # fmt: skip
    every: dict[int, list[Floats]] = {number: [] for number in KNOWN_SITES}
    for metal in (name for name in PAPER_ENERGY_START_EV if name != "Cu" and name in metals):
        mine = np.flatnonzero(metals == metal)
        for number in KNOWN_SITES:
            errors = []
            for draw in range(DRAWS if number else 1):
                taught = np.random.default_rng(draw).permutation(mine)[:number]
                asked = np.setdiff1d(mine, taught)
                moved = np.median(shifts[taught if number else metals == "Cu"])
                ways = [
                    onto_grid(frames[asked], np.zeros(len(asked))),
                    onto_grid(frames[asked], np.full(len(asked), moved)),
                    *(
                        learned(data, cheap, np.union1d(ground, taught)).predict(data.features[asked])
                        for ground in (np.flatnonzero(metals == "Cu"), np.flatnonzero(metals != metal))
                    ),
                ]
                errors.append([relative_rms(way, data.spectra[asked]) for way in ways])
            joined = np.concatenate(errors, axis=1)
            every[number].append(joined)
            cells = " | ".join(f"{value:.3f}" for value in np.median(joined, axis=1))
            print(f"| {metal} ({len(mine)} sites) | {number} | {cells} |", flush=True)
    for number, parts in every.items():
        cells = " | ".join(f"{value:.3f}" for value in np.median(np.concatenate(parts, axis=1), axis=1))
        print(f"| all | {number} | {cells} |")


def learned(data: SubsetData, cheap: str, rows: np.ndarray) -> Any:
    """A delta model of some rows."""
    split = np.where(np.isin(np.arange(len(data.split)), rows), "train", "test")
    return fit_delta(replace(data, split=split), DeltaSettings(cheap))


def relative_rms(found: Floats, truth: Floats) -> Floats:
    """(n,) root mean square difference over the mean of the truth."""
    return np.sqrt(np.mean((found - truth) ** 2, axis=1)) / truth.mean(axis=1)


if __name__ == "__main__":
    main()
