"""Corrects finished runs by a delta model that comes with the package."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xanesflow.codes.registry import run_features
from xanesflow.config.kinds import DELTA
from xanesflow.core.errors import WrongCallError
from xanesflow.core.sites import Subset
from xanesflow.core.text import listing, quoted
from xanesflow.features.cheap_runs.columns import differing_setting
from xanesflow.prediction.builtin_models import builtin_models
from xanesflow.prediction.exported_model import read_about
from xanesflow.prediction.prediction import Prediction
from xanesflow.prediction.predictor import Predictor
from xanesflow.spectra.compute_sites import SiteResult
from xanesflow.structures.choose_site import Request


def find_correction(element: str, theory: str, settings: Mapping[str, Any]) -> str:
    """Name of the model that corrects runs of an element, such as `builtin:Cu_FEFF_from_FEFF8L`.

    Args:
        element: symbol of the absorber.
        theory: level of theory of the runs.
        settings: of the runs, as their engine says.

    Raises:
        WrongCallError: no model that comes with the package corrects such runs.
    """
    there = _corrections()
    if (element, theory) not in there:
        pairs = listing(sorted(f"{known_theory} of {known_element}" for known_element, known_theory in there))
        known = (
            f"those that come with xanesflow correct {pairs}" if pairs else "no model of this kind comes with xanesflow"
        )
        raise WrongCallError(
            f"No model corrects {theory} spectra of {element}; {known}. Leave out --corrected, or train a delta model "
            "(docs/guide/delta.md)."
        )
    name, trained = there[element, theory]
    here = json.loads(json.dumps(settings))
    if (key := differing_setting(trained, here)) is not None:
        raise WrongCallError(
            f"{name} corrects runs of {theory} with {key} {quoted(trained.get(key))}, and these have "
            f"{quoted(here.get(key))}; leave out --corrected, or the option that changes it."
        )
    return name


def correct_runs(model: str | Path, request: Request, outcomes: Sequence[SiteResult]) -> Prediction:
    """Spectra of the model's expensive level of theory, from runs of its cheap one.

    Args:
        model: that corrects them.
        request: an ordered structure and its atoms.
        outcomes: of the runs; a failed one is predicted from the structure alone, and the prediction says so.

    Raises:
        XanesflowError: the model cannot be used here.
    """
    runs = {outcome.site.index: outcome.result or outcome.error for outcome in outcomes}
    site = None if request.whole else request.sites[0].index
    predictor = Predictor(model, runs=runs)
    return predictor.predict({request.name: request.structures[0]}, symprec=request.symprec, site=site)


def _corrections() -> dict[tuple[str, str], tuple[str, dict[str, Any]]]:
    """Name and settings of the models that correct runs, by element and level of theory of the runs."""
    found = {}
    for name, folder in builtin_models().items():
        about = read_about(folder)
        if about["model"] == DELTA:
            features = str(about["features"]).split("+")[-1]
            settings = json.loads(about["featurizers"][features]["settings"])  # `export_model` writes them
            for subset in about["subsets"]:
                found[Subset.parse(subset).element, run_features()[features]] = (name, settings)
    return found
