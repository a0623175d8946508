"""Principal components of a series of spectra: how many independent ones it has, and how well these rebuild it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import even_energies
from xanesflow.core.errors import XanesflowError
from xanesflow.matching.likeness import AFTER_EV, BEFORE_EV, STEP_EV
from xanesflow.measured import MeasuredSpectrum

FEWEST = 3
_FEWEST_ENERGIES = 20
_SHOWN = 10
LEAST_NOISE = 0.001
"""Of the edge step; errors of the normalisation are no smaller."""


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of n spectra at m energies; the mean is not taken off, as users of Athena expect."""

    sources: tuple[str, ...]  # n names of the scans
    energy_ev: Floats  # (m,) absolute photon energies
    spectra: Floats  # (n, m) normalised
    components: Floats  # (k, m) orthonormal, the most important first
    scores: Floats  # (n, k) of the scans
    variance: Floats  # (k,) share of the sum of squares of each component
    # (k,) Malinowski's factor indicator IND for the first 1, 2, … components; least at the number that stands out of
    # the noise, if the scans are many (NaN for the last)
    indicator: Floats
    noise: float  # root mean square of the scans' noise, or `LEAST_NOISE`, in units of the edge step

    @property
    def shown(self) -> int:
        """How many tables and figures have: the first ten, and all above the noise."""
        return min(len(self.variance), max(_SHOWN, self.significant))

    @property
    def significant(self) -> int:
        """Fewest components that rebuild all scans as well as their noise allows."""
        misfits = [float(np.sqrt(np.mean(self.misfit(k) ** 2))) for k in range(1, len(self.variance) + 1)]
        return 1 + next(k for k, misfit in enumerate(misfits) if misfit <= self.noise or k + 1 == len(misfits))

    def rebuilt(self, number: int) -> Floats:
        """(n, m) spectra from the first components."""
        return np.asarray(self.scores[:, :number] @ self.components[:number])

    def misfit(self, number: int) -> Floats:
        """(n,) root mean squared difference of the rebuilt spectra, in units of the edge step."""
        return np.asarray(np.sqrt(np.mean((self.rebuilt(number) - self.spectra) ** 2, axis=1)))


def find_components(spectra: Sequence[MeasuredSpectrum]) -> Components:
    """Find the components near the edge, at the energies that all scans cover.

    Malinowski's real error of k components is sqrt(Σ_{j>k} λ_j / (l (s - k))), λ the eigenvalues, where l and s are the
    larger and the smaller of the numbers of scans and energies; the indicator is this error over (s - k)²
    (E. R. Malinowski, Anal. Chem. 49, 612 (1977)).

    Args:
        spectra: normalised scans of one edge.

    Raises:
        XanesflowError: there are fewer than three, they are of several edges, or have no energies in common.
    """
    if len(spectra) < FEWEST:
        raise XanesflowError(
            f"Principal components need at least {FEWEST} scans, and there are {len(spectra)}; give more files."
        )
    if len({(each.element, each.edge) for each in spectra}) > 1:
        raise XanesflowError("The scans are of different elements or edges; give those of one edge only.")
    half = float(np.median([each.half_step_ev for each in spectra]))
    first = max(half - BEFORE_EV, *(each.energy_ev[0] for each in spectra))
    last = min(half + 2 * AFTER_EV, *(each.energy_ev[-1] for each in spectra))
    energy = even_energies(first, last, STEP_EV)
    if len(energy) < _FEWEST_ENERGIES:
        raise XanesflowError(
            "The scans have hardly any energies near the edge in common; leave out those of another edge."
        )
    matrix = np.array([np.interp(energy, each.energy_ev, each.flattened) for each in spectra])
    left, singular, right = np.linalg.svd(matrix, full_matrices=False)
    signs = np.where(right.sum(axis=1) < 0, -1.0, 1.0)
    squares = singular**2
    smaller, larger = sorted(matrix.shape)
    indicator = np.full(smaller, np.nan)
    for k in range(1, smaller):
        error = np.sqrt(squares[k:].sum() / (larger * (smaller - k)))
        indicator[k - 1] = error / (smaller - k) ** 2
    noise = np.array([each.parameters["noise"] for each in spectra], dtype=np.float64)
    known = noise[np.isfinite(noise)]  # a scan that ends soon after its edge has none
    return Components(
        tuple(each.source for each in spectra),
        energy,
        matrix,
        right * signs[:, None],
        left * singular * signs,
        squares / squares.sum(),
        indicator,
        max(LEAST_NOISE, float(np.sqrt(np.mean(known**2)))) if len(known) else LEAST_NOISE,
    )
