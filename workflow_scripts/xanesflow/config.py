"""The one place that knows the shape of config.yaml.

`Config` is the model: `load_config` checks what Snakemake hands over and tells a mistake in one sentence with its
place; `python -m xanesflow.config` prints the commented default file, `python -m xanesflow.config --schema` its JSON
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

from xanesflow.config_inputs import Inputs
from xanesflow.config_sections import (
    Chunks,
    Curation,
    Dataset,
    Evaluation,
    Features,
    Models,
    Section,
    Splits,
    Structures,
    SubsetName,
    unique,
)
from xanesflow.config_simulations import Simulations
from xanesflow.errors import XanesflowError
from xanesflow.presets import LAYERS, fill_in
from xanesflow.sites import ELEMENTS, IMPORTED, PARTS, Subset


class Config(Section):
    """The whole configuration, config.yaml."""

    campaign: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = Field(
        "3dtm_xanes_ml2024", description="name of the campaign; the dataset is results/dataset/<campaign>.h5"
    )
    subsets: Annotated[list[SubsetName], Field(min_length=1), AfterValidator(unique)] = Field(
        [f"{element}_FEFF" for element in ELEMENTS],
        description=(
            "element and level of theory of each subset, as Cu_FEFF, or Cu_FEFF8L by the embedded engine; of VASP\n"
            "inputs can be written and runs be computed (`snakemake simulations`), of OCEAN, EXCITING, XSPECTRA and\n"
            "FDMNES inputs be written (`snakemake inputs`), but no runs of these be read yet"
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

    @model_validator(mode="before")
    @classmethod
    def _the_preset_fills_in(cls, values: Any) -> Any:
        return fill_in(values) if isinstance(values, Mapping) else values

    @model_validator(mode="after")
    def _each_subset_is_complete(self) -> Config:
        for name in self.subsets:
            element, theory = Subset.parse(name).element, Subset.parse(name).theory
            if self.simulations.source == "run" and (key := self.inputs.missing(element, theory)):
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
    def _the_sources_go_together(self) -> Config:
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
            if simulations == "archive" and theory == "FEFF8L":
                raise ValueError(f"the subset {name} is computed, not imported; set simulations.source: run")
            if simulations == "archive" and theory not in IMPORTED:
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

    def universal_of(self, subset: str) -> str:
        """Level of theory of the universal model that a subset's tuned model goes on from."""
        theory = Subset.parse(subset).theory
        return self.models.tuned_from.get(theory, theory)  # type: ignore[call-overload]

    def training_of(self, kind: str, of: str) -> dict[str, Any]:
        """How a model is trained: fields of `models.settings.TrainingSettings`, but for the seed.

        Args:
            kind: `expert`, `universal` or `tuned`.
            of: a subset, or of a universal model its level of theory.
        """
        given, name = self.models, "universal" if kind == "universal" else of
        layers = LAYERS[given.preset]
        fields = ("output", "weight_decay", "schedule", "average", "max_epochs", "patience", "scaling", "precision")
        settings = {field: getattr(given, field) for field in (*fields, "kernel_share", "device", "threads")}
        tuned = kind == "tuned" and given.tuned_dropout is not None
        settings["dropout"] = given.tuned_dropout if tuned else given.dropout
        settings["learning_rate"] = None if given.learning_rate == "range_test" else given.learning_rate
        settings["widths"] = given.widths.get(name) or (list(layers[0]) if layers else None)
        settings["batch_size"] = given.batch_size.get(name) or (layers[1] if layers else None)
        return settings

    def n_chunks(self, subset: str) -> int:
        """Into how many chunks a subset is divided."""
        return self.chunks[subset] if isinstance(self.chunks, dict) else self.chunks

    def engine_options(self, subset: str) -> dict[str, Any]:
        """The options of the engine that computes a subset (see `simulations.engine.engine_of`).

        Only what this engine depends on, so that no other change of the configuration calls for its chunks again.
        """
        parsed, given = Subset.parse(subset), self.simulations
        if parsed.theory == "FEFF":
            return {"command": given.feff_command, "inputs": self.inputs.of("FEFF"), **given.feff.model_dump()}
        if parsed.theory == "VASP":
            command = {"element": parsed.element, "command": given.vasp_command, "inputs": self.inputs.of("VASP")}
            return command | given.vasp.model_dump()
        return given.engine.model_dump() if parsed.theory == "FEFF8L" else {}

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


def check_split_files(paths: list[str], subset: str) -> None:
    """Check that the published split files are there, before hours of work that would end without them.

    Raises:
        XanesflowError: one is missing; names it.
    """
    for path in paths:
        if not Path(path).exists():
            raise XanesflowError(
                f"{path} does not exist (looked from {Path.cwd()}); splits.files must be a folder with "
                f"{subset}_train.txt, {subset}_val.txt and {subset}_test.txt, or null for the balanced split."
            )


def check_directory(path: str | Path) -> None:
    """Check that the folder of structures is there; what is in it is seen when it is read.

    Raises:
        XanesflowError: it is not there; says where it was looked for.
    """
    if not Path(path).is_dir():
        raise XanesflowError(
            f"structures.directory is {path}, which is no folder (looked from {Path.cwd()}); name the folder with "
            "your structure files."
        )


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
        "# Made by `python -m xanesflow.config > config.yaml`; change xanesflow/config*.py, not the comments.",
    ]
    for name in Config.model_fields:
        lines += ["", *_commented(Config, name, "")]
    return "\n".join(lines) + "\n"


def _commented(model: type[BaseModel], name: str, indent: str) -> list[str]:
    """Lines of one key with its comment above, and of what is in it."""
    field = model.model_fields[name]
    lines = [f"{indent}# {line}" for line in str(field.description).splitlines()]
    if not isinstance(field.default, Section):
        return [*lines, f"{indent}{name}: {_flow(field.default)}"]
    lines.append(f"{indent}{name}:")
    for inner in type(field.default).model_fields:
        lines += _commented(type(field.default), inner, indent + "  ")
    return lines


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).removesuffix("...\n").strip()


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
