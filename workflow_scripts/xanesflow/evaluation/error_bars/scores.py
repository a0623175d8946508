"""Score error bars: do they hold as many points as they promise, and do they separate bad predictions from good?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.core.tables import write_rows
from xanesflow.evaluation.error_bars.calibration import LEVELS, materials_of
from xanesflow.evaluation.metrics import spectrum_mse
from xanesflow.evaluation.predictions_file import Predictions, Uncertainty

COLUMNS = (
    "model", "features", "element", "theory", "part", "members", "fitted", "n_fit", "n_fit_materials", "n",
    "n_materials", "coverage_68", "coverage_95", "miscalibration_area", "spectra_below_95", "rank_correlation",
    "ause", "ause_random", "half_width_68", "half_width_95", "reason",
)  # fmt: skip
"""Columns of calibration.csv; see `ErrorBarScores`. `fitted` says what the error bars were fitted to (`val`,
`cross-fitted`, or empty if `reason` says why there are none). `n_fit` and `n_fit_materials` count the spectra and
materials of the fit, `n` and `n_materials` those of the test. `members` is the number of seeds."""


@dataclass(frozen=True)
class ErrorBarScores:
    """Figures of error bars; NaN if there are too few spectra to define one."""

    coverage_68: float  # share of the points inside the 68 % bands
    coverage_95: float  # the same for the 95 % bands
    # mean over the levels 1 % to 99 % of the difference between a level and the share of the points inside its bands:
    # the area between the reliability diagram and its diagonal
    miscalibration_area: float
    spectra_below_95: float  # share of the spectra whose error is below `Uncertainty.error_95`, which 95 % should be
    rank_correlation: float  # Spearman's, between expected and true error of the spectra (root mean squares)
    ause: float  # area under the sparsification error curve (see `sparsification`); 0 is the best
    ause_random: float  # its average for spectra in random order
    half_width_68: float  # mean half width of the 68 % bands in bohr²
    half_width_95: float  # the same for the 95 % bands


@dataclass(frozen=True, eq=False)
class Sparsification:
    """Mean error of the spectra that are left when the worst are taken out, in units of the mean error of all."""

    removed: Floats  # (n,) share that was taken out: 0, 1/n, …
    curve: Floats  # (n,) if the largest expected errors are taken out first
    oracle: Floats  # (n,) if the largest true errors are taken out first

    @property
    def ause(self) -> float:
        """Area between the two curves."""
        return float(np.mean(self.curve - self.oracle))

    @property
    def ause_random(self) -> float:
        """The average area for a random order, which does not change the mean error."""
        return float(np.mean(1 - self.oracle))


def reliability(confidence: Floats) -> Floats:
    """(99,) share of the points inside the bands, for each of `LEVELS`; `confidence` (n, m) as in `Uncertainty`."""
    counts = np.histogram(confidence, bins=np.append(LEVELS - 0.005, [0.995, 1.005]))[0]
    return np.asarray(np.cumsum(counts)[:-1] / max(1, confidence.size))


def sparsification(errors: Floats, expected: Floats) -> Sparsification:
    """The sparsification curves (Ilg et al., ECCV 2018) of n spectra, from their true and expected errors (n,).

    Among equal errors, the one that comes first is taken out first.
    """
    left = np.arange(len(errors), 0, -1)

    def curve(by: Floats) -> Floats:
        ordered = errors[np.argsort(-by, kind="stable")]
        mean = float(errors.mean())
        if mean == 0:
            return np.ones(len(errors))
        return np.asarray(np.cumsum(ordered[::-1])[::-1] / left / mean)

    return Sparsification(1 - left / len(errors), curve(expected), curve(errors))


def score_error_bars(spectra: Floats, predictions: Floats, bars: Uncertainty) -> ErrorBarScores:
    """Compute the figures of error bars; `spectra` and `predictions` are (n, m) in bohr²."""
    if not len(spectra):
        return ErrorBarScores(*[float("nan")] * 9)
    from scipy.stats import spearmanr  # takes a second, and is not needed without error bars

    errors = np.sqrt(spectrum_mse(spectra, predictions))
    sparse = sparsification(errors, bars.error)
    shares = reliability(bars.confidence)
    differ = len(errors) > 2 and np.ptp(errors) > 0 and np.ptp(bars.error) > 0
    return ErrorBarScores(
        coverage_68=_inside(spectra, bars.band_68),
        coverage_95=_inside(spectra, bars.band_95),
        miscalibration_area=float(np.mean(np.abs(shares - LEVELS))),
        spectra_below_95=float(np.mean(errors <= bars.error_95)),
        rank_correlation=float(spearmanr(bars.error, errors).statistic) if differ else float("nan"),
        ause=sparse.ause,
        ause_random=sparse.ause_random,
        half_width_68=float(np.mean(bars.band_68[1] - bars.band_68[0]) / 2),
        half_width_95=float(np.mean(bars.band_95[1] - bars.band_95[0]) / 2),
    )


def write_scores(found: Iterable[Predictions], output_csv: str | Path) -> None:
    """Write calibration.csv, one row for each model, features and subset, in the order given.

    Args:
        found: predictions; those without a calibration, such as a simple model's, have no row.
        output_csv: the table.
    """
    rows = [_row(one) for one in found if one.uncertainty is not None or one.uncalibrated]
    write_rows(output_csv, COLUMNS, rows, missing="nan")


def _row(found: Predictions) -> dict[str, str | int | float]:
    bars = found.uncertainty
    row: dict[str, str | int | float] = {
        **found.about,
        "members": len(found.seeds),
        "fitted": bars.fitted if bars else "",
        "n_fit": bars.n_spectra if bars else 0,
        "n_fit_materials": bars.n_materials if bars else 0,
        "n": len(found.ids),
        "n_materials": len(set(materials_of(found.ids))),
        "reason": found.uncalibrated,
    }
    return row | (vars(score_error_bars(found.spectra, found.predictions, bars)) if bars else {})


def _inside(spectra: Floats, band: Floats) -> float:
    return float(np.mean((band[0] <= spectra) & (spectra <= band[1])))
