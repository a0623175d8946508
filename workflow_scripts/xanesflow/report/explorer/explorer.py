"""The explorer, an interactive part of the report: sites by their features, with their spectra and predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import PARTS
from xanesflow.core.templates import environment
from xanesflow.core.text import plural
from xanesflow.dataset.read_dataset import SubsetView, load
from xanesflow.evaluation.metrics import deciles, spectrum_mse
from xanesflow.evaluation.predictions_file import Predictions, read_predictions
from xanesflow.interpretation.describe_sites import read_descriptions
from xanesflow.report.explorer.feature_map import UMAP, read_map
from xanesflow.report.explorer.packing import bends, deflated, packed

MOST_SPECTRA = 8_000
"""Most sites on the page, each with its simulated spectrum, over all subsets."""

MOST_PREDICTIONS = 5_000
"""Most predicted spectra on the page, over all models and subsets."""

FEWEST_SITES = 40
"""At least this many evaluated sites of a subset are shown, whatever the limits above say."""

WORST = 5
"""Number of sites with a model's largest errors that every sample has."""


@dataclass(frozen=True)
class ExplorerFiles:
    """Files that the explorer shows.

    Attributes:
        dataset: the campaign's dataset.
        predictions: prediction files of all models, simple ones too.
        chemistry: table of `describe_sites`.
        maps: table of `map_features` by features.
        most_spectra, most_predictions: see the constants of these names.
    """

    dataset: Path
    predictions: Sequence[Path]
    chemistry: Path
    maps: Mapping[str, Path]
    most_spectra: int = MOST_SPECTRA
    most_predictions: int = MOST_PREDICTIONS


def explorer_section(files: ExplorerFiles) -> Markup:
    """The section as HTML that needs no network; docs/guide/report.md describes what it shows."""
    from plotly.offline import get_plotlyjs  # takes a second to import

    data, notes = explorer_data(files)
    page = environment("xanesflow.report").get_template("explorer.html")
    plotly = deflated(get_plotlyjs().encode())
    return Markup(page.render(data=packed(data), notes=notes, plotly=plotly))


def explorer_data(files: ExplorerFiles) -> tuple[dict[str, Any], list[str]]:
    """What explorer.js shows, and sentences on what was sampled."""
    by_subset: dict[str, list[Predictions]] = {}
    for path in files.predictions:
        read = read_predictions(path)
        by_subset.setdefault(read.subset, []).append(read)
    chemistry = read_descriptions(files.chemistry)
    tables = {features: read_map(path) for features, path in files.maps.items()}

    # The limits are shared evenly: predictions over all models, sites over the subsets.
    n_models = sum(map(len, by_subset.values()))
    most_evaluated = max(FEWEST_SITES, files.most_predictions // max(1, n_models))
    most_sites = max(5 * FEWEST_SITES, files.most_spectra // max(1, len(by_subset)))
    notes, subsets = [], []
    with load(files.dataset) as data:
        for name, models in by_subset.items():
            of_subset = {features: table[table["subset"] == name] for features, table in tables.items()}
            picked = _pick(data[name], models, of_subset, most_evaluated, most_sites)
            notes += picked.notes
            known = chemistry[chemistry["subset"] == name]
            subsets.append(_subset(data[name], models, chemistry=known, maps=of_subset, picked=picked))
    return {"subsets": subsets, "parts": list(PARTS)}, notes


@dataclass(frozen=True, eq=False)
class _Picked:
    """The sites of a subset that are on the page."""

    rows: NDArray[np.intp]  # of the subset, the evaluated ones first
    evaluated: NDArray[np.intp]  # row in the prediction files of each evaluated one
    notes: list[str]  # sentences on what was left out


def _pick(
    subset: SubsetView,
    models: Sequence[Predictions],
    maps: Mapping[str, pd.DataFrame],
    most_evaluated: int,
    most_sites: int,
) -> _Picked:
    row_of = {name: row for row, name in enumerate(subset.ids)}
    ids = models[0].ids
    if not row_of.keys() >= set(ids) or any(each.ids != ids for each in models):
        raise XanesflowError(
            f"The prediction files of {subset.name} do not hold the same spectra of the dataset; delete "
            "results/evaluation/predictions and run snakemake."
        )

    # First the evaluated sites, then their nearest training sites, then a sample of the others while there is room.
    evaluated = sample_evaluated([spectrum_mse(each.spectra, each.predictions) for each in models], most_evaluated)
    rows = dict.fromkeys(row_of[ids[each]] for each in evaluated)
    for table in maps.values():
        for row in list(rows)[: len(evaluated)]:
            rows |= dict.fromkeys(row_of[name] for name in table["neighbours"].iloc[row])
    others = np.setdiff1d(np.flatnonzero(subset.split != models[0].part), list(rows))
    free = max(0, most_sites - len(rows))
    if free < len(others):
        others = np.random.default_rng(0).permutation(others)[:free]
    rows |= dict.fromkeys(np.sort(others).tolist())
    notes = []
    if len(evaluated) < len(ids):
        notes.append(
            f"{subset.name}: {len(evaluated)} of {len(ids)} {_part(models[0].part)} spectra, sampled evenly over the "
            f"tenths of each model's errors, including the {WORST} worst of each model."
        )
    rest = len(subset) - len(ids)
    if len(rows) - len(evaluated) < rest:
        notes.append(
            f"{subset.name}: {len(rows) - len(evaluated)} of {plural(rest, 'other site')}: the nearest training "
            "sites, and a random sample of the rest."
        )
    return _Picked(np.array(list(rows), dtype=np.intp), evaluated, notes)


def _part(part: str) -> str:
    return "validation" if part == "val" else part


def sample_evaluated(errors: Sequence[NDArray[np.float64]], most: int) -> NDArray[np.intp]:
    """Rows of the evaluated spectra to show: all, or an even sample of each tenth of each model's errors and its worst.

    Args:
        errors: (n,) of each model, bohr⁴.
        most: about how many; the sample is a little smaller where models share their worst spectra.
    """
    n = len(errors[0])
    if n <= most:
        return np.arange(n)
    random = np.random.default_rng(0)
    chosen: set[int] = set()
    for mse in errors:
        chosen |= set(np.argsort(mse, kind="stable")[-WORST:].tolist())
    each = max(1, (most - len(chosen)) // (10 * len(errors)))
    for mse in errors:
        for rows in deciles(mse):
            free = [row for row in rows.tolist() if row not in chosen]
            chosen |= set(random.permutation(free)[:each].tolist())
    return np.array(sorted(chosen), dtype=np.intp)


def _subset(
    subset: SubsetView,
    models: Sequence[Predictions],
    *,
    chemistry: pd.DataFrame,
    maps: Mapping[str, pd.DataFrame],
    picked: _Picked,
) -> dict[str, Any]:
    view = subset[picked.rows]
    order = np.argsort(picked.rows)  # HDF5 reads rows in increasing order only
    spectra = np.empty((len(view), len(subset.energy)))
    spectra[order] = subset[picked.rows[order]].spectra[:]
    sites = list(zip(view.material_id.tolist(), view.site_index.tolist(), strict=True))
    known = chemistry.set_index(["material_id", "site_index"]).loc[sites]
    names = {name: number for number, name in enumerate(view.ids)}
    about = {material: subset.about(material) for material in dict.fromkeys(view.material_id.tolist())}
    return {
        "name": subset.name,
        "energy": subset.energy,
        "ids": view.ids,
        "formula": known["formula"].tolist(),
        "about": {material: texts for material, texts in about.items() if texts},
        "multiplicity": view.multiplicity.astype(np.int32),
        "part": [PARTS.index(part) for part in view.split],
        "oxidation": [None if np.isnan(value) else round(value, 2) for value in known["oxidation_state"]],
        "oxidation_from": known["oxidation_from"].tolist(),
        "coordination": known["cn"].astype(object).where(known["cn"].notna(), None).tolist(),
        "oxygens": known["oxygens"].astype(object).where(known["oxygens"].notna(), None).tolist(),
        "detail": known["detail"].tolist(),
        "spectra": bends(spectra),
        "maps": {
            features: _map(table.iloc[picked.rows], names, len(table), len(picked.evaluated))
            for features, table in maps.items()
        },
        "models": [_model(model, picked.evaluated) for model in models],
        "evaluated": len(picked.evaluated),
    }


def _map(table: pd.DataFrame, names: Mapping[str, int], of: int, evaluated: int) -> dict[str, Any]:
    near = table["neighbours"].iloc[:evaluated]
    far = table["distances"].iloc[:evaluated]
    return {
        "x": table["x"].to_numpy(np.float32),
        "y": table["y"].to_numpy(np.float32),
        "umap": bool((table["method"] == UMAP).any()),
        "of": of,
        "neighbours": [[names[name] for name in each] for each in near],
        "distances": [[round(float(value), 3) for value in each] for each in far],
    }


def _model(data: Predictions, evaluated: NDArray[np.intp]) -> dict[str, Any]:
    mse = spectrum_mse(data.spectra, data.predictions)
    rank = np.empty(len(mse), dtype=np.int32)
    rank[np.argsort(mse, kind="stable")] = np.arange(1, len(mse) + 1)
    tenth = np.zeros(len(mse), dtype=np.uint8)
    for number, rows in enumerate(deciles(mse), start=1):
        tenth[rows] = number
    bars = data.uncertainty
    described = {
        "model": data.model,
        "features": data.features,
        "part": _part(data.part),
        "n": len(mse),
        "mse": mse[evaluated],
        "rank": rank[evaluated],
        "tenth": tenth[evaluated],
        "predictions": bends(data.predictions[evaluated]),
        "uncalibrated": data.uncalibrated,
    }
    if bars is not None:
        described |= {
            "expected": bars.error[evaluated],
            "lower": bends(bars.band_68[0, evaluated]),
            "upper": bends(bars.band_68[1, evaluated]),
        }
    return described
