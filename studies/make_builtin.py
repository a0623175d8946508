"""Make a model that comes with the package: fit it, calibrate its error bars, judge it once, and put it there.

    snakemake dataset --configfile campaigns/builtin_cu.yaml --config 'simulations={archive: feff9-cu.tar.xz}'
    python studies/make_builtin.py results/dataset/builtin_cu.h5
    python studies/make_builtin.py results/dataset/builtin_cu.h5 --replace    puts it into the package
    python studies/make_builtin.py results/dataset/builtin_cu_delta.h5 --delta-from FEFF8L     the delta model

A kernel regression of the structure, or a delta model of runs of a cheaper theory, is fitted to the training part; the
validation part calibrates its error bars; the test part judges it. What is there and comes from the same data is not
made again. Prints how good the model is, and what is unlike the training sites. Coefficients are stored in single
precision; the loss is printed.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from xanesflow.config import result_paths as paths
from xanesflow.config.kinds import DELTA
from xanesflow.config.result_paths import in_results
from xanesflow.dataset.read_dataset import load
from xanesflow.evaluation.error_bars.calibrate import calibrate_model
from xanesflow.evaluation.metrics import compute_metrics
from xanesflow.evaluation.predict_spectra import predict_spectra
from xanesflow.models.delta.delta_model import DeltaSettings, fit_delta
from xanesflow.models.kernel_model import fit_kernel_model
from xanesflow.models.kernel_ridge import KernelRidge
from xanesflow.models.model_kinds import KERNEL, TrainedModel
from xanesflow.models.network.checkpoint import load_if_there, save_checkpoint
from xanesflow.models.subset_data import SubsetData, read_subset
from xanesflow.prediction.builtin_models import FOLDER
from xanesflow.prediction.export_model import export_model
from xanesflow.prediction.trained_models import TrainedEnsemble, load_models

FEATURES = {KERNEL: "chgnet+radial", DELTA: "chgnet+radial+angular"}
"""Of the structure; none needs a download."""


def main() -> None:
    """Make what is missing, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--subset", default="Cu_FEFF")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument(
        "--delta-from", metavar="THEORY", default=None, help="make a delta model of runs of this theory"
    )
    parser.add_argument("--replace", action="store_true", help="put the model into the package")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    kind = KERNEL if given.delta_from is None else DELTA
    cheap = "" if given.delta_from is None else given.delta_from.lower()
    features = "+".join(filter(None, (FEATURES[kind], cheap)))
    name = given.subset if given.delta_from is None else f"{given.subset}_from_{given.delta_from}"
    data = read_subset(given.dataset, given.subset, features)
    with load(given.dataset) as file:
        config = str(file.attributes["config"])
    named = {"model": kind, "features": features, "subset": given.subset}
    of = {"model": kind, "features": features, "of": given.subset, "seed": "0"}
    checkpoint = in_results(given.results, paths.CHECKPOINT, **of)
    calibration = in_results(given.results, paths.CALIBRATION, **named)
    predictions = in_results(given.results, paths.PREDICTIONS, **named)

    # Fit, calibrate and predict the test part, unless that was done for these data.
    there = load_if_there(checkpoint)
    if there is None or there.card.data_sha256 != data.data_sha256:
        if kind == KERNEL:
            fitted: TrainedModel = fit_kernel_model(data, config_json=config)
        else:
            fitted = fit_delta(data, DeltaSettings(cheap), config_json=config)
        save_checkpoint(checkpoint, in_single_precision(fitted, data))
        for path in (calibration, predictions):
            path.unlink(missing_ok=True)
    if not calibration.exists():
        calibrate_model(given.dataset, [checkpoint], calibration, subset=given.subset, config_json=config)
    if not predictions.exists():
        predict_spectra(
            given.dataset, [checkpoint], predictions, subset=given.subset, calibration=calibration, config_json=config
        )

    # Export it, and judge what is exported.
    exported = given.results / "builtin" / name
    shutil.rmtree(exported, ignore_errors=True)
    exported.parent.mkdir(parents=True, exist_ok=True)
    export_model([checkpoint], exported)
    (model,) = load_models([exported])
    for part in ("val", "test"):
        show(part, data, model)
    size = sum(path.stat().st_size for path in exported.rglob("*") if path.is_file())
    print(f"{size / 2**20:.1f} MB in {exported}")
    if given.replace:
        shutil.rmtree(FOLDER / name, ignore_errors=True)
        shutil.copytree(exported, FOLDER / name)


def in_single_precision(model: TrainedModel, data: SubsetData) -> TrainedModel:
    """The model with coefficients of half the size; prints by how much its spectra change."""
    kernels = {name: one for name, one in vars(model).items() if isinstance(one, KernelRidge)}
    small = {name: replace(one, coefficients=one.coefficients.astype(np.float32)) for name, one in kernels.items()}
    smaller = replace(model, **small)
    features = data.features[data.rows("val")]
    before, after = model.predict(features), smaller.predict(features)
    print(
        f"single precision changes spectra by at most {np.abs(after - before).max() / before.max():.1e} of the largest"
    )
    return smaller


def show(part: str, data: SubsetData, model: TrainedEnsemble) -> None:
    """Print the scores of a part, of all sites and of those that are unlike the training sites."""
    rows = data.rows(part)
    truth, mean = data.spectra[rows], data.spectra[data.rows("train")].mean(axis=0)
    predicted = model.seed_models[0].predict(data.features[rows])
    ratio = ((truth - mean) ** 2).mean(axis=1) / ((truth - predicted) ** 2).mean(axis=1)
    error = np.sqrt(((truth - predicted) ** 2).mean(axis=1))
    relative = error / truth.mean(axis=1)
    print(
        f"{part}: {len(rows)} spectra, eta {compute_metrics(truth, predicted, mean).eta:.2f}, geometric "
        f"{np.exp(np.log(ratio).mean()):.2f}, relative RMS {np.median(relative):.4f} (nine in ten below "
        f"{np.quantile(relative, 0.9):.4f})"
    )
    sites, calibration = model.sites[data.subset], model.calibrations[data.subset]
    distance = sites.distance(data.features[rows])
    unlike = distance > (sites.limit or np.inf)
    lower, upper = calibration.bands(predicted[None], distance, 0.95)
    held = ((lower <= truth) & (truth <= upper)).mean(axis=1)
    for name, some in (("like", ~unlike), ("unlike", unlike)):
        if some.any():
            print(
                f"{part}, {name} the training sites: {some.sum()} spectra, median error {np.median(error[some]):.2e} "
                f"bohr², {held[some].mean():.1%} of the points in the 95 % bands"
            )


if __name__ == "__main__":
    main()
