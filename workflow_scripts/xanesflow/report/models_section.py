"""The report's part on how good the models are: a row for each model, the paper's values, and comparisons in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from xanesflow.core.tables import read_csv
from xanesflow.evaluation.evaluate import ENSEMBLE
from xanesflow.evaluation.metrics import FEW_TEST, FEW_TRAIN
from xanesflow.evaluation.significance import ALPHA
from xanesflow.evaluation.table_one import (
    ABOVE,
    BELOW,
    PAPER_SIZES,
    SOURCE,
    WITHIN,
    obstacle,
    obstacle_in,
    paper_eta,
    size_caution,
    verdict,
)

KINDS = {
    "linear": "linear regression, fitted to the subset alone; a network has to be better",
    "trees": "gradient-boosted trees, fitted to the subset alone; a network has to be better",
    "expert": "ExpertXAS, a network for each subset, trained on that subset alone",
    "universal": (
        "UniversalXAS, one network for all subsets of a level of theory, trained on all of them together; it sees only "
        "the features, and its spectra are on the energy grid of the site's own element"
    ),
    "tuned": (
        "Tuned-UniversalXAS, a network for each subset that starts from the weights of UniversalXAS and is trained on "
        "that subset alone"
    ),
    "delta": (
        "kernel regressions for each subset that predict the difference to a spectrum of a cheaper level of theory, "
        "which must be computed for every site"
    ),
}
"""What each kind of model is, for the reader, in the order of the page."""

MOST_DRAWN = 12
"""Most results (a model on a subset) that are all drawn; with more, the page would be too long and too large."""

_KEY = ["model", "features", "subset"]


def models_part(metrics: Path, intervals: Path | None, significance: Path | None) -> dict[str, Any]:
    """Collect what the template `models.html` shows.

    Args:
        metrics: metrics.csv.
        intervals: intervals.csv; None: no intervals are shown.
        significance: significance.csv; None: no tests are shown.
    """
    table = with_subset(read_csv(metrics, dtype={"seed": str}))
    rows = _rows(table, None if intervals is None else with_subset(read_csv(intervals)))
    pairs = [] if significance is None else records(with_subset(read_csv(significance)))
    alone = len(set(table["features"])) == 1
    for pair in pairs:
        for end in ("better", "worse"):
            pair[end] = pair[end] if alone else f"{pair[end]} on {pair[f'{end}_features']}"
    kinds = set(table["model"])
    return {
        "rows": rows,
        "by_seed": records(table) if (table["seed"] == ENSEMBLE).any() else [],
        "kinds": {kind: KINDS[kind] for kind in KINDS if kind in kinds},
        "simple_models": bool(kinds & {"linear", "trees"}),
        "on_validation": "val" in set(table["part"]),
        "small": _small(table),
        "few": (FEW_TRAIN, FEW_TEST),
        "has_intervals": intervals is not None,
        "paper": _beside_the_paper(rows),
        "standings": _standings(pairs),
        "pairs": pairs,
        "alpha": ALPHA,
    }


def with_subset(table: pd.DataFrame) -> pd.DataFrame:
    """A table with the subset of each row."""
    return table.assign(subset=table["element"] + "_" + table["theory"])


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _rows(table: pd.DataFrame, intervals: pd.DataFrame | None) -> list[dict[str, Any]]:
    """A row for each model on a subset, for the mean prediction of its seeds; models of one subset stand together."""
    bounds: dict[tuple[str, ...], Mapping[str, Any]] = {}
    if intervals is not None:
        bounds = {tuple(row[key] for key in _KEY): row for row in records(intervals)}

    # A row takes its scores from the mean prediction (or the only seed), its interval, and the spread of the seeds.
    subsets = list(dict.fromkeys(table["subset"]))
    rows = []
    for names, of_model in table.groupby(_KEY, sort=False):
        mean = of_model[of_model["seed"] == ENSEMBLE]
        single = of_model.loc[of_model["seed"] != ENSEMBLE, "eta"]
        row = records(mean if len(mean) else of_model.head(1))[0]
        found = bounds.get(tuple(map(str, names)), {})
        row |= {
            f"{name}_{end}": found.get(f"{name}_{end}", float("nan"))
            for name in ("eta", "w_e", "w_s")
            for end in ("low", "high")
        }
        row |= {
            "seeds": len(single),
            "eta_seed_min": single.min(),
            "eta_seed_max": single.max(),
            "eta_seed_sd": single.std(),
        }
        row["n_materials"] = found.get("n_materials")
        rows.append(row | _paper(row, subsets, found.get("caution")))

    # Sort by subset, features and kind, and mark the best of each subset.
    place = {kind: number for number, kind in enumerate(KINDS)}
    rows.sort(key=lambda row: (subsets.index(row["subset"]), row["features"], place.get(row["model"], len(place))))
    for row in rows:
        known = [other["eta"] for other in rows if other["subset"] == row["subset"] and pd.notna(other["eta"])]
        row["best"] = row["eta"] == max(known, default=None)
    return rows


def _paper(row: Mapping[str, Any], subsets: list[str], caution: object) -> dict[str, Any]:
    paper = paper_eta(row["model"], row["subset"])
    unlike = obstacle_in(caution)
    why = obstacle(row["model"], row["features"], row["part"], subsets, unlike) if paper is not None else ""
    if paper is None or why:
        return {"paper_eta": None, "verdict": "", "obstacle": why}
    train, _, test = PAPER_SIZES[row["subset"]]
    return {
        "paper_eta": paper,
        "obstacle": "",
        "verdict": verdict(paper, row["eta_low"], row["eta_high"]),
        "caution": size_caution(row["subset"], row["n_train"], row["n_test"]),
        "published": (train, test),
    }


def _beside_the_paper(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Which results can be compared with Table I of the paper and how, and which cannot and why."""
    compared = [row for row in rows if row["paper_eta"] is not None]
    counts = {word: sum(row["verdict"] == word for row in compared) for word in (WITHIN, ABOVE, BELOW)}
    not_compared: dict[str, list[str]] = {}
    for row in rows:
        if row["obstacle"]:
            models = not_compared.setdefault(row["obstacle"], [])
            models += [row["model"]] if row["model"] not in models else []
    return {
        "source": SOURCE,
        "compared": compared,
        "counts": {word: number for word, number in counts.items() if number},
        "other_sizes": sum(bool(row["caution"]) for row in compared),
        "not_compared": not_compared,
    }


def title_of(row: Mapping[str, Any]) -> str:
    """The title of a result, as `expert on m3gnet, Cu_FEFF`."""
    return f"{row['model']} on {row['features']}, {row['subset']}"


def _small(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Subsets with too few spectra to judge a model by, each once, with the numbers."""
    few = table[(table["n_train"] < FEW_TRAIN) | (table["n_test"] < FEW_TEST)]
    return records(few[["subset", "n_train", "n_test", "part"]].drop_duplicates())


def _standings(pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each subset the model with the smallest ξ, and how the others compare with it."""
    found = []
    for subset in dict.fromkeys(pair["subset"] for pair in pairs):
        here = [pair for pair in pairs if pair["subset"] == subset]
        models = {pair[end] for pair in here for end in ("better", "worse")}
        best = next(iter(models - {pair["worse"] for pair in here}), None)
        if best is None:  # models with equal ξ can form a ring, in which each is worse than another
            continue
        against = [pair for pair in here if pair["better"] == best]
        groups: dict[str, list[str]] = {"worse": [], "alike": [], "torn": []}
        for pair in sorted(against, key=lambda pair: pair["ratio"]):
            clear = pair["p_holm"] < ALPHA
            group = "alike" if not clear else "worse" if pair["share"] > 0.5 else "torn"
            groups[group].append(pair["worse"])
        first = against[0]
        found.append({"subset": subset, "best": best, "n_materials": first["n_materials"], **groups})
    return found


def worth_drawing(titles: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Choose the results that the page draws: all if they are few, else for each subset the one with the largest η.

    Args:
        titles: as `expert on m3gnet, Cu_FEFF`.
        rows: of the table.
    """
    if len(titles) <= MOST_DRAWN:
        return list(titles)
    best: dict[str, tuple[float, str]] = {}
    for row in rows:
        title = title_of(row)
        eta = row["eta"] if row["eta"] == row["eta"] else -1.0
        if title in titles and eta > best.get(row["subset"], (-2.0, ""))[0]:
            best[row["subset"]] = (eta, title)
    return [title for title in titles if title in {chosen for _, chosen in best.values()}]
