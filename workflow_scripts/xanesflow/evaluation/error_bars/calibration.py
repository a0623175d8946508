"""Calibrate the error bars of a model on spectra that it did not learn from.

The seeds of an ensemble (`models.seeds`) agree with each other better than with the simulation (Ghose et al., arXiv
2210.00336, take their spread as the uncertainty of molecular spectra), and residuals have heavier tails than a
Gaussian. So the spread and the distance to the training sites only say where errors are larger or smaller
(`ErrorScale`). How many σ a band of 68 % or 95 % needs is counted on held-out residuals. This is conformal prediction
with normalised scores, whose bands hold for any distribution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from xanesflow.core.array_types import Floats
from xanesflow.core.errors import NotCalibratedError, XanesflowError
from xanesflow.core.sites import parent_of, parse_site_id
from xanesflow.core.text import plural
from xanesflow.evaluation.error_bars.distance import TrainingSites
from xanesflow.evaluation.error_bars.error_scale import ErrorScale
from xanesflow.evaluation.metrics import spectrum_mse

LEVELS = np.arange(1, 100) / 100
"""Levels of the bands: the shares of points that they should hold."""

FEWEST_SPECTRA, FEWEST_MATERIALS = 8, 4
"""With fewer there are too few residuals to count."""

FOLDS = 5
"""Folds of a cross-fit. Each material is in one fold only, as its sites resemble each other."""

SCORES_AT_AN_ENERGY = 2000
"""Scores that are counted for each energy; with fewer spectra, neighbouring energies are taken together."""


@dataclass(frozen=True)
class Ensemble:
    """What a calibration belongs to."""

    model: str  # kind, such as `expert`
    features: str  # such as `m3gnet`
    subset: str  # such as `Cu_FEFF`
    checkpoints: dict[int, str]  # SHA-256 of each seed's checkpoint


@dataclass(frozen=True, eq=False)
class Calibration:
    """Turns the predictions of an ensemble's seeds into error bars; needs no data.

    Its methods take `by_seed` (k, n, m), the spectra in bohr² that k seeds predict for n sites, and `distance` (n,)
    from these sites to the nearest training site, which `sites` computes from their features.
    """

    scale: ErrorScale  # expected error σ
    points: Floats  # (99, m) how many σ to each side hold the shares `LEVELS` of the points at each energy
    # (99,) how many times its expected error a spectrum's error is at most, for the shares `LEVELS` of the spectra
    spectra: Floats
    n_spectra: int  # number of spectra that it was fitted to
    n_materials: int  # number of their materials
    sites: TrainingSites | None = field(default=None)  # the sites that the ensemble learned from; None: not known
    owner: Ensemble | None = field(default=None)  # the ensemble that it was fitted for; None: not known

    @classmethod
    def fit(
        cls,
        by_seed: Floats,
        distance: Floats,
        spectra: Floats,
        ids: Sequence[str],
        *,
        sites: TrainingSites | None = None,
        owner: Ensemble | None = None,
    ) -> Calibration:
        """Calibrate on spectra that the seeds did not learn from.

        σ is fitted to all spectra. The bands are counted on the scores |residual| / σ. Each score uses a σ that was
        fitted without its material (`FOLDS` folds), as a fit looks better on its own spectra than on others. As in
        conformal prediction, a level p counts as p (K + 1) / K for K materials, because the next material is not among
        them.

        Args:
            by_seed: (k, n, m) spectra predicted by the k seeds, in bohr².
            distance: (n,) to the nearest training site; all 0 if unknown.
            spectra: (n, m) simulated.
            ids: n names of sites, such as `mp-390_000`.
            sites: the training sites, to be stored with the calibration.
            owner: the ensemble, to be stored with the calibration.

        Raises:
            NotCalibratedError: there are too few spectra or materials.
            XanesflowError: a value is not a finite number, or the shapes do not match.
        """
        _check(by_seed, distance, spectra, ids)
        materials = materials_of(ids)
        n_materials = len(set(materials))
        if len(ids) < FEWEST_SPECTRA or n_materials < FEWEST_MATERIALS:
            raise NotCalibratedError(
                f"{_said(ids)} too few to calibrate error bars on (at least {FEWEST_SPECTRA} spectra of "
                f"{FEWEST_MATERIALS} materials are needed): add finished simulations, or give the validation part a "
                "larger share (`splits.fractions`)."
            )
        # Scores of single points and of whole spectra, each fold with a σ fitted to the other folds.
        mean = by_seed.mean(axis=0)
        points, whole = np.empty_like(spectra), np.empty(len(spectra))
        for others, held_out in folds_by_material(materials):
            seen = len({materials[row] for row in others})
            scale = ErrorScale.fit(by_seed[:, others], distance[others], spectra[others], seen)
            sigma = scale.sigma(by_seed[:, held_out], distance[held_out])
            points[held_out] = np.abs(spectra[held_out] - mean[held_out]) / sigma
            whole[held_out] = np.sqrt(spectrum_mse(spectra[held_out], mean[held_out]) / np.mean(sigma**2, axis=1))
        # Quantiles of the scores are the widths of the bands in σ; σ itself is fitted to all spectra.
        levels = np.minimum(1.0, LEVELS * (n_materials + 1) / n_materials)
        return cls(
            scale=ErrorScale.fit(by_seed, distance, spectra, n_materials),
            points=_quantiles_by_energy(points, levels),
            spectra=np.quantile(whole, levels),
            n_spectra=len(ids),
            n_materials=n_materials,
            sites=sites,
            owner=owner,
        )

    def sigma(self, by_seed: Floats, distance: Floats) -> Floats:
        """(n, m) expected error (root of the expected square) in bohr² of the seeds' mean.

        Raises:
            XanesflowError: the predictions are not of this ensemble, or not finite numbers.
        """
        self._check_fits(by_seed, distance)
        return self.scale.sigma(by_seed, distance)

    def bands(self, by_seed: Floats, distance: Floats, level: float) -> tuple[Floats, Floats]:
        """Lower and upper ends, (n, m) each in bohr², of the bands that should hold the share `level` of all points.

        Bands end at 0, as a cross section is not negative.

        Raises:
            XanesflowError: the level is not from 0.01 to 0.99, or the predictions are not of this ensemble.
        """
        half, mean = _at(self.points, level) * self.sigma(by_seed, distance), by_seed.mean(axis=0)
        return np.maximum(mean - half, 0.0), np.maximum(mean + half, 0.0)

    def levels_of(self, by_seed: Floats, distance: Floats, spectra: Floats) -> Floats:
        """(n, m) the smallest of `LEVELS` whose band holds the simulated value; 1 if none does."""
        scores = np.abs(spectra - by_seed.mean(axis=0)) / self.sigma(by_seed, distance)
        found = np.array([np.searchsorted(self.points[:, j], scores[:, j]) for j in range(scores.shape[1])]).T
        return np.append(LEVELS, 1.0)[found]

    def error(self, by_seed: Floats, distance: Floats) -> Floats:
        """(n,) expected error of each whole spectrum, root mean square over its energies, in bohr²."""
        return np.asarray(np.sqrt(np.mean(self.sigma(by_seed, distance) ** 2, axis=1)))

    def error_bound(self, by_seed: Floats, distance: Floats, level: float) -> Floats:
        """(n,) bound in bohr² on the error of a whole spectrum that the share `level` of the spectra should keep.

        Raises:
            XanesflowError: the level is not from 0.01 to 0.99, or the predictions are not of this ensemble.
        """
        return np.asarray(_at(self.spectra, level) * self.error(by_seed, distance))

    def _check_fits(self, by_seed: Floats, distance: Floats) -> None:
        wanted = (len(self.owner.checkpoints) if self.owner else len(by_seed), len(self.scale.residuals))
        if by_seed.ndim != 3 or (len(by_seed), by_seed.shape[2]) != wanted:
            raise XanesflowError(
                f"This calibration is for the predictions of {wanted[0]} seeds at {wanted[1]} energies, not for an "
                f"array {by_seed.shape}; predict with the seeds that it was made for."
            )
        if not (np.isfinite(by_seed).all() and np.isfinite(distance).all()):
            raise XanesflowError(
                "The predictions, or the distances to the training sites, hold values that are no finite numbers; "
                "predict again."
            )


def cross_fit(
    by_seed: Floats, distance: Floats, spectra: Floats, ids: Sequence[str]
) -> Iterator[tuple[npt.NDArray[np.intp], Calibration]]:
    """Yield the rows of each fold, by material, and a calibration on all other folds.

    Use it for spectra that error bars must be both fitted to and computed for.

    Raises:
        NotCalibratedError: there are too few spectra or materials; see `Calibration.fit`.
    """
    materials = materials_of(ids)
    if len(set(materials)) <= FEWEST_MATERIALS:
        raise NotCalibratedError(
            f"{_said(ids)} too few to both calibrate error bars and check them (more than {FEWEST_MATERIALS} materials "
            "are needed): add finished simulations."
        )
    for others, held_out in folds_by_material(materials):
        names = [ids[row] for row in others]
        yield held_out, Calibration.fit(by_seed[:, others], distance[others], spectra[others], names)


def materials_of(ids: Sequence[str]) -> list[str]:
    """The material of each site; for a cell of a disordered crystal, that crystal."""
    return [parent_of(parse_site_id(name)[0]) for name in ids]


def folds_by_material(
    materials: Sequence[str],
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Yield the rows of all other materials and the rows held out, for up to `FOLDS` folds of about equal size."""
    from sklearn.model_selection import GroupKFold  # takes a second, and a calibration from a file does not need it

    folds = GroupKFold(min(FOLDS, len(set(materials))))
    yield from folds.split(np.zeros(len(materials)), groups=np.array(materials))


def _quantiles_by_energy(scores: Floats, levels: Floats) -> Floats:
    """(99, m) quantiles of scores (n, m) at each energy, with as many neighbouring energies as are needed to count."""
    n, m = scores.shape
    reach = int(np.ceil((SCORES_AT_AN_ENERGY / n - 1) / 2)) if n < SCORES_AT_AN_ENERGY else 0
    windows = [scores[:, max(0, j - reach) : j + reach + 1] for j in range(m)]
    return np.stack([np.quantile(window, levels) for window in windows], axis=1)


def _at(quantiles: Floats, level: float) -> Floats:
    """Interpolate quantiles (99, ...) linearly at a level."""
    if not LEVELS[0] <= level <= LEVELS[-1]:
        raise XanesflowError(f"There is no band of level {level:g}; ask for a level from 0.01 to 0.99, such as 0.68.")
    place = float(np.interp(level, LEVELS, np.arange(len(LEVELS))))
    below, share = int(place), place - int(place)
    return np.asarray(quantiles[below] + (share * (quantiles[below + 1] - quantiles[below]) if share else 0.0))


def _check(by_seed: Floats, distance: Floats, spectra: Floats, ids: Sequence[str]) -> None:
    """Raise XanesflowError if the shapes of arrays do not match, or a value is not a finite number."""
    if by_seed.ndim != 3 or by_seed.shape[1:] != spectra.shape or not len(ids) == len(distance) == len(spectra):
        raise XanesflowError(
            f"Predictions {by_seed.shape}, distances {distance.shape}, spectra {spectra.shape} and {len(ids)} names do "
            "not fit each other; give (seeds, spectra, energies), (spectra,), (spectra, energies) and as many names."
        )
    for what, values, row in (
        ("spectrum", spectra, np.isfinite(spectra).all(axis=1)),
        ("prediction", by_seed, np.isfinite(by_seed).all(axis=(0, 2))),
        ("distance", distance, np.isfinite(distance)),
    ):
        if not np.isfinite(values).all():
            raise XanesflowError(
                f"The {what} of {ids[int(np.argmin(row))]} holds values that are no finite numbers, so error bars "
                "cannot be calibrated on it; compute it again."
            )


def _said(ids: Sequence[str]) -> str:
    """Subject and verb of a sentence on these spectra: `7 spectra of 3 materials are`."""
    materials = plural(len(set(materials_of(ids))), "material")
    return f"{plural(len(ids), 'spectrum', 'spectra')} of {materials} {'is' if len(ids) == 1 else 'are'}"
