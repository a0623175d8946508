"""How a delta model does on materials with an element that its training never saw, element by element."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from xanesflow.core.figures import BASELINE, MODEL, figure
from xanesflow.core.tables import write_csv
from xanesflow.dataset.file import structure_json, structure_key
from xanesflow.models.delta.delta_model import FEWEST_PAIRS, DeltaSettings, fit_delta
from xanesflow.models.delta.learning_curve import merits, only_train_on
from xanesflow.models.subset_data import SubsetData, read_subset

logger = logging.getLogger(__name__)

FEWEST_SITES = 30
"""An element that fewer sites' materials have says little: they are often of one family."""

MOST_ELEMENTS = 12
"""That the workflow leaves out, the most frequent first: each one is a fit of its own."""

COLUMNS = ["element", "sites", "n_train", "eta", "eta_structure"]


def score_unseen_elements(
    dataset_path: str | Path,
    *,
    subset: str,
    features: str,
    cheap_features: str,
    table: str | Path,
    drawing: str | Path,
    seed: int = 0,
) -> pd.DataFrame:
    """Leave out one element at a time, and write what that gives. What the workflow's rule calls.

    Args:
        dataset_path: the dataset, `results/dataset/<campaign>.h5`.
        subset: as `Cu_FEFF`.
        features: of the structure, then those of the cheap run, as `m3gnet+feff8l`.
        cheap_features: the latter, as `feff8l`.
        table: CSV to write.
        drawing: SVG or PNG to write.
        seed: see `DeltaSettings`.

    Raises:
        XanesflowError: the dataset does not hold what is asked for.
    """
    data = read_subset(dataset_path, subset, features)
    elements = elements_of_materials(dataset_path, subset, set(data.materials))
    found = unseen_elements(data, DeltaSettings(cheap_features, seed), elements, most=MOST_ELEMENTS)
    for row in found.itertuples():
        logger.info("without %s: %d sites judged, %d learned from, η %.2f, structure alone %.2f", *row[1:])
    write_csv(table, found)
    draw_unseen_elements(drawing, found, f"delta of {subset}, {features}")
    return found


def elements_of_materials(path: str | Path, subset: str, materials: Iterable[str]) -> dict[str, frozenset[str]]:
    """The elements of each material; none of one whose structure the dataset does not hold, which the log counts."""
    found: dict[str, frozenset[str]] = {}
    with h5py.File(path) as file:
        for material in materials:
            elements: set[str] = set()
            if structure_key(file, subset, material) is not None:
                sites = json.loads(structure_json(file, subset, material))["sites"]
                elements = {str(species["element"]) for site in sites for species in site["species"]}
            found[material] = frozenset(elements)
    if without := sum(not elements for elements in found.values()):
        logger.warning("%d of %d materials have no structure in %s; they are never left out", without, len(found), path)
    return found


def unseen_elements(
    data: SubsetData, settings: DeltaSettings, elements: Mapping[str, frozenset[str]], *, most: int | None = None
) -> pd.DataFrame:
    """Take all materials with an element out of the training part, and judge on all sites of materials with it.

    Elements of more than half of the sites, as oxygen and the absorber, are not left out. The test part has no say.

    Args:
        data: see `fit_delta`.
        settings: see there.
        elements: of each material.
        most: how many elements, the most frequent first; None: all that `FEWEST_SITES` sites have.

    Returns:
        `COLUMNS`: the element, how many sites judge, how many are learned from, and the figures of merit η of the
        delta model and of the regression on the structure alone. η is relative to the mean of the training spectra.
    """
    of_site = [elements[material] for material in data.materials]
    known = np.flatnonzero(np.isin(data.split, ["train", "val"]))
    counts = Counter(element for row in known for element in sorted(of_site[row]))
    rows: list[tuple[str, int, int, float, float]] = []
    for element, number in counts.most_common():
        if not FEWEST_SITES <= number <= len(known) / 2 or (most is not None and len(rows) == most):
            continue
        has = np.array([element in each for each in of_site])
        train = data.rows("train")
        train = train[~has[train]]
        if len(train) < FEWEST_PAIRS:
            continue
        model, mean = fit_delta(only_train_on(data, train), settings), data.spectra[train].mean(axis=0)
        eta, alone, _ = merits(model, data, known[has[known]], mean)
        rows.append((element, number, model.card.n_train, eta, alone))
    return pd.DataFrame(rows, columns=COLUMNS)


def geometric_means(found: pd.DataFrame) -> tuple[float, float]:
    """Of the figures of merit of the delta models and of the structure alone, over the elements."""
    middle = np.exp(np.log(found[["eta", "eta_structure"]].to_numpy(dtype=float)).mean(axis=0))
    return float(middle[0]), float(middle[1])


def draw_unseen_elements(path: str | Path, found: pd.DataFrame, title: str) -> None:
    """Draw what `unseen_elements` gave (SVG, PNG or PDF by the file's name)."""
    with figure(path, 5.2, 1.2 + 0.22 * max(5, len(found))) as drawn:
        axes = drawn.subplots()
        if found.empty:
            axes.text(0.5, 0.5, f"no element is in {FEWEST_SITES} sites or more", ha="center", transform=axes.transAxes)
            axes.set_yticks([])
        else:
            places = np.arange(len(found))[::-1]
            axes.hlines(places, found["eta_structure"], found["eta"], color="#bbbbbb", lw=1)
            means = geometric_means(found)
            for column, color, mark, mean, label in (
                ("eta", MODEL, "o", means[0], "with the cheap runs"),
                ("eta_structure", BASELINE, "s", means[1], "structure alone"),
            ):
                axes.plot(found[column], places, mark, color=color, ms=4, label=f"{label}, mean {mean:.1f}")
                axes.axvline(mean, color=color, lw=0.8, ls=":")
            labels = [f"{element} ({sites})" for element, sites in zip(found["element"], found["sites"], strict=True)]
            axes.set_yticks(places, labels=labels)
            axes.set(xscale="log", ylabel="element left out (sites)")
            axes.legend()
        axes.set(xlabel="η on sites of materials with it (no unit)")
        drawn.suptitle(title)
