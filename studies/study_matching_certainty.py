"""Is the certainty of a match right, and is it with fewer degrees of freedom?

    python studies/study_matching_certainty.py DATA              # the embedded engine's candidates
    python studies/study_matching_certainty.py DATA --theory NAME --cache STORE

DATA is that of study_matching.py. Every variant is judged on compounds that its weights, its expectations and its
temperature were learned without. Rows of candidates are sorted into bins of certainty; a bin that holds fewer than six
rows (each compound weighted once) is joined with its neighbour, and the share of right ones has a binomial 95 %
interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import numpy as np
from matching_standards import Case, parser_of, read_cases
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from scipy.stats import beta
from study_matching import first_rows, logits_of, measure_cases, rows_of_all, weights_of
from study_matching_levels import Logits, log_losses, print_scores

from xanesflow.matching.choice_model import MEASURES, fit_weights

EDGES = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 1.0)
LEAST_ROWS = 6.0
SEEN_FROM = 0.05
"""Rows with a smaller certainty are nearly all; the error without them is that of the rows that users look at."""

RIDGES = (0.1, 0.5, 2.0)

Known = tuple[np.ndarray, int, float]
"""(n, m) measures, row of the right candidate, how much the case counts."""


def ridge_weights(known: Sequence[Known], ridge: float) -> np.ndarray:
    """Weights with a larger penalty on all but the first."""
    return fit_weights(known, ridge=ridge)


def some_weights(known: Sequence[Known], names: Sequence[str]) -> np.ndarray:
    """Weights of some measures; the others get none."""
    columns = [MEASURES.index(name) for name in names]
    weights = np.zeros(len(MEASURES))
    weights[columns] = fit_weights([(rows[:, columns], right, weight) for rows, right, weight in known])
    return weights


def temperature_of(cases: Sequence[Case], logits: Logits, weights: np.ndarray) -> float:
    """The factor of the logits that makes the right candidates of the cases the most probable."""

    def loss(log_factor: float) -> float:
        return float(np.average(log_losses(cases, [np.exp(log_factor) * each for each in logits]), weights=weights))

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def with_temperature(cases: Sequence[Case], rows: Sequence[np.ndarray]) -> tuple[Logits, list[float]]:
    """Logits times one factor, which was fitted to the other compounds, each judged without itself.

    Returns:
        The logits, and the factors.
    """
    plain, weights, factors = logits_of(cases, rows), weights_of(cases), []
    by_compound: dict[str, float] = {}
    for case in cases:
        if case.compound not in by_compound:
            others = [k for k, other in enumerate(cases) if other.compound != case.compound]
            of_others = [cases[k] for k in others]
            inner = logits_of(of_others, [rows[k] for k in others])
            by_compound[case.compound] = temperature_of(of_others, inner, weights[others])
        factors.append(by_compound[case.compound])
    return [factor * each for factor, each in zip(factors, plain, strict=True)], factors


def bins_of(certainty: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    """(k,) masks of the rows in each bin, from the lowest certainty; bins with too few rows join the one below."""
    found: list[np.ndarray] = []
    for low, high in reversed(list(pairwise(EDGES))):
        inside = (certainty >= low) & ((certainty < high) | (high == EDGES[-1]))
        if found and weights[found[-1]].sum() < LEAST_ROWS:
            found[-1] = found[-1] | inside
        else:
            found.append(inside)
    return found[::-1]


def interval(right: float, number: float) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of a share."""
    hits = right * number
    low = beta.ppf(0.025, hits, number - hits + 1) if hits > 0 else 0.0
    high = beta.ppf(0.975, hits + 1, number - hits) if hits < number else 1.0
    return float(low), float(high)


def print_bins(name: str, cases: Sequence[Case], logits: Logits) -> None:
    """Print stated certainty against the share that was right, and the expected calibration error."""
    chances = [softmax(each) for each in logits]
    certainty, right, weights = rows_of_all(cases, chances)
    print(f"\n{name}\n\n| certainty | rows (weighted) | stated | right (95 %) |\n| --- | --- | --- | --- |")
    gaps = []
    for inside in bins_of(certainty, weights):
        w = weights[inside]
        stated, share = np.average(certainty[inside], weights=w), np.average(right[inside], weights=w)
        low, high = interval(float(share), float(w.sum()))
        gaps.append((w.sum(), abs(stated - share), stated))
        print(
            f"| {certainty[inside].min():.2f} to {certainty[inside].max():.2f} | {w.sum():.1f} | {stated:.2f} | "
            f"{share:.2f} ({low:.2f} to {high:.2f}) |"
        )
    sizes, away, stated_of = np.array(gaps).T
    seen = stated_of >= SEEN_FROM
    stated, share = first_rows(cases, chances)
    low, high = interval(share, float(weights_of(cases).sum()))
    print(
        f"\nexpected calibration error {np.average(away, weights=sizes):.3f}, of bins above {SEEN_FROM:g} "
        f"{np.average(away[seen], weights=sizes[seen]):.3f}, largest {away.max():.2f}; first rows: stated "
        f"{stated:.2f}, right {share:.2f} ({low:.2f} to {high:.2f})"
    )


def main() -> None:
    """Print the tables."""
    given = parser_of(__doc__).parse_args()
    cases = read_cases(given.data, given.theory, given.cache, given.workers)
    rows, _ = measure_cases(cases, given.theory)
    scaled, factors = with_temperature(cases, rows)
    fits: dict[str, Callable[[Sequence[Known]], np.ndarray]] = {
        f"ridge {ridge:g}": partial(ridge_weights, ridge=ridge) for ridge in RIDGES
    }
    fits["RMS and shift alone"] = partial(some_weights, names=("log_rms", "shift_deviation"))
    variants = {"as it is": logits_of(cases, rows), "one temperature": scaled}
    variants |= {name: logits_of(cases, rows, fit) for name, fit in fits.items()}
    print("| certainty | compounds | first | among three | oxidation state | log-loss (change) |")
    print("| --- | --- | --- | --- | --- | --- |")
    before = None
    for name, logits in variants.items():
        losses = print_scores(name, cases, logits, before)
        before = losses if before is None else before
    print(f"\nfactors of the logits: {min(factors):.2f} to {max(factors):.2f}")
    for name, logits in variants.items():
        print_bins(name, cases, logits)


if __name__ == "__main__":
    main()
