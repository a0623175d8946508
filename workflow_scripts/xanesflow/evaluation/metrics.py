"""How good predicted spectra are: the figures of arXiv 2409.19552, section on performance metrics.

`spectra` and `predictions` are (n, 141) cross sections in bohr² everywhere. `baseline` (141,) is the mean spectrum of
the training part: the best prediction that knows nothing about the site.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xanesflow.core.array_types import Floats

FEW_TRAIN, FEW_TEST = 100, 20
"""With fewer spectra to train or to test on, a subset's figures depend on which few these are."""


@dataclass(frozen=True)
class Metrics:
    """Figures of one model on one part.

    An undefined figure is NaN: all of them without spectra, and those that need the baseline without one.
    """

    n: int  # number of spectra
    xi: float  # median over the spectra of a spectrum's mean squared error, bohr⁴
    xi_baseline: float  # the same of the baseline, bohr⁴
    eta: float  # xi_baseline / xi; how many times better the model is than the baseline
    w_e: float  # share of spectra where the model's mean squared error is below the baseline's
    w_s: float  # share of single points (spectra × energies) where the model's absolute error is below the baseline's
    mse_mean: float  # mean over the spectra of the mean squared error, bohr⁴


NO_SPECTRA = Metrics(0, *[float("nan")] * 6)
"""The figures of a part without spectra."""


@dataclass(frozen=True, eq=False)
class EnergyErrors:
    """Errors at each energy.

    Attributes:
        model: (141,) mean absolute error of the model, bohr².
        baseline: (141,) the same of the baseline, bohr².
        gain: (141,) share of the baseline's error that the model avoids: 1 - model / baseline. 1 is perfect, 0 no
            better, negative worse; NaN where the baseline has no error.
        improvement: (141,) the paper's Ĩ(ΔE): the baseline's mean absolute error minus the model's, divided by the mean
            of the baseline's spectrum over the energies; NaN without a baseline. The definition is that of the paper's
            published scripts.
    """

    model: Floats
    baseline: Floats
    gain: Floats
    improvement: Floats


def spectrum_mse(spectra: Floats, predictions: Floats) -> Floats:
    """(n,) mean squared error of each spectrum over its energies in bohr⁴; `predictions` may be one (141,) for all."""
    return np.asarray(np.mean((spectra - predictions) ** 2, axis=1))


def compute_metrics(spectra: Floats, predictions: Floats, baseline: Floats) -> Metrics:
    """Compute the figures of one model; a tie with the baseline does not count as better.

    With a baseline of NaN (a subset without training spectra has no mean), the figures that need it are NaN.

    Raises:
        ValueError: there is no spectrum (see `NO_SPECTRA`), or the shapes do not match.
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
    """Compute the mean absolute errors at each energy, of the model and of the baseline."""
    model = np.abs(spectra - predictions).mean(axis=0)
    reference = np.abs(spectra - baseline).mean(axis=0)
    gain = 1 - np.divide(model, reference, out=np.full_like(model, np.nan), where=reference > 0)
    return EnergyErrors(model, reference, gain, (reference - model) / baseline.mean())


def deciles(mse: Floats, parts: int = 10) -> list[npt.NDArray[np.intp]]:
    """Sort rows by error, best first, and cut them into tenths as equal as possible.

    Args:
        mse: (n,) from `spectrum_mse`; equal errors keep their order.
        parts: number of parts; with fewer spectra, the last ones are empty.
    """
    return np.array_split(np.argsort(mse, kind="stable"), parts)
