"""How far are FEFF's energies from measured ones, and how well does that follow from element and kind of compound?

    python studies/study_energies.py DATA DATASET               the table of docs/studies/energies.md
    python studies/study_energies.py DATA DATASET --write       and what `--align experiment` knows of FEFF

DATA holds measured spectra of known compounds, `measured/<element>/*.xdi`, and feff10-reference.npz, FEFF 10 of example
structures; DATASET is that of campaigns/builtin_cu.yaml, published Cu spectra of FEFF 9. With --quick DIR also quick
FEFF: the spectra that a store of `xanesflow match` has (`studies/study_matching.py --theory FEFFQ --cache DIR` computes
them). Each computed spectrum is laid over measured ones: shift, width of a Gaussian and scale that fit best.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matching_standards import STANDARDS, structure_of
from study_matching import WIDTHS_EV, Observed, expect

from xanesflow.dataset.read_dataset import load
from xanesflow.matching.candidates import find_candidates
from xanesflow.matching.choice_model import PIVOT, Expected, MatchCalibration
from xanesflow.matching.compute_candidates import make_engine, plan_spectra
from xanesflow.matching.experiment_energies import ENERGIES
from xanesflow.matching.likeness import _GRID, SpectrumCorrection, Target, _gaussians, target_of
from xanesflow.matching.references import material_spectra
from xanesflow.matching.spectrum_store import SpectrumStore
from xanesflow.matching.surroundings import describe_surroundings, is_metallic
from xanesflow.measured import read_measured

SHIFTS_EV = np.arange(-14.0, 6.0, 0.25)
QUICK_SPREAD_EV = 0.33
"""Scatter of quick FEFF's energies against FEFF's at the paper's settings (docs/studies/quick-feff.md)."""

PUBLISHED = {"cuo-tenorite": "mp-1692", "amcsd-0008598": "mp-23733"}
"""Standards among the published Cu runs, tenorite and azurite, and their materials."""


@dataclass(frozen=True, eq=False)
class Computed:
    """A computed spectrum: standard, element, source, and energies and cross sections."""

    compound: str
    element: str
    source: str
    energy_ev: np.ndarray
    values: np.ndarray


def computed(data: Path, dataset: Path, quick: Path | None) -> Iterator[Computed]:
    """All computed spectra of standards."""
    stored = np.load(data / "feff10-reference.npz")
    known = {(element, name) for element, names in STANDARDS.items() for name in names.values()}
    seen = set()
    for k, site in enumerate(stored["ids"].tolist()):
        element, name = str(stored["element"][k]), site.rpartition("_")[0]
        if (element, name) in known and name not in seen:
            seen.add(name)
            yield Computed(name, element, "FEFF 10", stored[f"energy_{k}"], stored[f"mu_{k}"])
    with load(dataset) as file:
        copper = file["Cu_FEFF"]
        spectra, ids = copper.read("spectra"), list(copper.ids)
        weights = np.asarray(copper.multiplicity)
        for name, material in PUBLISHED.items():
            rows = [k for k, site in enumerate(ids) if site.rpartition("_")[0] == material]
            mean = np.average(spectra[rows], axis=0, weights=weights[rows])
            yield Computed(name, "Cu", "FEFF 9", copper.energy, mean)
    if quick is None:
        return
    store = SpectrumStore("FEFFQ", quick)
    for element, names in STANDARDS.items():
        for name in dict.fromkeys(names.values()):
            candidates, _ = find_candidates([name], element)
            plan = plan_spectra(candidates, make_engine("FEFFQ", element), store)
            if plan.missing:
                continue
            found, _ = material_spectra(candidates, plan, plan.known)
            if name in found:
                yield Computed(name, element, "quick FEFF", found[name].energy_ev, found[name].values)


def fit(target: Target, spectrum: Computed) -> tuple[float, float, float]:
    """Shift and width in eV at which a spectrum fits best, its scale being free, and the RMS in edge steps."""
    middle = float(spectrum.energy_ev[0])
    best = (np.inf, 0.0, 0.0)
    even = np.interp(_GRID, spectrum.energy_ev - middle, spectrum.values)
    for width in np.arange(0.25, WIDTHS_EV[1] + 0.1, 0.25):
        broadened = _gaussians(float(width), SpectrumCorrection()) @ even
        for shift in SHIFTS_EV:
            reach = target.energy_ev - shift <= spectrum.energy_ev[-1]
            laid, measured = np.interp(target.energy_ev[reach] - shift - middle, _GRID, broadened), target.values[reach]
            rms = float(np.sqrt(np.mean((laid * (laid @ measured) / (laid @ laid) - measured) ** 2)))
            best = min(best, (rms, float(shift), float(width)))
    return best[1], best[2], best[0]


def main() -> None:
    """Print the tables, and write what is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--quick", type=Path, help="store of `xanesflow match`")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    scans = defaultdict(list)
    for element in STANDARDS:
        for path in sorted((given.data / "measured" / element).glob("*.xdi")):
            if len(scans[element, structure_of(element, path.stem)]) < 3:
                scans[element, structure_of(element, path.stem)].append(path)
    observed: list[Observed] = []
    print("| standard | computed by | state | scans | shift eV | width eV | RMS |")
    print("|" + " --- |" * 7)
    for each in computed(given.data, given.dataset, given.quick):
        paths = scans[each.element, each.compound]
        (candidate,), _ = find_candidates([each.compound], each.element)
        metal = is_metallic(candidate.structure())
        state = describe_surroundings(candidate).oxidation_state
        fits = np.array([fit(target_of(read_measured(path)[0]), each) for path in paths])
        shift, width, rms = np.median(fits, axis=0)
        observed += [Observed(each.compound, each.element, metal, state, one[0], one[1]) for one in fits]
        print(
            f"| {each.element} {candidate.formula} ({each.compound}) | {each.source} | "
            f"{'metal' if metal else state} | {len(fits)} | {shift:+.2f} | {width:.2f} | {rms:.3f} |", flush=True
        )  # fmt: skip
    expected, slope = expect(observed)
    print(f"slope {slope} eV for one more in the oxidation state, about +{PIVOT:g}")
    for kind, names in expected.items():
        for name, one in names.items():
            print(f"| {kind} | {name} | {one.mean_ev:+.2f} | {one.sd_ev:.2f} |")
    print("Left out one by one: " + ", ".join(f"{name} {error:+.2f}" for name, error in left_out(observed)))
    if given.write:
        for theory, more in (("FEFF", 0.0), ("FEFFQ", QUICK_SPREAD_EV)):
            wider = {kind: {name: widened(one, more) for name, one in each.items()} for kind, each in expected.items()}
            known = MatchCalibration(theory, {}, wider, slope, WIDTHS_EV, SpectrumCorrection(), 1.0)
            known.write(ENERGIES / f"{theory}.json")


def widened(expected: Expected, more_ev: float) -> Expected:
    """With a further, independent spread."""
    return replace(expected, sd_ev=round(float(np.hypot(expected.sd_ev, more_ev)), 3))


def left_out(observed: list[Observed]) -> Iterator[tuple[str, float]]:
    """Each standard, and how far its shift is from what all others let expect."""
    for name in dict.fromkeys(each.compound for each in observed):
        mine = [each for each in observed if each.compound == name]
        expected, slope = expect([each for each in observed if each.compound != name])
        known = MatchCalibration("", {}, expected, slope, WIDTHS_EV, SpectrumCorrection(), 1.0)
        one = known.expects(mine[0].element, metal=mine[0].metal, oxidation_state=mine[0].state)
        yield name, float(np.median([each.shift_ev for each in mine])) - one.mean_ev


if __name__ == "__main__":
    main()
