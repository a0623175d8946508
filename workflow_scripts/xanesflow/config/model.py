"""The one place that knows the shape of config.yaml.

`Config` is the model: `load_config` checks what Snakemake hands over and tells a mistake in one sentence with its
place; `python -m xanesflow.config.model` prints the commented default file, `python -m xanesflow.config.model --schema` its JSON
schema. A test holds config.yaml in step with both.
"""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from xanesflow.codes.registry import theory_of
from xanesflow.config.base import Section, SubsetName, commented, unique
from xanesflow.config.delta_from import baselines_of, check_baseline, check_planned
from xanesflow.config.inputs import Inputs
from xanesflow.config.models import Models
from xanesflow.config.predict import Predict
from xanesflow.config.presets import fill_in
from xanesflow.config.search import read_settings_files
from xanesflow.config.sections import Chunks, Curation, Dataset, Evaluation, Features, Splits, Structures
from xanesflow.config.simulations import Simulations
from xanesflow.core.errors import XanesflowError
from xanesflow.core.feature_names import parse_features
from xanesflow.core.sites import ELEMENTS, PARTS, Subset


class Config(Section):
    """The whole configuration, config.yaml."""

    campaign: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = Field(
        "3dtm_xanes_ml2024", description="name of the campaign; the dataset is results/dataset/<campaign>.h5"
    )
    subsets: Annotated[list[SubsetName], Field(min_length=1), AfterValidator(unique)] = Field(
        [f"{element}_FEFF" for element in ELEMENTS],  # the paper's: a default is a choice, which no record makes
        description=(
            "element and level of theory of each subset, as Cu_FEFF, or Cu_FEFF8L by the embedded engine; of OCEAN,\n"
            "EXCITING, XSPECTRA and FDMNES inputs can be written (`snakemake inputs`), but no runs be read"
        ),
    )
    chunks: Chunks | dict[SubsetName, Chunks] = Field(
        32,
        description="jobs into which the simulations of a subset are divided, one number or {Cu_FEFF: 32, ...}",
    )
    structures: Structures = Field(Structures(), description="crystal structures and their sites")
    inputs: Inputs = Field(Inputs(), description="input files of the simulation codes, for `snakemake inputs`")
    simulations: Simulations = Field(Simulations(), description="simulated spectra")
    curation: Curation = Field(Curation(), description="from raw runs to spectra on one grid")
    features: Features = Field(Features(), description="node features of graph networks")
    splits: Splits = Field(Splits(), description="training, validation and test part, by material")
    dataset: Dataset = Field(Dataset(), description="the dataset's own description")
    models: Models = Field(Models(), description="neural networks from features to spectra")
    evaluation: Evaluation = Field(Evaluation(), description="judging the models")
    predict: Predict = Field(Predict(), description="spectra of other structures, for `snakemake predict`")

    @model_validator(mode="before")
    @classmethod
    def _the_preset_fills_in(cls, values: Any) -> Any:
        return fill_in(values) if isinstance(values, Mapping) else values

    @model_validator(mode="after")
    def _each_subset_is_complete(self) -> Config:
        for name in self.subsets:
            element, theory = Subset.parse(name).element, Subset.parse(name).theory
            if (
                not self.from_files
                and self.simulations.source == "run"
                and (key := self.inputs.missing(element, theory))
            ):
                raise ValueError(f"{key} has no entry for {element}, which {name} needs; add it")
            if element not in self.curation.energy_start:
                raise ValueError(
                    f"curation.energy_start has no entry for {element}, which {name} needs; add its first energy in eV"
                )
            if isinstance(self.chunks, dict) and name not in self.chunks:
                raise ValueError(f"chunks has no entry for {name}; add one, or give one number for all subsets")
            if isinstance(self.simulations.archive, dict) and name not in self.simulations.archive:
                raise ValueError(f"simulations.archive has no entry for {name}; add the path of its runs")
        return self

    @model_validator(mode="after")
    def _ids_are_of_its_elements(self) -> Config:
        ids = self.structures.materials_project.ids
        if isinstance(ids, dict):
            elements = {Subset.parse(name).element for name in self.subsets}
            if other := sorted(ids.keys() - elements):
                raise ValueError(
                    f"structures.materials_project.ids has an entry for {other[0]}, and no subset is of {other[0]}; "
                    "take it out, or add the subset"
                )
            if missing := sorted(elements - ids.keys()):
                raise ValueError(f"structures.materials_project.ids has no entry for {missing[0]}; add one")
        return self

    @model_validator(mode="after")
    def _the_dataset_has_its_files(self) -> Config:
        files = self.dataset.files
        if files is not None and not self.from_files:
            raise ValueError(
                "dataset.files is given, and dataset.source: workflow reads none; set dataset.source: features_file"
            )
        if not self.from_files:
            for k, name in enumerate(self.features.models or []):
                try:
                    parse_features(name)
                except XanesflowError as error:
                    raise ValueError(f"'features.models.{k}' is {json.dumps(name)}; {error}") from None
            return self
        if not files:
            raise ValueError("dataset.source is features_file, so dataset.files must name the files; set it")
        if isinstance(files, dict) and (missing := [name for name in self.subsets if name not in files]):
            raise ValueError(f"dataset.files has no entry for {missing[0]}; add the path of its features and spectra")
        if self.simulations.archive:
            raise ValueError(
                "dataset.source: features_file reads no runs, and simulations.archive names some; take one of them out"
            )
        return self

    @model_validator(mode="after")
    def _the_sources_go_together(self) -> Config:
        if self.from_files:
            return self
        structures, simulations = self.structures.source, self.simulations.source
        if structures == "directory" and not self.structures.directory:
            raise ValueError("structures.source is directory, so structures.directory must name a folder; set it")
        if simulations == "run" and structures == "archive":
            raise ValueError(
                "simulations.source: run computes spectra of structures, and structures.source: archive brings none; "
                "it needs directory, examples or materials_project"
            )
        if simulations == "archive" and structures != "archive":
            raise ValueError(
                f"simulations.source: archive brings its structures along, so structures.source: {structures} does not "
                "go with it; take archive for both, or simulations.source: run"
            )
        for name in self.subsets:
            theory = Subset.parse(name).theory
            record = theory_of(theory)
            if simulations == "archive" and record.engine and not record.importable:
                raise ValueError(f"the subset {name} is computed, not imported; set simulations.source: run")
            if simulations == "archive" and not record.importable:
                raise ValueError(
                    f"the subset {name} cannot be imported: this version reads no runs of {theory}; write its inputs "
                    "with simulations.source: run and structures of another source than archive"
                )
        return self

    @model_validator(mode="after")
    def _what_is_tuned_has_a_beginning(self) -> Config:
        if "tuned" in self.models.kinds:
            theories = {Subset.parse(name).theory for name in self.subsets}
            for name in self.subsets:
                if (theory := self.universal_of(name)) not in theories:
                    raise ValueError(
                        f"the tuned model of {name} goes on from the universal model of {theory}, of which there is no "
                        "subset; add its subsets, or choose another theory with models.tuned_from"
                    )
        return self

    @model_validator(mode="after")
    def _the_baseline_can_be_had(self) -> Config:
        check_baseline(self)
        check_planned(self)
        return self

    @model_validator(mode="after")
    def _what_is_searched_is_there(self) -> Config:
        known = self.model_names()
        for name in self.models.search.models or []:
            if name not in known:
                raise ValueError(
                    f"models.search.models names {name}, and the campaign's models are {', '.join(known)}; take it "
                    "out, or add it to subsets or models.kinds"
                )
        return self

    def model_names(self) -> list[str]:
        """What models can have settings of their own: each subset, and `universal` where such a model is trained."""
        return [*self.subsets, *(["universal"] if {"universal", "tuned"} & set(self.models.kinds) else [])]

    def searched_models(self) -> list[str]:
        """The models whose settings `snakemake search` is to find."""
        if self.models.search.models is not None:
            return self.models.search.models
        return [name for name in self.model_names() if name == "universal" or "expert" in self.models.kinds]

    def searched_subsets(self, model: str) -> list[str]:
        """The subsets that a search trains a model on: its own, or all of the theory that has most of them."""
        if model != "universal":
            return [model]
        theories = [Subset.parse(name).theory for name in self.subsets]
        theory = max(theories, key=theories.count)  # the first of several with as many
        return sorted(name for name in self.subsets if Subset.parse(name).theory == theory)

    def found_settings(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What the files of `models.settings_files` say, by model and features.

        Raises:
            XanesflowError: a file is missing, no search wrote it, or it does not fit the campaign.
        """
        files = read_settings_files(self.models.settings_files, self.model_names(), self.features.models or [])
        return {(found.model, found.features): found.settings for found in files}

    def training_of(self, kind: str, of: str, features: str, *, found: bool = True) -> dict[str, Any]:
        """How a model is trained: arguments of `models.training_settings.TrainingSettings.of_model`, but for the seed.

        Args:
            kind: `expert`, `universal` or `tuned`.
            of: a subset, or of a universal model its level of theory.
            features: that it is trained on; a file of `models.settings_files` is for the features of its search.
            found: whether these files count, which are of experts and universal models.

        Raises:
            XanesflowError: see `found_settings`.
        """
        name = {"universal": "universal", "expert": of}.get(kind, "")
        of_files = self.found_settings().get((name, features), {}) if found else {}
        return self.models.training_of(kind, of, of_files)

    def trial_of(self, model: str, features: str) -> dict[str, Any]:
        """How a trial of a search is trained but for what is searched; as `training_of`, with the seed."""
        plan = self.models.search
        kind = "universal" if model == "universal" else "expert"
        settings = self.training_of(kind, model, features, found=False) | {"seed": plan.seed}
        # The length of a training is part of the schedule one_cycle: a shorter one would be another one.
        if settings["schedule"] == "constant" and "schedule" not in (plan.space or {}):
            settings["max_epochs"] = plan.max_epochs
        return settings

    def universal_of(self, subset: str) -> str:
        """Level of theory of the universal model that a subset's tuned model goes on from."""
        theory = Subset.parse(subset).theory
        return self.models.tuned_from.get(theory, theory)

    @property
    def from_files(self) -> bool:
        """Whether features and spectra are taken from files, and nothing is simulated."""
        return self.dataset.source == "features_file"

    def features_file(self, subset: str) -> str:
        """Path of the file with a subset's features and spectra, for a dataset that is made from such files."""
        files = self.dataset.files or ""
        return files[subset] if isinstance(files, dict) else files.replace("{subset}", subset)

    def n_chunks(self, subset: str) -> int:
        """Into how many chunks a subset is divided; one that nobody named, as the one above it."""
        if not isinstance(self.chunks, dict):
            return self.chunks
        above = {baseline: name for name, baseline in baselines_of(self).items()}
        return self.chunks[subset if subset in self.chunks else above[subset]]

    def engine_options(self, subset: str) -> dict[str, Any]:
        """The options of the engine that computes a subset (see `codes.registry.engine_of`).

        Only what this engine depends on, so that no other change of the configuration calls for its chunks again.
        """
        parsed = Subset.parse(subset)
        record, options = theory_of(parsed.theory), dict[str, Any]()
        if not record.engine:
            return options
        if record.element_key:
            options["element"] = parsed.element
        if record.command_key:
            options["command"] = getattr(self.simulations, record.command_key)
        if record.inputs_section:
            options["inputs"] = self.inputs.of(record.name)
        if record.options_section:
            options |= getattr(self.simulations, record.options_section).model_dump()
        # Runs that models learn from beside expensive ones differ where those have been seen, as by a learned level.
        return {**options, **record.as_cheap_run} if subset in baselines_of(self).values() else options

    def processing_of(self, subset: str) -> dict[str, float] | None:
        """The entries of `curation.<section>` for a subset's element, in eV by key; None for theories without one."""
        parsed = Subset.parse(subset)
        section = theory_of(parsed.theory).curation_section
        if not section:
            return None
        values: dict[str, dict[str, float]] = getattr(self.curation, section).model_dump()
        return {key: each[parsed.element] for key, each in values.items() if parsed.element in each}

    def archive_of(self, subset: str) -> str:
        """Path of the finished runs of a subset.

        Raises:
            XanesflowError: the configuration names none.
        """
        archive = self.simulations.archive
        path = archive.get(subset) if isinstance(archive, dict) else archive
        if not path:
            raise XanesflowError(
                f"simulations.archive is not set, so there is nothing to import for {subset}: name the folder or "
                "packed file with your finished runs in a config file (snakemake --configfile FILE)."
            )
        return path

    def split_files(self, subset: str) -> list[str]:
        """Published split files of a subset: train, val, test; none for the balanced split."""
        folder = self.splits.files
        return [str(Path(folder) / f"{subset}_{part}.txt") for part in PARTS] if folder else []

    def as_json(self) -> str:
        """The whole configuration as one line of JSON, as the outputs record it."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)


def load_config(values: Mapping[str, Any]) -> Config:
    """Check the configuration that Snakemake read.

    Args:
        values: the parsed YAML, defaults and overrides already merged.

    Raises:
        XanesflowError: one sentence for each wrong key, type or value, with its place.
    """
    try:
        return Config.model_validate(_nulls(dict(values)))
    except ValidationError as error:
        # A union (a number, or a mapping of numbers) complains once per member: what it says of the deepest place is
        # about the member that was meant, and the first complaint about a place says enough.
        by_place: dict[tuple[str, ...], str] = {}
        for one in error.errors():
            by_place.setdefault(_place(one), _sentence(one))
        deepest = [p for p in by_place if not any(p == other[: len(p)] for other in by_place if other != p)]
        raise XanesflowError("\n".join(by_place[p] for p in deepest)) from None


def _nulls(value: Any) -> Any:
    """`null` in a value given by --config, which Snakemake hands over as a word."""
    if isinstance(value, dict):
        return {key: _nulls(inner) for key, inner in value.items()}
    return None if value == "null" else value


def _place(error: Any) -> tuple[str, ...]:
    """The keys that lead to a pydantic error."""
    place = [str(part) for part in error["loc"]]
    if error["type"] != "extra_forbidden":
        # Members of a union (str, dict[...], constrained-int) show up in the location; they are no keys of the file.
        place = [p for p in place if "[" not in p and p not in {"str", "int", "function-before", "constrained-int"}]
    return tuple(place)


def _sentence(error: Any) -> str:
    """One pydantic error as one sentence with its place."""
    place = list(_place(error))
    if error["type"] == "extra_forbidden":
        known = list(_model_at(place[:-1]).model_fields)
        near = difflib.get_close_matches(place[-1], known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}."
        return f"Configuration: '{'.'.join(place)}' is not a known key; {hint}"
    message = error["msg"].removeprefix("Value error, ")
    message = (message[:1].lower() + message[1:]).rstrip(".")
    if error["type"] == "value_error" and not place:
        return f"Configuration: {message}."
    given = json.dumps(error["input"], default=str)
    given = given if len(given) <= 60 else given[:57] + "..."
    return f"Configuration: '{'.'.join(place)}' is {given}; {message}."


def _model_at(place: list[str]) -> type[BaseModel]:
    model: type[BaseModel] = Config
    for key in place:
        model = model.model_fields[key].annotation  # type: ignore[assignment]
    return model


def default_yaml() -> str:
    """The commented default configuration: the whole 3dtm_xanes_ml2024 campaign."""
    lines = [
        "# The whole 3dtm_xanes_ml2024 campaign (arXiv 2409.19552): eight 3d metals at the FEFF level.",
        "# A campaign of your own is a file with just the keys that differ: snakemake --configfile mine.yaml",
        "# Made by `python -m xanesflow.config.model > config.yaml`; change xanesflow/config*.py, not the comments.",
    ]
    for name in Config.model_fields:
        lines += ["", *commented(Config, name, "")]
    return "\n".join(lines) + "\n"


def read_config_file(path: str | Path) -> Config:
    """Read and check a configuration file by itself, without Snakemake.

    Raises:
        XanesflowError: the file cannot be read, is not YAML, or holds a wrong value.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise XanesflowError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(values, dict):
        raise XanesflowError(f"{path} holds no keys with values, but {type(values).__name__} {str(values)[:40]!r}.")
    return load_config(values)


if __name__ == "__main__":
    sys.stdout.write(
        json.dumps(Config.model_json_schema(), indent=2) + "\n" if "--schema" in sys.argv[1:] else default_yaml()
    )
