"""What raises the accuracy of a subset's expert? Evaluated without its validation and test parts.

    python studies/study_accuracy.py results/dataset/NAME.h5            # compare the choices on hold-outs
    python studies/study_accuracy.py results/dataset/NAME.h5 --confirm  # evaluate the choice on the validation part

The dataset must hold m3gnet_all, chgnet, radial, angular and chgnet_cell. All choices are made within the training
part, on materials with one or two sites, like those of the published validation part. Kernels are compared by leaving
out each material (in closed form), networks on hold-outs of a fifth of these materials. Prints the tables of
docs/studies/accuracy.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from xanesflow.config.presets import LAYERS, PRESETS
from xanesflow.config.training_settings import TrainingSettings
from xanesflow.models.kernel_ridge import KernelRidge, leave_out_materials
from xanesflow.models.network.fit import fit_models
from xanesflow.models.subset_data import SubsetData, read_subset

BEST = "m3gnet_all+chgnet+radial+angular+chgnet_cell"
FEATURES = (
    "m3gnet_all",
    "m3gnet_all+chgnet",
    "m3gnet_all+radial",
    "m3gnet_all+chgnet+radial",
    "m3gnet_all+chgnet+radial+angular",
    "m3gnet_all+chgnet+radial+chgnet_cell",
    BEST,
)
NETWORKS = {
    "preset best": {},
    "without angular, chgnet_cell": {"features": "m3gnet_all+chgnet+radial"},
    "dropout 0.3": {"dropout": 0.3},
    "weights not averaged": {"average": 0.0},
    "Softplus output": {"output": "softplus"},
    "widths 600-600-600-600": {"widths": (600, 600, 600, 600)},
    "plain Adam": {"weight_decay": 0.0},
}
"""Rows of the table, with the settings in which each differs from the preset."""


def hold_outs(data: SubsetData, number: int) -> list[np.ndarray]:
    """Rows of the training part to hold out: `number` of five disjoint parts of its materials with one or two sites."""
    train, materials = data.rows("train"), data.materials
    names, counts = np.unique(materials[train], return_counts=True)
    small = np.random.default_rng(0).permutation(names[counts <= 2])
    return [train[np.isin(materials[train], part)] for part in np.array_split(small, 5)[:number]]


def eta(truth: np.ndarray, predicted: np.ndarray, baseline: np.ndarray) -> str:
    """Ratio of the medians (the paper's η), and of the geometric means, which is less noisy."""
    error, base = ((truth - predicted) ** 2).mean(axis=1), ((truth - baseline) ** 2).mean(axis=1)
    return f"{np.median(base) / np.median(error):.2f} | {np.exp(np.log(base / error).mean()):.2f}"


def settings_of(**changes: object) -> TrainingSettings:
    """The preset `best` with some changes."""
    preset, layers = PRESETS["best"], LAYERS["best"]
    assert layers is not None
    values = {name: value for name, value in preset.items() if name not in ("features", "seeds", "kernel_share")}
    return TrainingSettings(**{**values, "widths": layers[0], "batch_size": layers[1], **changes})  # type: ignore[arg-type]


def predict(data: SubsetData, rows: np.ndarray, seeds: Sequence[int], settings: TrainingSettings) -> np.ndarray:
    """(seeds, rows, 141) predictions by networks trained without `rows`; the one-cycle schedule never uses them."""
    split = data.split.copy()
    split[rows] = "val"
    models = fit_models("expert", data.subset, [replace(data, split=split)], settings, seeds)
    return np.stack([model.predict(data.features[rows]) for model, _ in models])


def kernels(path: Path, subset: str) -> None:
    """Evaluate kernel regression alone for every choice of features, leaving out each material in turn."""
    print("| kernel regression on | length | noise | eta | geometric |\n| --- | --- | --- | --- | --- |")
    for features in FEATURES:
        data = read_subset(path, subset, features)
        train, materials = data.rows("train"), data.materials[data.rows("train")]
        spectra = data.spectra[train]
        fitted = KernelRidge.fit(data.features[train], spectra, materials, list(data.feature_dimensions.values()))
        errors = leave_out_materials(fitted.matrix(), spectra - fitted.mean_spectrum, materials)
        _, index, counts = np.unique(materials, return_inverse=True, return_counts=True)
        few = counts[index] <= 2
        found = eta(spectra[few], (spectra - errors)[few], fitted.mean_spectrum)
        print(f"| {features} | {fitted.length:g} | {fitted.noise:g} | {found} |", flush=True)


def networks(path: Path, subset: str, number: int, run: dict[str, object]) -> None:
    """Evaluate networks, and their mixtures with the kernel regression, on all hold-outs together."""
    print("| network | eta | geometric | with the kernel, 1/2 each | |\n| --- | --- | --- | --- | --- |")
    for name, changes in NETWORKS.items():
        others = {key: value for key, value in changes.items() if key != "features"}
        data = read_subset(path, subset, str(changes.get("features", BEST)))
        truth, alone, mixed = [], [], []
        for rows in hold_outs(data, number):
            train = np.setdiff1d(data.rows("train"), rows)
            blocks = list(data.feature_dimensions.values())
            kernel = KernelRidge.fit(data.features[train], data.spectra[train], data.materials[train], blocks)
            truth.append(data.spectra[rows])
            alone.append(predict(data, rows, [0], settings_of(**run, **others))[0])
            mixed.append((alone[-1] + kernel.predict(data.features[rows])) / 2)
        base = data.spectra[data.rows("train")].mean(axis=0)
        all_truth = np.concatenate(truth)
        found = [eta(all_truth, np.concatenate(each), base) for each in (alone, mixed)]
        print(f"| {name} | {' | '.join(found)} |", flush=True)


def confirm(path: Path, subset: str, run: dict[str, object]) -> None:
    """Evaluate the final choice on the validation part."""
    data = read_subset(path, subset, BEST)
    train, rows = data.rows("train"), data.rows("val")
    blocks = list(data.feature_dimensions.values())
    kernel = KernelRidge.fit(data.features[train], data.spectra[train], data.materials[train], blocks)
    by_kernel = kernel.predict(data.features[rows])
    by_seed = predict(data, rows, PRESETS["best"]["seeds"], settings_of(**run))
    truth, base, share = data.spectra[rows], data.spectra[train].mean(axis=0), PRESETS["best"]["kernel_share"]
    print("| validation part | eta | geometric |\n| --- | --- | --- |")
    for seed, one in enumerate(by_seed):
        print(f"| network, seed {seed} | {eta(truth, one, base)} |")
    mean = by_seed.mean(axis=0)
    print(f"| {len(by_seed)} networks | {eta(truth, mean, base)} |")
    print(f"| kernel regression (length {kernel.length:g}, noise {kernel.noise:g}) | {eta(truth, by_kernel, base)} |")
    print(f"| preset best | {eta(truth, (1 - share) * mean + share * by_kernel, base)} |")


def main() -> None:
    """Compare the choices, or confirm the final one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--subset", default="Cu_FEFF")
    parser.add_argument("--hold-outs", type=int, default=2, help="number of hold-outs, 1 to 5")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--confirm", action="store_true", help="only evaluate the choice on the validation part")
    given = parser.parse_args()
    run = {"threads": given.threads, "precision": given.precision}
    if given.confirm:
        confirm(given.dataset, given.subset, run)
        return
    kernels(given.dataset, given.subset)
    networks(given.dataset, given.subset, given.hold_outs, run)


if __name__ == "__main__":
    main()
