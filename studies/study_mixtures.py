"""How often are the right two standards found in a mixture of measured spectra?

    python studies/study_mixtures.py DATA                      # with the computed examples and minerals as standards
    python studies/study_mixtures.py DATA --theory measured    # with measured scans of other sources as standards
    python studies/study_mixtures.py DATA --write              # also into the calibration of the level of theory

Mixtures are made of two measured standards of one element (DATA as of study_matching.py), in shares from 0.2 to 0.8,
and fitted with combinations of at most two standards. Measured standards are one scan of each compound of the element;
those of the two compounds that are mixed have another source: another temperature, sample or beamline.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from matching_standards import STANDARDS, Case, read_cases, sources_of

from xanesflow.matching.choice_model import CALIBRATIONS, MEASURED, read_match_calibration
from xanesflow.matching.compute_candidates import DEFAULT_THEORY
from xanesflow.matching.mixtures import Standard, fit_mixtures
from xanesflow.matching.references import computed_standards
from xanesflow.measured import MeasuredSpectrum, read_measured

SHARES = (0.2, 0.4, 0.6, 0.8)
MOST_PAIRS = 8
"""Pairs of an element, chosen by chance, where the standards are computed."""

_BEAMLINE = re.compile(r"^# *Beamline\.name: *(.+?) *$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, eq=False)
class Trial:
    """A mixture and what it is fitted with.

    Attributes:
        element: symbol of the absorber.
        pair: names of the two right standards.
        share: of the first.
        spectrum: the mixture.
        standards: the right ones among them.
        kind: where the right standards come from.
    """

    element: str
    pair: tuple[str, str]
    share: float
    spectrum: MeasuredSpectrum
    standards: list[Standard]
    kind: str


def mixture(one: MeasuredSpectrum, other: MeasuredSpectrum, share: float) -> MeasuredSpectrum:
    """A spectrum of `share` of one and the rest of the other."""
    mixed = share * one.flattened + (1 - share) * np.interp(one.energy_ev, other.energy_ev, other.flattened)
    return replace(one, flattened=mixed, source=f"{one.source} and {other.source}")


def beamline(path: Path) -> str:
    """Name of the beamline in the head of a file; the file's name where there is none."""
    found = _BEAMLINE.search(path.read_text(encoding="utf-8", errors="replace"))
    return found[1] if found else path.stem


def computed_trials(data: Path, theory: str, cache: Path | None) -> Iterator[Trial]:
    """Mixtures of pairs of compounds that are drawn by chance, with computed standards."""
    rng = np.random.default_rng(0)
    calibration = read_match_calibration(theory)
    once: dict[str, dict[str, Case]] = defaultdict(dict)
    for case in read_cases(data, theory, cache):
        once[case.element].setdefault(case.compound, case)
    number = 0
    for element in STANDARDS:
        pairs = list(combinations(once[element].values(), 2))
        for k in rng.permutation(len(pairs))[:MOST_PAIRS]:
            one, other = pairs[k]
            share = SHARES[number % len(SHARES)]
            number += 1
            first, second = (read_measured(data / element / f"{each.name}.xdi")[0] for each in (one, other))
            standards = computed_standards(one.references, element, calibration)
            yield Trial(
                element, (one.compound, other.compound), share, mixture(first, second, share), standards, theory
            )


def measured_trials(data: Path) -> Iterator[Trial]:
    """Mixtures of the first sources of all pairs of compounds that have two, with the last sources as standards.

    And the reverse. Further compounds of the element are standards with their only source.
    """
    for element in STANDARDS:
        files = {name: list(sources.items()) for name, sources in sources_of(data, element).items()}
        pairs = list(combinations([name for name, sources in files.items() if len(sources) > 1], 2))
        read = {path: read_measured(path)[0] for sources in files.values() for _, path in sources} if pairs else {}
        for pair in pairs:
            far = any(len({beamline(files[name][k][1]) for k in (0, -1)}) > 1 for name in pair)
            kind = "another beamline" if far else "another temperature"
            for mixed, known in ((0, -1), (-1, 0)):
                one, other = (read[files[name][mixed][1]] for name in pair)
                standards = [
                    Standard(name, each.energy_ev, each.flattened)
                    for name, each in ((name, read[sources[known][1]]) for name, sources in files.items())
                ]
                for share in SHARES:
                    yield Trial(element, pair, share, mixture(one, other, share), standards, kind)


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--theory", default=DEFAULT_THEORY)
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    measured = given.theory == MEASURED
    trials = measured_trials(given.data) if measured else computed_trials(given.data, given.theory, given.cache)
    both: dict[str, list[bool]] = defaultdict(list)
    one_of_them: dict[str, list[bool]] = defaultdict(list)
    away: dict[str, list[float]] = defaultdict(list)
    pairs: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for trial in trials:
        best = fit_mixtures(trial.spectrum, trial.standards, most=2).mixtures[0]
        right = set(trial.pair)
        found = set(best.standards) == right
        for kind in {trial.kind, "all"}:
            pairs[kind].add(trial.pair)
            both[kind].append(found)
            one_of_them[kind].append(bool(set(best.standards) & right))
            if found:
                fraction = float(best.fractions[best.standards.index(trial.pair[0])])
                away[kind].append(abs(fraction - trial.share))
        print(f"{trial.spectrum.source} {trial.share}: {', '.join(best.standards)}", flush=True)
    print("\n| right standards | pairs | mixtures | both right | one right | fraction off by |")
    print("| --- | --- | --- | --- | --- | --- |")
    for kind in sorted(both):
        off = f"{np.mean(away[kind]):.3f}" if away[kind] else "–"
        print(
            f"| {kind} | {len(pairs[kind])} | {len(both[kind])} | {np.mean(both[kind]):.2f} | "
            f"{np.mean(one_of_them[kind]):.2f} | {off} |"
        )
    if given.write:
        calibration = read_match_calibration(given.theory)
        numbers = {"mixtures": len(both["all"]), "right_pair": round(float(np.mean(both["all"])), 3)}
        replace(calibration, known={**calibration.known, **numbers}).write(CALIBRATIONS / f"{given.theory}.json")


if __name__ == "__main__":
    main()
