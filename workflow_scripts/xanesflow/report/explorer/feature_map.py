"""Maps the feature space to two dimensions, and finds the training sites nearest to each other site."""

from __future__ import annotations

import logging
import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from xanesflow.core.files import atomic_path
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.standardise import mean_and_deviation
from xanesflow.core.tables import ALL_AGAIN, read_parquet
from xanesflow.dataset.read_dataset import SubsetView, load
from xanesflow.evaluation.error_bars.distance import TrainingSites

UMAP, COMPONENTS = "umap", "principal components"

FEWEST = 100
"""With fewer sites, UMAP's neighbourhoods of 15 would be most of the subset: principal components are used instead."""

MOST = 20_000
"""Most sites of a subset that are placed; of more, a sample is, with as many validation and test sites as fit."""

NEIGHBOURS = 3
"""Number of nearest training sites."""

SEED = 0

COLUMNS = ["subset", "material_id", "site_index", "split", "x", "y", "method", "neighbours", "distances"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Placed:
    """Sites in two dimensions."""

    points: NDArray[np.float32]  # (n, 2) float32; NaN for sites that were not placed
    method: str  # `umap` or `principal components`


def map_features(dataset: Path, output: Path, *, features: str, workers: int = 1) -> None:
    """Place the sites of each subset by their features, and find the nearest training sites of the others.

    Points come from UMAP of the standardised features (McInnes, Healy and Melville, arXiv 1802.03426; 15 neighbours,
    started from the principal components, seeded): the same data and versions give the same points. Neighbours are
    found in the same space as the distances of the error bars (`xanesflow.evaluation.error_bars.distance`).

    Args:
        dataset: the campaign's dataset.
        output: Parquet to write, a row for each site with `COLUMNS`. `x` and `y` are empty for sites that were not
            placed. `neighbours` names up to three training sites (`mp-390_000`), nearest first, and `distances` gives
            their distances in standard deviations of the features; both are empty for training sites.
        features: as `m3gnet` or `m3gnet_all+chgnet`.
        workers: processes.
    """
    with load(dataset) as data:
        names = list(data)
        large = sum(len(data[name]) >= FEWEST for name in names)
    of_subset = partial(_map_subset, dataset, features)
    tables = list(map_in_processes(of_subset, names, max(1, min(workers, large))))
    whole = pd.concat(tables or [pd.DataFrame(columns=COLUMNS)], ignore_index=True)
    with atomic_path(output) as temporary:
        whole.to_parquet(temporary, index=False, compression="zstd")


def _map_subset(dataset: Path, features: str, name: str) -> pd.DataFrame:
    started = time.monotonic()
    with load(dataset) as data:
        subset = data[name]
        values = subset.features(features)[:]
        placed = place(values, sample(subset.split))
        neighbours, distances = nearest_training(subset, values)
        table = pd.DataFrame(
            {
                "subset": name,
                "material_id": subset.material_id.tolist(),
                "site_index": subset.site_index,
                "split": subset.split.tolist(),
                "x": placed.points[:, 0],
                "y": placed.points[:, 1],
                "method": placed.method,
                "neighbours": neighbours,
                "distances": distances,
            }
        )
    shown = int(np.isfinite(placed.points[:, 0]).sum())
    log.info(
        "%s: %d of %d sites placed by %s in %.1f s", name, shown, len(table), placed.method, time.monotonic() - started
    )
    return table


def sample(split: NDArray[np.str_], most: int = MOST) -> NDArray[np.intp]:
    """Rows of the sites to place: all, or `most` at random, taking training sites last."""
    if len(split) <= most:
        return np.arange(len(split))
    random = np.random.default_rng(SEED).permutation(len(split))
    order = random[np.argsort(split[random] == "train", kind="stable")]
    return np.sort(order[:most])


def place(features: NDArray[np.floating], rows: NDArray[np.intp]) -> Placed:
    """Place some of the sites.

    Args:
        features: (n, d).
        rows: which of them.
    """
    points = np.full((len(features), 2), np.nan, np.float32)
    values = features[rows].astype(np.float64)
    if not len(values):
        return Placed(points, COMPONENTS)
    mean, deviation = mean_and_deviation(values)
    values = (values - mean) / np.where(deviation > 0, deviation, 1.0)
    if len(values) < FEWEST:
        points[rows] = _components(values)
        return Placed(points, COMPONENTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # UMAP warns that a seed allows one thread only
        import umap  # takes seconds, and small subsets do not need it

        points[rows] = umap.UMAP(init="pca", random_state=SEED, n_jobs=1).fit_transform(values)
    return Placed(points, UMAP)


def _components(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) coordinates along the two leading principal axes, 0 where there is no such axis."""
    left, sizes, axes = np.linalg.svd(values, full_matrices=False)
    found = left[:, :2] * sizes[:2]
    signs = np.sign(axes[: found.shape[1]].sum(axis=1))  # the direction of an axis depends on the library
    found = found * np.where(signs == 0, 1, signs)
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))


def nearest_training(subset: SubsetView, features: NDArray[np.floating]) -> tuple[list[list[str]], list[list[float]]]:
    """Ids and distances of the training sites nearest to each site; empty for training sites.

    Args:
        subset: n sites.
        features: (n, d) of these.
    """
    train = np.flatnonzero(subset.split == "train")
    others = np.flatnonzero(subset.split != "train")
    ids: list[list[str]] = [[] for _ in range(len(subset))]
    distances: list[list[float]] = [[] for _ in range(len(subset))]
    number = min(NEIGHBOURS, len(train))
    if not number or not len(others):
        return ids, distances
    space = TrainingSites.fit(features[train])
    far, found = cKDTree(space.points).query(space.along_axes(features[others]), k=list(range(1, number + 1)))
    names = np.array(subset.ids, dtype=object)[train]
    for row, each, away in zip(others, found, far, strict=True):
        ids[row], distances[row] = names[each].tolist(), away.tolist()
    return ids, distances


def read_map(path: Path) -> pd.DataFrame:
    """Read what `map_features` wrote.

    Raises:
        XanesflowError: as `core.tables.read_parquet`.
    """
    return read_parquet(path, COLUMNS, again=ALL_AGAIN)
