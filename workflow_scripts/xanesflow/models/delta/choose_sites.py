"""Choose the sites that are worth an expensive run: those that reveal most about all the others.

A Gaussian process knows from the features alone how uncertain it is at every site, before there is any spectrum. Sites
are chosen one by one: each time the site that lowers the total variance over all sites the most (A-optimal design; for
Gaussian processes Krause et al., J. Mach. Learn. Res. 9, 235 (2008)). So crowded regions come first, and only once. An
outlier, which a rule of maximum variance would choose, reveals nothing about other sites.

In the total, a site of a material with n sites has the weight 1/√n. Otherwise the few materials with dozens of sites
would dominate the choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve

from xanesflow.codes.registry import run_features
from xanesflow.core.array_types import Floats
from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import plural
from xanesflow.features.cheap_runs.columns import FRAME_POINTS
from xanesflow.models.delta.delta_model import components, delta_inputs, input_sizes
from xanesflow.models.kernel_ridge import kernel_between, standardised_inputs

LENGTH, NOISE = 1.5, 0.01
"""Length and noise of the kernel, about as chosen by delta models of published Cu spectra (docs/studies/delta.md)."""

MOST_SITES = 6000
"""With more sites, this many are drawn at random, at most half of them with runs if there are enough others: the matrix
of their kernel takes 0.3 GB."""


def choose_sites(
    features: npt.NDArray[np.floating],
    dimensions: dict[str, int],
    materials: Sequence[str] | npt.NDArray[np.str_],
    budget: int,
    *,
    done: Sequence[int] = (),
    useless: Sequence[int] = (),
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[npt.NDArray[np.intp], Floats]:
    """Rows of the sites to simulate, the most informative first.

    Args:
        features: (n, d) features of all sites, as a model would get them.
        dimensions: numbers per site of each featurizer, in order; those of a cheap run, if any, are last.
        materials: (n,) the material of each site.
        budget: number of sites to choose.
        done: rows that already have spectra.
        useless: rows that are not chosen, although they have no spectrum: they were simulated and left out.
        seed: seed for drawing if there are more than `MOST_SITES` sites.
        progress: called with the number of chosen sites and the budget.

    Returns:
        (budget,) rows, and (budget,) the share of the total variance that is left after each.

    Raises:
        XanesflowError: there are fewer candidates than the budget.
    """
    if not len(features):
        raise XanesflowError(
            "There is no site to choose: no site has all these features; compute them with `snakemake features`."
        )
    settled = np.union1d(np.asarray(done, dtype=np.intp), np.asarray(useless, dtype=np.intp))
    candidates = len(features) - len(settled)
    if not candidates:
        raise XanesflowError(
            f"There is no site to choose: {plural(len(features), 'site has', 'sites have')} features, and each has a "
            "run."
        )
    if not 1 <= budget <= candidates:
        raise XanesflowError(
            f"{plural(budget, 'site')} cannot be chosen: {plural(candidates, 'site has', 'sites have')} features "
            f"and no run yet; choose a number from 1 to {candidates}."
        )

    # With too many sites for memory, draw the candidates at random, and those with spectra if they leave no room.
    rows = np.arange(len(features))
    if len(rows) > MOST_SITES:
        others = np.setdiff1d(rows, settled)
        random, known = np.random.default_rng(seed), np.unique(np.asarray(done, dtype=np.intp))
        room = max(MOST_SITES // 2, MOST_SITES - len(others))
        if len(known) > room:
            known = random.choice(known, room, replace=False)
        drawn = random.choice(others, min(len(others), MOST_SITES - len(known)), replace=False)
        rows = np.sort(np.concatenate([known, drawn]))
        if budget > len(drawn):
            raise XanesflowError(
                f"{plural(budget, 'site')} cannot be chosen: of {candidates} only {len(drawn)} were drawn as "
                "candidates, to save memory; choose fewer."
            )

    # Start from the uncertainty that is left once the spectra that already exist are known.
    points = _points(features[rows], dimensions)
    covariance = kernel_between(points, points, LENGTH)
    weights, taken = _weights(np.asarray(materials)[rows]), np.isin(rows, settled)
    known = np.flatnonzero(np.isin(rows, done))
    if known.size:  # all at once: one by one takes minutes where there are thousands
        to_known = covariance[:, known]
        between = to_known[known] + NOISE * np.eye(known.size)
        covariance -= to_known @ solve(between, to_known.T, assume_a="pos")

    # Choose one site after the other: the one whose spectrum would lower the total variance the most.
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
    """(n,) weight of each site; the weights add up to 1."""
    _, of_site, count = np.unique(materials, return_inverse=True, return_counts=True)
    weights: Floats = 1.0 / np.sqrt(count[of_site])
    return weights / weights.sum()


def _points(features: npt.NDArray[np.floating], dimensions: dict[str, int]) -> npt.NDArray[np.float32]:
    """Inputs of the kernel: those of a delta model if there are cheap runs, else the features of the structure."""
    *structural, last = dimensions
    if last not in run_features():
        return standardised_inputs(features, list(dimensions.values()))
    n_structure = sum(dimensions[name] for name in structural)
    mean, axes = components(features[:, n_structure : n_structure + FRAME_POINTS].astype(np.float64))
    inputs = delta_inputs(features, n_structure, mean, axes)
    return standardised_inputs(inputs, input_sizes(dimensions, len(axes)))


def _condition(covariance: Floats, row: int) -> None:
    """Update the covariance in place to what remains once the spectrum of a site is known."""
    column = covariance[:, row].copy()
    covariance -= np.outer(column / (column[row] + NOISE), column)
