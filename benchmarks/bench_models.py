"""How long do models take to train, and how good are they?

    python benchmarks/bench_models.py                                   # random data of the size of Cu_FEFF
    python benchmarks/bench_models.py --kind universal                  # random data of the size of all FEFF subsets
    python benchmarks/bench_models.py --dataset results/dataset/NAME.h5 --subset Cu_FEFF Ni_FEFF --kind universal

Prints one table with a row for each model, seed and subset. Random data teach nothing, so there only the time per epoch
counts.
"""

import argparse
from pathlib import Path

import numpy as np

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.evaluation.metrics import compute_metrics
from xanesflow.models.network.fit import fit_models
from xanesflow.models.subset_data import SubsetData, read_subset

SIZES = {
    "Ti_FEFF": (5140, 641), "V_FEFF": (8653, 1080), "Cr_FEFF": (2457, 305), "Mn_FEFF": (13644, 1704),
    "Fe_FEFF": (9657, 1205), "Co_FEFF": (8605, 1074), "Ni_FEFF": (3471, 432), "Cu_FEFF": (3340, 416),
}  # fmt: skip
"""Numbers of published spectra for training and validation."""


def synthetic(subset: str, n_features: int = 64, n_energies: int = 141) -> SubsetData:
    """Random data of the size of a published subset."""
    rng = np.random.default_rng(0)
    n_train, n_val = SIZES[subset]
    n = n_train + n_val
    return SubsetData(
        path=Path("random data"),
        subset=subset,
        features_name="m3gnet",
        energy_ev=8983.173 + 0.25 * np.arange(n_energies),
        spectra=rng.uniform(0, 1.5e-3, size=(n, n_energies)),
        features=rng.normal(scale=0.4, size=(n, n_features)).astype(np.float32),
        split=np.array(["train"] * n_train + ["val"] * n_val),
        ids=[f"mp-{i}_000" for i in range(n)],
        feature_dimensions={"m3gnet": n_features},
        featurizers={"m3gnet": {}},
        file_sha256="",
        data_sha256="",
    )


def bench(kind: str, subsets: list[SubsetData], given: argparse.Namespace) -> None:
    """Train one model with all seeds and print a row for each."""
    name = "universal" if kind == "universal" else subsets[0].subset
    settings = TrainingSettings.of_model(
        name,
        threads=given.threads,
        device=given.device,
        precision=given.precision,
        batch_size=given.batch_size,
        max_epochs=given.max_epochs or (1000 if given.dataset else 20),
    )
    # Evaluate on the test part if there is one, else on the validation part.
    rows = {data.subset: data.rows("test" if len(data.rows("test")) else "val") for data in subsets}
    predictions: dict[str, list[np.ndarray]] = {data.subset: [] for data in subsets}
    for seed, (model, training) in zip(
        given.seeds, fit_models(kind, name, subsets, settings, given.seeds), strict=True
    ):
        seconds = [epoch.seconds for epoch in training.epochs]
        # The first epoch includes the range tests and PyTorch's set-up, so it is shown separately. The fastest of the
        # other epochs was disturbed least by other processes.
        each = min(np.diff(seconds), default=seconds[0])
        spent = (
            f"{training.learning_rate:.2g} | {len(seconds)} | {training.best_epoch} | {each:.3f} | "
            f"{seconds[0] - each:.1f} | {training.seconds:.1f}"
        )
        for data in subsets:
            predictions[data.subset].append(model.predict(data.features[rows[data.subset]]))
            judge(f"| {kind} | {data.subset} | {seed} | {spent}", data, rows[data.subset], predictions[data.subset][-1])
    for data in subsets if len(given.seeds) > 1 else []:
        mean = np.mean(predictions[data.subset], axis=0)
        judge(f"| {kind} | {data.subset} | ensemble |  |  |  |  |  | ", data, rows[data.subset], mean)


def judge(start: str, data: SubsetData, rows: np.ndarray, predictions: np.ndarray) -> None:
    """Print a row of the table."""
    found = compute_metrics(data.spectra[rows], predictions, data.spectra[data.rows("train")].mean(axis=0))
    print(f"{start} | {len(rows)} | {found.xi:.3g} | {found.eta:.2f} | {found.w_e:.3f} | {found.w_s:.3f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, help="dataset file; default: random data")
    parser.add_argument("--kind", choices=["expert", "universal"], default="expert")
    parser.add_argument("--subset", nargs="+", help="default: Cu_FEFF; for a universal model on random data, all FEFF")
    parser.add_argument("--features", default="m3gnet")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--batch-size", type=int, help="default: the paper's")
    parser.add_argument("--max-epochs", type=int, help="default: 1000 with a dataset, 20 on random data")
    given = parser.parse_args()
    names = given.subset or (list(SIZES) if given.kind == "universal" and not given.dataset else ["Cu_FEFF"])
    subsets = [read_subset(given.dataset, name, given.features) if given.dataset else synthetic(name) for name in names]
    for data in subsets:
        print(f"{data.subset}, {data.features_name} ({data.features.shape[1]} numbers), {data.counts()}")
    columns = ["model", "subset", "seed", "rate", "epochs", "best", "s/epoch", "range test s", "total s", "judged on"]
    columns += ["xi bohr^4", "eta", "w_e", "w_s"]
    print(f"| {' | '.join(columns)} |\n{'| --- ' * len(columns)}|")
    for together in [subsets] if given.kind == "universal" else [[data] for data in subsets]:
        bench(given.kind, together, given)


if __name__ == "__main__":
    main()
