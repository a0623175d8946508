"""Write the tables of how well descriptors are read from spectra."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xanesflow.core.damage import explain_damage
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.tables import ALL_AGAIN, read_csv, read_parquet, write_csv
from xanesflow.core.tensors_file import read_tensors
from xanesflow.interpretation.figures_of_merit import metrics_of
from xanesflow.interpretation.rank_aae.judge_axes import AxisScores, best_seed
from xanesflow.interpretation.site_descriptors import RANKED
from xanesflow.interpretation.train_interpreter import parse_name

log = logging.getLogger(__name__)

METRICS = [
    "subset", "model", "descriptor", "split", "seed", "n_test", "spearman", "r2", "mae", "f1", "coverage_90",
]  # fmt: skip
ROBUSTNESS = [
    "subset", "model", "descriptor", "split", "seed", "shift_ev", "fwhm_ev", "n_test", "r2", "mae", "coverage_90",
]  # fmt: skip
AXES = ["subset", "split", "seed", "chosen", "part", "axis", "descriptor", "spearman", "f1", "with_free", "between",
        "reconstruction_mae"]  # fmt: skip
"""Columns of the three tables."""


def evaluate_interpretation(
    predictions: Sequence[Path],
    robustness: Sequence[Path],
    axes: Sequence[Path],
    *,
    metrics_csv: Path,
    robustness_csv: Path,
    axes_csv: Path,
) -> None:
    """Write metrics.csv, robustness.csv and axes.csv.

    metrics.csv has a row for each model, descriptor, split and seed; of RankAAE only the chosen seed, which has the
    largest sum of z-scores on the validation part.

    Args:
        predictions: tables of what was read from the test parts.
        robustness: tables of the same, shifted and broadened.
        axes: trained seeds of RankAAE.
        metrics_csv: table to write.
        robustness_csv: table to write.
        axes_csv: table to write.
    """
    of_axes = _axes(axes)
    chosen = {(row["subset"], row["split"], row["seed"]) for row in of_axes if row["chosen"]}
    rows: list[dict[str, Any]] = []
    for path in predictions:
        model, name, split, seed = parse_name(path)
        if model == "rank_aae" and (name, split, seed) not in chosen:
            continue
        found = metrics_of(read_parquet(path, again=ALL_AGAIN))
        rows += [{"subset": name, "split": split, "seed": seed, **each} for each in found]
    tables = []
    for path in robustness:
        _, name, split, seed = parse_name(path)
        tables.append(read_csv(path).assign(subset=name, split=split, seed=seed))
    _write(metrics_csv, pd.DataFrame(rows, columns=METRICS))
    _write(robustness_csv, pd.concat(tables)[ROBUSTNESS] if tables else pd.DataFrame(columns=ROBUSTNESS))
    _write(axes_csv, pd.DataFrame(of_axes, columns=AXES))
    log.info("%d rows of figures, %d of robustness, %d of axes", len(rows), sum(map(len, tables)), len(of_axes))


def _write(path: Path, table: pd.DataFrame) -> None:
    if "n_test" in table:
        table = table.astype({"n_test": "int64"})
    write_csv(path, table)


def _axes(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Rows of axes.csv: for each subset and split all seeds, the best one marked."""
    groups: dict[tuple[str, str], list[tuple[int, dict[str, AxisScores]]]] = {}
    for path in files:
        _, name, split, seed = parse_name(path)
        groups.setdefault((name, split), []).append((seed, read_scores(path)))
    rows = []
    for (name, split), seeds in groups.items():
        best = seeds[best_seed(np.array([scores["val"].figures() for _, scores in seeds]))][0]
        for seed, scores in seeds:
            for part in ("val", "test"):
                if part in scores:
                    rows += _rows(scores[part], subset=name, split=split, seed=seed, chosen=seed == best, part=part)
    return rows


def _rows(scores: AxisScores, **of: object) -> list[dict[str, Any]]:
    shared = {"with_free": scores.with_free, "between": scores.between, "reconstruction_mae": scores.reconstruction}
    return [
        {
            **of,
            "axis": k + 1,
            "descriptor": name,
            "spearman": scores.spearman[k],
            "f1": scores.f1 if name == "cn" else np.nan,
            **shared,
        }
        for k, name in enumerate(RANKED)
    ]


def read_scores(path: Path) -> dict[str, AxisScores]:
    """The scores of a trained seed by part.

    Raises:
        XanesflowError: the file is no trained seed of RankAAE.
    """
    with explain_damage(f"{path} is no trained seed of RankAAE ({{why}}); delete it and run again."):
        return {
            part: AxisScores(**given | {"spearman": np.array(given["spearman"], dtype=np.float64)})
            for part, given in parse_object(read_tensors(path)[1]["scores"]).items()
        }
