"""Train one seed of RankAAE on a subset, and judge it on the validation and the test part."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import N_POINTS
from xanesflow.core.files import atomic_path
from xanesflow.core.provenance import provenance
from xanesflow.core.tensors_file import write_tensors
from xanesflow.interpretation.rank_aae.judge_axes import (
    AxisScores,
    axis_scores,
    classes_by,
    correlations,
    thresholds_of,
)
from xanesflow.interpretation.rank_aae.networks import POINTS
from xanesflow.interpretation.rank_aae.train_axes import RankAaePlan, decode, encode, train_rank_aae
from xanesflow.interpretation.read_test_part import PREDICTION_COLUMNS
from xanesflow.interpretation.site_descriptors import DESCRIPTORS, RANKED
from xanesflow.interpretation.targets import FEWEST_KNOWN
from xanesflow.interpretation.training_data import TrainingData, read_training_data
from xanesflow.interpretation.views import see

log = logging.getLogger(__name__)

MODEL = "rank_aae"
FORMAT = "xanesflow rank_aae 1"


def train_seed(
    dataset: Path,
    sites: Path,
    *,
    name: str,
    split: str,
    seed: int,
    output: Path,
    predictions: Path,
    plan: RankAaePlan | None = None,
    config_json: str | None = None,
) -> None:
    """Train one seed.

    Args:
        dataset: the campaign's dataset.
        sites: table of `describe_sites`.
        name: a subset.
        split: `campaign`, or the seed of a random split by material.
        seed: of its random numbers.
        output: safetensors to write: weights, decoded axes, and scores as JSON in its metadata.
        predictions: Parquet to write, with the descriptors that the axes say of the test part.
        plan: how long to train; None: as long as the paper does.
        config_json: the configuration, to be stored in the file.

    Raises:
        XanesflowError: there are too few sites.
    """
    data = read_training_data(dataset, sites, name, split)
    made = provenance([dataset, sites], ("torch", "h5py"), config_json)
    fit_seed(data, seed=seed, output=output, predictions=predictions, plan=plan, made=made)


def fit_seed(
    data: TrainingData,
    *,
    seed: int,
    output: Path,
    predictions: Path,
    made: dict[str, str],
    plan: RankAaePlan | None = None,
) -> None:
    """Train one seed on sites that are read already; the other arguments are those of `train_seed`."""
    values = data.values[:, [list(DESCRIPTORS).index(each) for each in RANKED]]
    spectra = resample(see(data.spectra, "whole"))
    train = data.rows("train")
    unranked = [each for k, each in enumerate(RANKED) if np.isfinite(values[train, k]).sum() < FEWEST_KNOWN]
    if unranked:
        log.info("%s: too few sites are known to rank %s, so these axes stay free", data.name, ", ".join(unranked))
    net = train_rank_aae(spectra[train], values[train], seed=seed, plan=plan)

    # An axis may point either way; thresholds and the map from axis to descriptor come from the training part.
    axes, error = encode(net, spectra), np.abs(decode(net, encode(net, spectra)) - spectra).mean(axis=1)
    thresholds = thresholds_of(axes[train, 1], values[train, 1])
    scores: dict[str, AxisScores] = {}
    for part in ("train", "val", "test"):
        rows = data.rows(part)
        if len(rows):
            scores[part] = axis_scores(axes[rows], values[rows], float(error[rows].mean()), thresholds)
    read = _predictions(data, axes, values, thresholds)
    with atomic_path(predictions) as temporary:
        read.to_parquet(temporary, index=False, compression="zstd")
    judged = data.rows("test") if len(data.rows("test")) else data.rows("val")
    arrays = {key: tensor.numpy() for key, tensor in net.state_dict().items()}
    arrays |= drawn_axes(axes[judged], spectra[judged], lambda z: decode(net, z))
    arrays |= {"axes": axes[judged], "values": values[judged], "between_axes": correlations(axes[judged])}
    arrays["between_descriptors"] = correlations(values[judged])
    texts = {
        "format": FORMAT,
        "scores": json.dumps(
            {part: {k: np.asarray(v).tolist() for k, v in vars(each).items()} for part, each in scores.items()}
        ),
        "made": json.dumps(made),
    }
    write_tensors(output, arrays, texts)


def resample(seen: Floats) -> Floats:
    """(n, 256) of (n, 141) spectra, by linear interpolation."""
    places = np.linspace(0, N_POINTS - 1, POINTS)
    return np.array([np.interp(places, np.arange(N_POINTS), each) for each in seen])


def drawn_axes(axes: Floats, spectra: Floats, decoder: Callable[[Floats], Floats]) -> dict[str, Floats]:
    """(6, 5, 256) spectra decoded at the middle of each fifth of an axis, and the mean real spectra of these fifths."""
    centres = np.median(axes, axis=0)
    decoded, real = [], []
    for axis in range(axes.shape[1]):
        fifths = np.array_split(np.argsort(axes[:, axis], kind="stable"), 5)
        points = np.tile(centres, (5, 1))
        points[:, axis] = [axes[rows, axis].mean() if len(rows) else centres[axis] for rows in fifths]
        decoded.append(decoder(points))
        real.append(np.array([spectra[rows].mean(axis=0) if len(rows) else np.full(POINTS, np.nan) for rows in fifths]))
    return {"decoded": np.array(decoded), "real": np.array(real)}


def _predictions(data: TrainingData, axes: Floats, values: Floats, thresholds: Floats) -> pd.DataFrame:
    """The descriptors that the axes say of the test part, with bars from the validation part."""
    from sklearn.isotonic import IsotonicRegression

    train, val, test = (data.rows(part) for part in ("train", "val", "test"))
    tables = []
    for k, name in enumerate(RANKED):
        known, judged = train[np.isfinite(values[train, k])], val[np.isfinite(values[val, k])]
        if len(known) < FEWEST_KNOWN or not len(test):
            continue
        fitted = IsotonicRegression(out_of_bounds="clip").fit(axes[known, k], values[known, k])
        value = fitted.predict(axes[test, k])
        residual = np.abs(fitted.predict(axes[judged, k]) - values[judged, k])
        share = min(1.0, 0.9 * (len(judged) + 1) / max(1, len(judged)))
        half = np.quantile(residual, share, method="higher") if len(judged) else np.nan
        given: dict[str, Any] = {"model": MODEL, "descriptor": name, "site_id": [data.ids[row] for row in test]}
        given |= {"subset": data.subsets[test], "truth": values[test, k], "value": value}
        given |= {"low_90": value - half, "high_90": value + half}
        given |= {"class_value": classes_by(axes[test, k], thresholds) if name == "cn" else np.nan}
        tables.append(pd.DataFrame({**given, "class_probability": np.nan}))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=PREDICTION_COLUMNS)
