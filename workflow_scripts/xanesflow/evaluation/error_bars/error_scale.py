"""The expected error of a model, from the spread of its seeds and the distance to the nearest training site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xanesflow.core.array_types import Floats

SMOOTHING_POINTS = 4.0
"""Standard deviation, in grid points (1 eV), of the Gaussian that smooths mean squares in energy. With it, few
spectra give a steady curve, and a near-edge peak, some eV wide, is still visible."""

NEAR, ALIKE = 0.3, 0.1
"""Added to the relative distance and to the relative spreads before their logarithm: a prediction can be wrong even for
a training site, or where the seeds agree."""


@dataclass(frozen=True, eq=False)
class ErrorScale:
    """The expected error σ of an ensemble's mean.

    log σ²(site, E) = log v(E) + t₀ + t₁ log(d / d̄ + 0.3) + t₂ log(S + 0.1) + t₃ log(s²(E) / w(E) + 0.1), with d the
    distance to the nearest training site, s² the variance over the seeds and S the mean of s² / w over the energies.
    t₁, t₂ and t₃ are not negative: a larger distance or spread never lowers the expected error.
    """

    weights: Floats  # (4,) t₀ to t₃; t₂ and t₃ are 0 if the seeds never differ, or if there is one seed
    residuals: Floats  # (m,) v, mean square in bohr⁴ of the residuals that it was fitted to, smoothed in energy
    spread: Floats  # (m,) w, mean variance over the seeds in bohr⁴, smoothed in energy; 0 if they never differ
    typical_distance: float  # d̄, median of the distances that it was fitted to

    @classmethod
    def fit(cls, by_seed: Floats, distance: Floats, spectra: Floats, n_materials: int) -> ErrorScale:
        """Fit the weights by maximum likelihood for Gaussian residuals, which is a convex problem.

        The weights have a prior of mean 0 and standard deviation 1, so that few materials do not give extreme weights.
        Each material counts as one observation.

        Args:
            by_seed: (k, n, m) spectra predicted by the k seeds, in bohr².
            distance: (n,) to the nearest training site.
            spectra: (n, m) simulated, of sites that no seed learned from.
            n_materials: number of their materials.
        """
        from scipy.optimize import minimize  # slow to import, and only a fit needs it

        # The curves v and w over energy, which the weights then scale; their floor keeps logarithms finite.
        squares = (spectra - by_seed.mean(axis=0)) ** 2
        smallest = (1e-9 * np.abs(spectra).mean()) ** 2 + np.finfo(np.float64).tiny  # even a perfect model has a σ
        residuals = np.maximum(_smooth(squares.mean(axis=0)), smallest)
        spread = _smooth(_variance(by_seed).mean(axis=0))
        largest = spread.max()
        spread = np.maximum(spread, 1e-6 * largest) if largest > smallest else np.zeros_like(spread)
        # Minimise the negative log likelihood and prior, with its gradient, over the four weights.
        empty = cls(np.zeros(4), residuals, spread, float(np.median(distance)) or 1.0)
        terms, relative = empty._terms(by_seed, distance), squares / residuals

        def unlikely(weights: Floats) -> tuple[float, Floats]:
            logarithm = _sum(weights, terms)
            ratio = relative * np.exp(-logarithm)
            prior = 0.5 * np.append(0.0, weights[1:]) / n_materials
            slopes = np.array([0.5 * np.mean((1 - ratio) * term) for term in terms]) + 2 * prior
            return float(0.5 * np.mean(logarithm + ratio) + prior @ weights), slopes

        bounds = [(-50.0, 50.0), *[(0.0, 10.0)] * 3]
        found = minimize(unlikely, np.zeros(4), jac=True, method="L-BFGS-B", bounds=bounds)
        return cls(np.asarray(found.x), residuals, spread, empty.typical_distance)

    def sigma(self, by_seed: Floats, distance: Floats) -> Floats:
        """(n, m) expected error σ in bohr² of the mean of `by_seed` (k, n, m)."""
        return np.asarray(np.sqrt(self.residuals * np.exp(_sum(self.weights, self._terms(by_seed, distance)))))

    def _terms(self, by_seed: Floats, distance: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """The terms that t₀ to t₃ multiply, each (n, m)."""
        shape = by_seed.shape[1:]
        far = np.log(distance / self.typical_distance + NEAR)[:, None]
        if self.spread.any():
            at_each = _variance(by_seed) / self.spread
            over_all = at_each.mean(axis=1, keepdims=True)
        else:
            at_each = over_all = np.full((shape[0], 1), 1.0 - ALIKE)  # its logarithm is 0
        one, far, over_all, at_each = (
            np.broadcast_to(term, shape)
            for term in (np.ones((1, 1)), far, np.log(over_all + ALIKE), np.log(at_each + ALIKE))
        )
        return one, far, over_all, at_each


def _sum(weights: Floats, terms: tuple[Floats, ...]) -> Floats:
    return np.asarray(sum(weight * term for weight, term in zip(weights, terms, strict=True)))


def _variance(by_seed: Floats) -> Floats:
    """(n, m) unbiased variance over the seeds; 0 for a single seed."""
    if len(by_seed) < 2:
        return np.zeros(by_seed.shape[1:])
    return np.asarray(by_seed.var(axis=0, ddof=1))


def _smooth(values: Floats) -> Floats:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(values, SMOOTHING_POINTS, mode="nearest"))
