"""Checks whether the sections of config.yaml fit together.

Each check raises a `ValueError`, and `xanesflow.config.load` shows its sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from xanesflow.codes.registry import run_features, theory_of
from xanesflow.config.convergence import ConvergenceSection
from xanesflow.config.curation import CurationSection
from xanesflow.config.dataset import DatasetSection
from xanesflow.config.delta_from import cheap_subsets, cheap_theory, computed_cheap_subsets
from xanesflow.config.features import FeaturesSection
from xanesflow.config.inputs import InputsSection
from xanesflow.config.kinds import DELTA, model_names
from xanesflow.config.models import ModelsSection
from xanesflow.config.simulations import SimulationsSection
from xanesflow.config.structures import StructuresSection
from xanesflow.core.errors import XanesflowError
from xanesflow.core.feature_names import parse_features
from xanesflow.core.sites import Subset


def check_subsets(
    subsets: Sequence[str],
    chunks: int | Mapping[str, int],
    *,
    inputs: InputsSection,
    simulations: SimulationsSection,
    curation: CurationSection,
    dataset: DatasetSection,
) -> None:
    """Check that every subset has the entries that it needs.

    Raises:
        ValueError: an entry is missing; the message names its key.
    """
    for name in subsets:
        element, theory = Subset.parse(name).element, Subset.parse(name).theory
        written = not dataset.from_files and simulations.source == "run"
        if written and (key := inputs.missing(element, theory)):
            raise ValueError(f"{key} has no entry for {element}, which {name} needs; add it")
        if element not in curation.energy_start:
            raise ValueError(
                f"curation.energy_start has no entry for {element}, which {name} needs; add its first energy in eV"
            )
        if isinstance(chunks, Mapping) and name not in chunks:
            raise ValueError(f"chunks has no entry for {name}; add one, or give one number for all subsets")
        if isinstance(simulations.archive, dict) and name not in simulations.archive:
            raise ValueError(f"simulations.archive has no entry for {name}; add the path of its runs")


def check_ids(subsets: Sequence[str], structures: StructuresSection) -> None:
    """Check that `structures.materials_project.ids` has an entry for each element and for no other.

    Raises:
        ValueError: an entry is missing, or one belongs to no subset.
    """
    ids = structures.materials_project.ids
    if isinstance(ids, dict):
        elements = {Subset.parse(name).element for name in subsets}
        if other := sorted(ids.keys() - elements):
            raise ValueError(
                f"structures.materials_project.ids has an entry for {other[0]}, but no subset is of {other[0]}; "
                "remove the entry, or add the subset"
            )
        if missing := sorted(elements - ids.keys()):
            raise ValueError(f"structures.materials_project.ids has no entry for {missing[0]}; add one")


def check_convergence(convergence: ConvergenceSection, dataset: DatasetSection) -> None:
    """Check that a code that is to be tried is run at all.

    Raises:
        ValueError: nothing is simulated; the message says what to remove.
    """
    if dataset.from_files and convergence.subset:
        raise ValueError(
            "dataset.source: features_file simulates nothing, so the convergence of "
            f"{convergence.subset} cannot be tried; remove convergence.subset"
        )


def check_dataset_files(
    subsets: Sequence[str], simulations: SimulationsSection, features: FeaturesSection, dataset: DatasetSection
) -> None:
    """Check that a dataset from files names them, and that a computed dataset uses known features.

    Raises:
        ValueError: it does not; the message says what to set.
    """
    files = dataset.files
    if files is not None and not dataset.from_files:
        raise ValueError(
            "dataset.files is given, but dataset.source: workflow reads none; set dataset.source: features_file"
        )
    if not dataset.from_files:
        for k, name in enumerate(features.models or []):
            try:
                parse_features(name)
            except XanesflowError as error:
                raise ValueError(f"'features.models.{k}' is {json.dumps(name)}; {error}") from None
        return
    if not files:
        raise ValueError("dataset.source is features_file, so dataset.files must name the files; set it")
    if isinstance(files, dict) and (missing := [name for name in subsets if name not in files]):
        raise ValueError(f"dataset.files has no entry for {missing[0]}; add the path of its features and spectra")
    if simulations.archive:
        raise ValueError(
            "dataset.source: features_file reads no runs, but simulations.archive names some; remove one of the two"
        )


def check_sources(
    subsets: Sequence[str], structures: StructuresSection, simulations: SimulationsSection, dataset: DatasetSection
) -> None:
    """Check that the sources of structures and of simulations fit together and serve every subset.

    Raises:
        ValueError: they do not; the message says which sources fit together.
    """
    if dataset.from_files:
        return
    source, runs = structures.source, simulations.source
    if source == "directory" and not structures.directory:
        raise ValueError("structures.source is directory, so structures.directory must name a folder; set it")
    if runs == "run" and source == "archive":
        raise ValueError(
            "simulations.source: run computes spectra of structures, but structures.source: archive brings none; "
            "set structures.source to directory, examples or materials_project, or to amcsd"
        )
    if source == "archive" and structures.duplicates == "merge":
        raise ValueError(
            "structures.duplicates: merge does not fit structures.source: archive, which imports all finished runs; "
            "set it to keep"
        )
    if runs == "archive" and source != "archive":
        raise ValueError(
            f"simulations.source: archive brings its structures along, so structures.source: {source} does not "
            "fit it; set both to archive, or set simulations.source: run"
        )
    for name in subsets:
        theory = Subset.parse(name).theory
        record = theory_of(theory)
        if runs == "archive" and record.engine and not record.importable:
            raise ValueError(f"the subset {name} is computed, not imported; set simulations.source: run")
        if runs == "archive" and not record.importable:
            raise ValueError(
                f"the subset {name} cannot be imported: this version reads no runs of {theory}; to write its inputs, "
                "set simulations.source: run and another structures.source than archive"
            )


def check_tuned(subsets: Sequence[str], models: ModelsSection) -> None:
    """Check that each tuned model has a universal model to start from.

    Raises:
        ValueError: one has none; the message names its subset.
    """
    if "tuned" in models.kinds:
        theories = {Subset.parse(name).theory for name in subsets}
        for name in subsets:
            if (theory := models.universal_of(name)) not in theories:
                raise ValueError(
                    f"the tuned model of {name} starts from the universal model of {theory}, but no subset is of "
                    f"{theory}; add its subsets, or choose another theory with models.tuned_from"
                )


def check_delta(
    subsets: Sequence[str], simulations: SimulationsSection, models: ModelsSection, dataset: DatasetSection
) -> None:
    """Check that delta models have cheaper runs to correct, and that cheaper runs have delta models.

    Raises:
        ValueError: one lacks the other, or there can be no such runs; the message says why.
    """
    given, wanted = models.delta_from, DELTA in models.kinds
    theory = cheap_theory(given)
    if theory is None:
        if wanted:
            raise ValueError(
                "models.kinds has delta, but models.delta_from is null: name the cheaper level of theory whose runs "
                "the delta models correct, such as FEFF8L"
            )
        return
    correctable = list(run_features().values())
    if theory not in correctable:
        raise ValueError(f"models.delta_from is {given}; runs of {' or '.join(correctable)} can be corrected")
    if not wanted:
        raise ValueError(
            f"models.delta_from is {given}, which only delta models use, but models.kinds has no delta; add it"
        )
    if dataset.from_files:
        raise ValueError(
            "dataset.source: features_file simulates nothing, so there are no runs for models.delta_from: "
            f"{given}; remove delta from models.kinds"
        )
    _check_cheap_subsets(str(given), subsets)
    imported = theory_of(theory).importable and simulations.source == "archive"
    if imported and isinstance(simulations.archive, dict):
        missing = [name for name in cheap_subsets(given, subsets).values() if name not in simulations.archive]
        if missing:
            raise ValueError(
                f"simulations.archive has no entry for {missing[0]}, the cheaper runs of models.delta_from; add their "
                "path"
            )


def _check_cheap_subsets(delta_from: str, subsets: Sequence[str]) -> None:
    """Check that every subset has cheaper runs of its own element, and that no other subset shares them."""
    theory = cheap_theory(delta_from)
    elements: dict[str, str] = {}
    for name in subsets:
        subset = Subset.parse(name)
        if "_" in delta_from and Subset.parse(delta_from).element != subset.element:
            raise ValueError(
                f"models.delta_from is {delta_from}, but {name} is of another element; name {theory} instead"
            )
        if subset.theory == theory:
            raise ValueError(
                f"models.delta_from is {delta_from}, but {name} is a subset itself; remove it from subsets: its runs "
                "are computed for the models of the other subsets"
            )
        if subset.element in elements:
            raise ValueError(
                f"the subsets {elements[subset.element]} and {name} would share the runs of {subset.element}_{theory}, "
                "but their structures may differ; make a campaign for each"
            )
        elements[subset.element] = name


def check_planned_sites(
    subsets: Sequence[str], simulations: SimulationsSection, models: ModelsSection, dataset: DatasetSection
) -> None:
    """Check that each list of `simulations.sites` is for runs that this campaign computes.

    Raises:
        ValueError: a list would have no effect; the message says why.
    """
    computed = computed_cheap_subsets(models.delta_from, subsets, simulations.source)
    runs = [] if dataset.from_files else [*subsets, *computed]
    if simulations.source != "run":
        runs = [name for name in runs if name not in subsets]
    for name in simulations.sites:
        if name not in runs:
            why = "are imported" if name in subsets else "are not part of this campaign"
            those = f"lists can be given for {', '.join(runs)}" if runs else "this campaign computes none"
            raise ValueError(f"simulations.sites has a list for {name}, whose runs {why}; {those}")


def check_own_settings(subsets: Sequence[str], models: ModelsSection) -> None:
    """Check that the models that are searched, or have their own settings, are models of this campaign.

    Raises:
        ValueError: one is not; the message names the campaign's models.
    """
    known = model_names(subsets, models.kinds)
    with_tuned = list(dict.fromkeys([*known, *(subsets if "tuned" in models.kinds else [])]))
    named: dict[str, tuple[Iterable[str], Sequence[str]]] = {
        "search.models": (models.search.models or [], known),
        "settings": (models.settings, known),
        "widths": (models.widths, known),  # a tuned model has the universal one's
        "batch_size": (models.batch_size, with_tuned),
    }
    for key, (names, models_here) in named.items():
        for name in names:
            if name in models_here:
                continue
            have = f"the campaign's models are {', '.join(models_here)}" if models_here else "no model has settings"
            add = "expert to models.kinds" if name in subsets else "it to subsets or models.kinds"
            raise ValueError(f"models.{key} names {name}, but {have}; remove it, or add {add}")
