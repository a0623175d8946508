"""What a user should know of a prediction, one sentence each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from xanesflow.codes.registry import run_features
from xanesflow.core.feature_names import UNKNOWN_WEIGHTS
from xanesflow.core.sites import ELEMENTS, Site
from xanesflow.core.text import first_few, plural
from xanesflow.prediction.data import SubsetPrediction
from xanesflow.prediction.site_features import weights_of
from xanesflow.prediction.trained_models import TrainedEnsemble
from xanesflow.structures.material import Material

_NAMED = 3  # notes on structures that are shown; the rest are only counted


def remarks_on_runs(
    found: Mapping[str, SubsetPrediction], failed: Mapping[Site, str], models: Sequence[TrainedEnsemble]
) -> list[str]:
    """Sentences on how many sites a delta model's cheaper theory was run at, and where it failed."""
    sentences = []
    for name, each in found.items():
        if each.structure_alone is None:
            continue
        no_run = [row for row in range(len(each)) if each.structure_alone[row]]
        card = next(model.card for model in models if name in model.subsets)
        theory = run_features()[list(card.feature_dimensions)[-1]]
        if good := len(each) - len(no_run):
            number = plural(good, "site")
            sentences.append(f"{name}: {theory} was run at {number}, and the model corrected what it computed.")
        if no_run:
            why = failed.get((each.material_id[no_run[0]], int(each.site_index[no_run[0]])), "it failed")
            sentences.append(
                f"{name}: {theory} failed at {len(no_run)} of {plural(len(each), 'site')} "
                f"({first_few([each.ids[row] for row in no_run])}: {why.rstrip('.')}); their spectra come from the "
                f"structure alone{'' if each.error is None else ', with wider error bars'}."
            )
    return sentences


def remarks_on_prediction(
    materials: Sequence[Material],
    found: Mapping[str, SubsetPrediction],
    models: Sequence[TrainedEnsemble],
    elements: Sequence[str],
) -> list[str]:
    """What a user should know of this prediction."""
    sentences = []
    for name, each in found.items():
        if each.uncalibrated:
            sentences.append(f"{name}: no error bars: {each.uncalibrated}")
        if each.unlike is None:
            sentences.append(
                f"{name}: no calibration with a distance limit was found, so sites unlike the training data cannot be "
                "recognised; calibrate the model with this version (snakemake evaluation)."
            )
        elif which := [each.ids[row] for row in np.flatnonzero(each.unlike)]:
            sentences.append(
                f"{name}: {len(which)} of {plural(len(each), 'site')} are unlike all that the model was trained on "
                f"({first_few(which)}): "
                f"they are farther than {each.limit:.2f} from the nearest training site, while 99 % of the training "
                "sites are nearer to one of another material; use their spectra with care."
            )
    for model in models:
        for block in model.card.feature_dimensions:
            if weights_of(model.card, block) == UNKNOWN_WEIGHTS:
                sentences.append(
                    f"The dataset of the {model.name} does not record which weights its {block} features were computed "
                    "with, so they cannot be compared with the weights here."
                )
    present = Counter(symbol for material in materials for symbol in set(material.elements))
    for symbol in ELEMENTS:
        if present[symbol] and symbol not in elements:
            sentences.append(
                f"{symbol} is in {plural(present[symbol], 'structure')}, but none of the models predicts "
                f"{symbol} (they predict {', '.join(elements)})."
            )
    notes = [f"{material.material_id}: {material.note}" for material in materials if material.note]
    sentences += [f"{note}." for note in notes[:_NAMED]]
    if len(notes) > _NAMED:
        sentences.append(f"{plural(len(notes) - _NAMED, 'more structure')} with a remark of this kind.")
    return sentences
