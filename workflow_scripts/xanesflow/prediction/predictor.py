"""Predicts spectra of structures with trained models."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xanesflow.codes.run_engine import SiteSpectrum
from xanesflow.config.kinds import DELTA
from xanesflow.core.errors import NothingPredictedError, WrongCallError
from xanesflow.core.provenance import versions
from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import SYMPREC_A, WHOLE_MATERIAL, Subset
from xanesflow.core.text import first_few, plural
from xanesflow.prediction.average import average
from xanesflow.prediction.data import SubsetPrediction
from xanesflow.prediction.feature_cache import FeatureCache
from xanesflow.prediction.input_structures import Structures, read_structures
from xanesflow.prediction.prediction import Prediction
from xanesflow.prediction.remarks import remarks_on_prediction, remarks_on_runs
from xanesflow.prediction.site_features import FeaturesOfSites, FeatureSource, weights_of
from xanesflow.prediction.structure_only import SIGMAS, spectra_by_seed, structure_only_bands, structure_only_errors
from xanesflow.prediction.trained_models import TrainedEnsemble, choose_subsets, load_models
from xanesflow.structures.disorder.represent import REFUSE, Disorder
from xanesflow.structures.material import Material

Progress = Callable[[str, int, int], None]
"""Called with the name of the step, the number of items that are done, and their total."""


class Predictor:
    """Models and their featurizers, loaded once for any number of predictions.

    Args:
        models: checkpoints, folders of seeds, or folders of `xanesflow model export`; see `trained_models.load_models`.
        calibrations: files of error bars that do not lie beside their model.
        weights: M3GNet's folder; None: matgl's cache, else a download.
        device: "cpu" or "cuda", for the features.
        workers: processes.
        runs: finished runs for a delta model; see `FeatureSource`.

    Raises:
        XanesflowError: a model or calibration cannot be used.
    """

    def __init__(
        self,
        models: str | Path | Sequence[str | Path],
        *,
        calibrations: Sequence[str | Path] = (),
        weights: str | Path | None = None,
        device: str = "cpu",
        workers: int = 1,
        runs: Mapping[int, SiteSpectrum | str] | None = None,
    ) -> None:
        given = [models] if isinstance(models, str | Path) else list(models)
        self.models = load_models(given, calibrations)
        self.workers = workers
        self._source = FeatureSource(weights=weights, device=device, workers=workers, runs=runs)

    def predict(
        self,
        structures: Structures,
        *,
        subsets: Iterable[str] = (),
        symprec: float = SYMPREC_A,
        cache: FeatureCache | None = None,
        progress: Progress | None = None,
        site: int | None = None,
        disorder: Disorder = REFUSE,
    ) -> Prediction:
        """Predict the spectra of all inequivalent sites of the models' elements.

        Args:
            structures: see `input_structures.read_structures`.
            subsets: only these, as `Cu_FEFF`; empty: all that the models cover.
            symprec: spglib's distance tolerance in Å, for sites and multiplicities.
            cache: stores the features of a long run, so that it can continue after it was killed.
            progress: called as work goes on.
            site: only this atom of each structure, counted from 0; None: all inequivalent ones.
            disorder: what becomes of disordered crystals; their average is that of the cells that represent them.

        Raises:
            NothingPredictedError: no structure could be used.
            XanesflowError: no model has the element or theory that you name; the featurizer's weights are not those of
                the training; or a structure does not exist.
        """
        if site is not None and site < 0:
            raise WrongCallError("Atoms are counted from 0; give a site of 0 or more.")
        if site is not None and not disorder.refused:
            raise WrongCallError(
                "A site can be named only where disorder is refused: the atoms of a filled cell have other numbers "
                "than those of the file."
            )
        # Find missing models and wrong weights before the long work.
        chosen = choose_subsets(self.models, subsets)
        for model in self.models:
            if set(model.subsets) & set(chosen):
                for name in model.card.feature_dimensions:
                    self._source.featurizer(name, model.card)

        def step(what: str) -> Callable[[int, int], None]:
            return lambda done, of: progress(what, done, of) if progress is not None else None

        materials, rejected = read_structures(
            structures, symprec=symprec, workers=self.workers, progress=step("structures read"), disorder=disorder
        )

        # Each model predicts the subsets that it covers; sites without features are left out with their reasons.
        elements = list(dict.fromkeys(Subset.parse(name).element for name in chosen))
        rejected += _without_absorber(materials, elements)
        if site is not None:
            materials, without = _with_site(materials, site, elements)
            rejected += without
        found: dict[str, SubsetPrediction] = {}
        for model in self.models:
            mine = [name for name in model.subsets if name in chosen]
            sites = _sites_of(materials, {Subset.parse(name).element for name in mine}, site)
            if not sites:
                continue
            features = self._source.compute(model.card, materials, sites, cache=cache, progress=step("features"))
            rejected += _without_features(features)
            for name in mine:
                if (predicted := _predict_subset(model, name, materials, features, site)) is not None:
                    found[name] = predicted

        # Two models may reject the same site, and the result lists it once.
        rejected = sorted(set(rejected))
        if not found:
            raise _nothing(rejected)
        ordered = {name: found[name] for name in chosen if name in found}
        used = [model for model in self.models if set(model.subsets) & set(ordered)]
        remarks = remarks_on_runs(ordered, self._source.without_run, used)
        remarks += remarks_on_prediction(materials, ordered, used, elements)
        by_id = {each.material_id: each for each in materials}
        return Prediction(ordered, rejected, remarks, self._made(used, symprec), by_id)

    def _made(self, models: Sequence[TrainedEnsemble], symprec: float) -> dict[str, Any]:
        packages: set[str] = {"torch", "spglib"}
        for model in models:
            for name in model.card.feature_dimensions:
                packages |= set(self._source.featurizer(name, model.card).packages)
        models_used = [
            {
                "model": model.card.kind,
                "of": model.card.subset,
                "features": model.card.features,
                "weights": {name: weights_of(model.card, name) for name in model.card.feature_dimensions},
                "checkpoints_sha256": {str(seed): sha for seed, sha in sorted(model.hashes.items())},
                "dataset_sha256": model.card.dataset_sha256,
            }
            for model in models
        ]
        return {
            "models": json.dumps(models_used, sort_keys=True),
            "symprec": symprec,
            "versions": json.dumps(versions(sorted(packages)), sort_keys=True),
        }


def predict(
    structures: Structures,
    models: str | Path | Sequence[str | Path],
    *,
    subsets: Iterable[str] = (),
    calibrations: Sequence[str | Path] = (),
    weights: str | Path | None = None,
    device: str = "cpu",
    workers: int = 1,
    symprec: float = SYMPREC_A,
    site: int | None = None,
    disorder: Disorder = REFUSE,
) -> Prediction:
    """Predict the K-edge XANES of structures with trained models.

    For many calls, make a `xanesflow.prediction.predictor.Predictor`, which loads models and featurizers once.

    Args:
        structures: a structure file (POSCAR, CIF, mcif, pymatgen or Materials Project JSON, xyz, extxyz, vasprun.xml;
            compressed or not), a folder of them, a pymatgen Structure, several of these, or a mapping from ids to them.
        models: one or several checkpoints, folders of `xanesflow model export`, or models that come with the package
            ("builtin:Cu_FEFF"). Seeds of one model form an ensemble; several elements and theories can be mixed.
        subsets: only these, as `Cu_FEFF`; empty: all that the models cover.
        calibrations: files of error bars that do not lie beside their model.
        weights: M3GNet's folder; None: matgl's cache, else a download.
        device: "cpu" or "cuda", for the features.
        workers: processes.
        symprec: spglib's distance tolerance in Å.
        site: only this atom of each structure, counted from 0; None: all inequivalent ones.
        disorder: what becomes of disordered crystals (`xanesflow.structures.disorder.represent.Disorder`).

    Returns:
        Spectra in bohr² of every inequivalent site and of each material, with error bands, distances to the training
        data, and a list of what was left out.

    Raises:
        XanesflowError: nothing can be predicted; the message says why and what to do.
    """
    made = Predictor(models, calibrations=calibrations, weights=weights, device=device, workers=workers)
    return made.predict(structures, subsets=subsets, symprec=symprec, site=site, disorder=disorder)


def _with_site(
    materials: Iterable[Material], site: int, elements: Sequence[str]
) -> tuple[list[Material], list[Rejected]]:
    """The materials whose atom of this index is of an element that the models predict, and why others are not."""
    found, left_out = [], []
    for material in materials:
        atoms = material.elements
        if site < len(atoms) and atoms[site] in elements:
            found.append(material)
        elif set(elements) & set(atoms):  # the others were left out before
            what = (
                f"is {atoms[site]}" if site < len(atoms) else f"does not exist among its {plural(len(atoms), 'atom')}"
            )
            own = first_few([str(k) for k, symbol in enumerate(atoms) if symbol in elements], 12)
            detail = f"site {site} of {material.formula} {what}; {' or '.join(elements)} is at {own}."
            left_out.append(Rejected(material.material_id, site, "no_absorber", detail))
    return found, left_out


def _sites_of(materials: Iterable[Material], elements: set[str], site: int | None = None) -> dict[str, list[int]]:
    """By material, the first of each set of equivalent atoms of some elements; or only the named atom, if it is one."""
    found: dict[str, list[int]] = {}
    for material in materials:
        if site is None:
            atoms = material.inequivalent(*elements)
        else:
            atoms = [site] if material.elements[site] in elements else []
        if atoms:
            found[material.material_id] = atoms
    return found


def _without_absorber(materials: Iterable[Material], elements: Sequence[str]) -> list[Rejected]:
    known = f"and the models are of {', '.join(elements)}"
    return [
        Rejected(
            material.material_id,
            WHOLE_MATERIAL,
            "no_absorber",
            f"{material.formula} holds {', '.join(sorted(set(material.elements)))} {known}.",
        )
        for material in materials
        if not set(elements) & set(material.elements)
    ]


def _without_features(features: FeaturesOfSites) -> list[Rejected]:
    return [
        Rejected(material, site, "no_features", reason)
        for (material, site), reason in features.items()
        if isinstance(reason, str)
    ]


def _predict_subset(
    model: TrainedEnsemble,
    subset: str,
    materials: Sequence[Material],
    features: FeaturesOfSites,
    site: int | None = None,
) -> SubsetPrediction | None:
    """Predict the spectra of one subset; None if no site of it has features."""
    # The sites that have features, in the order of materials and atoms, and their spectra by each seed.
    element = Subset.parse(subset).element
    sites = _sites_of(materials, {element}, site)
    whole = sites if site is None else _sites_of(materials, {element})
    by_id = {material.material_id: material for material in materials}
    rows = [(name, site) for name in sorted(sites) for site in sites[name] if not isinstance(features[name, site], str)]
    if not rows:
        return None
    values = np.stack([np.asarray(features[row]) for row in rows])
    by_seed, no_run = spectra_by_seed(model.seed_models, values)
    names = [name for name, _ in rows]
    multiplicity = np.array([by_id[name].multiplicity(site) for name, site in rows], dtype=np.int64)

    # Error bars from the calibration. A site whose cheap run failed cannot be placed among the training sites: it gets
    # separate error bars, and its distance is set to NaN below.
    calibration = model.calibrations.get(subset)
    there = model.sites.get(subset)
    distance = None if there is None else there.distance(np.where(np.isnan(values), 0.0, values))
    bands, error, error_95 = None, None, None
    if calibration is not None:
        apart = np.zeros(len(values)) if distance is None else distance
        bands = tuple(np.stack(calibration.bands(by_seed, apart, level)) for level in (0.68, 0.95))
        error, error_95 = calibration.error(by_seed, apart), calibration.error_bound(by_seed, apart, 0.95)
        if no_run.any():
            for each, level in zip(bands, (0.68, 0.95), strict=True):
                each[:, no_run] = structure_only_bands(model.seed_models, by_seed[:, no_run].mean(axis=0), level)
            error[no_run] = structure_only_errors(model.seed_models, int(no_run.sum()))
            error_95[no_run] = SIGMAS[0.95] * error[no_run]
    if distance is not None:
        distance[no_run] = np.nan
    spectra = by_seed.mean(axis=0)
    return SubsetPrediction(
        subset=subset,
        model=model.card.kind,
        features=model.card.features,
        seeds=[seed_model.card.seed for seed_model in model.seed_models],
        energy_ev=model.seed_models[0].energy_of(subset),
        material_id=names,
        formula=[by_id[name].formula for name in names],
        site_index=np.array([site for _, site in rows], dtype=np.int64),
        multiplicity=multiplicity,
        spectra=spectra,
        band_68=bands[0] if bands else None,
        band_95=bands[1] if bands else None,
        error=error,
        error_95=error_95,
        distance=distance,
        limit=there.limit if there is not None else None,
        uncalibrated=model.uncalibrated.get(subset, ""),
        averages=average(
            names, multiplicity, spectra, (bands[0], bands[1]) if bands else None, {k: len(v) for k, v in whole.items()}
        ),
        structure_alone=no_run if model.card.kind == DELTA else None,
    )


def _nothing(rejected: list[Rejected]) -> NothingPredictedError:
    """The error that says why there is no spectrum at all."""
    first = f"{rejected[0].material_id}: {rejected[0].detail}"
    if len(rejected) == 1:
        return NothingPredictedError(f"There is no spectrum of {first}", rejected)
    counts = ", ".join(f"{n} {reason}" for reason, n in Counter(each.reason for each in rejected).items())
    return NothingPredictedError(f"None of the structures has a spectrum ({counts}); the first is {first}", rejected)
