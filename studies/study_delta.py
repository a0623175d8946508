"""Delta learning on published Cu spectra: learning curve, planned and random sites, unseen elements, error bars.

    python studies/study_delta.py DATASET [--features NAMES] [--figure FILE] [--only PARTS]

Build DATASET with `snakemake dataset --configfile campaigns/delta_cu.yaml`: it holds Cu_FEFF with the published split,
features of the structures, and features of the embedded engine's runs at the same sites. All models learn from the
training part. They are evaluated on the published validation part; for unseen elements, on all sites of materials with
the element. The tables are printed in Markdown.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.evaluation.error_bars.calibration import Calibration
from xanesflow.evaluation.error_bars.distance import TrainingSites
from xanesflow.evaluation.metrics import compute_metrics
from xanesflow.models.delta.choose_sites import choose_sites
from xanesflow.models.delta.delta_model import DeltaModel, DeltaSettings, fit_delta
from xanesflow.models.delta.learning_curve import draw_learning_curve, draw_sites, learning_curve, only_train_on
from xanesflow.models.delta.train_delta import SHARE_OF_A_SEED
from xanesflow.models.delta.unseen_elements import elements_of_materials, geometric_means, unseen_elements
from xanesflow.models.network.fit import fit_model
from xanesflow.models.subset_data import SubsetData, read_subset

SUBSET, CHEAP_FEATURES = "Cu_FEFF", "feff8l"
FEATURES = f"m3gnet_all+chgnet+radial+angular+{CHEAP_FEATURES}"
SIZES = (50, 100, 250, 500, 1000, 2000)
BUDGETS = (100, 250)
DRAWS = 3
RANDOM_DRAWS = 10
MEMBERS = 5
DEALS = 50


def eta(data: SubsetData, model: DeltaModel, rows: np.ndarray, *, alone: bool = False) -> float:
    """Figure of merit η on some rows, of the delta model or of the structure alone."""
    predict = model.from_structure_alone if alone else model.predict
    mean = data.spectra[data.rows("train")].mean(axis=0)
    return compute_metrics(data.spectra[rows], predict(data.features[rows]), mean).eta


def show_curve(data: SubsetData, figure: Path | None) -> None:
    """Print the learning curve with and without the embedded engine."""
    points = learning_curve(data, DeltaSettings(CHEAP_FEATURES), sizes=SIZES, draws=DRAWS)
    print(
        "| training sites | η with the engine | structure alone | engine, moved in energy |\n| --- | --- | --- | --- |"
    )
    for size, group in points.groupby("n_train"):
        cells = [
            f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})"
            if len(values) > 1
            else f"{values.mean():.2f}"
            for values in (group["eta"], group["eta_structure"], group["eta_moved"])
        ]
        print(f"| {size} | {' | '.join(cells)} |", flush=True)
    if figure is not None:
        draw_learning_curve(figure, points, "Cu K edge: FEFF 9 from the embedded engine and n FEFF 9 spectra")


def show_experts(data: SubsetData) -> None:
    """Print η of the paper's model at the same sizes, on M3GNet's features; a tenth of the materials validates."""
    first = list(data.feature_dimensions).index("m3gnet_all")
    end = sum(list(data.feature_dimensions.values())[: first + 1])
    alone = replace(
        data, features=data.features[:, end - 64 : end], features_name="m3gnet", feature_dimensions={"m3gnet": 64},
        featurizers={"m3gnet": data.featurizers["m3gnet_all"]},
    )  # fmt: skip
    train, val = data.rows("train"), data.rows("val")
    rng = np.random.default_rng(0)
    print("\n| training sites | η of the paper's expert |\n| --- | --- |")
    for size in [*(size for size in SIZES if size < len(train)), len(train)]:
        found = []
        for seed in range(DRAWS):
            drawn = draw_sites(data, train, size, rng)
            materials = data.materials[drawn]
            names = rng.permutation(np.unique(materials))
            stops = np.isin(materials, names[: max(1, round(0.1 * len(names)))])
            split = np.full(len(data.split), "", dtype=data.split.dtype)
            split[drawn[~stops]], split[drawn[stops]] = "train", "val"
            settings = TrainingSettings.of_model(SUBSET, seed=seed)
            model, _ = fit_model("expert", SUBSET, [replace(alone, split=split)], settings)
            mean = data.spectra[train].mean(axis=0)
            found.append(compute_metrics(data.spectra[val], model.predict(alone.features[val]), mean).eta)
        print(f"| {size} | {np.mean(found):.2f} ({min(found):.2f} to {max(found):.2f}) |", flush=True)


def show_plan(data: SubsetData) -> None:
    """Compare sites chosen by the planner with random ones; each of the planner's ten tries lacks a tenth of all."""
    train, val = data.rows("train"), data.rows("val")
    print("\n| sites | chosen by | η with the engine | structure alone |\n| --- | --- | --- | --- |")

    def planned(budget: int, left_out: np.ndarray) -> np.ndarray:
        there = np.setdiff1d(train, left_out)
        return there[choose_sites(data.features[there], data.feature_dimensions, data.materials[there], budget)[0]]

    for budget in (budget for budget in BUDGETS if budget < len(train)):
        rng = np.random.default_rng(0)
        names = data.materials[train]
        tenths = np.array_split(rng.permutation(np.unique(names)), RANDOM_DRAWS)
        for name, draws in (
            ("the planner, all at hand", [planned(budget, train[:0])]),
            ("the planner", [planned(budget, train[np.isin(names, tenth)]) for tenth in tenths]),
            ("chance, whole materials", [draw_sites(data, train, budget, rng) for _ in range(RANDOM_DRAWS)]),
            ("chance, single sites", [rng.choice(train, budget, replace=False) for _ in range(RANDOM_DRAWS)]),
        ):
            models = [fit_delta(only_train_on(data, rows), DeltaSettings(CHEAP_FEATURES)) for rows in draws]
            cells = []
            for alone in (False, True):
                found = [eta(data, model, val, alone=alone) for model in models]
                cells.append(f"{np.mean(found):.2f}" + (f" ± {np.std(found):.2f}" if len(found) > 1 else ""))
            print(f"| {budget} | {name} | {' | '.join(cells)} |", flush=True)


def show_elements(path: Path, data: SubsetData) -> None:
    """Print η for elements that the training never saw."""
    elements = elements_of_materials(path, SUBSET, set(data.materials))
    found = unseen_elements(data, DeltaSettings(CHEAP_FEATURES), elements)
    print("\n| element left out | sites with it | training sites | η with the engine | structure alone |")
    print("| --- | --- | --- | --- | --- |")
    for row in found.itertuples():
        print(f"| {row.element} | {row.sites} | {row.n_train} | {row.eta:.2f} | {row.eta_structure:.2f} |", flush=True)
    middle = geometric_means(found)
    print(f"| geometric mean of {len(found)} | | | {middle[0]:.2f} | {middle[1]:.2f} |")


def show_bars(data: SubsetData) -> None:
    """Print error bars, calibrated on a fifth of the drawn training materials, from which no model learns."""
    train = data.rows("train")
    print("\n| training sites | members | calibrated on | η | in the 68 % bands | in the 95 % bands |")
    print("| --- | --- | --- | --- | --- | --- |")
    for size in (100, 250, 1000, len(train)):
        if size > len(train):
            continue
        draws = [draw_sites(data, train, size, np.random.default_rng(seed)) for seed in range(DRAWS)]
        for members in (1, MEMBERS):
            found = np.array([judged_bars(data, drawn, members, seed) for seed, drawn in enumerate(draws)])
            mean, spread = found.mean(axis=0), found.std(axis=0)
            shares = " | ".join(f"{mean[k]:.1%} ± {spread[k]:.1%}" for k in (3, 4))
            print(f"| {mean[0]:.0f} | {members} | {mean[1]:.0f} | {mean[2]:.2f} | {shares} |", flush=True)


def show_deals(data: SubsetData) -> None:
    """Print error bars, calibrated on half of the validation part's materials and evaluated on the other half.

    This resembles a campaign: there the validation part calibrates, and differs from the test part only by chance.
    """
    train, val = data.rows("train"), data.rows("val")
    materials = data.materials[val]
    print("\n| training sites | members | in the 68 % bands | in the 95 % bands |\n| --- | --- | --- | --- |")
    for size in [*(size for size in (100, 250, 1000) if size < len(train)), len(train)]:
        drawn = draw_sites(data, train, size, np.random.default_rng(0))
        sites = TrainingSites.fit(data.features[drawn])
        distance = sites.distance(data.features[val])
        for members in (1, MEMBERS):
            models = fitted(data, drawn, members)
            by_seed = np.stack([model.predict(data.features[val]) for model in models])
            inside = []
            for deal in range(DEALS):
                names = np.random.default_rng(deal).permutation(np.unique(materials))
                half = np.isin(materials, names[: len(names) // 2])
                ids = [data.ids[row] for row in val[half]]
                found = Calibration.fit(by_seed[:, half], distance[half], data.spectra[val[half]], ids, sites=sites)
                inside.append(shares_inside(found, by_seed[:, ~half], distance[~half], data.spectra[val[~half]]))
            mean, spread = np.mean(inside, axis=0), np.std(inside, axis=0)
            shares = " | ".join(f"{mean[k]:.1%} ± {spread[k]:.1%}" for k in (0, 1))
            print(f"| {len(drawn)} | {members} | {shares} |", flush=True)


def fitted(data: SubsetData, rows: np.ndarray, members: int) -> list[DeltaModel]:
    """Models that learn from some rows: one model from all rows, several each from a share, as in the workflow."""
    share = 1.0 if members == 1 else SHARE_OF_A_SEED
    settings = [DeltaSettings(CHEAP_FEATURES, number, share) for number in range(members)]
    return [fit_delta(only_train_on(data, rows), each) for each in settings]


def shares_inside(
    calibration: Calibration, by_seed: np.ndarray, distance: np.ndarray, truth: np.ndarray
) -> tuple[float, float]:
    """Shares of the points inside the 68 % and 95 % bands."""
    bands = [calibration.bands(by_seed, distance, level) for level in (0.68, 0.95)]
    narrow, wide = (float(np.mean((low <= truth) & (truth <= high))) for low, high in bands)
    return narrow, wide


def judged_bars(data: SubsetData, drawn: np.ndarray, members: int, seed: int) -> tuple[float, ...]:
    """Training sites, calibration sites, figure of merit η, and the shares inside the 68 % and 95 % bands."""
    val = data.rows("val")
    materials = data.materials[drawn]
    names = np.unique(materials)
    held = np.random.default_rng(seed).permutation(names)[: max(4, len(names) // 5)]
    learned, kept = drawn[~np.isin(materials, held)], drawn[np.isin(materials, held)]
    models = fitted(data, learned, members)
    sites = TrainingSites.fit(data.features[learned])
    by_seed = [np.stack([model.predict(data.features[rows]) for model in models]) for rows in (kept, val)]
    distances = [sites.distance(data.features[rows]) for rows in (kept, val)]
    ids = [data.ids[row] for row in kept]
    calibration = Calibration.fit(by_seed[0], distances[0], data.spectra[kept], ids, sites=sites)
    inside = shares_inside(calibration, by_seed[1], distances[1], data.spectra[val])
    mean = data.spectra[learned].mean(axis=0)
    merit = compute_metrics(data.spectra[val], by_seed[1].mean(axis=0), mean).eta
    return len(learned), len(kept), merit, *inside


def main() -> None:
    """Read the arguments and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--features", default=FEATURES)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--only", default="curve,experts,plan,elements,bars,deals")
    given = parser.parse_args()
    data = read_subset(given.dataset, SUBSET, given.features)
    print(f"{SUBSET}, {given.features}: {data.counts()}\n", flush=True)
    wanted = given.only.split(",")
    if "curve" in wanted:
        show_curve(data, given.figure)
    if "experts" in wanted:
        show_experts(data)
    if "plan" in wanted:
        show_plan(data)
    if "elements" in wanted:
        show_elements(given.dataset, data)
    if "bars" in wanted:
        show_bars(data)
    if "deals" in wanted:
        show_deals(data)


if __name__ == "__main__":
    main()
