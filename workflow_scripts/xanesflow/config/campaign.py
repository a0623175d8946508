"""What a configuration implies: models, cheaper runs, chunks, options of the codes, and the files of each.

The rules read all this from a `Campaign`, and so may any room of the library. `xanesflow.config.result_paths` holds the
paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from xanesflow.codes.registry import theory_of, with_inputs
from xanesflow.config import result_paths as paths
from xanesflow.config.delta_from import cheap_features, cheap_subsets, computed_cheap_subsets
from xanesflow.config.kinds import DELTA, UNIVERSAL, model_names, trained_on
from xanesflow.config.model import Config
from xanesflow.config.result_paths import fill
from xanesflow.config.search import read_settings_files
from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import PARTS, Subset, chunk_name, pairs_of_theories

PACKAGED_FILES = ("sites.csv", "rejected.csv", "README.md", "CITATION.cff", "LICENSE", "croissant.json", "SHA256SUMS")
"""Files next to the dataset in the folder for a repository."""


@dataclass(frozen=True)
class Campaign:
    """A checked configuration, and what follows from it."""

    config: Config

    # Subsets

    @property
    def subsets(self) -> list[str]:
        """The subsets of the dataset, in the order of the configuration."""
        return self.config.subsets

    @cached_property
    def elements(self) -> list[str]:
        """The absorbing elements, sorted."""
        return sorted({Subset.parse(name).element for name in self.subsets})

    @cached_property
    def theories(self) -> list[str]:
        """The levels of theory of the dataset, sorted."""
        return sorted({Subset.parse(name).theory for name in self.subsets})

    @cached_property
    def cheap_subsets(self) -> dict[str, str]:
        """The subset of cheaper runs (`models.delta_from`) below each subset, `{"Cu_FEFF": "Cu_FEFF8L"}`."""
        return cheap_subsets(self.config.models.delta_from, self.subsets)

    @cached_property
    def computed_cheap_subsets(self) -> list[str]:
        """The subsets of cheaper runs that this campaign computes, sorted."""
        return computed_cheap_subsets(self.config.models.delta_from, self.subsets, self.config.simulations.source)

    @cached_property
    def all_subsets(self) -> list[str]:
        """The subsets of the dataset, then the subsets of cheaper runs."""
        return [*self.subsets, *self.cheap_subsets.values()]

    def is_imported(self, subset: str) -> bool:
        """Whether the finished runs of a subset are imported."""
        return self.config.simulations.source == "archive" and subset not in self.computed_cheap_subsets

    @cached_property
    def imported_subsets(self) -> list[str]:
        """The subsets whose finished runs are imported, sorted."""
        return sorted(filter(self.is_imported, self.all_subsets))

    @cached_property
    def run_subsets(self) -> list[str]:
        """The subsets that are simulated, sorted."""
        return sorted(set(self.all_subsets) - set(self.imported_subsets))

    @cached_property
    def pairs_of_theories(self) -> list[tuple[str, str]]:
        """All pairs of subsets of the same element."""
        return pairs_of_theories(self.subsets)

    @cached_property
    def compared_elements(self) -> list[str]:
        """The elements with subsets of several levels of theory, sorted."""
        return [element for element in self.elements if len(self.subsets_of(element=element)) > 1]

    @property
    def tried_subsets(self) -> list[str]:
        """The subset whose code's convergence the report shows, in a list; empty: none."""
        return [name for name in self.run_subsets if name == self.config.convergence.subset]

    def subset_above(self, cheap_subset: str) -> str:
        """The subset whose sites the cheaper runs of `cheap_subset` share."""
        return {below: name for name, below in self.cheap_subsets.items()}[cheap_subset]

    def subsets_of(self, *, element: str | None = None, theory: str | None = None) -> list[str]:
        """The subsets of an element in the order of the configuration, or of a level of theory, sorted."""
        if element is not None:
            return [name for name in self.subsets if Subset.parse(name).element == element]
        return sorted(name for name in self.subsets if Subset.parse(name).theory == theory)

    # Structures, inputs and simulations

    def n_chunks(self, subset: str) -> int:
        """Number of chunks of a subset; a subset of cheaper runs has as many as the subset above it."""
        chunks = self.config.chunks
        if not isinstance(chunks, dict):
            return chunks
        return chunks[subset if subset in chunks else self.subset_above(subset)]

    def runs(self, subset: str) -> list[str]:
        """Zips of the finished runs of a subset, one for each chunk."""
        return [fill(paths.RUNS, subset=subset, chunk=chunk_name(k)) for k in range(self.n_chunks(subset))]

    def inputs(self, subset: str) -> list[str]:
        """Zips of the input files of a subset, one for each chunk; none if the engine writes them when it runs."""
        n_chunks = self.n_chunks(subset) if Subset.parse(subset).theory in with_inputs() else 0
        return [fill(paths.INPUTS, subset=subset, chunk=chunk_name(k)) for k in range(n_chunks)]

    @property
    def folder_of_structures(self) -> list[str]:
        """The user's folder of structures, in a list; empty for other sources."""
        given = self.config.structures
        return [given.directory] if given.source == "directory" and given.directory else []

    def queried_structures(self, subset: str) -> list[str]:
        """Structures of a subset's element from a database, and their manifest; empty for other sources."""
        patterns = {
            "materials_project": (paths.QUERIED_STRUCTURES, paths.QUERY_MANIFEST),
            "amcsd": (paths.MINERALS, paths.MINERALS_MANIFEST),
        }.get(self.config.structures.source, ())
        return [fill(pattern, element=Subset.parse(subset).element) for pattern in patterns]

    def material_ids(self, subset: str) -> str | list[str] | None:
        """`structures.materials_project.ids` for a subset: ids, a file or folder of them, or None."""
        return self.config.structures.materials_project.ids_of(Subset.parse(subset).element)

    @property
    def disorder(self) -> dict[str, Any]:
        """What becomes of disordered structures: the fields of `structures.disorder.represent.Disorder`."""
        given = self.config.structures
        return {"kind": given.disorder, **given.disorder_cells.model_dump()}

    @property
    def fills_disorder(self) -> bool:
        """Whether cells represent the disordered structures of the campaign."""
        given = self.config.structures
        taken = given.source in ("directory", "amcsd") and not self.config.dataset.from_files
        return taken and given.disorder != "refuse"

    def systems_of(self, element: str) -> list[str]:
        """The chemical systems to take from the database of minerals for an element, such as `Cu-O-*`."""
        return [system.replace("E", element, 1) for system in self.config.structures.amcsd.systems]

    def query_of(self, element: str) -> dict[str, Any]:
        """The query to Materials Project for an element, without ids that are listed in files."""
        given = self.config.structures.materials_project
        ids = given.ids_of(element)
        return {
            **given.model_dump(exclude={"ids"}),
            "element": element,
            "systems": [system.replace("E", element, 1) for system in given.systems],
            "ids": ids if isinstance(ids, list) else None,
        }

    def engine_options(self, subset: str) -> dict[str, Any]:
        """The options of the engine that computes a subset (see `codes.registry.engine_of`).

        They hold only what this engine depends on, so that no other change of the configuration reruns its chunks.
        """
        parsed, options = Subset.parse(subset), dict[str, Any]()
        record = theory_of(parsed.theory)
        if not record.engine:
            return options
        if record.element_key:
            options["element"] = parsed.element
        if record.command_key:
            options["command"] = getattr(self.config.simulations, record.command_key)
        if record.inputs_section:
            options["inputs"] = self.config.inputs.of(record.name)
        if record.options_section:
            options |= getattr(self.config.simulations, record.options_section).model_dump()
        # Delta models learn the difference to expensive runs, so the cheaper runs must not use what was learned from
        # such runs.
        return {**options, **record.as_cheap_run} if subset in self.cheap_subsets.values() else options

    def cost_options(self, subset: str) -> dict[str, Any]:
        """Those of the engine's options that the expected cost of a subset's sites depends on."""
        wanted = theory_of(Subset.parse(subset).theory).cost_options
        return {key: value for key, value in self.engine_options(subset).items() if key in wanted}

    def archive_of(self, subset: str) -> str:
        """Path of the finished runs of a subset.

        Raises:
            XanesflowError: the configuration names none.
        """
        archive = self.config.simulations.archive
        path = archive.get(subset) if isinstance(archive, dict) else archive
        if not path:
            raise XanesflowError(
                f"simulations.archive is not set, so there is nothing to import for {subset}: name the folder or "
                "packed file with your finished runs in a config file (snakemake --configfile FILE)."
            )
        return path

    def planned_sites(self, subset: str) -> list[str]:
        """Path of the file that lists the only sites of a subset to simulate, in a list; empty: all sites."""
        planned = self.config.simulations.sites.get(subset)
        return [planned] if planned else []

    def site_count(self, subset: str) -> list[str]:
        """File that shows that a subset has enough sites for a split, in a list; empty for imported runs."""
        return [fill(paths.SITE_COUNT, subset=subset)] if subset in self.run_subsets else []

    def failed_sites(self, subset: str) -> list[str]:
        """Table of a subset's failed sites, in a list; empty for imported runs, whose table is `REJECTED_RUNS`."""
        return [fill(paths.FAILED_SITES, subset=subset)] if subset in self.run_subsets else []

    # Spectra, features and dataset

    def rejected_before_curation(self, subset: str) -> list[str]:
        """Tables of the sites and structures that were left out of a subset before its spectra were read."""
        return [fill(paths.REJECTED_RUNS if self.is_imported(subset) else paths.REJECTED_STRUCTURES, subset=subset)]

    def processing_of(self, subset: str) -> dict[str, float] | None:
        """The entries of `curation.<section>` for a subset's element, in eV by key; None for theories without one."""
        parsed = Subset.parse(subset)
        section = theory_of(parsed.theory).curation_section
        if not section:
            return None
        values: dict[str, dict[str, float]] = getattr(self.config.curation, section).model_dump()
        return {key: each[parsed.element] for key, each in values.items() if parsed.element in each}

    def compared_inputs(self, subset: str) -> dict[str, Any] | None:
        """The options of a subset's inputs, which its own runs are compared with; None: imported, or not compared."""
        theory = theory_of(Subset.parse(subset).theory)
        return self.config.inputs.of(theory.name) if theory.input_settings and not self.is_imported(subset) else None

    def energy_start(self, subset: str) -> float:
        """First energy in eV of a subset's grid."""
        return self.config.curation.energy_start[Subset.parse(subset).element]

    @property
    def cheap_features(self) -> str | None:
        """Name of the features from the cheaper runs, such as `feff8l`; None: there are none."""
        return cheap_features(self.config.models.delta_from)

    @cached_property
    def featurizers(self) -> list[str]:
        """All single features that the models need, sorted."""
        return sorted({part for name in self.mapped_features for part in name.split("+")})

    @cached_property
    def mapped_features(self) -> list[str]:
        """All features, single or joined, that some model is trained on."""
        return list(dict.fromkeys([*(self.config.features.models or []), *(features for _, features in self.models)]))

    def features_file(self, subset: str) -> str:
        """Path of the file with a subset's features and spectra (`dataset.source: features_file`)."""
        files = self.config.dataset.files or ""
        return files[subset] if isinstance(files, dict) else files.replace("{subset}", subset)

    def split_files(self, subset: str) -> list[str]:
        """Published split files of a subset: train, val, test; none for the balanced split."""
        folder = self.config.splits.files
        return [str(Path(folder) / f"{subset}_{part}.txt") for part in PARTS] if folder else []

    @property
    def dataset(self) -> str:
        """Path of the dataset."""
        return fill(paths.DATASET, campaign=self.config.campaign)

    def dataset_parts(self, subsets: Iterable[str]) -> list[str]:
        """Files from which subsets of the dataset are built: spectra, splits, features.

        A name may be the wildcard `{subset}`.
        """
        names = list(subsets)
        parts = [fill(pattern, subset=name) for pattern in (paths.SPECTRA, paths.SPLIT) for name in names]
        return parts + [fill(paths.FEATURES, subset=s, featurizer=each) for s in names for each in self.featurizers]

    @property
    def package(self) -> list[str]:
        """Files of the folder that goes to a repository."""
        campaign = self.config.campaign
        return [fill(paths.PACKAGED, campaign=campaign, name=name) for name in (f"{campaign}.h5", *PACKAGED_FILES)]

    # Models

    @cached_property
    def models(self) -> list[tuple[str, str]]:
        """Kind and features of each model. The features of a delta model include those of the cheaper runs."""
        return [
            (kind, f"{name}+{self.cheap_features}" if kind == DELTA else name)
            for kind in self.config.models.kinds
            for name in self.config.features.models or []
        ]

    @property
    def seeds(self) -> list[int]:
        """The seeds with which every model is trained."""
        return self.config.models.seeds or []

    def checkpoints(self, model: str, features: str, of: str) -> list[str]:
        """The checkpoints of a model, one for each seed; wildcards in the names stay."""
        return [fill(paths.CHECKPOINT, model=model, features=features, of=of, seed=seed) for seed in self.seeds]

    def checkpoints_for(self, model: str, features: str, subset: str) -> list[str]:
        """The checkpoints of the model that predicts a subset."""
        return self.checkpoints(model, features, trained_on(model, subset))

    def searched_models(self) -> list[str]:
        """The models whose settings `snakemake search` searches: experts by their subset, and `universal`.

        Raises:
            XanesflowError: there are none.
        """
        if names := self.config.models.search.models or model_names(self.subsets, self.config.models.kinds):
            return names
        raise XanesflowError("Delta models have no settings to search for; add expert or universal to models.kinds.")

    def searched_subsets(self, model: str) -> list[str]:
        """The subsets on which a search trains a model: its own, or all of the theory with the most subsets."""
        if model != UNIVERSAL:
            return [model]
        theories = [Subset.parse(name).theory for name in self.subsets]
        return self.subsets_of(theory=max(theories, key=theories.count))  # the first theory wins a tie

    def found_settings(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The settings in the files of `models.settings_files`, by model and features.

        Raises:
            XanesflowError: a file is missing, no search wrote it, or it does not fit the campaign.
        """
        given, models = self.config.models.settings_files, model_names(self.subsets, self.config.models.kinds)
        files = read_settings_files(given, models, self.config.features.models or [])
        return {(found.model, found.features): found.settings for found in files}

    def training_of(self, kind: str, of: str, features: str, *, found: bool = True) -> dict[str, Any]:
        """How a model is trained: arguments of `TrainingSettings.of_model`, without the seed.

        Args:
            kind: `expert`, `universal` or `tuned`.
            of: a subset; for a universal model, its level of theory.
            features: those of the model; a file of `models.settings_files` counts only for the features of its search.
            found: whether to use these files, which hold settings of experts and universal models.

        Raises:
            XanesflowError: see `found_settings`.
        """
        name = {UNIVERSAL: UNIVERSAL, "expert": of}.get(kind, "")
        of_files = self.found_settings().get((name, features), {}) if found else {}
        return self.config.models.training_of(kind, of, of_files)

    def trial_of(self, model: str, features: str) -> dict[str, Any]:
        """How a trial of a search is trained, apart from the searched settings: as `training_of`, with the seed."""
        plan = self.config.models.search
        kind = UNIVERSAL if model == UNIVERSAL else "expert"
        settings = self.training_of(kind, model, features, found=False) | {"seed": plan.seed}
        # The schedule one_cycle spans max_epochs, so a shorter training would follow another schedule.
        if settings["schedule"] == "constant" and "schedule" not in (plan.space or {}):
            settings["max_epochs"] = plan.max_epochs
        return settings

    # Files of all models

    def for_models(self, pattern: str) -> list[str]:
        """Paths from `pattern` for every model and its features, and every subset."""
        return self._for_subsets(pattern, self.models)

    def for_simple_models(self, pattern: str) -> list[str]:
        """As `for_models`, for the simple models; {model} is the name of one."""
        features, simple = self.config.features.models or [], self.config.models.simple_models
        return self._for_subsets(pattern, [(model, name) for model in simple for name in features])

    def for_all_models(self, pattern: str) -> list[str]:
        """Paths from `pattern` for every model, then for every simple model."""
        return self.for_models(pattern) + self.for_simple_models(pattern)

    def for_trainings(self, pattern: str, kind: str | None = None) -> list[str]:
        """Paths from `pattern` for every model to train, and for every seed if it names {seed}.

        {of} is a subset; for a universal model, its level of theory. `kind` selects models of one kind; None: all.
        """
        filled = [
            fill(pattern, model=model, features=features, of=trained_on(model, subset), seed=seed)
            for model, features in self.models
            for subset in self.subsets
            for seed in self.seeds
            if kind in (None, model)
        ]
        return list(dict.fromkeys(filled))

    def _for_subsets(self, pattern: str, models: Sequence[tuple[str, str]]) -> list[str]:
        return [fill(pattern, model=m, features=name, subset=s) for m, name in models for s in self.subsets]
