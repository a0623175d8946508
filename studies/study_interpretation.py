"""How well does a spectrum tell its site, and how sure is that? The tables of interpretation.md and rank-aae.md.

    python studies/study_interpretation.py DATASET SITES FOLDER                        # accuracy and robustness
    python studies/study_interpretation.py DATASET SITES FOLDER --models rank_aae      # the latent axes
    python studies/study_interpretation.py DATASET SITES FOLDER --measured DATA/Cu     # measured spectra
    python studies/study_interpretation.py DATASET SITES FOLDER --inside               # where settings were chosen

DATASET and SITES are a campaign's `results/dataset/NAME.h5` and `results/interpretation/sites.parquet`. Those of the
study come from the published archive of FEFF runs, which is read where it lies:

    snakemake --configfile campaigns/cu_archive.yaml --config 'simulations={archive: feff9-cu.tar.xz}' \
        'features={models: [radial]}' -- results/interpretation/sites.parquet

Every fit (a model, split and seed) leaves files in FOLDER, and a row in its fits.csv; a fit whose files are there is
not made again, so a killed run continues. With --inside, all materials that are in the test part of a split are taken
out first, and what is left is split anew: settings chosen there know nothing of the test parts.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from xanesflow.core.files import atomic_path
from xanesflow.core.provenance import provenance
from xanesflow.core.sites import parent_of
from xanesflow.interpretation.evaluate_interpretation import evaluate_interpretation
from xanesflow.interpretation.interpret_spectra import interpret_files
from xanesflow.interpretation.interpreter import Interpreter, load_interpreter
from xanesflow.interpretation.rank_aae.train_axes import RankAaePlan
from xanesflow.interpretation.rank_aae.train_seed import MODEL, fit_seed
from xanesflow.interpretation.read_test_part import measure_robustness, predict_test
from xanesflow.interpretation.site_descriptors import DESCRIPTORS, RANKED
from xanesflow.interpretation.train_interpreter import PACKAGES, parse_name
from xanesflow.interpretation.training_data import TrainingData, random_split, read_training_data

SHIFTS_EV = (-1.0, 0.0, 1.0)
"""Columns of the table of robustness."""

TEST_SPLITS = (0, 1, 2)
"""Splits whose test parts judge; no choice may see a material of any of them."""

INSIDE_SEED = 100
"""Added to the number of a split, for the split of materials that are in no test part."""


def inside(whole: Sequence[TrainingData], split: int) -> TrainingData:
    """The sites of materials that are in no test part of `whole`, the same sites split several times; split anew."""
    left = np.all([each.part != "test" for each in whole], axis=0)
    rows = np.flatnonzero(left)
    data = whole[0]
    ids = [data.ids[row] for row in rows]
    part = random_split([parent_of(each.rsplit("_", 1)[0]) for each in ids], seed=INSIDE_SEED + split)
    return replace(
        data,
        ids=ids,
        formulas=[data.formulas[row] for row in rows],
        subsets=data.subsets[rows],
        spectra=data.spectra[rows],
        values=data.values[rows],
        part=part,
    )


def fit(data: TrainingData, stem: Path, given: argparse.Namespace) -> None:
    """Fit the model that its files' name `stem` tells, unless they are there, and read the test part with it."""
    model, _, split, seed = parse_name(stem)
    output, predictions, robustness = (stem.with_suffix(end) for end in (".safetensors", ".parquet", ".csv"))
    if output.exists():
        return
    began = time.process_time()
    made = provenance([given.dataset, given.sites], PACKAGES)
    if model == MODEL:
        fit_seed(data, seed=seed, output=output, predictions=predictions, plan=given.plan, made=made)
    else:
        interpreter = Interpreter.fit(model, data, split=split, seed=seed, made=made)
        read, robust = predict_test(interpreter, data), measure_robustness(interpreter, data)
        with atomic_path(predictions) as temporary:
            read.to_parquet(temporary, index=False, compression="zstd")
        with atomic_path(robustness) as temporary:
            robust.to_csv(temporary, index=False)
        interpreter.save(output)
    seconds = time.process_time() - began
    fits = stem.parent / "fits.csv"
    if not fits.exists():
        fits.write_text("model,subset,split,seed,n_train,n_val,n_test,processor_s\n", encoding="utf-8")
    with fits.open("a", encoding="utf-8") as file:
        sizes = ",".join(str(len(data.rows(part))) for part in ("train", "val", "test"))
        file.write(f"{model},{data.name},{split},{seed},{sizes},{seconds:.0f}\n")
    print(f"{stem.name}: {seconds:.0f} s of processor, {output.stat().st_size / 1e6:.1f} MB", flush=True)


def accuracy(metrics: pd.DataFrame) -> None:
    """Print Spearman's correlation and R², and two figures of other kinds, as means over splits and seeds."""
    models = list(dict.fromkeys(metrics["model"]))
    mean = metrics.groupby(["model", "descriptor"])[["spearman", "r2", "mae", "f1", "coverage_90"]].mean()
    _head("descriptor", *(f"`{model}`" for model in models))
    for name in (each for each in DESCRIPTORS if each in set(metrics["descriptor"])):
        rows = [mean.loc[model, name] if (model, name) in mean.index else None for model in models]
        cells = ["–" if row is None else f"{row['spearman']:.3f} ({row['r2']:.3f})" for row in rows]
        print(f"| `{name}` | {' | '.join(cells)} |")
    for title, descriptor, column in (("F1 of CN", "cn", "f1"), ("MAE of `nn_mean` (Å)", "nn_mean", "mae")):
        found = [mean[column].get((model, descriptor), np.nan) for model in models]
        print(f"| {title} | {' | '.join(f'{each:.4f}' for each in found)} |")
    print()


def robust(table: pd.DataFrame) -> None:
    """Print R² at three shifts, and the share inside the bars at the outer two."""
    models = list(dict.fromkeys(table["model"]))
    table = table[table["fwhm_ev"] == 0]
    mean = table.groupby(["model", "descriptor", "shift_ev"])[["r2", "coverage_90"]].mean()
    _head("descriptor", *(each for model in models for each in (f"`{model}`", "bars")))
    for name in (each for each in DESCRIPTORS if each in set(table["descriptor"])):
        cells = []
        for model in models:
            rows = [mean.loc[model, name, shift] for shift in SHIFTS_EV]
            cells += [" / ".join(f"{row['r2']:.3f}" for row in rows)]
            cells += [", ".join(f"{100 * rows[k]['coverage_90']:.0f} %" for k in (0, -1))]
        print(f"| `{name}` | {' | '.join(cells)} |")
    print()


def axes(table: pd.DataFrame) -> None:
    """Print the figures of RankAAE by split and seed, and of the chosen seeds the mean over splits."""
    columns = ["with_free", "between", "reconstruction_mae"]
    _head("part, split, seed", *(f"`{name}`" for name in RANKED), "F1 of CN", "with the free axis", "between", "MAE")
    rows = []
    for (part, split, seed), of_one in table.groupby(["part", "split", "seed"]):
        by_name = of_one.set_index("descriptor")
        row = [*(by_name["spearman"][name] for name in RANKED), by_name["f1"]["cn"], *by_name[columns].iloc[0]]
        chosen = bool(of_one["chosen"].iloc[0])
        rows.append((part, chosen, row))
        _row(f"{part}, {split}, {seed}{', chosen' if chosen else ''}", row)
    for part in ("val", "test"):
        some = [row for each, chosen, row in rows if chosen and each == part]
        if some:
            _row(f"{part}, mean of the chosen", np.mean(some, axis=0))
    print()


def measured(files: Sequence[Path], interpreter: Interpreter) -> None:
    """Print what an interpreter says of measured spectra; in bold, bars that are no narrower than the prior."""
    names = interpreter.targets.names
    _head("spectrum", "p", *(f"`{name}`" for name in names))
    prior = ", ".join(f"{low:.2f} to {high:.2f}" for low, high in interpreter.targets.prior.T)
    print(f"(prior: {prior})")
    for path in files:
        for found in interpret_files([path], interpreter):
            cells = [
                f"{'**' * each.no_more_than_prior}{each.value:.2f}, {each.low:.2f} to {each.high:.2f}"
                f"{'**' * each.no_more_than_prior}"
                for each in found.values
            ]
            print(f"| {found.source} | {found.p_value:.3f} | {' | '.join(cells)} |", flush=True)
    print()


def _head(*titles: str) -> None:
    print(f"| {' | '.join(titles)} |\n|{' --- |' * len(titles)}")


def _row(title: str, numbers: Sequence[float] | np.ndarray) -> None:
    print(f"| {title} | {' | '.join(f'{number:.3f}' for number in numbers)} |")


def main() -> None:
    """Fit what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("sites", type=Path)
    parser.add_argument("folder", type=Path, help="where every fit leaves its files")
    parser.add_argument("--subset", default="Cu_FEFF", help="or `all`")
    parser.add_argument("--models", nargs="+", default=["blend"], help="of trees, network, blend, rank_aae")
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1, 2], help="seeds of random splits by material")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=RankAaePlan().epochs, help="of RankAAE")
    parser.add_argument("--inside", action="store_true", help="without the materials of all test parts, split anew")
    parser.add_argument("--measured", type=Path, help="folder of measured spectra, read by the first fit")
    given = parser.parse_args()
    given.plan = RankAaePlan(epochs=given.epochs)
    logging.basicConfig(level=logging.WARNING)
    folder = given.folder / ("inside" if given.inside else "test")
    folder.mkdir(parents=True, exist_ok=True)

    # Fit what is missing; the same sites are read for every split.
    splits = sorted({*given.splits, *(TEST_SPLITS if given.inside else ())})
    whole = {each: read_training_data(given.dataset, given.sites, given.subset, str(each)) for each in splits}
    for split in given.splits:
        data = inside([whole[each] for each in TEST_SPLITS], split) if given.inside else whole[split]
        for model in given.models:
            for seed in given.seeds:
                fit(data, folder / f"{model}-{data.name}-{split}-{seed}", given)

    # The tables, of these fits alone.
    stems = [
        folder / f"{model}-{given.subset}-{split}-{seed}"
        for model in given.models
        for split in given.splits
        for seed in given.seeds
    ]
    of_axes = [stem for stem in stems if stem.name.startswith(MODEL)]
    tables = {name: folder / f"{name}.csv" for name in ("metrics", "robustness", "axes")}
    evaluate_interpretation(
        [stem.with_suffix(".parquet") for stem in stems],
        [stem.with_suffix(".csv") for stem in stems if stem not in of_axes],
        [stem.with_suffix(".safetensors") for stem in of_axes],
        **{f"{name}_csv": path for name, path in tables.items()},
    )
    if len(of_axes) < len(stems):
        accuracy(pd.read_csv(tables["metrics"]))
        robust(pd.read_csv(tables["robustness"]))
    if of_axes:
        axes(pd.read_csv(tables["axes"]))
    if given.measured:
        measured(sorted(given.measured.glob("*.xdi")), load_interpreter(stems[0].with_suffix(".safetensors")))


if __name__ == "__main__":
    main()
