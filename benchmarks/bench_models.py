"""How long an expert takes to train, and how good it is.

    python benchmarks/bench_models.py                                   # random data of the size of Cu_FEFF
    python benchmarks/bench_models.py --dataset results/dataset/NAME.h5 --subset Cu_FEFF --features m3gnet

Prints one table, a row per seed. On random data there is nothing to learn, so only the time per epoch counts.
"""

import argparse
from pathlib import Path

import numpy as np

from xanesflow.evaluation.metrics import compute_metrics
from xanesflow.models.data import SubsetData, read_subset
from xanesflow.models.expert import fit_expert
from xanesflow.models.settings import ExpertSettings


def synthetic(n_train: int = 3340, n_val: int = 416, n_features: int = 64, n_energies: int = 141) -> SubsetData:
    """Random data of the size of the published Cu_FEFF."""
    rng = np.random.default_rng(0)
    n = n_train + n_val
    return SubsetData(
        path=Path("random data"),
        subset="Cu_FEFF",
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


def main() -> None:
    parser = argparse.ArgumentParser(description="time (and judge) the training of an expert")
    parser.add_argument("--dataset", type=Path, help="dataset file; without it random data are used")
    parser.add_argument("--subset", default="Cu_FEFF")
    parser.add_argument("--features", default="m3gnet")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--max-epochs", type=int, help="default: 1000 with a dataset, 20 on random data")
    options = parser.parse_args()
    data = read_subset(options.dataset, options.subset, options.features) if options.dataset else synthetic()
    epochs = options.max_epochs or (1000 if options.dataset else 20)
    train, val, test = (data.rows(part) for part in ("train", "val", "test"))
    part, rows = ("test", test) if len(test) else ("val", val)
    print(f"{data.subset}, {data.features_name} ({data.features.shape[1]} numbers), {data.counts()}; eta on {part}")
    print("| seed | rate | epochs | best | s/epoch | range test s | total s | xi bohr^4 | eta | w_e | w_s |")
    print("| --- " * 11 + "|")
    predictions = []
    baseline = data.spectra[train].mean(axis=0)
    for seed in options.seeds:
        settings = ExpertSettings.of_subset(
            data.subset, seed=seed, threads=options.threads, device=options.device, max_epochs=epochs
        )
        model, training = fit_expert(data, settings)
        predictions.append(model.predict(data.features[rows]))
        found = compute_metrics(data.spectra[rows], predictions[-1], baseline)
        seconds = [epoch.seconds for epoch in training.epochs]
        # The first epoch holds the range test and what PyTorch sets up once, so it is told apart.
        each = (seconds[-1] - seconds[0]) / max(1, len(seconds) - 1)
        print(
            f"| {seed} | {training.learning_rate:.2g} | {len(seconds)} | {training.best_epoch} | {each:.3f} | "
            f"{seconds[0] - each:.1f} | {training.seconds:.1f} | {found.xi:.3g} | {found.eta:.2f} | {found.w_e:.3f} | "
            f"{found.w_s:.3f} |"
        )
    if len(predictions) > 1:
        found = compute_metrics(data.spectra[rows], np.mean(predictions, axis=0), baseline)
        print(f"| ensemble |  |  |  |  |  |  | {found.xi:.3g} | {found.eta:.2f} | {found.w_e:.3f} | {found.w_s:.3f} |")


if __name__ == "__main__":
    main()
