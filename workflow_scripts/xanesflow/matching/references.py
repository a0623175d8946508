"""Make the references of a match: from the engine's spectra, a model's predictions, or measured spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xanesflow.core.energy_grid import even_energies
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import list_files
from xanesflow.core.sites import Subset
from xanesflow.core.text import plural
from xanesflow.matching.candidates import Candidate
from xanesflow.matching.choice_model import MatchCalibration
from xanesflow.matching.compute_candidates import SpectrumPlan
from xanesflow.matching.likeness import Curve, correct
from xanesflow.matching.material_spectrum import STEP_EV, NormalisedSpectrum, average_sites, edge_step
from xanesflow.matching.mixtures import Standard
from xanesflow.matching.rank_candidates import expected_of
from xanesflow.matching.ranking import Reference
from xanesflow.matching.spectrum_store import StoredSpectrum
from xanesflow.matching.surroundings import describe_surroundings, is_carbonate, is_metallic
from xanesflow.measured import MeasuredSpectrum, read_measured

if TYPE_CHECKING:
    from xanesflow.prediction.data import SubsetPrediction
    from xanesflow.prediction.predictor import Predictor


def material_spectra(
    candidates: Sequence[Candidate], plan: SpectrumPlan, spectra: Mapping[str, StoredSpectrum]
) -> tuple[dict[str, NormalisedSpectrum], list[str]]:
    """Spectra of whole materials by id, and a sentence for each candidate of which a site failed."""
    keys: dict[str, list[str]] = {}
    for site in plan.sites:
        keys.setdefault(site.material_id, []).append(site.key)
    found: dict[str, NormalisedSpectrum] = {}
    failed: list[str] = []
    for candidate in candidates:
        try:
            found[candidate.id] = average_sites(
                [spectra[key] for key in keys[candidate.id]], [number for _, number in candidate.sites]
            )
        except XanesflowError as error:
            failed.append(f"{candidate.id} ({candidate.formula}): {error}.")
    return found, failed


def computed_references(
    candidates: Sequence[Candidate], spectra: Mapping[str, NormalisedSpectrum], cache: Path | None
) -> list[Reference]:
    """References of the candidates that have a spectrum.

    Args:
        candidates: the structures.
        spectra: by id.
        cache: where oxidation states are kept.
    """
    references = []
    for candidate in candidates:
        if candidate.id not in spectra:
            continue
        structure, spectrum = candidate.structure(), spectra[candidate.id]
        references.append(
            Reference(
                candidate.id,
                candidate.name,
                candidate.formula,
                Curve(spectrum.energy_ev, spectrum.values, spectrum.edge_ev),
                is_metallic(structure),
                is_carbonate(structure),
                describe_surroundings(candidate, cache),
            )
        )
    return references


def load_predictor(models: Sequence[str | Path], element: str) -> tuple[Predictor, str]:
    """Models, as `prediction.trained_models.load_models` takes them, and the only subset of an element they predict.

    Raises:
        XanesflowError: a model cannot be read, or they predict the element at no level of theory, at several, or two
            of them at one.
    """
    from xanesflow.prediction.predictor import Predictor  # slow to import
    from xanesflow.prediction.trained_models import choose_subsets

    predictor = Predictor(models)
    subsets = {each for model in predictor.models for each in model.subsets if Subset.parse(each).element == element}
    if len(subsets) != 1:
        raise XanesflowError(
            f"The model predicts {element} at {plural(len(subsets), 'level')} of theory; give a model with one."
        )
    return predictor, choose_subsets(predictor.models, subsets)[0]


def predicted_spectra(
    candidates: Sequence[Candidate], spectra: Mapping[str, NormalisedSpectrum], predictor: Predictor, subset: str
) -> tuple[dict[str, NormalisedSpectrum], list[str]]:
    """A model's spectra, divided by the edge step of the engine's background, as models predict none.

    Args:
        candidates: the structures.
        spectra: of the engine, by id; at least one.
        predictor: as `load_predictor` makes it.
        subset: what is predicted.

    Returns:
        The spectra by id, and a sentence for each candidate that the model cannot predict.

    Raises:
        XanesflowError: the model can predict none.
    """
    known = [each for each in candidates if each.id in spectra]
    predicted = predictor.predict({each.id: each.structure() for each in known}, subsets=[subset])
    found = normalise_averages(predicted[subset], spectra)
    lacking = [f"{each.id} ({each.formula}): the model does not predict it." for each in known if each.id not in found]
    return found, lacking


def normalise_averages(
    predicted: SubsetPrediction, spectra: Mapping[str, NormalisedSpectrum]
) -> dict[str, NormalisedSpectrum]:
    """Divide predicted spectra of whole materials by the edge step of the engine's background.

    Args:
        predicted: spectra of an element at a level of theory, whose energies are kept to whole steps.
        spectra: of the engine, by id; materials that are not among them are left out.
    """
    averages, energies = predicted.averages, predicted.energy_ev
    even = even_energies(energies[0], energies[-1], STEP_EV)
    found: dict[str, NormalisedSpectrum] = {}
    for name, row in zip(averages.material_id, averages.spectra, strict=True):
        if name not in spectra:
            continue
        of_engine = spectra[name]
        values = np.interp(even, energies, row)
        background = np.interp(even, of_engine.energy_ev, of_engine.background)
        step = edge_step(of_engine.energy_ev, of_engine.background)(even)
        found[name] = NormalisedSpectrum(even, values / step, values, background, of_engine.edge_ev)
    return found


def measured_references(paths: Sequence[Path], element: str) -> tuple[list[Reference], list[str]]:
    """Measured spectra of an element as candidates.

    Args:
        paths: files and folders; subfolders are not read.
        element: symbol; spectra of others are left out without a word.

    Returns:
        The references, named by their files, and a sentence for each file that cannot be used.

    Raises:
        XanesflowError: there is no such file or folder, nothing in them is a spectrum of the element, or two spectra
            have one name.
    """
    references: list[Reference] = []
    named: dict[str, Path] = {}
    failed: list[str] = []
    others = 0
    if missing := [path for path in paths if not path.exists()]:
        raise XanesflowError(
            f"There is no file or folder {missing[0]} (looked from {Path.cwd()}); measured candidates and standards "
            "are files or folders of spectra, and names of structures need match without --measured or mix --computed."
        )
    for path in list_files(paths):
        try:
            spectra = read_measured(path)
        except XanesflowError as error:
            failed.append(str(error))
            continue
        for spectrum in spectra:
            if spectrum.element != element or spectrum.edge != "K":
                others += 1
                continue
            name = path.stem if len(spectra) == 1 else spectrum.source
            if name in named:
                raise XanesflowError(
                    f"Two measured spectra are called {name}, those of {named[name]} and {path}; rename one of the "
                    "files, or leave it out."
                )
            named[name] = path
            references.append(_measured(spectrum, name))
    if not references:
        what = [f"{others} {'is' if others == 1 else 'are'} of other elements or edges"] if others else []
        what += [f"{len(failed)} cannot be used ({failed[0].rstrip('.')})"] if failed else []
        raise XanesflowError(
            f"No measured spectrum of the K edge of {element} is among the files given: {' and '.join(what)}."
        )
    return references, failed


def computed_standards(references: Sequence[Reference], element: str, calibration: MatchCalibration) -> list[Standard]:
    """Computed candidates as standards of a mixture: corrected and broadened as right candidates usually are.

    Args:
        references: with computed curves.
        element: symbol of the absorber.
        calibration: of their level of theory.
    """
    standards = []
    for each in references:
        expected = expected_of(each, element, calibration)
        energy, values = correct(each.curve, expected.width_ev, calibration.correction)
        reach = (expected.mean_ev - 2 * expected.sd_ev, expected.mean_ev + 2 * expected.sd_ev)
        standards.append(Standard(each.id, energy, values, reach))
    return standards


def _measured(spectrum: MeasuredSpectrum, name: str) -> Reference:
    curve = Curve(spectrum.energy_ev, spectrum.flattened, spectrum.half_step_ev)
    return Reference(name, str(spectrum.parameters.get("sample", "")), "", curve, scan=spectrum.scan)
