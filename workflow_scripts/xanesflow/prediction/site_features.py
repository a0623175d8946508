"""Computes the features of selected sites of many structures, with the featurizers that a model names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from xanesflow import __version__
from xanesflow.codes.registry import run_features, theory_of
from xanesflow.codes.run_engine import SiteSpectrum
from xanesflow.core.errors import XanesflowError
from xanesflow.core.feature_names import KNOWN, UNKNOWN_WEIGHTS
from xanesflow.core.files import sha256_text
from xanesflow.core.sites import Site
from xanesflow.core.text import quoted
from xanesflow.features.featurize_structures import FeatureFailure
from xanesflow.features.featurizers import get_featurizer
from xanesflow.models.model_kinds import ModelCard
from xanesflow.prediction.feature_cache import FeatureCache
from xanesflow.structures.material import Material

FeaturesOfSites = dict[Site, NDArray[np.float32] | str]
"""(d,) features of each site, or the reason why it has none."""

BATCH = 256
"""Number of structures whose features are computed and stored at a time."""


class FeatureSource:
    """Makes each featurizer once, and checks that its weights are those of the training.

    Args:
        weights: M3GNet's folder; None: matgl's cache, else a download.
        device: "cpu" or "cuda".
        workers: processes.
        runs: finished runs of the cheaper level of theory, or the reason why there is none, by 0-based index of the
            atom in the one structure whose features are computed; None: they are run.

    Attributes:
        without_run: sites whose cheap run failed, with the reason. Their columns of the run are NaN, and a delta model
            predicts them from the structure alone.
    """

    def __init__(
        self,
        *,
        weights: str | Path | None = None,
        device: str = "cpu",
        workers: int = 1,
        runs: Mapping[int, SiteSpectrum | str] | None = None,
    ) -> None:
        self._weights, self._device, self._workers, self._runs = weights, device, workers, runs
        self._made: dict[str, Any] = {}
        self.without_run: dict[Site, str] = {}

    def featurizer(self, name: str, card: ModelCard) -> Any:
        """The featurizer of one block of a model's features.

        Raises:
            XanesflowError: the featurizer is not known, cannot be made or gives another number of features, or its
                weights are not those of the model's training data.
        """
        what = f"The {card.kind} model of {card.subset}"
        if name in run_features():
            return self._cheap_runs(name, card)
        if name not in KNOWN:
            raise XanesflowError(
                f"{what} needs the features {quoted(name)}, which this version cannot compute for other structures "
                "(it knows "
                f"{', '.join(KNOWN)}); compute them yourself and give them to the model's own `predict` in Python."
            )
        if name not in self._made:
            self._made[name] = get_featurizer(name, weights=self._weights, device=self._device, workers=self._workers)
        made = self._made[name]
        trained = weights_of(card, name)
        if trained not in (UNKNOWN_WEIGHTS, made.weights_hash):
            raise XanesflowError(
                f"{what} was trained on {name} features of other weights (SHA-256 {trained[:16]}) than those installed "
                f"here ({made.weights_hash[:16]}), so its spectra would be wrong; use the weights of the training, or "
                "train the model again."
            )
        if made.dimension != card.feature_dimensions[name]:
            raise XanesflowError(
                f"{what} needs {card.feature_dimensions[name]} {name} numbers for each site, but this version of "
                f"xanesflow computes {made.dimension}; use the version that it was trained with "
                f"({card.versions.get('xanesflow')})."
            )
        return made

    def _cheap_runs(self, name: str, card: ModelCard) -> Any:
        """The featurizer that runs a delta model's cheaper level of theory, with the settings of its training."""
        from xanesflow.features.cheap_runs.engine_runs import EngineRuns, RunsAtHand  # few models need it

        recorded = card.featurizers.get(name, {})
        possible = theory_of(run_features()[name]).runs_at_prediction
        if not possible or not {"settings", "energy_start_ev"} <= recorded.keys():
            raise XanesflowError(
                f"The {card.kind} model of {card.subset} corrects runs of {run_features()[name]}, which cannot be "
                "computed here; put the structures into a campaign of its kind instead (docs/guide/delta.md)."
            )
        key = f"{name} {card.subset}"
        if key not in self._made:
            of_training = (name, recorded["settings"], float(recorded["energy_start_ev"]))
            self._made[key] = (
                EngineRuns(*of_training, workers=self._workers)
                if self._runs is None
                else RunsAtHand(self._runs, *of_training)
            )
        return self._made[key]

    def compute(
        self,
        card: ModelCard,
        materials: Sequence[Material],
        wanted: Mapping[str, Sequence[int]],
        *,
        cache: FeatureCache | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> FeaturesOfSites:
        """Compute a model's features at the wanted sites, with the blocks in the model's order.

        Args:
            card: of the model.
            materials: their structures.
            wanted: 0-based sites by material id; a material that is missing has none.
            cache: stores features while the run lasts, and returns those of a killed run.
            progress: called as `progress(done, of)`, in structures times featurizers.

        Raises:
            XanesflowError: see `featurizer`.
        """
        chosen = [material for material in materials if wanted.get(material.material_id)]
        blocks: list[FeaturesOfSites] = []
        for number, name in enumerate(card.feature_dimensions):
            made, block = self.featurizer(name, card), dict[Site, Any]()
            for start in range(0, len(chosen), BATCH):
                batch = chosen[start : start + BATCH]
                before = number * len(chosen) + start

                def report(done: int, _: int, before: int = before) -> None:
                    if progress is not None:
                        progress(before + done, len(chosen) * len(card.feature_dimensions))

                block |= _of_batch(made, batch, wanted, cache, report)
                report(len(batch), len(batch))
            blocks.append(block)
        self.without_run |= _fill_in(blocks, card)
        return _joined(blocks)


def weights_of(card: ModelCard, name: str) -> str:
    """SHA-256 of the weights that computed the features of a model's training data, or `UNKNOWN_WEIGHTS`."""
    return str(card.featurizers.get(name, {}).get("weights_hash", UNKNOWN_WEIGHTS))


def _of_batch(
    featurizer: Any,
    batch: Sequence[Material],
    wanted: Mapping[str, Sequence[int]],
    cache: FeatureCache | None,
    progress: Callable[[int, int], None],
) -> FeaturesOfSites:
    """Features of a batch by one featurizer: the whole batch is computed, or the whole batch comes from the cache."""
    # Features of the whole batch, one array (or the reason why there is none) for each structure.
    failures: Mapping[tuple[int, int], str] = {}
    keys = [_key(featurizer, material, wanted[material.material_id]) for material in batch]
    if cache is not None and (there := cache.get(keys)) is not None:
        answers: list[Any] = list(there)
    else:
        structures = [Structure.from_dict(json.loads(material.structure)) for material in batch]
        answers = featurizer.compute(structures, progress, [wanted[material.material_id] for material in batch])
        failures = getattr(featurizer, "failures", {})
        answers = [each.reason if isinstance(each, FeatureFailure) else each for each in answers]
        if cache is not None:
            cache.put(keys, answers)

    # Features by site. NaN means a failed run, or an atom without neighbours.
    found: FeaturesOfSites = {}
    for number, (material, answer) in enumerate(zip(batch, answers, strict=True)):
        for row, site in enumerate(wanted[material.material_id]):
            if isinstance(answer, str):
                found[material.material_id, site] = answer
            elif np.isnan(answer[row]).any() and featurizer.name in run_features():
                found[material.material_id, site] = failures.get((number, site), "its run failed before")
            elif np.isnan(answer[row]).any():
                found[material.material_id, site] = (
                    f"Atom {site} has no neighbour within the reach of {featurizer.name}."
                )
            else:
                found[material.material_id, site] = answer[row]
    return found


def _fill_in(blocks: Sequence[FeaturesOfSites], card: ModelCard) -> dict[Site, str]:
    """Put NaN where a delta model's cheap run failed, and return these sites with the reasons."""
    name = list(card.feature_dimensions)[-1]
    if name not in run_features():
        return {}
    failed = {site: row for site, row in blocks[-1].items() if isinstance(row, str)}
    blocks[-1].update({site: np.full(card.feature_dimensions[name], np.nan, dtype=np.float32) for site in failed})
    return failed


def _joined(blocks: Sequence[FeaturesOfSites]) -> FeaturesOfSites:
    """Join the blocks side by side; a site that lacks one of them has no features."""
    found: FeaturesOfSites = {}
    for site in blocks[0]:
        rows = [block[site] for block in blocks]
        reason = next((row for row in rows if isinstance(row, str)), None)
        found[site] = reason if reason is not None else np.concatenate(rows)
    return found


def _key(featurizer: Any, material: Material, sites: Sequence[int]) -> str:
    """Hash of everything that the features of a material's sites depend on."""
    text = "|".join([featurizer.name, featurizer.weights_hash, __version__, material.structure, str(list(sites))])
    return sha256_text(text)
