"""How good predicted spectra are: the figures of arXiv 2409.19552, section on performance metrics.

Everywhere `spectra` and `predictions` are (n, 141) cross sections in bohr², and `baseline` (141,) is the mean spectrum
of the training part: what one would predict knowing nothing about the site.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FEW_TRAIN, FEW_TEST = 100, 20
"""With fewer training or fewer judged spectra of a subset, its figures depend on which few these happen to be."""


@dataclass(frozen=True)
class Metrics:
    """Figures of one model on one part.

    Attributes:
        n: spectra.
        xi: median over the spectra of a spectrum's mean squared error, bohr⁴.
        xi_baseline: the same of the baseline, bohr⁴.
        eta: xi_baseline / xi; how many times better than the baseline.
        w_e: share of spectra where the model's mean squared error is below the baseline's.
        w_s: share of single points (spectra × energies) where the model's absolute error is below the baseline's.
        mse_mean: mean over the spectra of the mean squared error, bohr⁴.

    A figure that is not defined is NaN: all of them without a spectrum, those that need the baseline without one.
    """

    n: int
    xi: float
    xi_baseline: float
    eta: float
    w_e: float
    w_s: float
    mse_mean: float


NO_SPECTRA = Metrics(0, *[float("nan")] * 6)
"""The figures of a part without spectra."""


@dataclass(frozen=True, eq=False)
class EnergyErrors:
    """Errors at each energy.

    Attributes:
        model: (141,) mean absolute error of the model, bohr².
        baseline: (141,) the same of the baseline, bohr².
        gain: (141,) share of the baseline's error that the model does away with: 1 - model / baseline; 1 is
            perfect, 0 no better, negative worse; NaN where the baseline has no error.
        improvement: (141,) the paper's Ĩ(ΔE): how much smaller the model's mean absolute error is than the baseline's,
            by the mean over the energies of the baseline's spectrum; NaN without a baseline. The definition is that of
            the paper's published scripts.
    """

    model: Floats
    baseline: Floats
    gain: Floats
    improvement: Floats


def spectrum_mse(spectra: Floats, predictions: Floats) -> Floats:
    """(n,) mean squared error of each spectrum over its energies in bohr⁴; `predictions` may be one for all (141,)."""
    return np.asarray(np.mean((spectra - predictions) ** 2, axis=1))


def compute_metrics(spectra: Floats, predictions: Floats, baseline: Floats) -> Metrics:
    """The figures of one model; a tie with the baseline is no win.

    A baseline of NaN (a subset without training spectra has no mean) leaves the figures that need it NaN.

    Raises:
        ValueError: there is no spectrum (see `NO_SPECTRA`), or shapes do not fit.
    """
    if (
        spectra.ndim != 2
        or spectra.shape != predictions.shape
        or baseline.shape != spectra.shape[1:]
        or not spectra.size
    ):
        raise ValueError(f"shapes {spectra.shape}, {predictions.shape} and {baseline.shape} are no spectra to compare")
    mse, baseline_mse = spectrum_mse(spectra, predictions), spectrum_mse(spectra, baseline)
    xi, xi_baseline = float(np.median(mse)), float(np.median(baseline_mse))
    defined = 1.0 if np.isfinite(xi_baseline) else float("nan")
    return Metrics(
        n=len(spectra),
        xi=xi,
        xi_baseline=xi_baseline,
        eta=xi_baseline / xi if xi > 0 else float("inf") * defined,
        w_e=float(np.mean(mse < baseline_mse)) * defined,
        w_s=float(np.mean(np.abs(spectra - predictions) < np.abs(spectra - baseline))) * defined,
        mse_mean=float(np.mean(mse)),
    )


def energy_errors(spectra: Floats, predictions: Floats, baseline: Floats) -> EnergyErrors:
    """Mean absolute errors at each energy, of the model and of the baseline."""
    model = np.abs(spectra - predictions).mean(axis=0)
    reference = np.abs(spectra - baseline).mean(axis=0)
    gain = 1 - np.divide(model, reference, out=np.full_like(model, np.nan), where=reference > 0)
    return EnergyErrors(model, reference, gain, (reference - model) / baseline.mean())


def deciles(mse: Floats, parts: int = 10) -> list[npt.NDArray[np.intp]]:
    """Rows in order of their error, best first, cut into tenths as equal as possible.

    Args:
        mse: (n,) from `spectrum_mse`; equal errors keep their order.
        parts: how many; with fewer spectra than that the last ones are empty.
    """
    return np.array_split(np.argsort(mse, kind="stable"), parts)
