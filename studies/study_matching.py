"""How often is the right structure found, how sure is that, and what does a match learn from known standards?

    python studies/study_matching.py DATA                      # the tables of docs/studies/matching.md
    python studies/study_matching.py DATA --write              # also the calibration that comes with the package
    python studies/study_matching.py DATA --theory NAME        # for another level of theory
    python studies/study_matching.py DATA --theory measured    # with measured spectra of other sources as candidates

DATA and the candidates are those of `matching_standards`. Every compound is ranked with expectations and
weights that were learned from the others. The form of the correction (`CORRECTION`) was chosen on all of them.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matching_standards import Case, parser_of, read_cases, read_measured_cases
from scipy.special import softmax

from xanesflow.matching.choice_model import (
    CALIBRATIONS,
    HIGHEST,
    MEASURED,
    MEASURES,
    PIVOT,
    Expected,
    MatchCalibration,
    fit_weights,
    measures,
)
from xanesflow.matching.likeness import Bounds, Likeness, SpectrumCorrection, fit_candidate
from xanesflow.matching.rank_candidates import expected_of
from xanesflow.matching.ranking import Reference

CORRECTION = SpectrumCorrection(stretch=1.05, width_at_edge=0.3, width_far=1.3, rise_ev=10.0)
WIDTHS_EV = (0.5, 4.5)
WIDE_EV = (-11.0, 4.0)
"""Shifts searched where nothing is expected yet."""

MEASURED_SHIFT, MEASURED_WIDTHS_EV = Expected(0.0, 1.5, 0.5), (0.0, 2.0)
"""For measured candidates: beamlines differ in energy, and one of two spectra may be sharper."""

LEAST_SD_EV = 0.7
"""Of an expected shift: beamlines differ by as much."""


@dataclass(frozen=True)
class Observed:
    """What a right candidate needed, with nothing expected.

    Attributes:
        compound: id of its structure.
        element: symbol of the absorber.
        metal: its class.
        state: oxidation state, or None.
        shift_ev: its best shift.
        width_ev: its best width.
    """

    compound: str
    element: str
    metal: bool
    state: float | None
    shift_ev: float
    width_ev: float


def expect(observed: Sequence[Observed]) -> tuple[dict[str, dict[str, Expected]], float]:
    """Expected shifts and widths, and the slope with the oxidation state.

    Compounds: shift = a + b (state - 3) + an offset of the element, fitted by ridge regression; metals have no slope.
    """
    once: dict[tuple[str, str], list[Observed]] = defaultdict(list)
    for each in observed:
        once[each.compound, each.element].append(each)
    means = [
        Observed(*key, group[0].metal, group[0].state, float(np.median([each.shift_ev for each in group])),
                 float(np.median([each.width_ev for each in group])))
        for key, group in once.items()
    ]  # fmt: skip
    found: dict[str, dict[str, Expected]] = {}
    slope = 0.0
    for kind, metal in (("metal", True), ("compound", False)):
        group = [each for each in means if each.metal == metal]
        if not group:
            found[kind] = {"other": Expected(float(np.mean(WIDE_EV)), float(np.ptp(WIDE_EV)) / 4)}
            continue
        elements = sorted({each.element for each in group})
        states = np.array([min(PIVOT if each.state is None else each.state, HIGHEST) - PIVOT for each in group])
        matrix = np.hstack(
            [
                np.ones((len(group), 1)),
                (np.zeros(len(group)) if metal else states)[:, None],
                np.array([[each.element == name for name in elements] for each in group], dtype=float),
            ]
        )
        ridge = np.diag([1e-6, 0.3, *np.ones(len(elements))])
        shifts = np.array([each.shift_ev for each in group])
        inverse = np.linalg.inv(matrix.T @ matrix + ridge)
        fitted = inverse @ matrix.T @ shifts
        # Residuals with each compound left out, in closed form.
        leverage = np.einsum("ij,jk,ik->i", matrix, inverse, matrix)
        residuals = (shifts - matrix @ fitted) / np.maximum(1 - leverage, 0.2)
        sd = max(float(1.4826 * np.median(np.abs(residuals))), LEAST_SD_EV)
        width = float(np.median([each.width_ev for each in group]))
        found[kind] = {
            name: Expected(round(float(fitted[0] + offset), 3), round(sd, 3), width)
            for name, offset in zip(elements, fitted[2:], strict=True)
        }
        found[kind]["other"] = Expected(round(float(fitted[0]), 3), round(1.5 * sd, 3), width)
        slope = slope if metal else round(float(fitted[1]), 3)
    return found, slope


def calibration_with(observed: Sequence[Observed], theory: str) -> MatchCalibration:
    """A calibration that only knows what to expect."""
    if theory == MEASURED:
        classes = {kind: {"other": MEASURED_SHIFT} for kind in ("metal", "compound")}
        return MatchCalibration(theory, {}, classes, 0.0, MEASURED_WIDTHS_EV, SpectrumCorrection(), 1.0)
    expected, slope = expect(observed)
    return MatchCalibration(theory, {}, expected, slope, WIDTHS_EV, CORRECTION, 1.0)


def fit_all(case: Case, calibration: MatchCalibration) -> list[Likeness]:
    """The likeness of every candidate of a case."""
    return [
        fit_candidate(
            case.target,
            each.curve,
            calibration.bounds(expected_of(each, case.element, calibration)),
            calibration.correction,
        )
        for each in case.references
    ]


def rows_of(case: Case, likenesses: Sequence[Likeness], calibration: MatchCalibration) -> np.ndarray:
    """(n, m) measures of the candidates."""
    expected = [expected_of(each, case.element, calibration) for each in case.references]
    return np.array([measures(fit, each) for fit, each in zip(likenesses, expected, strict=True)])


def observe(cases: Sequence[Case]) -> list[Observed]:
    """The shift and width that each right candidate needs, with nothing expected."""
    found = []
    for case in cases:
        right = case.references[case.right]
        fit = fit_candidate(case.target, right.curve, Bounds(WIDE_EV, WIDTHS_EV), CORRECTION)
        state = state_of(right)
        found.append(Observed(case.compound, case.element, right.metal, state, fit.shift_ev, fit.width_ev))
    return found


def weights_of(cases: Sequence[Case]) -> np.ndarray:
    """(k,) how much each case counts, so that every compound counts once."""
    number = Counter((case.element, case.compound) for case in cases)
    return np.array([1 / number[case.element, case.compound] for case in cases])


def measure_cases(cases: Sequence[Case], theory: str) -> tuple[list[np.ndarray], list[list[Likeness]]]:
    """(n, m) measures and the likenesses of each case's candidates, expected as the other compounds say."""
    observed = observe(cases)
    rows, fits = [], []
    for case in cases:
        others = [each for each in observed if (each.compound, each.element) != (case.compound, case.element)]
        calibration = calibration_with(others, theory)
        fits.append(fit_all(case, calibration))
        rows.append(rows_of(case, fits[-1], calibration))
    return rows, fits


def logits_of(
    cases: Sequence[Case],
    rows: Sequence[np.ndarray],
    fit: Callable[[Sequence[tuple[np.ndarray, int, float]]], np.ndarray] = fit_weights,
) -> list[np.ndarray]:
    """(n,) logits of each case from (n, m) measures, with weights that were fitted to the other compounds."""
    weights = weights_of(cases)
    found = []
    for case, row in zip(cases, rows, strict=True):
        known = [(r, c.right, w) for r, c, w in zip(rows, cases, weights, strict=True) if c.compound != case.compound]
        found.append(-row @ fit(known))
    return found


def state_of(reference: Reference) -> float | None:
    """Oxidation state of a candidate."""
    return reference.surroundings.oxidation_state if reference.surroundings else None


def rank_of(case: Case, chance: np.ndarray) -> int:
    """Rank of the first candidate that has the formula of the right one."""
    order = np.argsort(-chance, kind="stable")
    return 1 + [case.references[i].formula for i in order].index(case.references[case.right].formula)


def shares_of(cases: Sequence[Case], chances: Sequence[np.ndarray]) -> tuple[float, float, float]:
    """Shares of compounds whose right candidate is first, whose is among three, and whose oxidation state is right."""
    by_compound: dict[tuple[str, str], list[tuple[bool, bool, bool]]] = defaultdict(list)
    for case, chance in zip(cases, chances, strict=True):
        rank = rank_of(case, chance)
        states = state_of(case.references[int(np.argmax(chance))]), state_of(case.references[case.right])
        same = None not in states and abs(states[0] - states[1]) < 0.34  # type: ignore[operator]
        by_compound[case.element, case.compound].append((rank == 1, rank <= 3, same))
    first, three, state = np.mean([np.mean(each, axis=0) for each in by_compound.values()], axis=0)
    return float(first), float(three), float(state)


def report(
    cases: Sequence[Case], chances: Sequence[np.ndarray], fits: Sequence[Sequence[Likeness]]
) -> dict[str, float]:
    """Print the ranking table and how well certainties are calibrated; returns the shares by compound."""
    print("| standard | right candidate | rank | certainty | RMS | shift (eV) | first |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for case, chance, fit in zip(cases, chances, fits, strict=True):
        first, right = case.references[int(np.argmax(chance))], case.references[case.right]
        plain = sorted(range(len(fit)), key=lambda i: fit[i].rms)
        print(
            f"| {case.element} {case.name} | {right.id} | {rank_of(case, chance)} ({1 + plain.index(case.right)} by "
            f"RMS) | {chance[case.right]:.2f} | {fit[case.right].rms:.3f} | {fit[case.right].shift_ev:+.2f} | "
            f"{first.id} ({chance.max():.2f}) |"
        )
    first_share, three, state = shares_of(cases, chances)
    number = len({(case.element, case.compound) for case in cases})
    candidates = float(np.mean([len(case.references) for case in cases]))
    print(
        f"\n{len(cases)} spectra of {number} compounds, {candidates:.0f} candidates on average: "
        f"first {first_share:.2f}, among three {three:.2f}, oxidation state {state:.2f}"
    )
    print_calibration(cases, chances)
    known = {
        "spectra": len(cases), "compounds": number, "candidates": round(candidates, 1),
        "first": round(float(first_share), 3), "three": round(float(three), 3),
    }  # fmt: skip
    has_states = any(each.surroundings for case in cases for each in case.references)
    return known | ({"oxidation": round(float(state), 3)} if has_states else {})


def rows_of_all(cases: Sequence[Case], chances: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the candidates of all cases: (n,) stated certainty, whether it is the right one, and how much it counts."""
    right = [np.arange(len(chance)) == case.right for case, chance in zip(cases, chances, strict=True)]
    weights = np.repeat(weights_of(cases), [len(chance) for chance in chances])
    return np.concatenate(chances), np.concatenate(right), weights


def first_rows(cases: Sequence[Case], chances: Sequence[np.ndarray]) -> tuple[float, float]:
    """Stated certainty of the first candidates, and the share of them that is right."""
    top = [(chance.max(), float(chance.argmax() == case.right)) for case, chance in zip(cases, chances, strict=True)]
    stated, right = np.average(np.array(top), axis=0, weights=weights_of(cases))
    return float(stated), float(right)


def print_calibration(cases: Sequence[Case], chances: Sequence[np.ndarray]) -> None:
    """Stated certainty of rows against the share that was right; every compound counts once."""
    values, hits, weights = rows_of_all(cases, chances)
    print("\n| certainty of a row | rows (weighted) | stated | right |\n| --- | --- | --- | --- |")
    for low, high in ((0, 0.05), (0.05, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.01)):
        inside = (values >= low) & (values < high)
        if inside.any():
            w = weights[inside]
            print(
                f"| {low:.2f} to {min(high, 1):.2f} | {w.sum():.1f} | {np.average(values[inside], weights=w):.2f} | "
                f"{np.average(hits[inside], weights=w):.2f} |"
            )
    stated, right = first_rows(cases, chances)
    print(f"\nthe first row: stated {stated:.2f}, right {right:.2f}")


def final_calibration(cases: Sequence[Case], theory: str, known: dict[str, float], rows: Sequence[np.ndarray],
                      fits: Sequence[Sequence[Likeness]]) -> MatchCalibration:  # fmt: skip
    """What is learned from all standards together."""
    known_rows = zip(rows, cases, weights_of(cases), strict=True)
    found = fit_weights([(row, case.right, weight) for row, case, weight in known_rows])
    rms = [fit[case.right].rms for fit, case in zip(fits, cases, strict=True)]
    learned = calibration_with(observe(cases), theory)
    return replace(
        learned,
        weights=dict(zip(MEASURES, np.round(found, 4).tolist(), strict=True)),
        rms_of_right=round(float(np.quantile(rms, 0.9)), 4),
        known=known,
    )


def main() -> None:
    """Print the tables, and write the calibration if asked."""
    parser = parser_of(__doc__)
    parser.add_argument("--write", action="store_true", help="write the calibration into the package")
    given = parser.parse_args()
    if given.theory == MEASURED:
        cases = read_measured_cases(given.data)
    else:
        cases = read_cases(given.data, given.theory, given.cache, given.workers)
    rows, fits = measure_cases(cases, given.theory)
    chances = [softmax(each) for each in logits_of(cases, rows)]
    known = report(cases, chances, fits)
    calibration = final_calibration(cases, given.theory, known, rows, fits)
    print(json.dumps({"weights": dict(calibration.weights)}))
    if given.write:
        calibration.write(CALIBRATIONS / f"{given.theory}.json")


if __name__ == "__main__":
    main()
