"""How often are the right two standards found in a mixture of measured spectra?

    python studies/study_mixtures.py DATA            # with the computed examples and minerals as standards
    python studies/study_mixtures.py DATA --write    # also into the calibration of the level of theory

Mixtures are made of two measured standards of one element (DATA as of study_matching.py), in shares from 0.2 to 0.8,
and fitted with combinations of at most two standards.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from study_matching import STANDARDS, Case, read_cases

from xanesflow.matching.choice_model import CALIBRATIONS, read_calibration
from xanesflow.matching.compute_candidates import default_theory
from xanesflow.matching.mixtures import Standard, fit_mixtures
from xanesflow.matching.references import computed_standards
from xanesflow.measured import MeasuredSpectrum, read_measured

SHARES = (0.2, 0.4, 0.6, 0.8)
MOST_PAIRS = 8
"""Pairs of an element, chosen by chance."""


def mixture(one: MeasuredSpectrum, other: MeasuredSpectrum, share: float) -> MeasuredSpectrum:
    """A spectrum of `share` of one and the rest of the other."""
    mixed = share * one.flattened + (1 - share) * np.interp(one.energy_ev, other.energy_ev, other.flattened)
    return replace(one, flattened=mixed, source=f"{one.source} and {other.source}")


def trials(data: Path, cases: list[Case]) -> list[tuple[Case, Case, MeasuredSpectrum, float]]:
    """Pairs of compounds with their mixture and the first one's share."""
    rng = np.random.default_rng(0)
    once: dict[str, dict[str, Case]] = defaultdict(dict)
    for case in cases:
        once[case.element].setdefault(case.compound, case)
    found = []
    for element in STANDARDS:
        pairs = list(combinations(once[element].values(), 2))
        for number in rng.permutation(len(pairs))[:MOST_PAIRS]:
            one, other = pairs[number]
            share = SHARES[len(found) % len(SHARES)]
            first, second = (read_measured(data / element / f"{each.name}.xdi")[0] for each in (one, other))
            found.append((one, other, mixture(first, second, share), share))
    return found


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--theory", default=default_theory())
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    calibration = read_calibration(given.theory)
    both, one_of_them, away = [], [], []
    for one, other, spectrum, share in trials(given.data, read_cases(given.data, given.theory, given.cache)):
        standards: list[Standard] = computed_standards(one.references, one.element, calibration)
        best = fit_mixtures(spectrum, standards, most=2).mixtures[0]
        right = {one.compound, other.compound}
        both.append(set(best.standards) == right)
        one_of_them.append(bool(set(best.standards) & right))
        if both[-1]:
            away.append(abs(float(best.fractions[best.standards.index(one.compound)]) - share))
        print(f"{spectrum.source} {share}: {', '.join(best.standards)}", flush=True)
    print(f"{len(both)} mixtures: both right {np.mean(both):.2f}, one right {np.mean(one_of_them):.2f}")
    if away:
        print(f"fractions of those are off by {np.mean(away):.2f}")
    if given.write:
        known = {**calibration.known, "mixtures": len(both), "right_pair": round(float(np.mean(both)), 3)}
        replace(calibration, known=known).write(CALIBRATIONS / f"{given.theory}.json")


if __name__ == "__main__":
    main()
