"""How far do the shipped spectra of the embedded engine teach to read sites of Fe and Mn?

    python studies/study_interpretation_engine.py DATA

DATA holds measured spectra of known compounds, as of study_matching.py. Learned from are the spectra that come with the
package, of all examples and of the minerals of study_matching.py; those in the user's cache of `xanesflow match` are
taken too with `minerals`. One element has too few sites, so an interpreter learns all eight elements together, in the
view `aligned`. First it is judged on random splits by material, on the test sites of each element; then it reads the
measured standards, after all compounds of the standards were taken out of what it learns from.
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matching_standards import STANDARDS, structure_of

from xanesflow.config.curation import PAPER_ENERGY_START_EV
from xanesflow.core.energy_grid import MAX_FLAT_START_EV, onto_grid
from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import ELEMENTS
from xanesflow.interpretation.describe_structure import describe_structure
from xanesflow.interpretation.figures_of_merit import f1_of, scores_of
from xanesflow.interpretation.interpret_spectra import interpret_files
from xanesflow.interpretation.interpreter import Interpreter
from xanesflow.interpretation.read_test_part import predict_test
from xanesflow.interpretation.site_descriptors import DESCRIPTORS
from xanesflow.interpretation.training_data import ALL, TrainingData, random_split
from xanesflow.matching.candidates import MINERALS, find_candidates
from xanesflow.matching.compute_candidates import DEFAULT_THEORY, make_engine, plan_spectra
from xanesflow.matching.spectrum_store import SpectrumStore

SHOWN = ("oxidation_state", "cn", "nn_mean", "min_nn_nn")


def read_shipped(given: Sequence[str], cache: Path | None) -> tuple[TrainingData, list[str]]:
    """All sites whose spectrum is there, in no part yet, and the material of each."""
    store = SpectrumStore(DEFAULT_THEORY, cache)
    materials, ids, formulas, subsets, spectra, values = [], [], [], [], [], []
    left_out: Counter[str] = Counter()
    for element in ELEMENTS:
        wanted = sorted({each for each in STANDARDS.get(element, {}).values() if each.startswith("amcsd")})
        candidates, _ = find_candidates([*given, *wanted], element)
        plan = plan_spectra(candidates, make_engine(DEFAULT_THEORY, element), store)
        sites = iter(plan.sites)
        for candidate in candidates:
            own = [next(sites) for _ in candidate.sites]
            own = [site for site in own if site.key in plan.known and not plan.known[site.key].failure]
            described = describe_structure(candidate.structure(), [site.index for site in own]) if own else {}
            for site in own:
                known = plan.known[site.key]
                try:
                    spectrum = onto_grid(
                        known.energy_ev, known.cross_section, start_ev=PAPER_ENERGY_START_EV[element],
                        max_flat_start_ev=MAX_FLAT_START_EV,
                    )  # fmt: skip
                except XanesflowError as error:
                    left_out[str(error)] += 1
                    continue
                found = described[site.index]
                spectra.append(spectrum)
                values.append([getattr(found, name, None) for name in DESCRIPTORS])
                materials.append(candidate.id)
                ids.append(f"{candidate.id}_{site.index:03d}")
                formulas.append(found.formula)
                subsets.append(f"{element}_{DEFAULT_THEORY}")
    for reason, number in left_out.items():
        print(f"{number} left out: {reason}")
    data = TrainingData(
        ALL,
        {element: PAPER_ENERGY_START_EV[element] for element in ELEMENTS},
        ids,
        formulas,
        np.array(subsets),
        np.array(spectra),
        np.array(values, dtype=np.float64),
        np.full(len(ids), "train"),
    )
    return data, materials


def judge(data: TrainingData, materials: Sequence[str], splits: int, model: str) -> None:
    """Print figures of the test sites of each element, of all splits together."""
    tables = []
    for split in range(splits):
        here = replace(data, part=random_split(materials, seed=split))
        fitted = Interpreter.fit(model, here, split=str(split), seed=0, made={})
        tables.append(predict_test(fitted, here).assign(split=split))
    read = pd.concat(tables)
    read = read[read["model"] == f"{model}_aligned"]
    for element in (None, "Mn", "Fe"):
        of_one = read if element is None else read[read["subset"].str.startswith(f"{element}_")]
        for name in SHOWN:
            rows = of_one[of_one["descriptor"] == name]
            columns = [rows[key].to_numpy(np.float64) for key in ("truth", "value", "low_90", "high_90")]
            found = scores_of(*columns)
            f1 = f", F1 {f1_of(columns[0], rows['class_value'].to_numpy(np.float64)):.2f}" if name == "cn" else ""
            print(
                f"{element or 'all'}: {name}: {found['n_test']:.0f} of {rows['site_id'].nunique()} sites, "
                f"rho {found['spearman']:.2f}, R2 {found['r2']:.2f}, MAE {found['mae']:.3f}, in the bars "
                f"{found['coverage_90']:.2f}{f1}",
                flush=True,
            )


def read_standards(data: TrainingData, materials: Sequence[str], measured: Path, model: str) -> None:
    """Print what is read from the measured standards of Mn and Fe, beside what their structures say."""
    files = {path: structure_of(element, path.stem) for element in ("Mn", "Fe")
             for path in sorted((measured / element).glob("*.xdi"))}  # fmt: skip
    compounds = {data.formulas[materials.index(each)] for each in files.values() if each}
    out = np.isin(data.formulas, list(compounds))
    part = random_split(materials, seed=0)
    part = np.where(out, "test", np.where(part == "val", "val", "train"))
    fitted = Interpreter.fit(model, replace(data, part=part), split="0", seed=0, made={})
    print(f"{(part == 'train').sum()} training sites, {(part == 'val').sum()} for the bars")
    print(dict(zip(fitted.targets.names, fitted.targets.prior.T.round(2).tolist(), strict=True)))
    seen: Counter[str | None] = Counter()
    for path, structure in files.items():
        seen[structure] += 1
        if structure and seen[structure] > 1:  # one spectrum of each compound
            continue
        rows = [row for row, each in enumerate(materials) if each == structure]
        found = interpret_files([path], fitted)[0]
        cells = []
        for each in found.values:
            if each.descriptor in SHOWN:
                truth = data.values[rows, list(DESCRIPTORS).index(each.descriptor)]
                true = " and ".join(f"{number:.2f}" for number in np.unique(truth.round(2))) if rows else "?"
                mark = "**" if each.no_more_than_prior else ""
                cells.append(f"{mark}{each.value:.2f}, {each.low:.2f} to {each.high:.2f}{mark} ({true})")
        print(f"| {path.parent.name} {path.stem} | {found.p_value:.3f} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Judge and read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="blend")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--minerals", action="store_true", help="take the cache's spectra of minerals too")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    data, materials = read_shipped(["examples", MINERALS] if given.minerals else ["examples"], given.cache)
    print(f"{len(data.ids)} sites: {dict(Counter(data.subsets.tolist()))}", flush=True)
    judge(data, materials, given.splits, given.model)
    read_standards(data, materials, given.data, given.model)


if __name__ == "__main__":
    main()
