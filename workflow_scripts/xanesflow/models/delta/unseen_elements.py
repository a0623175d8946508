"""Test a delta model on materials with an element that its training never saw, element by element."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from xanesflow.core.figures import BASELINE, MODEL, figure
from xanesflow.core.hdf5 import open_hdf5
from xanesflow.core.sites import parse_site_id
from xanesflow.core.tables import write_csv
from xanesflow.dataset.file import structure_json, structure_key
from xanesflow.models.delta.delta_model import FEWEST_PAIRS, DeltaSettings, fit_delta
from xanesflow.models.delta.learning_curve import merits, only_train_on
from xanesflow.models.subset_data import SubsetData, read_subset

logger = logging.getLogger(__name__)

FEWEST_SITES = 30
"""An element is left out only if the materials with it have at least this many sites; fewer are often of one family."""

MOST_ELEMENTS = 12
"""The workflow leaves out at most this many elements, the most frequent first: each one needs its own fit."""

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
    """Leave out one element at a time, and write a table and a figure. The workflow's rule calls this.

    Args:
        dataset_path: the dataset, `results/dataset/<campaign>.h5`.
        subset: such as `Cu_FEFF`.
        features: features of the structure, then those of the cheap run, such as `m3gnet+feff8l`.
        cheap_features: the features of the cheap run, such as `feff8l`.
        table: CSV to write.
        drawing: SVG or PNG to write.
        seed: see `DeltaSettings`.

    Raises:
        XanesflowError: the dataset lacks the subset or features.
    """
    data = read_subset(dataset_path, subset, features)
    elements = elements_of_materials(dataset_path, subset, {parse_site_id(name)[0] for name in data.ids})
    found = unseen_elements(data, DeltaSettings(cheap_features, seed), elements, most=MOST_ELEMENTS)
    for row in found.itertuples():
        logger.info("without %s: %d test sites, %d training sites, η %.2f, structure alone %.2f", *row[1:])
    write_csv(table, found, "%.4g")
    draw_unseen_elements(drawing, found, f"delta of {subset}, {features}")
    return found


def elements_of_materials(path: str | Path, subset: str, materials: Iterable[str]) -> dict[str, frozenset[str]]:
    """The elements of each material; none if the dataset lacks its structure (the log counts these materials)."""
    found: dict[str, frozenset[str]] = {}
    with open_hdf5(path) as file:
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
    """Train without all materials that contain an element, and evaluate on all sites of these materials.

    Elements found at more than half of the sites, such as oxygen and the absorber, are not left out. The test part is
    not used.

    Args:
        data: see `fit_delta`.
        settings: settings of the fits.
        elements: the elements of each material.
        most: the most elements to leave out, the most frequent first; None for all with `FEWEST_SITES` sites.

    Returns:
        A table with `COLUMNS`: the element, numbers of evaluated and of training sites, and the figures of merit η of
        the delta model and of the regression on the structure alone. η is relative to the baseline.
    """
    of_site = [elements[parse_site_id(name)[0]] for name in data.ids]
    known = np.flatnonzero(np.isin(data.split, ["train", "val"]))
    counts = Counter(element for row in known for element in sorted(of_site[row]))
    rows: list[tuple[str, int, int, float, float]] = []
    for element, number in counts.most_common():
        if not FEWEST_SITES <= number <= len(known) / 2 or (most is not None and len(rows) == most):
            continue
        has = np.array([element in each for each in of_site])
        train = data.rows("train")
        train = train[~has[train]]
        if len(train) < FEWEST_PAIRS or len(np.unique(data.materials[train])) < 2:
            continue
        model, mean = fit_delta(only_train_on(data, train), settings), data.spectra[train].mean(axis=0)
        eta, alone, _ = merits(model, data, known[has[known]], mean)
        rows.append((element, number, model.card.n_train, eta, alone))
    return pd.DataFrame(rows, columns=COLUMNS)


def geometric_means(found: pd.DataFrame) -> tuple[float, float]:
    """Geometric means over the elements of the figures of merit: of the delta models, and of the structure alone."""
    middle = np.exp(np.log(found[["eta", "eta_structure"]].to_numpy(dtype=float)).mean(axis=0))
    return float(middle[0]), float(middle[1])


def draw_unseen_elements(path: str | Path, found: pd.DataFrame, title: str) -> None:
    """Draw a table of `unseen_elements` (SVG, PNG or PDF, by the file name)."""
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
        axes.set(xlabel="η on sites of materials with the element (no unit)")
        drawn.suptitle(title)
