"""How often is the right structure found, how sure is that, and what does a match learn from known standards?

    python studies/study_matching.py DATA                      # the tables of docs/studies/matching.md
    python studies/study_matching.py DATA --write              # also the calibration that comes with the package
    python studies/study_matching.py DATA --theory NAME        # for another level of theory
    python studies/study_matching.py DATA --measured           # with measured spectra of other sources as candidates

DATA holds measured spectra of known compounds, `<element>/*.xdi`, as the XAS Data Library has them. Candidates are all
examples that hold the element and the minerals that the standards need. Every compound is ranked with expectations and
weights that were learned from the others. The form of the correction (`CORRECTION`) was chosen on all of them.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xanesflow.core.parallel import cores
from xanesflow.matching.candidates import Candidate, find_candidates
from xanesflow.matching.choice_model import (
    CALIBRATIONS,
    MEASURES,
    Calibration,
    Expected,
    fit_weights,
    measures,
    softmax,
)
from xanesflow.matching.compute_candidates import DEFAULT_THEORY, compute_missing, make_engine, plan_spectra
from xanesflow.matching.likeness import Bounds, Correction, Likeness, Target, fit_candidate, target_of
from xanesflow.matching.match import Reference
from xanesflow.matching.references import computed_references, material_spectra
from xanesflow.matching.spectrum_store import SpectrumStore, default_folder
from xanesflow.measured import read_measured

CORRECTION = Correction(stretch=1.05, width_at_edge=0.3, width_far=2.0, rise_ev=15.0)
WIDTHS_EV = (0.5, 4.5)
WIDE_EV = (-11.0, 4.0)
"""Shifts searched where nothing is expected yet."""

MOST_REPEATS = 3
"""Spectra of one compound that count, so that repeats of a scan do not rule the result."""

STANDARDS = {
    "V": {"V2O3": "v2o3-corundum", "V2O5": "v2o5-shcherbinaite", "VO2": "vo2-monoclinic", "VO": "vo-rocksalt",
          "V_foil": "v-bcc"},
    "Cr": {"cr2o3": "cr2o3-corundum", "cr2s3": "amcsd-0009200", "cro2": "cro2-rutile", "k2cr2o7": "amcsd-0010323",
           "k2cro4": "k2cro4-tarapacaite", "na2cro4": "amcsd-0016962"},
    "Mn": {"Mn2O3": "mn2o3-bixbyite", "Mn3O4": "mn3o4-hausmannite", "MnO2": "mno2-rutile", "MnO": "mno-rocksalt"},
    "Fe": {"Fe2O3": "fe2o3-hematite", "Fe3C": "amcsd-0019112", "Fe3O4": "fe3o4-magnetite", "FeO": "feo-rocksalt",
           "FeS2": "amcsd-0012728", "Fe_": "fe-bcc", "Hansel2001_Fe_foil": "fe-bcc",
           "Hansel2001_goethite": "amcsd-0010471", "Hansel2001_magnetite": "fe3o4-magnetite",
           "Hansel2001_siderite": "feco3-calcite"},
    "Co": {"co_metal": "co-hcp"},
    "Ni": {"NiS": "amcsd-0005097", "Ni_metal": "ni-fcc"},
    "Cu": {"CuO": "cuo-tenorite", "CuS": "amcsd-0010979", "Cu_azurite": "amcsd-0008598", "Cu_Foil": "cu-fcc",
           "cu_metal": "cu-fcc"},
}  # fmt: skip
"""Beginning of a file's name and the id of its structure, by element; the longest beginning counts."""


@dataclass(frozen=True, eq=False)
class Case:
    """A measured standard and its candidates.

    Attributes:
        name: of the file.
        compound: id of the right candidate.
        element: symbol of the absorber.
        target: the part of the spectrum that is compared.
        references: the candidates.
        right: row of the right one.
    """

    name: str
    compound: str
    element: str
    target: Target
    references: Sequence[Reference]
    right: int


def structure_of(element: str, name: str) -> str | None:
    """Id of the structure of a file; None if it is no standard of the list."""
    fits = [each for each in STANDARDS.get(element, {}) if name.startswith(each)]
    return STANDARDS[element][max(fits, key=len)] if fits else None


def read_cases(data: Path, theory: str, cache: Path | None) -> list[Case]:
    """The standards with their candidates, whose missing spectra are computed."""
    cases: list[Case] = []
    for element, structures in STANDARDS.items():
        ids = sorted({each for each in structures.values() if each.startswith("amcsd")})
        candidates, _ = find_candidates(["examples", *ids], element)
        references = references_of(candidates, theory, cache)
        seen: Counter[str] = Counter()
        for path in sorted((data / element).glob("*.xdi")):
            compound = structure_of(element, path.stem)
            rows = [number for number, each in enumerate(references) if each.id == compound]
            if compound is None or not rows or seen[compound] >= MOST_REPEATS:
                continue
            seen[compound] += 1
            spectrum = read_measured(path)[0]
            cases.append(Case(path.stem, compound, element, target_of(spectrum), references, rows[0]))
    return cases


def references_of(candidates: Sequence[Candidate], theory: str, cache: Path | None) -> list[Reference]:
    """The candidates with their spectra."""
    engine, store = make_engine(theory), SpectrumStore(theory, cache)
    plan = plan_spectra(candidates, engine, store)
    spectra = compute_missing(plan, engine, store, workers=cores())
    found, failed = material_spectra(candidates, plan, spectra)
    for sentence in failed:
        print(sentence)
    return computed_references(candidates, found, cache or default_folder())


def expect(observed: Sequence[tuple[str, str, bool, float]]) -> dict[str, dict[str, Expected]]:
    """Expected shifts from those of right candidates: (compound, element, metal, shift).

    The mean of an element is drawn to the mean of all by as much as one compound more.
    """
    found: dict[str, dict[str, Expected]] = {}
    for kind, metal in (("metal", True), ("compound", False)):
        by_compound: dict[tuple[str, str], list[float]] = defaultdict(list)
        for compound, element, is_metal, shift in observed:
            if is_metal == metal:
                by_compound[element, compound].append(shift)
        means = [(element, float(np.mean(shifts))) for (element, _), shifts in by_compound.items()]
        if not means:
            found[kind] = {"other": Expected(float(np.mean(WIDE_EV)), float(np.ptp(WIDE_EV)) / 4)}
            continue
        everything = float(np.mean([mean for _, mean in means]))
        centres, residuals = {}, []
        for element in {element for element, _ in means}:
            own = [mean for each, mean in means if each == element]
            centres[element] = (sum(own) + everything) / (len(own) + 1)
            for number, mean in enumerate(own):
                others = [*own[:number], *own[number + 1 :], everything]
                residuals.append(mean - float(np.mean(others)))
        sd = max(float(np.sqrt(np.mean(np.square(residuals)))), 0.8)
        found[kind] = {element: Expected(centre, sd) for element, centre in sorted(centres.items())}
        found[kind]["other"] = Expected(everything, max(1.5 * sd, float(np.std([mean for _, mean in means]))))
    return found


def calibration_with(expected: dict[str, dict[str, Expected]], theory: str) -> Calibration:
    """A calibration that only knows the shifts."""
    return Calibration(theory, {}, expected, WIDTHS_EV, 0.0, CORRECTION, 1.0)


def fit_all(case: Case, calibration: Calibration) -> list[Likeness]:
    """The likeness of every candidate of a case."""
    return [
        fit_candidate(
            case.target, each.curve, calibration.bounds(case.element, metal=each.metal), calibration.correction
        )
        for each in case.references
    ]


def rows_of(case: Case, likenesses: Sequence[Likeness], calibration: Calibration) -> np.ndarray:
    """(n, m) measures of the candidates."""
    shifts = [calibration.expected_shift(case.element, metal=each.metal) for each in case.references]
    return np.array([measures(fit, shift) for fit, shift in zip(likenesses, shifts, strict=True)])


def observe(cases: Sequence[Case]) -> list[tuple[str, str, bool, float]]:
    """The shift that each right candidate needs, with nothing expected."""
    found = []
    for case in cases:
        right = case.references[case.right]
        fit = fit_candidate(case.target, right.curve, Bounds(WIDE_EV, WIDTHS_EV), CORRECTION)
        found.append((case.compound, case.element, right.metal, fit.shift_ev))
    return found


def leave_one_out(
    cases: Sequence[Case], theory: str
) -> tuple[list[np.ndarray], list[np.ndarray], list[list[Likeness]]]:
    """Probabilities and measures of each case, learned from the other compounds only."""
    observed = observe(cases)
    fits, rows = [], []
    for case in cases:
        others = [each for each in observed if each[:2] != (case.compound, case.element)]
        calibration = calibration_with(expect(others), theory)
        fits.append(fit_all(case, calibration))
        rows.append(rows_of(case, fits[-1], calibration))
    weights = [1 / sum(c.compound == case.compound for c in cases) for case in cases]
    chances = []
    for case, row in zip(cases, rows, strict=True):
        known = [(r, c.right, w) for r, c, w in zip(rows, cases, weights, strict=True) if c.compound != case.compound]
        chances.append(softmax(-row @ fit_weights(known)))
    return chances, rows, fits


def state_of(reference: Reference) -> float | None:
    """Oxidation state of a candidate."""
    return reference.surroundings.oxidation_state if reference.surroundings else None


def report(
    cases: Sequence[Case], chances: Sequence[np.ndarray], fits: Sequence[Sequence[Likeness]]
) -> dict[str, float]:
    """Print the ranking table and how well certainties are calibrated; returns the shares by compound."""
    by_compound: dict[str, list[tuple[int, bool, bool, bool]]] = defaultdict(list)
    pairs = []
    print("| standard | right candidate | rank | certainty | RMS | shift (eV) | first |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for case, chance, fit in zip(cases, chances, fits, strict=True):
        order = np.argsort(-chance, kind="stable").tolist()
        first, right = case.references[order[0]], case.references[case.right]
        formulas = [case.references[i].formula for i in order]
        rank = 1 + formulas.index(right.formula)
        states = state_of(first), state_of(right)
        same = None not in states and abs(states[0] - states[1]) < 0.34  # type: ignore[operator]
        plain = sorted(range(len(fit)), key=lambda i: fit[i].rms)
        by_compound[f"{case.element} {case.compound}"].append((rank, rank == 1, rank <= 3, same))
        pairs += [(float(p), i == case.right, case.compound) for i, p in enumerate(chance)]
        print(
            f"| {case.element} {case.name} | {right.id} | {rank} ({1 + plain.index(case.right)} by RMS) | "
            f"{chance[case.right]:.2f} | {fit[case.right].rms:.3f} | {fit[case.right].shift_ev:+.2f} | "
            f"{first.id} ({chance[order[0]]:.2f}) |"
        )
    shares = [np.mean([[each[1], each[2], each[3]] for each in each_one], axis=0) for each_one in by_compound.values()]
    first_share, three, state = np.mean(shares, axis=0)
    candidates = float(np.mean([len(case.references) for case in cases]))
    print(
        f"\n{len(cases)} spectra of {len(by_compound)} compounds, {candidates:.0f} candidates on average: "
        f"first {first_share:.2f}, among three {three:.2f}, oxidation state {state:.2f}"
    )
    print_calibration(cases, chances)
    return {
        "spectra": len(cases), "compounds": len(by_compound), "candidates": round(candidates, 1),
        "first": round(float(first_share), 3), "three": round(float(three), 3), "oxidation": round(float(state), 3),
    }  # fmt: skip


def print_calibration(cases: Sequence[Case], chances: Sequence[np.ndarray]) -> None:
    """Stated certainty of rows against the share that was right; every compound counts once."""
    stated, right, weight = [], [], []
    for case, chance in zip(cases, chances, strict=True):
        of_compound = sum(each.compound == case.compound for each in cases)
        for number, value in enumerate(chance):
            stated.append(value)
            right.append(number == case.right)
            weight.append(1 / of_compound)
    values, hits, weights = np.array(stated), np.array(right), np.array(weight)
    print("\n| certainty of a row | rows (weighted) | stated | right |\n| --- | --- | --- | --- |")
    for low, high in ((0, 0.05), (0.05, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.01)):
        inside = (values >= low) & (values < high)
        if inside.any():
            w = weights[inside]
            print(
                f"| {low:.2f} to {min(high, 1):.2f} | {w.sum():.1f} | {np.average(values[inside], weights=w):.2f} | "
                f"{np.average(hits[inside], weights=w):.2f} |"
            )
    top = [
        (float(chance.max()), int(chance.argmax()) == case.right) for case, chance in zip(cases, chances, strict=True)
    ]
    once = np.array([1 / sum(each.compound == case.compound for each in cases) for case in cases])
    stated_top, right_top = np.average(np.array(top, dtype=float), axis=0, weights=once)
    print(f"\nthe first row: stated {stated_top:.2f}, right {right_top:.2f}")


def final_calibration(cases: Sequence[Case], theory: str, known: dict[str, float], rows: Sequence[np.ndarray],
                      fits: Sequence[Sequence[Likeness]]) -> Calibration:  # fmt: skip
    """What is learned from all standards together."""
    weights = [1 / sum(c.compound == case.compound for c in cases) for case in cases]
    found = fit_weights([(row, case.right, w) for row, case, w in zip(rows, cases, weights, strict=True)])
    rms = [fit[case.right].rms for fit, case in zip(fits, cases, strict=True)]
    widths = [fit[case.right].width_ev for fit, case in zip(fits, cases, strict=True)]
    expected = expect(observe(cases))
    return Calibration(
        theory,
        dict(zip(MEASURES, np.round(found, 4).tolist(), strict=True)),
        expected,
        WIDTHS_EV,
        round(float(np.mean(widths)), 2),
        CORRECTION,
        round(float(np.quantile(rms, 0.9)), 4),
        known,
    )


def main() -> None:
    """Print the tables, and write the calibration if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the standards, <element>/*.xdi")
    parser.add_argument("--theory", default=DEFAULT_THEORY)
    parser.add_argument("--cache", type=Path, default=None, help="folder of kept spectra; default: the user's")
    parser.add_argument("--write", action="store_true", help="write the calibration into the package")
    given = parser.parse_args()
    cases = read_cases(given.data, given.theory, given.cache)
    chances, rows, fits = leave_one_out(cases, given.theory)
    known = report(cases, chances, fits)
    calibration = final_calibration(cases, given.theory, known, rows, fits)
    print(json.dumps({"weights": dict(calibration.weights)}))
    if given.write:
        calibration.write(CALIBRATIONS / f"{given.theory}.json")


if __name__ == "__main__":
    main()
