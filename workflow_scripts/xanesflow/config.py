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
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from xanesflow.errors import XanesflowError
from xanesflow.feature_names import parse_features
from xanesflow.sites import ELEMENTS, PARTS, Subset

PAPER_ENERGY_START_EV = {
    "Ti": 4964.504, "V": 5464.097, "Cr": 5989.168, "Mn": 6537.886,
    "Fe": 7111.23, "Co": 7709.282, "Ni": 8332.181, "Cu": 8983.173,
}  # fmt: skip
"""First grid energy in eV of the K edge of each element (arXiv 2409.19552, methods)."""


def _subset_name(name: str) -> str:
    try:
        Subset.parse(name)
    except XanesflowError as error:
        raise ValueError(str(error)) from None
    return name


def _feature_names(name: str) -> str:
    try:
        return "+".join(parse_features(name))
    except XanesflowError as error:
        raise ValueError(str(error)) from None


def _with_papers_starts(given: dict[str, float]) -> dict[str, float]:
    return PAPER_ENERGY_START_EV | given


def _unique(values: list[Any]) -> list[Any]:
    if len(set(values)) < len(values):
        raise ValueError("a value stands there twice")
    return values


def _not_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is wanted, not true or false")
    return value


SubsetName = Annotated[str, AfterValidator(_subset_name)]
ModelName = Annotated[str, AfterValidator(lambda name: name if name == "universal" else _subset_name(name))]
ElementSymbol = Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]
FeatureName = Annotated[str, AfterValidator(_feature_names)]
Count = Annotated[int, BeforeValidator(_not_bool), Field(ge=1)]
Chunks = Annotated[int, BeforeValidator(_not_bool), Field(ge=1, le=4096)]  # an import holds them all open
Seed = Annotated[int, BeforeValidator(_not_bool), Field(ge=0, le=2**32 - 1)]
Positive = Annotated[float, BeforeValidator(_not_bool), Field(gt=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A part of the configuration that knows all its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)


class Structures(Section):
    """Where the crystal structures come from."""

    source: Literal["archive"] = Field(
        "archive", description="archive: the POSCAR beside the finished runs of simulations.archive"
    )
    symprec: Positive = Field(
        0.01, description="distance in Å within which spglib takes two atoms for symmetry-equivalent (multiplicity)"
    )


class Simulations(Section):
    """Where the simulated spectra come from."""

    source: Literal["archive"] = Field("archive", description="archive: import finished runs")
    archive: str | dict[SubsetName, str] | None = Field(
        None,
        description=(
            "folder, .tar, .tar.gz, .tar.xz, .tar.zst or .zip with finished runs in Lightshow's tree,\n"
            "<element>/<material id>/FEFF-XANES/<site>_<element>/{feff.inp,feff.out,xmu.dat} beside\n"
            "<element>/<material id>/POSCAR; one path for all subsets, or one per subset {Cu_FEFF: path, ...};\n"
            "relative to the working directory (snakemake --directory)"
        ),
    )


class Curation(Section):
    """Which spectra are good, and the grid that they are put on."""

    envelope: dict[Literal["FEFF", "VASP"], Positive | None] = Field(
        {"FEFF": 2.5, "VASP": 5.0},
        description=(
            "a spectrum is out if it leaves mean ± this many standard deviations of its subset at any grid point;\n"
            "null: keep them all"
        ),
    )
    energy_start: Annotated[dict[ElementSymbol, Positive], AfterValidator(_with_papers_starts)] = Field(
        PAPER_ENERGY_START_EV,
        description="first energy in eV of each element's grid: 141 points, 35 eV, every 0.25 eV",
    )
    max_flat_start: Annotated[float, BeforeValidator(_not_bool), Field(ge=0, allow_inf_nan=False)] = Field(
        10.0,
        description=(
            "eV at the start of the grid that may lie before the first computed point; there the spectrum is\n"
            "continued flat, as published (the 4,831 published Cu runs need up to 5.6)"
        ),
    )


class Features(Section):
    """What the models see of a structure."""

    models: Annotated[list[FeatureName], Field(min_length=1), AfterValidator(_unique)] = Field(
        ["m3gnet"],
        description=(
            "a model is trained on each: m3gnet (last block, 64 numbers), m3gnet_all (embedding and three blocks,\n"
            "256), chgnet (atom features and magnetic moment, 65), or several joined as m3gnet_all+chgnet"
        ),
    )
    m3gnet_weights: str | None = Field(
        None,
        description="folder of M3GNet-MP-2021.2.8-PES; null: matgl's cache, else a download, checked by SHA-256",
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the graph networks run")


class Splits(Section):
    """Which sites train, validate and test a model. A material is never in two parts."""

    files: str | None = Field(
        None,
        description=(
            "folder with published <subset>_{train,val,test}.txt, one <material id>_<site> a line;\n"
            "null: the paper's balanced split by material, 80/10/10"
        ),
    )
    seed: Seed = Field(42, description="random order of materials with equally many sites in the balanced split")


class Dataset(Section):
    """What the dataset says of itself."""

    creator: str = Field("xanesflow", description="who made it")
    licence: str = Field(
        "CC-BY-4.0", description="under which licence (SPDX) it may be used; Materials Project: CC-BY-4.0"
    )


class Models(Section):
    """The models and how they are trained."""

    kinds: Annotated[list[Literal["expert", "universal"]], Field(min_length=1), AfterValidator(_unique)] = Field(
        ["expert"], description="expert: one model per subset; universal: one over all subsets of a level of theory"
    )
    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(_unique)] = Field(
        [0], description="a model is trained with each; of several the mean prediction is reported as well"
    )
    widths: dict[ModelName, Annotated[list[Count], Field(min_length=1)]] = Field(
        {}, description="hidden layers, {Cu_FEFF: [600, 600, 400], universal: [500, 500, 550]}; not named: the paper's"
    )
    batch_size: dict[ModelName, Annotated[int, Field(ge=2)]] = Field(
        {}, description="spectra per step, {Cu_FEFF: 32, universal: 32}; not named: the paper's"
    )
    dropout: Annotated[float, BeforeValidator(_not_bool), Field(ge=0, lt=1)] = Field(
        0.5, description="share of hidden units left out at each step of the training"
    )
    learning_rate: Positive | None = Field(None, description="Adam's step size; null: found by a range test")
    max_epochs: Count = Field(1000, description="longest training")
    patience: Count = Field(50, description="epochs without a better validation loss after which training stops")
    scaling: Literal["paper", "standardise", "auto"] = Field(
        "auto",
        description=(
            "paper: features and spectra × 1000; standardise: each feature to mean 0, deviation 1 over the training\n"
            "part; auto: paper for m3gnet alone, standardise for all others"
        ),
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the models are trained")


class Evaluation(Section):
    """How the models are judged."""

    part: Literal["test", "val"] = Field(
        "test",
        description=(
            "part of the split that the figures are taken on; val only where test runs are not at hand: it also\n"
            "stopped the training, so its figures are a little too good, and the report says so"
        ),
    )


class Config(Section):
    """The whole configuration, config.yaml."""

    campaign: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = Field(
        "3dtm_xanes_ml2024", description="name of the campaign; the dataset is results/dataset/<campaign>.h5"
    )
    subsets: Annotated[list[SubsetName], Field(min_length=1), AfterValidator(_unique)] = Field(
        [f"{element}_FEFF" for element in ELEMENTS],
        description=(
            "element and level of theory of each subset; Ti_VASP and Cu_VASP can be planned, but this version cannot\n"
            "read VASP runs yet"
        ),
    )
    chunks: Chunks | dict[SubsetName, Chunks] = Field(
        32,
        description="jobs into which the simulations of a subset are divided, one number or {Cu_FEFF: 32, ...}",
    )
    structures: Structures = Field(Structures(), description="crystal structures and their sites")
    simulations: Simulations = Field(Simulations(), description="simulated spectra")
    curation: Curation = Field(Curation(), description="from raw runs to spectra on one grid")
    features: Features = Field(Features(), description="node features of graph networks")
    splits: Splits = Field(Splits(), description="training, validation and test part, by material")
    dataset: Dataset = Field(Dataset(), description="the dataset's own description")
    models: Models = Field(Models(), description="neural networks from features to spectra")
    evaluation: Evaluation = Field(Evaluation(), description="judging the models")

    @model_validator(mode="after")
    def _each_subset_is_complete(self) -> Config:
        for name in self.subsets:
            element = Subset.parse(name).element
            if element not in self.curation.energy_start:
                raise ValueError(
                    f"curation.energy_start has no entry for {element}, which {name} needs; add its first energy in eV"
                )
            if isinstance(self.chunks, dict) and name not in self.chunks:
                raise ValueError(f"chunks has no entry for {name}; add one, or give one number for all subsets")
            if isinstance(self.simulations.archive, dict) and name not in self.simulations.archive:
                raise ValueError(f"simulations.archive has no entry for {name}; add the path of its runs")
        return self

    def n_chunks(self, subset: str) -> int:
        """Into how many chunks a subset is divided."""
        return self.chunks[subset] if isinstance(self.chunks, dict) else self.chunks

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
        "# Made by `python -m xanesflow.config > config.yaml`; change xanesflow/config.py, not the comments here.",
    ]
    for name, field in Config.model_fields.items():
        lines.append("")
        lines += [f"# {line}" for line in str(field.description).splitlines()]
        value = field.default
        if isinstance(value, Section):
            lines.append(f"{name}:")
            for key, inner in type(value).model_fields.items():
                lines += [f"  # {line}" for line in str(inner.description).splitlines()]
                lines.append(f"  {key}: {_flow(inner.default)}")
        else:
            lines.append(f"{name}: {_flow(value)}")
    return "\n".join(lines) + "\n"


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
