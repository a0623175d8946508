"""Does another level of theory find the right structure more often than the embedded engine, or both together?

    python studies/study_matching_levels.py DATA --quick STORE    # quick FEFF alone, and with the embedded engine
    python studies/study_matching_levels.py DATA --model NAME     # a model's predictions of the elements that it covers

DATA is that of study_matching.py; STORE a folder of kept spectra, as `study_matching.py --theory FEFFQ --cache STORE`
fills it. A candidate without a spectrum there keeps that of the embedded engine. Nothing is chosen here: expectations
and weights are learned without the compound that is judged, and every variant tried is in the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matching_standards import STANDARDS, Case, candidates_of, read_cases, spectra_of
from scipy.special import log_softmax, softmax
from study_matching import logits_of, measure_cases, shares_of, weights_of

from xanesflow.core.sites import Subset
from xanesflow.matching.candidates import Candidate
from xanesflow.matching.compute_candidates import DEFAULT_THEORY
from xanesflow.matching.material_spectrum import NormalisedSpectrum
from xanesflow.matching.ranking import Reference
from xanesflow.matching.references import computed_references, load_predictor, predicted_spectra
from xanesflow.matching.spectrum_store import default_folder
from xanesflow.prediction.trained_models import load_models

QUICK = "FEFFQ"

Logits = list[np.ndarray]
"""(n,) of the candidates of each case; the softmax of them are the probabilities."""


def log_losses(cases: Sequence[Case], logits: Logits) -> np.ndarray:
    """(k,) minus the logarithm of the right candidate's probability."""
    return np.array([-log_softmax(each)[case.right] for case, each in zip(cases, logits, strict=True)])


def with_spectra(case: Case, others: dict[str, Reference]) -> Case:
    """The case with the spectra of another level, where it has one."""
    return replace(case, references=[others.get(each.id, each) for each in case.references])


def print_scores(name: str, cases: Sequence[Case], logits: Logits, before: np.ndarray | None = None) -> np.ndarray:
    """Print a row of the table; returns the log-losses.

    Args:
        name: of the variant.
        cases: the standards.
        logits: of their candidates.
        before: (k,) log-losses of what it is compared with.
    """
    shares = shares_of(cases, [softmax(each) for each in logits])
    losses, weights = log_losses(cases, logits), weights_of(cases)
    loss = np.average(losses, weights=weights)
    change = ""
    if before is not None:
        compounds = sorted({(case.element, case.compound) for case in cases})
        of = np.array([compounds.index((case.element, case.compound)) for case in cases])
        by_compound = np.array([np.mean((losses - before)[of == k]) for k in range(len(compounds))])
        change = f" ({by_compound.mean():+.2f} ± {by_compound.std(ddof=1) / np.sqrt(len(compounds)):.2f})"
    numbers = " | ".join(f"{share:.2f}" for share in shares)
    print(f"| {name} | {len({(c.element, c.compound) for c in cases})} | {numbers} | {loss:.2f}{change} |", flush=True)
    return losses


def print_ranks(named: dict[str, tuple[Sequence[Case], Logits]]) -> None:
    """Print the rank of the right formula of each standard's first spectrum, by variant."""
    print(f"\n| standard | {' | '.join(named)} |\n|{' --- |' * (len(named) + 1)}")
    seen = set()
    for number, case in enumerate(next(iter(named.values()))[0]):
        if (case.element, case.compound) in seen:
            continue
        seen.add((case.element, case.compound))
        ranks = []
        for cases, logits in named.values():
            order = np.argsort(-logits[number], kind="stable")
            formulas = [cases[number].references[i].formula for i in order]
            rank = 1 + formulas.index(cases[number].references[case.right].formula)
            ranks.append(f"{rank} ({softmax(logits[number])[case.right]:.2f})")
        print(f"| {case.element} {case.name} | {' | '.join(ranks)} |")


def quick_levels(data: Path, store: Path, elements: Sequence[str], workers: int) -> None:
    """Quick FEFF alone and with the embedded engine, for some elements; the others keep the engine."""
    engine = read_cases(data, DEFAULT_THEORY, None)
    candidates = {element: candidates_of(element) for element in elements}
    references = {
        element: references_by_id(some, spectra_of(some, QUICK, store, workers)) for element, some in candidates.items()
    }
    for element, found in references.items():
        case = next(each for each in engine if each.element == element)
        without = [each.id for each in case.references if each.id not in found]
        print(f"{element}: {len(found)} candidates, without a spectrum of {QUICK}: {', '.join(without) or 'none'}")
    quick = [with_spectra(case, references.get(case.element, {})) for case in engine]
    _compare(engine, quick, QUICK)
    mine = [k for k, case in enumerate(engine) if case.element in elements]
    print(f"\nLearned and judged on {', '.join(elements)} alone:")
    _compare([engine[k] for k in mine], [quick[k] for k in mine], QUICK)


def references_by_id(candidates: Sequence[Candidate], spectra: dict[str, NormalisedSpectrum]) -> dict[str, Reference]:
    """The candidates with these spectra, by id."""
    return {each.id: each for each in computed_references(candidates, spectra, default_folder())}


def _compare(engine: list[Case], other: list[Case], name: str) -> None:
    """Print all variants: the engine, the other level, both sets of measures, the mean of both logits.

    Where some elements keep the engine, their expected shifts may also be those of the engine's spectra alone, as the
    energies of two levels differ.
    """
    engine_rows = measure_cases(engine, DEFAULT_THEORY)[0]
    other_rows = measure_cases(other, name)[0]
    engine_logits, other_logits = logits_of(engine, engine_rows), logits_of(other, other_rows)
    joined = logits_of(engine, [np.hstack(pair) for pair in zip(engine_rows, other_rows, strict=True)])
    mean = [(a + b) / 2 for a, b in zip(engine_logits, other_logits, strict=True)]
    changed = [case.references != before.references for case, before in zip(other, engine, strict=True)]
    apart = logits_of(other, [b if new else a for a, b, new in zip(engine_rows, other_rows, changed, strict=True)])
    print("\n| candidates | compounds | first | among three | oxidation state | log-loss (change) |")
    print("| --- | --- | --- | --- | --- | --- |")
    before = print_scores("embedded engine", engine, engine_logits)
    named = {"engine": (engine, engine_logits)}
    variants = {name: other_logits, "measures of both": joined, "mean of both logits": mean}
    if not all(changed):
        variants[f"{name}, other elements expect what the engine needs"] = apart
    for what, logits in variants.items():
        print_scores(what, other, logits, before)
        named[what] = (other, logits)
    print_ranks(named)


def model_predictions(data: Path, model: str) -> None:
    """A model's predictions instead of the engine's spectra, for the elements that the model covers."""
    covered = {Subset.parse(name).element for ensemble in load_models([model]) for name in ensemble.subsets}
    engine = read_cases(data, DEFAULT_THEORY, None)
    alone: dict[str, dict[str, Reference]] = {}
    continued: dict[str, dict[str, Reference]] = {}
    for element in sorted(covered & {case.element for case in engine}):
        candidates = candidates_of(element)
        spectra = spectra_of(candidates, DEFAULT_THEORY, None)
        predicted, lacking = predicted_spectra(candidates, spectra, *load_predictor([model], element))
        for sentence in lacking:
            print(sentence)
        longer = {name: continue_with(each, spectra[name]) for name, each in predicted.items()}
        alone[element] = references_by_id(candidates, predicted)
        continued[element] = references_by_id(candidates, longer)
    for name, found in ((model, alone), (f"{model}, continued by the engine", continued)):
        _compare(engine, [with_spectra(case, found.get(case.element, {})) for case in engine], name)


def continue_with(predicted: NormalisedSpectrum, engine: NormalisedSpectrum) -> NormalisedSpectrum:
    """A prediction that goes on behind its last energy as the engine's spectrum does, without a step."""
    beyond = engine.energy_ev > predicted.energy_ev[-1]
    step = predicted.values[-1] - np.interp(predicted.energy_ev[-1], engine.energy_ev, engine.values)
    return replace(
        predicted,
        energy_ev=np.append(predicted.energy_ev, engine.energy_ev[beyond]),
        values=np.append(predicted.values, engine.values[beyond] + step),
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the standards, <element>/*.xdi")
    parser.add_argument("--quick", type=Path, help="folder of kept spectra of quick FEFF")
    parser.add_argument("--elements", default=",".join(STANDARDS), help="that quick FEFF is taken for, as Cu,V")
    parser.add_argument("--workers", type=int, default=1, help="sites that are computed at a time")
    parser.add_argument("--model", help="file or name of a trained model")
    given = parser.parse_args()
    if given.quick:
        quick_levels(given.data, given.quick, given.elements.split(","), given.workers)
    if given.model:
        model_predictions(given.data, given.model)


if __name__ == "__main__":
    main()
