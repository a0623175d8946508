"""How far can you trust the error bars of an ensemble, on spectra that neither training nor calibration saw?

    python benchmarks/bench_calibration.py --dataset results/dataset/NAME.h5 --members models --figures figures

If the subset has a test part, the error bars are calibrated on the validation part and evaluated on the test part. If
it has none (the published test runs are not available), the validation part becomes the test part. A new validation
part of the same size, which also stops the training, is then split off the training part by material. Models that
already exist in the folder of --members are used again.

Prints three tables: the given parts, with the value of spread and distance on their own; validation and test materials
divided again at random, half to calibrate and half to evaluate; and small validation parts, drawn by material from the
whole one.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import norm

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.sites import parse_site_id
from xanesflow.dataset.splits import balanced_split
from xanesflow.evaluation.error_bars.calibrate import bars_of
from xanesflow.evaluation.error_bars.calibration import Calibration, cross_fit, materials_of
from xanesflow.evaluation.error_bars.distance import TrainingSites
from xanesflow.evaluation.error_bars.scores import ErrorBarScores, score_error_bars
from xanesflow.evaluation.metrics import compute_metrics, spectrum_mse
from xanesflow.evaluation.predictions_file import Predictions, Uncertainty, write_predictions
from xanesflow.models.network.checkpoint import Model, load_checkpoint, save_checkpoint
from xanesflow.models.network.fit import fit_models
from xanesflow.models.subset_data import SubsetData, read_subset
from xanesflow.report.figures.error_bars import draw_uncertainty


def with_test_part(data: SubsetData) -> SubsetData:
    """The data with a test part; see the top of this file."""
    if len(data.rows("test")):
        return data
    train, share = data.rows("train"), len(data.rows("val")) / len(data.rows("train"))
    sites = [parse_site_id(data.ids[row]) for row in train]
    part_of = balanced_split(sites, seed=42, fractions=(1 - share, share, 0))
    split = np.where(data.split == "val", "test", data.split)
    split[train] = [part_of[site] for site in sites]
    return replace(data, split=split)


def members_of(data: SubsetData, folder: Path, seeds: int) -> list[Model]:
    """The ensemble: models in the folder; missing ones are trained and stored there."""
    paths = {seed: folder / f"{data.subset}_{data.features_name}_seed{seed}.safetensors" for seed in range(seeds)}
    if missing := [seed for seed, path in paths.items() if not path.exists()]:
        trained = fit_models("expert", data.subset, [data], TrainingSettings.of_model(data.subset), missing)
        for seed, (model, _) in zip(missing, trained, strict=True):
            save_checkpoint(paths[seed], model)
    found = [load_checkpoint(path) for path in paths.values()]
    for model in found:
        if model.card.data_sha256 != data.data_sha256:
            raise SystemExit(f"The models in {folder} were trained on other data; name another folder.")
        print(f"seed {model.card.seed}: {len(model.card.history)} epochs, {model.card.seconds:.0f} s", flush=True)
    return found


def row(name: str, found: ErrorBarScores, scores: np.ndarray) -> str:
    """A row of the first table."""
    return (
        f"| {name} | {found.coverage_68:.1%} | {found.coverage_95:.1%} | {found.miscalibration_area:.4f} | "
        f"{found.spectra_below_95:.1%} | {found.rank_correlation:.3f} | {found.ause:.3f} | {found.ause_random:.3f} | "
        f"{found.half_width_68:.3g} | {found.half_width_95:.3g} | {np.sqrt(np.mean(scores**2)):.2f} |"
    )


def bars_on(
    fit: np.ndarray, on: np.ndarray, by_seed: np.ndarray, distance: np.ndarray, data: SubsetData
) -> Uncertainty:
    """Error bars for some rows, calibrated on others."""
    calibration = Calibration.fit(by_seed[:, fit], distance[fit], data.spectra[fit], [data.ids[r] for r in fit])
    return bars_of("val", [(np.arange(len(on)), calibration)], by_seed[:, on], distance[on], data.spectra[on])


def uncalibrated(on: np.ndarray, by_seed: np.ndarray, data: SubsetData) -> str:
    """The row for the bare spread of the seeds, used as the standard deviation of a Gaussian."""
    truth, mean, sigma = data.spectra[on], by_seed[:, on].mean(axis=0), by_seed[:, on].std(axis=0, ddof=1)
    residual = np.abs(truth - mean)
    bands = [np.stack([mean - k * sigma, mean + k * sigma]) for k in (0.9945, 1.96)]
    error = np.sqrt(np.mean(sigma**2, axis=1))
    shares = np.clip(np.ceil(100 * (2 * norm.cdf(residual / sigma) - 1)), 1, 100) / 100
    bars = Uncertainty("", 0, 0, error, sigma, *bands, shares, error, np.full_like(error, np.nan))
    found = replace(score_error_bars(truth, mean, bars), spectra_below_95=float("nan"))
    return row("spread as it is", found, residual / sigma)


def dealt_again(
    times: int, rows: np.ndarray, by_seed: np.ndarray, distance: np.ndarray, data: SubsetData
) -> list[ErrorBarScores]:
    """Scores for random halves of the materials of `rows`: one half calibrates, the other evaluates."""
    rng, found = np.random.default_rng(0), []
    materials = np.array(materials_of([data.ids[r] for r in rows]))
    names = np.unique(materials)
    for _ in range(times):
        half = np.isin(materials, rng.permutation(names)[: len(names) // 2])
        on = rows[~half]
        bars = bars_on(rows[half], on, by_seed, distance, data)
        found.append(score_error_bars(data.spectra[on], by_seed[:, on].mean(axis=0), bars))
    return found


def few(times: int, size: int, by_seed: np.ndarray, distance: np.ndarray, data: SubsetData) -> np.ndarray:
    """(times, 2) shares of the test points in the 68 % and 95 % bands, calibrated on about `size` spectra."""
    rng, found = np.random.default_rng(size), []
    val, test = data.rows("val"), data.rows("test")
    materials = np.array(materials_of([data.ids[r] for r in val]))
    for _ in range(times):
        drawn = rng.permutation(np.unique(materials))
        counts = np.cumsum([np.count_nonzero(materials == name) for name in drawn])
        fit = val[np.isin(materials, drawn[: np.searchsorted(counts, size) + 1])]
        bars = bars_on(fit, test, by_seed, distance, data)
        shares = score_error_bars(data.spectra[test], by_seed[:, test].mean(axis=0), bars)
        found.append((shares.coverage_68, shares.coverage_95))
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--subset", default="Cu_FEFF")
    parser.add_argument("--features", default="m3gnet")
    parser.add_argument("--members", type=Path, required=True, help="folder of the models")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--times", type=int, default=50, help="how often materials are divided again")
    parser.add_argument("--figures", type=Path, help="folder for the report's figures of the test part")
    given = parser.parse_args()
    data = with_test_part(read_subset(given.dataset, given.subset, given.features))
    print(f"{data.subset}, {data.features_name}: {data.counts()}", flush=True)
    models = members_of(data, given.members, given.seeds)
    sites = TrainingSites.fit(data.features[data.rows("train")])
    by_seed = np.stack([model.predict(data.features) for model in models])
    distance, nothing = sites.distance(data.features), np.zeros(len(data.ids))
    val, test = data.rows("val"), data.rows("test")
    baseline = data.spectra[data.rows("train")].mean(axis=0)
    for part, rows in (("val", val), ("test", test)):
        truth, mean = data.spectra[rows], by_seed[:, rows].mean(axis=0)
        eta, error = compute_metrics(truth, mean, baseline).eta, np.sqrt(spectrum_mse(truth, mean)).mean()
        print(f"{part}: eta {eta:.2f}, mean error of a spectrum {error:.3g} bohr^2")
    columns = ["error bars", "in 68 %", "in 95 %", "misc. area", "below 95 % bound", "rank corr.", "AUSE", "random"]
    columns += ["half width 68 %", "half width 95 %", "rms of residual / sigma"]
    print(f"| {' | '.join(columns)} |\n{'| --- ' * len(columns)}|")
    print(uncalibrated(test, by_seed, data))
    for name, predicted, where in (
        ("by energy alone", by_seed.mean(axis=0, keepdims=True), nothing),
        ("spread", by_seed, nothing),
        ("distance, one member", by_seed[:1], distance),
        ("distance", by_seed.mean(axis=0, keepdims=True), distance),
        ("distance and spread", by_seed, distance),
    ):
        bars = bars_on(val, test, predicted, where, data)
        residual = data.spectra[test] - predicted[:, test].mean(axis=0)
        print(
            row(
                name, score_error_bars(data.spectra[test], predicted[:, test].mean(axis=0), bars), residual / bars.sigma
            )
        )
    folds = list(cross_fit(by_seed[:, val], distance[val], data.spectra[val], [data.ids[r] for r in val]))
    crossed = bars_of("cross-fitted", folds, by_seed[:, val], distance[val], data.spectra[val])
    mean = by_seed[:, val].mean(axis=0)
    residual = data.spectra[val] - mean
    print(
        row(
            "the same, cross-fitted on val",
            score_error_bars(data.spectra[val], mean, crossed),
            residual / crossed.sigma,
        )
    )
    found = dealt_again(given.times, np.concatenate([val, test]), by_seed, distance, data)
    print(f"\n{given.times} times half of the validation and test materials to calibrate, half to judge:")
    print("| figure | mean | standard deviation | lowest | highest |\n| --- | --- | --- | --- | --- |")
    for name in vars(found[0]):
        values = np.array([getattr(each, name) for each in found])
        print(f"| {name} | {values.mean():.4g} | {values.std():.2g} | {values.min():.4g} | {values.max():.4g} |")
    print(f"\n{given.times} times a small validation part; mean ± standard deviation of the shares of test points:")
    print("| spectra | in 68 % | in 95 % |\n| --- | --- | --- |")
    for size in (12, 25, 50, 100, 200):
        shares = 100 * few(given.times, size, by_seed, distance, data)
        print(f"| {size} | {' | '.join(f'{each.mean():.1f} ± {each.std():.1f}' for each in shares.T)} |", flush=True)
    if given.figures:
        ids, seeds = [data.ids[r] for r in test], [model.card.seed for model in models]
        result = Predictions(
            "expert", data.features_name, data.subset, "test", len(data.rows("train")), seeds, ids, data.energy_ev,
            data.spectra[test], by_seed[:, test].mean(axis=0), by_seed[:, test], baseline, bars,
        )  # fmt: skip
        write_predictions(given.figures / "predictions.h5", result, {})
        figures = {name: given.figures / f"{name}.svg" for name in ("reliability", "sparsification", "bands")}
        draw_uncertainty(given.figures / "predictions.h5", **figures)


if __name__ == "__main__":
    main()
