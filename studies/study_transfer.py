"""Does transfer help? Expert, Universal and Tuned by repeated cross-validation (docs/studies/transfer.md).

    python studies/study_transfer.py FOLDER --out DIR                       train missing models, print the tables
    python studies/study_transfer.py FOLDER --out DIR --folds 0 --tuned 1e-3-0.5 1e-3-0       other trainings
    python studies/study_transfer.py FOLDER --out DIR --only-tables --figure docs/studies/transfer.svg     no training

FOLDER holds the published validation parts of 3dtm_xanes_ml2024, `<subset>_val.npz` with ids, features and spectra. The
study uses them as small datasets. The materials of all subsets together are divided at random into ten groups, so that
a material which two subsets share is never in the training of one and the test of the other. A fold tests on two
groups, validates on a third and trains on the other seven; five folds test each spectrum once. Universal models learn
from the FEFF subsets, and models of VASP spectra are tuned from these too.

A training whose result is in DIR is not repeated, so you can stop the study and start it again.
"""

from __future__ import annotations

import argparse
import copy
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.ticker import FixedLocator
from scipy.stats import wilcoxon

from xanesflow.config.curation import PAPER_ENERGY_START_EV
from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.energy_grid import energy_grid
from xanesflow.core.figures import BASELINE, MODEL, TRUTH, figure
from xanesflow.core.sites import parse_site_id
from xanesflow.evaluation.metrics import spectrum_mse
from xanesflow.models.network.checkpoint import load_checkpoint, save_checkpoint
from xanesflow.models.network.fit import Start, fit_model
from xanesflow.models.network.range_test import range_test
from xanesflow.models.subset_data import SubsetData

SUBSETS = ["Ti_FEFF", "V_FEFF", "Cr_FEFF", "Co_FEFF", "Ni_FEFF", "Cu_FEFF", "Ti_VASP", "Cu_VASP"]
GROUPS, FOLDS = 10, 5
UNIVERSAL = "x1-0.5"
EXPERT, TUNED = ["x1-0.5"], ["1e-3-0.5", "f1e-3-0.5", "x1-0.5"]
"""How a model is trained: the learning rate (or a factor on the suggestion of the range test, such as x0.1), a hyphen,
and the dropout. With f, a tuned model is normalised by the universal model's means and variances (`keep_statistics`),
otherwise by those of its own batches.
"""

RESAMPLES = 2000


def read_part(folder: Path, subset: str) -> SubsetData:
    """Read a published validation part as a dataset without a split."""
    with np.load(folder / f"{subset}_val.npz", allow_pickle=False) as stored:
        ids, features, spectra = (stored[name] for name in ("ids", "features", "spectra"))
    return SubsetData(
        path=folder / f"{subset}_val.npz",
        subset=subset,
        features_name="m3gnet",
        energy_ev=energy_grid(PAPER_ENERGY_START_EV[subset.split("_", maxsplit=1)[0]]),
        spectra=spectra.astype(np.float64),
        features=features.astype(np.float32),
        split=np.full(len(ids), "train", dtype="<U5"),
        ids=ids.tolist(),
        feature_dimensions={"m3gnet": features.shape[1]},
        featurizers={"m3gnet": {}},
        file_sha256="",
        data_sha256="",
    )


def material_groups(subsets: Iterable[SubsetData], seed: int) -> dict[str, int]:
    """A group, 0 to 9, for each material of all subsets; in each subset the groups are about equally large.

    Materials are placed one by one, those with most sites first (ties in random order). Each goes to the group that
    holds the fewest sites of the same subsets.
    """
    sites: dict[str, Counter[str]] = {}
    for data in subsets:
        for name in data.ids:
            sites.setdefault(parse_site_id(name)[0], Counter())[data.subset] += 1
    materials = sorted(sites)
    np.random.default_rng(seed).shuffle(materials)
    loads: list[Counter[str]] = [Counter() for _ in range(GROUPS)]
    group_of = {}
    for material in sorted(materials, key=lambda m: -sites[m].total()):
        there = [sum(number * load[subset] for subset, number in sites[material].items()) for load in loads]
        group_of[material] = int(np.argmin(there))
        loads[group_of[material]] += sites[material]
    return group_of


def with_fold(data: SubsetData, group_of: dict[str, int], fold: int) -> SubsetData:
    """The subset with the split of a fold."""
    groups = np.array([group_of[parse_site_id(name)[0]] for name in data.ids])
    away = (groups - 2 * fold) % GROUPS
    return replace(data, split=np.where(away < 2, "test", np.where(away == 2, "val", "train")))


def _batches(inputs: torch.Tensor, targets: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless random batches."""
    while True:
        rows = torch.randperm(len(inputs))[:32]
        yield inputs[rows], targets[rows]


class Study:
    """The trainings of one fold."""

    def __init__(self, parts: list[SubsetData], out: Path, repeat: int, fold: int, threads: int) -> None:
        groups = material_groups(parts, seed=repeat)
        self.subsets = {data.subset: with_fold(data, groups, fold) for data in parts}
        self.folder = out / f"repeat{repeat}_fold{fold}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.seed, self.threads = 100 * repeat + fold, threads

    def universal(self, how: str) -> Path:
        """Checkpoint of the universal model of the FEFF subsets; its errors on each subset are stored too."""
        path = self.folder / f"universal_{how}.safetensors"
        feff = [data for name, data in self.subsets.items() if name.endswith("_FEFF")]
        if not path.exists():
            model, training = self._train("universal", "universal", feff, how)
            for data in feff:
                self._judge(f"universal_{how}", data, model, training)
            save_checkpoint(path, model)
        return path

    def run(self, kind: str, how: str, subset: str) -> None:
        """Train and evaluate the expert or tuned model of a subset, unless its result exists."""
        name = f"{kind}_{how}"
        if (self.folder / f"{name}_{subset}.npz").exists():
            return
        data = self.subsets[subset]
        start = Start.read(self.universal(UNIVERSAL)) if kind == "tuned" else None
        model, training = self._train(kind, subset, [data], how, start)
        self._judge(name, data, model, training)

    def print_statistics(self) -> None:
        """Print how a subset's own means and variances change the universal model, and its suggested learning rate."""
        model = load_checkpoint(self.universal(UNIVERSAL))
        print("\n| subset | eta of the universal model | with the subset's own statistics | range test suggests |")
        print("| --- | --- | --- | --- |")
        for data in self.subsets.values():
            train, test = data.rows("train"), data.rows("test")
            inputs = torch.from_numpy(model.scaling.scale_features(data.features[train]))
            targets = torch.from_numpy(model.scaling.scale_spectra(data.spectra[train]))
            baseline = np.median(spectrum_mse(data.spectra[test], data.spectra[train].mean(axis=0)))
            etas = []
            for network in (model.network, copy.deepcopy(model.network).train()):
                with torch.no_grad():
                    for _ in range(40 if network.training else 0):  # each step keeps 0.9 of the running means
                        network(inputs[torch.randperm(len(inputs))[:32]])
                predicted = replace(model, network=network).predict(data.features[test])
                etas.append(baseline / np.median(spectrum_mse(data.spectra[test], predicted)))
            torch.manual_seed(self.seed)
            rate = range_test(model.network, _batches(inputs, targets)).suggestion
            print(f"| {data.subset} | {etas[0]:.2f} | {etas[1]:.2f} | {rate:.1e} |")

    def _train(self, kind, name, subsets, how, start=None):
        rate, dropout = how.rsplit("-", 1)
        given = {"dropout": float(dropout), "keep_statistics": rate.startswith("f")}
        settings = TrainingSettings.of_model(name, seed=self.seed, threads=self.threads, **given)
        rate = rate.removeprefix("f")
        if start is not None:
            settings = replace(settings, widths=tuple(start.model.card.settings["widths"]))
        if rate.startswith("x") and rate != "x1":
            _, trial = fit_model(kind, name, subsets, replace(settings, max_epochs=1), start=start)
            settings = replace(settings, learning_rate=float(rate[1:]) * trial.learning_rate)
        elif rate != "x1":
            settings = replace(settings, learning_rate=float(rate))
        return fit_model(kind, name, subsets, settings, start=start)

    def _judge(self, name, data, model, training) -> None:
        train, test, val = (data.rows(part) for part in ("train", "test", "val"))
        mean = data.spectra[train].mean(axis=0)
        path = self.folder / f"{name}_{data.subset}.npz"
        temporary = path.with_suffix(".part.npz")
        np.savez(
            temporary,
            ids=[data.ids[row] for row in test],
            mse=spectrum_mse(data.spectra[test], model.predict(data.features[test])),
            baseline=spectrum_mse(data.spectra[test], mean),
            val_mse=spectrum_mse(data.spectra[val], model.predict(data.features[val])),
            val_baseline=spectrum_mse(data.spectra[val], mean),
            rate=training.learning_rate,
            epochs=len(training.epochs),
            best=training.best_epoch,
            seconds=training.seconds,
        )
        temporary.replace(path)


def read_results(out: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All results in DIR: a row for each tested spectrum, and a row for each training and subset."""
    spectra, trainings = [], []
    for path in sorted(out.glob("repeat*_fold*/*.npz")):
        kind, how, subset = path.stem.split("_", 2)
        key = {"fold": path.parent.name, "kind": kind, "how": how, "subset": subset}
        with np.load(path, allow_pickle=False) as stored:
            materials = [parse_site_id(name)[0] for name in stored["ids"]]
            columns = {"material": materials, "mse": stored["mse"], "baseline": stored["baseline"]}
            spectra.append(pd.DataFrame(columns).assign(id=stored["ids"], **key))
            medians = {name: float(np.median(stored[name])) for name in ("mse", "baseline", "val_mse", "val_baseline")}
            numbers = {name: float(stored[name]) for name in ("rate", "epochs", "best", "seconds")}
            eta = {"eta": medians["baseline"] / medians["mse"], "val_eta": medians["val_baseline"] / medians["val_mse"]}
            trainings.append({**key, **numbers, **eta})
    return pd.concat(spectra, ignore_index=True), pd.DataFrame(trainings)


def print_trainings(trainings: pd.DataFrame) -> None:
    """Print how well each way of training did, over the trainings that all ways have in common."""
    for kind, of_kind in trainings.groupby("kind"):
        ways = of_kind["how"].nunique()
        done = of_kind.groupby(["fold", "subset"])["how"].nunique()
        common = of_kind.set_index(["fold", "subset"]).loc[done[done == ways].index]
        print(f"\n{kind}: {len(common) // ways} trainings of each")
        print("| rate, dropout | rates | epoch kept, median | validation eta, geometric mean | test eta |")
        print("| --- | --- | --- | --- | --- |")
        for how, rows in common.groupby("how"):
            means = [np.exp(np.log(rows[name]).mean()) for name in ("val_eta", "eta")]
            rates = f"{rows['rate'].min():.1e} to {rows['rate'].max():.1e}"
            print(f"| {how} | {rates} | {rows['best'].median():.0f} | {means[0]:.2f} | {means[1]:.2f} |")


def compare(spectra: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Compare two models on the spectra that both were tested on: how much smaller is the typical error of the second?

    The ratio of two eta equals the ratio of the median errors, because both share the baseline. Its 95 % interval comes
    from resampled materials, because the spectra of one material are not independent. p is that of Wilcoxon's test on
    the mean logarithm of the ratio of errors of each material.
    """
    keys = ["fold", "subset", "id", "material"]
    name = spectra["kind"] + "_" + spectra["how"]
    both = spectra[name == one].merge(spectra[name == other], on=keys, suffixes=("_one", "_other"))
    rng = np.random.default_rng(0)
    rows, drawn, all_means = [], [], []
    for subset in [each for each in SUBSETS if each in set(both["subset"])]:
        of = both[both["subset"] == subset].reset_index(drop=True)
        members = list(of.groupby(["fold", "material"]).indices.values())
        errors = of[["mse_one", "mse_other"]].to_numpy()
        samples = []
        for _ in range(RESAMPLES):
            picked = np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])
            samples.append(np.log(np.median(errors[picked, 0]) / np.median(errors[picked, 1])))
        drawn.append(samples)
        logs = np.log(errors[:, 0] / errors[:, 1])
        base = np.median(of["baseline_one"])
        etas = base / np.median(errors, axis=0)
        means = [logs[rows_of].mean() for rows_of in members]
        all_means += means
        p = wilcoxon(means).pvalue
        better = float(np.mean(logs > 0))
        rows.append([subset, len(of), *etas, etas[1] / etas[0], *_interval(samples), better, p])
    ratio = np.exp(np.mean([np.log(row[4]) for row in rows]))
    etas = [np.exp(np.mean([np.log(row[k]) for row in rows])) for k in (2, 3)]
    better = float(np.mean(both["mse_other"] < both["mse_one"]))
    rows.append(
        ["all", len(both), *etas, ratio, *_interval(np.mean(drawn, axis=0)), better, wilcoxon(all_means).pvalue]
    )
    columns = ["subset", "spectra", one, other, "ratio", "low", "high", "better", "p"]
    return pd.DataFrame(rows, columns=columns)


def _interval(samples: np.ndarray | list[float]) -> tuple[float, float]:
    low, high = np.exp(np.percentile(samples, [2.5, 97.5]))
    return float(low), float(high)


def print_comparison(table: pd.DataFrame) -> None:
    """Print a row for each subset, and the geometric mean of all."""
    one, other = table.columns[2:4]
    print(
        f"\n| subset | test spectra | eta {one} | eta {other} | ratio | 95 % interval | spectra it is better on | p |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in table.itertuples(index=False, name=None):
        subset, n, first, second, ratio, low, high, better, p = row
        numbers = f"{first:.2f} | {second:.2f} | {ratio:.2f} | {low:.2f} to {high:.2f} | {100 * better:.0f} %"
        print(f"| {subset} | {n} | {numbers} | {p:.1g} |")


def _label(name: str) -> str:
    """`tuned_f1e-3-0.5` in words."""
    kind, how = name.split("_")
    rate, dropout = how.removeprefix("f").rsplit("-", 1)
    rate = {"x1": "of the range test"}.get(rate, rate)
    normalised = "" if kind != "tuned" else ", statistics kept" if how.startswith("f") else ", own statistics"
    return f"{kind}{normalised}, rate {rate}, dropout {dropout}"


def draw(path: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Draw the ratio of eta to that of the expert, with its interval, for several models and each subset."""
    with figure(path, 7.5, 3.6) as drawn:
        axes = drawn.subplots()
        offsets = np.linspace(-0.25, 0.25, len(tables))
        styles = zip(offsets, (BASELINE, MODEL, TRUTH, "#009E73"), "sovD", strict=False)
        for (name, table), (offset, colour, marker) in zip(tables.items(), styles, strict=False):
            order = [*SUBSETS, "all"]
            at = [order.index(subset) + offset for subset in table["subset"]]
            errors = [table["ratio"] - table["low"], table["high"] - table["ratio"]]
            axes.errorbar(at, table["ratio"], errors, fmt=marker, ms=5, lw=1, color=colour, label=_label(name))
        axes.axhline(1, color=TRUTH, lw=0.8)
        axes.set_xticks(range(len(SUBSETS) + 1), [*SUBSETS, "all"])
        axes.set(yscale="log", ylabel=f"η / η of the {next(iter(tables.values())).columns[2].split('_')[0]}")
        axes.yaxis.set_minor_locator(FixedLocator(np.arange(0.1, 3, 0.1)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:.1f}")
        axes.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=8)


def main() -> None:
    """Train missing models and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, nargs="+", default=[0], help="each divides the materials again")
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLDS)), choices=range(FOLDS))
    parser.add_argument("--expert", nargs="*", default=EXPERT, metavar="RATE-DROPOUT")
    parser.add_argument("--tuned", nargs="*", default=TUNED, metavar="RATE-DROPOUT")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only-tables", action="store_true")
    parser.add_argument("--reference", default=f"expert_{EXPERT[0]}", help="model to compare the others with")
    parser.add_argument("--statistics", action="store_true", help="print statistics of the first universal model")
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    parts = [read_part(given.folder, subset) for subset in SUBSETS]
    for repeat, fold in [] if given.only_tables else [(r, f) for r in given.repeats for f in given.folds]:
        study = Study(parts, given.out, repeat, fold, given.threads)
        study.universal(UNIVERSAL)
        for kind, how in [*(("expert", how) for how in given.expert), *(("tuned", how) for how in given.tuned)]:
            for subset in SUBSETS:
                study.run(kind, how, subset)
    if given.statistics:
        torch.set_num_threads(given.threads)
        Study(parts, given.out, given.repeats[0], given.folds[0], given.threads).print_statistics()
    spectra, trainings = read_results(given.out)
    print_trainings(trainings)
    others = [f"universal_{UNIVERSAL}", *(f"tuned_{how}" for how in given.tuned)]
    others = [other for other in others if other != given.reference]
    tables = {other: compare(spectra, given.reference, other) for other in others}
    for table in tables.values():
        print_comparison(table)
    if given.figure:
        draw(given.figure, tables)


if __name__ == "__main__":
    main()
