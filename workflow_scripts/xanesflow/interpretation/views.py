"""What an interpreter sees of a spectrum: values on fixed energies, divided by their plateau.

The plateau is the mean over the last 15 eV, or 11 eV in the shorter view `aligned`.

`grid` keeps the energies of the level of theory: the dataset's grid without 2 eV at each end, so that a spectrum may be
shifted by as much. `aligned` knows no absolute energies: it begins 6 eV below the last crossing of half the step and
ends 18 eV above it. Measured spectra are read in this view, as no constant shift fits computed energies to measured
ones. `whole` is the whole grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter1d

from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import N_POINTS, STEP_EV
from xanesflow.core.errors import XanesflowError
from xanesflow.measured.find_edge import last_half_crossing

View = Literal["whole", "grid", "aligned"]

BEFORE_EV, AFTER_EV = 6.0, 18.0
"""Window of the view `aligned` about half the step."""

SHIFT_EV = 2.0
"""Largest shift of energies that the view `grid` allows."""

_PLATEAU, _ALIGNED_PLATEAU = round(15.0 / STEP_EV), round(11.0 / STEP_EV)
_MARGIN = round(SHIFT_EV / STEP_EV)
_FWHM = 2 * np.sqrt(2 * np.log(2))


@dataclass(frozen=True)
class Distortion:
    """Unknown properties of a spectrum that training draws at random."""

    shift_ev: float = SHIFT_EV  # largest shift of energies, either way
    fwhm_ev: float = 2.0  # largest full width at half maximum of a Gaussian, in eV
    noise: float = 0.01  # standard deviation of the noise, relative to the plateau


UNKNOWN_CALIBRATION = Distortion()
"""Copies for the view `grid`."""

MEASURED = Distortion(fwhm_ev=7.0)
"""Copies for the view `aligned`: computed spectra are sharper than measured ones, by a Gaussian of σ 3 eV at most."""


def see(spectra: Floats, view: View) -> Floats:
    """(n, d) what an interpreter sees of (n, 141) spectra on a dataset's grid.

    Raises:
        XanesflowError: a spectrum has no plateau.
    """
    if view == "whole":
        return _divided(spectra)
    if view == "grid":
        return _divided(spectra[:, _MARGIN:-_MARGIN])
    energy = STEP_EV * np.arange(N_POINTS, dtype=np.float64)
    return np.array([_aligned(energy, each, half_step(energy, each)) for each in _divided(spectra)])


def see_measured(energy_ev: Floats, normalised: Floats, half_ev: float, source: str) -> Floats:
    """(1, 97) the view `aligned` of one spectrum at energies of its own.

    Args:
        energy_ev: (n,) rising.
        normalised: (n,) 0 before the edge, about 1 after it.
        half_ev: last crossing of half the step.
        source: its file's name.

    Raises:
        XanesflowError: it does not cover the window.
    """
    if energy_ev[0] > half_ev - BEFORE_EV or energy_ev[-1] < half_ev + AFTER_EV:
        raise XanesflowError(
            f"{source} runs from {energy_ev[0] - half_ev:.1f} to {energy_ev[-1] - half_ev:+.1f} eV about half its edge "
            f"step, and is read from {-BEFORE_EV:.0f} to {AFTER_EV:+.0f} eV; give a spectrum that covers that."
        )
    return _aligned(energy_ev, normalised, half_ev)[None]


def half_step(energy_ev: Floats, divided: Floats) -> float:
    """Where a spectrum with a plateau of 1 last crosses one half before its maximum, in eV; its maximum if nowhere."""
    near = float(energy_ev[int(np.argmax(divided >= 0.5))])  # a long spectrum's middle lies far above its edge
    found = last_half_crossing(energy_ev, divided, near)
    return float(energy_ev[int(np.argmax(divided))]) if found is None else found


def aligned_energies() -> Floats:
    """(97,) energies of the view `aligned` relative to half the step, in eV."""
    energies: Floats = np.arange(-BEFORE_EV, AFTER_EV + STEP_EV / 2, STEP_EV)
    return energies


def _aligned(energy_ev: Floats, divided: Floats, half_ev: float) -> Floats:
    return _divided(np.interp(aligned_energies() + half_ev, energy_ev, divided)[None], _ALIGNED_PLATEAU)[0]


def _divided(spectra: Floats, points: int = _PLATEAU) -> Floats:
    plateau = spectra[:, -points:].mean(axis=1, keepdims=True)
    if not np.isfinite(spectra).all() or not (plateau > 0).all():
        raise XanesflowError("A spectrum has no positive plateau after its edge, so it cannot be normalised.")
    return np.asarray(spectra / plateau)


def distort(spectra: Floats, distortion: Distortion, rng: np.random.Generator) -> Floats:
    """(n, 141) copies of spectra, each with a shift, a width and noise of its own."""
    n = len(spectra)
    shifts = rng.uniform(-distortion.shift_ev, distortion.shift_ev, n)
    widths = rng.uniform(0, distortion.fwhm_ev, n)
    return distorted(spectra, shifts, widths, distortion.noise * rng.standard_normal(spectra.shape))


def distorted(spectra: Floats, shifts_ev: Floats, fwhm_ev: Floats, noise: Floats | float = 0.0) -> Floats:
    """(n, 141) spectra shifted to higher energies and broadened; beyond the grid the first and last values go on.

    Args:
        spectra: (n, 141).
        shifts_ev: (n,).
        fwhm_ev: (n,) of the Gaussian.
        noise: (n, 141) relative to the plateau.
    """
    places = np.arange(spectra.shape[1], dtype=np.float64)
    found = np.empty_like(spectra)
    for row, (spectrum, shift, fwhm) in enumerate(zip(spectra, shifts_ev, fwhm_ev, strict=True)):
        sigma = fwhm / _FWHM / STEP_EV
        broad = gaussian_filter1d(spectrum, sigma, mode="nearest") if sigma > 0 else spectrum
        found[row] = np.interp(places - shift / STEP_EV, places, broad)
    plateau: Floats = found[:, -_PLATEAU:].mean(axis=1, keepdims=True)
    return np.asarray(found + noise * plateau)
