"""How long do all 21 models of the paper take to train, on random data of the full sizes (75,691 spectra)?

    python benchmarks/bench_suite.py --device cuda --precision bfloat16
    python benchmarks/bench_suite.py --share 0.02 --max-epochs 3        # a quick try on any machine

Trains experts of the eight FEFF and two VASP subsets, a universal model of all FEFF subsets, and ten tuned models that
start from it. Spectra are a smooth function of the features with noise, so that early stopping works as usual; the
errors of the models mean nothing. Prints a row for each model, and the total time.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.models.network.fit import Start, fit_models
from xanesflow.models.subset_data import SubsetData

SIZES = {
    "Ti_FEFF": (5140, 641), "V_FEFF": (8653, 1080), "Cr_FEFF": (2457, 305), "Mn_FEFF": (13644, 1704),
    "Fe_FEFF": (9657, 1205), "Co_FEFF": (8605, 1074), "Ni_FEFF": (3471, 432), "Cu_FEFF": (3340, 416),
    "Ti_VASP": (3030, 377), "Cu_VASP": (2584, 321),
}  # fmt: skip
"""Numbers of published spectra for training and validation (arXiv 2409.19552); test spectra are not needed here."""


def learnable(subset: str, share: float) -> SubsetData:
    """Random features and spectra that depend on them, as many as in a published subset."""
    rng = np.random.default_rng(list(SIZES).index(subset))
    n_train, n_val = (max(40, round(share * n)) for n in SIZES[subset])
    n = n_train + n_val
    features = rng.normal(scale=0.4, size=(n, 64)).astype(np.float32)
    first, second = np.random.default_rng(0).normal(size=(64, 30)), np.random.default_rng(1).normal(size=(30, 141))
    clean = 1e-3 * (1 + 0.1 * np.tanh(features @ first) @ second / 5)
    return SubsetData(
        path=Path("random data"),
        subset=subset,
        features_name="m3gnet",
        energy_ev=8983.173 + 0.25 * np.arange(141),
        spectra=np.abs(clean + rng.normal(scale=2e-5, size=clean.shape)),
        features=features,
        split=np.array(["train"] * n_train + ["val"] * n_val),
        ids=[f"mp-{i}_000" for i in range(n)],
        feature_dimensions={"m3gnet": 64},
        featurizers={"m3gnet": {}},
        file_sha256="",
        data_sha256="",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--max-epochs", type=int, default=1000)
    parser.add_argument("--share", type=float, default=1.0, help="share of the published sizes")
    given = parser.parse_args()
    data = {subset: learnable(subset, given.share) for subset in SIZES}
    common = {"device": given.device, "precision": given.precision, "threads": given.threads}
    common["max_epochs"] = given.max_epochs
    tuned = {**common, "learning_rate": 1e-3, "keep_statistics": True}
    print(f"{sum(len(each.split) for each in data.values())} spectra, seeds {given.seeds}, {common}")
    print("| model | of | epochs of each seed | s | s an epoch |\n| --- | --- | --- | --- | --- |", flush=True)
    begin, trained = time.perf_counter(), 0

    def fit(kind: str, name: str, subsets: list[SubsetData], choice: dict, starts: list[Start] | None = None) -> list:
        nonlocal trained
        settings = TrainingSettings.of_model("universal" if kind == "universal" else name, **choice)
        started = time.perf_counter()
        found = fit_models(kind, name, subsets, settings, given.seeds, starts=starts)
        epochs, seconds = [len(training.epochs) for _, training in found], time.perf_counter() - started
        shown = "/".join(map(str, epochs))
        print(f"| {kind} | {name} | {shown} | {seconds:.1f} | {seconds / max(epochs):.3f} |", flush=True)
        trained += 1
        return [model for model, _ in found]

    for subset, each in data.items():
        fit("expert", subset, [each], common)
    cheap = [each for subset, each in data.items() if subset.endswith("_FEFF")]
    universal = fit("universal", "FEFF", cheap, common)
    # A start names the file that it was read from; here there is none.
    starts = [Start(Path("/dev/null"), model) for model in universal]
    for subset, each in data.items():
        fit("tuned", subset, [each], tuned, starts)
    print(f"{trained} models in {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
