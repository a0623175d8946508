"""Broaden computed spectra, which are sharper than measured ones, in one of three ways.

`gaussian` describes the resolution of the monochromator, and approximates all other effects most simply.
`lorentzian` and `arctangent` have a width that rises with energy, because electrons of higher energy live shorter:
from the width of the core hole at the edge to that width plus `rise` far above. The arctangent rises in an S-shaped
curve (FDMNES's, with its `E_larg` equal to the rise), the Lorentzian linearly up to the same limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import XanesflowError

Kind = Literal["gaussian", "lorentzian", "arctangent"]

_FEWEST = 2


@dataclass(frozen=True)
class Broadening:
    """What a computed spectrum is convoluted with.

    Attributes:
        kind: gaussian, lorentzian or arctangent.
        width_ev: standard deviation of the Gaussian; full width at half maximum of the Lorentzians at the edge.
        rise_ev: by how much the full width has risen far above the edge; the Gaussian does not use it.
        centre_ev: energy above the edge at which half of the rise is reached.
    """

    kind: Kind
    width_ev: float
    rise_ev: float = 0.0
    centre_ev: float = 30.0

    def __post_init__(self) -> None:
        numbers = (self.width_ev, self.rise_ev, self.centre_ev)
        if not all(np.isfinite(numbers)) or self.width_ev < 0 or self.rise_ev < 0 or self.centre_ev <= 0:
            raise XanesflowError(
                f"A broadening of width {self.width_ev:g}, rise {self.rise_ev:g} and centre {self.centre_ev:g} eV "
                "makes no sense; give widths of 0 or more and a centre above 0."
            )

    def full_width(self, above_edge_ev: Floats) -> Floats:
        """(n,) full width at half maximum in eV at energies relative to the edge.

        For the Gaussian it is the same everywhere.
        """
        above = np.asarray(above_edge_ev, dtype=np.float64)
        if self.kind == "gaussian":
            return np.full(above.shape, self.width_ev * np.sqrt(8 * np.log(2)))
        positive = np.maximum(above, 0.0) / self.centre_ev
        if self.kind == "lorentzian":
            return self.width_ev + self.rise_ev * np.minimum(positive / 2, 1.0)
        # As FDMNES has it: arctan(π/3 · (e − 1/e²)) with e relative to the centre, 0 at the edge, 1/2 at the centre
        with np.errstate(divide="ignore"):
            angle = np.arctan(np.pi / 3 * (positive - 1 / positive**2))
        return self.width_ev + self.rise_ev * (0.5 + angle / np.pi)


def broaden(energy_ev: Floats, values: Floats, edge_ev: float, broadening: Broadening) -> Floats:
    """Convolute a spectrum.

    Beyond the data the first and the last value continue. A spectrum that is 1 everywhere stays 1.

    Args:
        energy_ev: (n,) rising energies in eV, of any spacing.
        values: (n,) the spectrum.
        edge_ev: the edge in eV, from which rising widths are counted.
        broadening: the curve to convolute with.

    Returns:
        (n,) at the same energies.

    Raises:
        XanesflowError: energies do not rise, or are not finite.
    """
    energy, values = np.asarray(energy_ev, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if len(energy) < _FEWEST or not np.all(np.isfinite(energy)) or np.any(np.diff(energy) <= 0):
        raise XanesflowError("A spectrum can be broadened at rising, finite energies only; sort them first.")
    widths = broadening.full_width(energy - edge_ev)
    if not np.any(widths > 0):
        return values.copy()

    # Between its energies the spectrum is a chain of straight lines, each with a convolution in closed form, so that
    # no grid is needed: a line is the second integral of a change of slope.
    return (
        _of_gaussian(energy, values, widths)
        if broadening.kind == "gaussian"
        else _of_lorentzian(energy, values, widths)
    )


def _of_gaussian(energy: Floats, values: Floats, widths: Floats) -> Floats:
    from scipy.special import erf

    sigma = widths[:, None] / np.sqrt(8 * np.log(2))
    away = energy[:, None] - energy[None, :]
    scaled = away / (np.sqrt(2) * sigma)
    smooth = 0.5 * away * (1 + erf(scaled)) + sigma / np.sqrt(2 * np.pi) * np.exp(-(scaled**2))
    found: Floats = values[0] + smooth @ _bends(energy, values)
    return found


def _of_lorentzian(energy: Floats, values: Floats, widths: Floats) -> Floats:
    half = np.maximum(widths[:, None] / 2, 1e-12)
    away = energy[:, None] - energy[None, :]
    # Second integral of a Lorentzian, less terms that cancel as the bends sum to zero
    smooth = away * (0.5 + np.arctan(away / half) / np.pi) - half / (2 * np.pi) * np.log(away**2 + half**2)
    bends = _bends(energy, values)
    found: Floats = values[0] + smooth @ bends
    return found


def _bends(energy: Floats, values: Floats) -> Floats:
    """(n,) change of slope at each energy; level before the first and after the last, so that they sum to zero."""
    slopes = np.concatenate([[0.0], np.diff(values) / np.diff(energy), [0.0]])
    return np.diff(slopes)
