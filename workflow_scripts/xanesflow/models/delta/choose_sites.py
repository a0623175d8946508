"""Which sites are worth an expensive run: those that tell most about all the others.

A Gaussian process knows how uncertain it is at every site before any spectrum is there, from features alone. Sites are
taken one by one, each the one that lowers the variance summed over all sites the most (A-optimal design; for Gaussian
processes Krause et al., J. Mach. Learn. Res. 9, 235 (2008)). So crowded regions are served first, and once, while
an outlier, which maximum variance would take, tells nothing of others. In that sum a site counts one over the root of
the number of sites of its material, or the few materials with dozens of sites each would be what is planned for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from xanesflow.codes.registry import run_features
from xanesflow.core.errors import XanesflowError
from xanesflow.features.cheap_runs.columns import FRAME_POINTS
from xanesflow.models.delta.delta_model import components, delta_inputs, input_sizes
from xanesflow.models.kernel_ridge import kernel_between, standardised_inputs

Floats = npt.NDArray[np.float64]

LENGTH, NOISE = 1.5, 0.01
"""Of the kernel; about what delta models of published Cu spectra chose (docs/studies/delta.md)."""

MOST_SITES = 6000
"""Of more sites these many are drawn: the matrix of their kernel has 0.3 GB."""


def choose_sites(
    features: npt.NDArray[np.floating],
    dimensions: dict[str, int],
    materials: Sequence[str] | npt.NDArray[np.str_],
    budget: int,
    *,
    done: Sequence[int] = (),
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[npt.NDArray[np.intp], Floats]:
    """Rows of the sites to be simulated, the most telling first.

    Args:
        features: (n, d) of all sites, as a model would see them.
        dimensions: numbers per site of each featurizer, in order; a cheap run's may be the last.
        materials: (n,) the material of each site.
        budget: how many.
        done: rows whose spectra are there already.
        seed: draws the sites that are looked at, where there are more than `MOST_SITES`.
        progress: told how many are chosen, and of how many.

    Returns:
        (budget,) rows, and (budget,) the share of the summed variance that is left after each.

    Raises:
        XanesflowError: there are fewer sites than are asked for.
    """
    candidates = len(features) - len(set(done))
    if not 1 <= budget <= candidates:
        raise XanesflowError(
            f"{budget} sites are to be chosen, and {candidates} are there that have features and no spectrum yet; "
            f"ask for 1 to {candidates}."
        )
    rows = np.arange(len(features))
    if len(rows) > MOST_SITES:
        others = np.setdiff1d(rows, done)
        drawn = np.random.default_rng(seed).choice(others, max(0, MOST_SITES - len(set(done))), replace=False)
        rows = np.sort(np.concatenate([np.unique(np.asarray(done, dtype=np.intp)), drawn]))
        if budget > len(drawn):
            raise XanesflowError(
                f"{budget} sites are to be chosen, and {len(drawn)} of {candidates} are looked at; ask for fewer."
            )
    points = _points(features[rows], dimensions)
    covariance = kernel_between(points, points, LENGTH)
    weights, taken = _weights(np.asarray(materials)[rows]), np.zeros(len(rows), dtype=bool)
    for row in np.flatnonzero(np.isin(rows, done)):
        _condition(covariance, int(row))
        taken[row] = True
    chosen, left = [], []
    for number in range(budget):
        gain = np.einsum("i,ij,ij->j", weights, covariance, covariance) / (np.diag(covariance) + NOISE)
        gain[taken] = -np.inf
        best = int(gain.argmax())
        _condition(covariance, best)
        taken[best] = True
        chosen.append(rows[best])
        left.append(float(weights @ np.diag(covariance)))
        if progress is not None:
            progress(number + 1, budget)
    return np.array(chosen, dtype=np.intp), np.array(left)


def _weights(materials: npt.NDArray[np.str_]) -> Floats:
    """(n,) what each site counts, adding to one."""
    _, of_site, count = np.unique(materials, return_inverse=True, return_counts=True)
    weights: Floats = 1.0 / np.sqrt(count[of_site])
    return weights / weights.sum()


def _points(features: npt.NDArray[np.floating], dimensions: dict[str, int]) -> npt.NDArray[np.float32]:
    """What the kernel sees: as a delta model, or the structure alone."""
    *structural, last = dimensions
    if last not in run_features():
        return standardised_inputs(features, list(dimensions.values()))
    n_structure = sum(dimensions[name] for name in structural)
    mean, axes = components(features[:, n_structure : n_structure + FRAME_POINTS].astype(np.float64))
    inputs = delta_inputs(features, n_structure, mean, axes)
    return standardised_inputs(inputs, input_sizes(dimensions, len(axes)))


def _condition(covariance: Floats, row: int) -> None:
    """What is still uncertain once the spectrum of a site is known, in place."""
    column = covariance[:, row].copy()
    covariance -= np.outer(column / (column[row] + NOISE), column)
