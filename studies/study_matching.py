"""How often is the right structure found, how sure is that, and what does a match learn from known standards?

    python studies/study_matching.py DATA                      # the tables of docs/studies/matching.md
    python studies/study_matching.py DATA --write              # also the calibration that comes with the package
    python studies/study_matching.py DATA --theory NAME        # for another level of theory
    python studies/study_matching.py DATA --theory measured    # with measured spectra of other sources as candidates

DATA holds measured spectra of known compounds, `<element>/*.xdi`, as the XAS Data Library has them. Candidates are all
examples that hold the element and the minerals that the standards need. Every compound is ranked with expectations and
weights that were learned from the others. The form of the correction (`CORRECTION`) was chosen on all of them.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import softmax

from xanesflow.matching.candidates import Candidate, find_candidates
from xanesflow.matching.choice_model import (
    CALIBRATIONS,
    HIGHEST,
    MEASURES,
    PIVOT,
    Expected,
    MatchCalibration,
    fit_weights,
    measures,
)
from xanesflow.matching.compute_candidates import compute_missing, default_theory, make_engine, plan_spectra
from xanesflow.matching.likeness import Bounds, Curve, Likeness, SpectrumCorrection, Target, fit_candidate, target_of
from xanesflow.matching.rank_candidates import expected_of
from xanesflow.matching.ranking import Reference
from xanesflow.matching.references import MEASURED, computed_references, material_spectra
from xanesflow.matching.spectrum_store import SpectrumStore, default_folder
from xanesflow.measured import read_measured
from xanesflow.spectra.compute_sites import cores

CORRECTION = SpectrumCorrection(stretch=1.05, width_at_edge=0.3, width_far=1.3, rise_ev=10.0)
WIDTHS_EV = (0.5, 4.5)
WIDE_EV = (-11.0, 4.0)
"""Shifts searched where nothing is expected yet."""

MEASURED_SHIFT, MEASURED_WIDTHS_EV = Expected(0.0, 1.5, 0.5), (0.0, 2.0)
"""For measured candidates: beamlines differ in energy, and one of two spectra may be sharper."""

LEAST_SD_EV = 0.7
"""Of an expected shift: beamlines differ by as much."""

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


def read_measured_cases(data: Path) -> list[Case]:
    """The standards with measured spectra of the element as candidates, one of each compound.

    Repeats have one name up to a number at its end. Of the right compound, a spectrum with another name is a candidate;
    compounds of which there is none are left out.
    """
    cases: list[Case] = []
    for element in sorted(each.name for each in data.iterdir() if each.is_dir()):
        files: dict[str, dict[str, Path]] = defaultdict(dict)
        for path in sorted((data / element).glob("*.xdi")):
            source = re.sub(r"_\d+$", "", path.stem)
            files[structure_of(element, path.stem) or source].setdefault(source, path)
        read = {path: read_measured(path)[0] for sources in files.values() for path in sources.values()}
        for compound, sources in files.items():
            for source, path in list(sources.items())[:MOST_REPEATS]:
                others = {
                    name: next((each for key, each in group.items() if key != source), None)
                    for name, group in files.items()
                }
                if others[compound] is None:
                    continue
                chosen = [(name, read[each]) for name, each in others.items() if each is not None]
                references = [
                    Reference(name, "", name, Curve(each.energy_ev, each.flattened, each.half_step_ev))
                    for name, each in chosen
                ]
                right = [name for name, _ in chosen].index(compound)
                cases.append(Case(path.stem, compound, element, target_of(read[path]), references, right))
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


def leave_one_out(
    cases: Sequence[Case], theory: str
) -> tuple[list[np.ndarray], list[np.ndarray], list[list[Likeness]]]:
    """Probabilities and measures of each case, learned from the other compounds only."""
    observed = observe(cases)
    fits, rows = [], []
    for case in cases:
        others = [each for each in observed if (each.compound, each.element) != (case.compound, case.element)]
        calibration = calibration_with(others, theory)
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
    known = {
        "spectra": len(cases), "compounds": len(by_compound), "candidates": round(candidates, 1),
        "first": round(float(first_share), 3), "three": round(float(three), 3),
    }  # fmt: skip
    has_states = any(each.surroundings for case in cases for each in case.references)
    return known | ({"oxidation": round(float(state), 3)} if has_states else {})


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
                      fits: Sequence[Sequence[Likeness]]) -> MatchCalibration:  # fmt: skip
    """What is learned from all standards together."""
    weights = [1 / sum(c.compound == case.compound for c in cases) for case in cases]
    found = fit_weights([(row, case.right, w) for row, case, w in zip(rows, cases, weights, strict=True)])
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the standards, <element>/*.xdi")
    parser.add_argument("--theory", default=default_theory())
    parser.add_argument("--cache", type=Path, default=None, help="folder of kept spectra; default: the user's")
    parser.add_argument("--write", action="store_true", help="write the calibration into the package")
    given = parser.parse_args()
    if given.theory == MEASURED:
        cases = read_measured_cases(given.data)
    else:
        cases = read_cases(given.data, given.theory, given.cache)
    chances, rows, fits = leave_one_out(cases, given.theory)
    known = report(cases, chances, fits)
    calibration = final_calibration(cases, given.theory, known, rows, fits)
    print(json.dumps({"weights": dict(calibration.weights)}))
    if given.write:
        calibration.write(CALIBRATIONS / f"{given.theory}.json")


if __name__ == "__main__":
    main()
