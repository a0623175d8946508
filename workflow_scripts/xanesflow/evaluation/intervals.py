"""How certain the figures of a model are: bootstrap intervals over materials, and the spread over its seeds.

Sites of one material resemble each other, and the split keeps them together. So materials are drawn with replacement,
each with all its sites; drawing single sites would give intervals that are too narrow. The draws depend only on the
materials and a fixed seed. They are the same for all models of a subset, so their ratios can be resampled too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from xanesflow.core.array_types import Floats
from xanesflow.core.tables import write_rows
from xanesflow.evaluation.error_bars.calibration import materials_of
from xanesflow.evaluation.metrics import NO_SPECTRA, compute_metrics, spectrum_mse
from xanesflow.evaluation.predictions_file import Predictions
from xanesflow.evaluation.table_one import NOT_COMPARED, obstacle, paper_eta, size_caution, verdict

RESAMPLES = 2000
LEVEL = 0.95
_SEED = 20240919
_BLOCK = 2_000_000  # drawn sites at a time

COLUMNS = (
    "model", "features", "element", "theory", "part", "n_train", "n_test", "n_materials", "eta", "eta_low",
    "eta_high", "w_e", "w_e_low", "w_e_high", "w_s", "w_s_low", "w_s_high", "seeds", "eta_seed_min", "eta_seed_max",
    "eta_seed_sd", "paper_eta", "verdict", "caution",
)  # fmt: skip
"""Columns of intervals.csv: one row for each model, features and subset, for the mean over its seeds. `low` and `high`
are the ends of the 95 % intervals, nan with fewer than two materials. `eta_seed_sd` is the standard deviation (n - 1)
over the seeds. `paper_eta` and `verdict` (see `table_one`) are filled if the result is of the paper's kind; `caution`
says what still differs."""

Row = dict[str, str | int | float]


@dataclass(frozen=True, eq=False)
class Resampled:
    """Figures of one model for each of k draws of materials."""

    xi: Floats  # (k,) median mean squared error, bohr⁴
    xi_baseline: Floats  # (k,) the same of the baseline, NaN without one
    w_e: Floats  # (k,) share of spectra that the model predicts better than the baseline
    w_s: Floats  # (k,) share of points that the model predicts better than the baseline

    @property
    def eta(self) -> Floats:
        """(k,) xi_baseline / xi."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.xi_baseline / self.xi)


def draw_materials(materials: Sequence[str], resamples: int = RESAMPLES) -> Iterator[npt.NDArray[np.int64]]:
    """Draw as many materials as there are, with replacement, `resamples` times.

    Args:
        materials: (n,) the material of each site.
        resamples: number of draws.

    Yields:
        (b, n) how often each site is in a draw, in blocks of draws.
    """
    names, of_site = np.unique(np.asarray(materials, dtype=str), return_inverse=True)
    generator = np.random.default_rng(_SEED)
    shares = np.full(len(names), 1 / len(names))
    block = max(1, _BLOCK // len(of_site))
    for first in range(0, resamples, block):
        counts = generator.multinomial(len(names), shares, size=min(block, resamples - first))
        yield counts[:, of_site]


def drawn_medians(values: Floats, counts: npt.NDArray[np.int64]) -> Floats:
    """(b,) medians of `values` (n,), each taken `counts` (b, n) times."""
    order = np.argsort(values, kind="stable")
    ordered, upto = values[order], np.cumsum(counts[:, order], axis=1)
    total = upto[:, -1:]
    middle = [ordered[(upto > at).argmax(axis=1)] for at in ((total - 1) // 2, total // 2)]
    return np.asarray((middle[0] + middle[1]) / 2)


def resample(spectra: Floats, predictions: Floats, baseline: Floats, materials: Sequence[str]) -> Resampled:
    """Resample the figures of a model by drawing materials.

    Args:
        spectra: (n, 141) bohr².
        predictions: (n, 141) bohr².
        baseline: (141,) bohr²; NaN: there is none.
        materials: (n,) the material of each spectrum.
    """
    mse, baseline_mse = spectrum_mse(spectra, predictions), spectrum_mse(spectra, baseline)
    defined = 1.0 if np.isfinite(baseline).all() else float("nan")
    won = (mse < baseline_mse) * defined
    points = np.mean(np.abs(spectra - predictions) < np.abs(spectra - baseline), axis=1) * defined
    parts = []
    for counts in draw_materials(materials):
        number = counts.sum(axis=1)
        parts.append(
            (
                drawn_medians(mse, counts),
                drawn_medians(baseline_mse, counts) * defined,
                counts @ won / number,
                counts @ points / number,
            )
        )
    return Resampled(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def interval(values: Floats) -> tuple[float, float]:
    """Ends of the percentile interval that holds `LEVEL` of drawn values; NaN if a value is undefined."""
    if np.isnan(values).any():
        return float("nan"), float("nan")
    # Take a drawn value instead of interpolating: a value is infinite where a model is perfect.
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="closest_observation")
    return float(low), float(high)


def write_intervals(found: Sequence[Predictions], output_csv: str | Path) -> list[Row]:
    """Write intervals.csv, one row for each model, features and subset, in the order given.

    Args:
        found: predictions of the whole campaign.
        output_csv: the table.

    Returns:
        Its rows.
    """
    subsets = {each.subset for each in found}
    rows = [_row(each, subsets) for each in found]
    write_rows(output_csv, COLUMNS, rows)
    return rows


def _row(found: Predictions, subsets: set[str]) -> Row:
    nan = float("nan")
    materials = materials_of(found.ids)
    figures = compute_metrics(found.spectra, found.predictions, found.baseline) if found.ids else NO_SPECTRA
    row: Row = {
        **found.about,
        "n_train": found.n_train,
        "n_test": figures.n,
        "n_materials": len(set(materials)),
        "seeds": len(found.seeds),
    }
    few = len(set(materials)) < 2
    drawn = None if few else resample(found.spectra, found.predictions, found.baseline, materials)
    for name in ("eta", "w_e", "w_s"):
        low, high = (nan, nan) if drawn is None else interval(getattr(drawn, name))
        row |= {name: getattr(figures, name), f"{name}_low": low, f"{name}_high": high}
    etas = [compute_metrics(found.spectra, each, found.baseline).eta for each in found.by_seed] if found.ids else []
    several = len(etas) > 1
    row["eta_seed_min"] = min(etas) if several else nan
    row["eta_seed_max"] = max(etas) if several else nan
    row["eta_seed_sd"] = float(np.std(etas, ddof=1)) if several and np.isfinite(etas).all() else nan
    return row | _beside_the_paper(found, row, subsets)


def _beside_the_paper(found: Predictions, row: Row, subsets: set[str]) -> Row:
    paper = paper_eta(found.model, found.subset)
    if paper is None:
        return {"paper_eta": float("nan"), "verdict": "", "caution": ""}
    if why := obstacle(found.model, found.features, found.part, subsets, found.unlike_paper):
        return {"paper_eta": float("nan"), "verdict": "", "caution": f"{NOT_COMPARED}{why}"}
    said = verdict(paper, float(row["eta_low"]), float(row["eta_high"]))
    return {"paper_eta": paper, "verdict": said, "caution": size_caution(found.subset, found.n_train, len(found.ids))}
