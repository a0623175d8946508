"""The sections of config.yaml: each key with its type, default and comment (see `xanesflow.config`)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from xanesflow.errors import XanesflowError
from xanesflow.feature_names import parse_features
from xanesflow.models.settings import Output
from xanesflow.presets import Preset
from xanesflow.sites import Subset

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


def unique(values: list[Any]) -> list[Any]:
    """Refuse a list that holds a value twice."""
    if len(set(values)) < len(values):
        raise ValueError("a value stands there twice")
    return values


def not_bool(value: Any) -> Any:
    """Refuse true and false where a number is wanted, which Python would take for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a number is wanted, not true or false")
    return value


def _whole(shares: tuple[float, ...]) -> tuple[float, ...]:
    if abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"the three shares add up to {sum(shares):g} and must add up to 1")
    return shares


def _system(name: str) -> str:
    first, *others = name.split("-")
    if first != "E" or not all(each == "*" or re.fullmatch("[A-Z][a-z]?", each) for each in others):
        raise ValueError("a system is E, for the subset's element, with others or * behind it, such as E-O-*")
    return name


def _material_id(name: str) -> str:
    if not re.fullmatch(r"[a-z]{2,5}-(\d+|[a-z]+)", name):
        raise ValueError("a material id is wanted, such as mp-390")
    return name


SubsetName = Annotated[str, AfterValidator(_subset_name)]
ModelName = Annotated[str, AfterValidator(lambda name: name if name == "universal" else _subset_name(name))]
SystemName = Annotated[str, AfterValidator(_system)]
MaterialId = Annotated[str, AfterValidator(_material_id)]
Theory = Literal["FEFF", "VASP", "FEFF8L"]
ElementSymbol = Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]
FeatureName = Annotated[str, AfterValidator(_feature_names)]
Count = Annotated[int, BeforeValidator(not_bool), Field(ge=1)]
Chunks = Annotated[int, BeforeValidator(not_bool), Field(ge=1, le=4096)]  # an import holds them all open
Seed = Annotated[int, BeforeValidator(not_bool), Field(ge=0, le=2**32 - 1)]
Positive = Annotated[float, BeforeValidator(not_bool), Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, BeforeValidator(not_bool), Field(gt=0, lt=1)]


class Section(BaseModel):
    """A part of the configuration that knows all its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)


class MaterialsProject(Section):
    """Which structures are asked of Materials Project, for each element of the subsets."""

    systems: Annotated[list[SystemName], Field(min_length=1), AfterValidator(unique)] = Field(
        ["E", "E-O", "E-O-*", "E-O-*-*"],
        description=(
            "chemical systems: E is the subset's element, * any other element; as the paper: the pure element, and\n"
            "oxides with up to two further elements; beyond that no filter is set by default"
        ),
    )
    theoretical: bool | None = Field(
        None, description="false: only materials known from experiment; true: only the others; null: both"
    )
    energy_above_hull: Annotated[float, BeforeValidator(not_bool), Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="largest energy above the convex hull in eV/atom; null: any"
    )
    max_atoms: Count | None = Field(
        None, description="largest number of atoms in the cell; null: any (the published Cu runs have up to 272)"
    )
    include: Annotated[list[MaterialId], AfterValidator(unique)] = Field(
        [], description="ids of materials to add, whatever the filters say"
    )
    exclude: Annotated[list[MaterialId], AfterValidator(unique)] = Field(
        [], description="ids of materials to leave out; they stand in the rejected table"
    )
    ids: str | list[MaterialId] | dict[ElementSymbol, str | list[MaterialId]] | None = Field(
        None,
        description=(
            "exactly these materials, instead of systems and filters: a list of ids; a file with one id or site\n"
            "(mp-390_000) a line; a folder with published <subset>_{train,val,test}.txt; or one of these per element,\n"
            "{Cu: cu.txt, Ti: [mp-390]}; relative to the working directory. null: by systems"
        ),
    )

    def ids_of(self, element: str) -> str | list[str] | None:
        """The ids, file or folder for an element."""
        return self.ids[element] if isinstance(self.ids, dict) else self.ids


class Structures(Section):
    """Where the crystal structures come from."""

    source: Literal["archive", "directory", "examples", "materials_project"] = Field(
        "archive",
        description=(
            "archive: the POSCAR beside the finished runs of simulations.archive; directory: your own files;\n"
            "examples: a library of well-known structures that comes with xanesflow; materials_project: asked of\n"
            "Materials Project, with your API key in the environment variable MP_API_KEY"
        ),
    )
    directory: str | None = Field(
        None,
        description=(
            "folder with your files, for source directory: <id>/POSCAR, <id>.cif, <id>.json (pymatgen), <id>.vasp,\n"
            "...; relative to the working directory (snakemake --directory)"
        ),
    )
    only: Annotated[list[str], Field(min_length=1), AfterValidator(unique)] | None = Field(
        None,
        description=(
            "take only the structures of these ids, of directory, examples or materials_project; null: all of them"
        ),
    )
    symprec: Positive = Field(
        0.01, description="distance in Å within which spglib takes two atoms for symmetry-equivalent (multiplicity)"
    )

    materials_project: MaterialsProject = Field(
        MaterialsProject(), description="what is asked of Materials Project, for source materials_project"
    )
    refresh: bool = Field(
        False,
        description=(
            "true: ask Materials Project again, and tell what was added, changed and withdrawn; for one call, as\n"
            "--config structures='{refresh: true}'; without it the answer of the first call is kept"
        ),
    )


class Curation(Section):
    """Which spectra are good, and the grid that they are put on."""

    envelope: dict[Literal["FEFF", "VASP", "FEFF8L"], Positive | None] = Field(
        {"FEFF": 2.5, "VASP": 5.0, "FEFF8L": 2.5},
        description=(
            "a spectrum is out if it leaves mean ± this many standard deviations of its subset at any grid point;\n"
            "null: keep them all"
        ),
    )
    energy_start: Annotated[dict[ElementSymbol, Positive], AfterValidator(_with_papers_starts)] = Field(
        PAPER_ENERGY_START_EV,
        description="first energy in eV of each element's grid: 141 points, 35 eV, every 0.25 eV",
    )
    max_flat_start: Annotated[float, BeforeValidator(not_bool), Field(ge=0, allow_inf_nan=False)] = Field(
        10.0,
        description=(
            "eV at the start of the grid that may lie before the first computed point; there the spectrum is\n"
            "continued flat, as published (the 4,831 published Cu runs need up to 5.6)"
        ),
    )


class Features(Section):
    """What the models see of a structure."""

    models: Annotated[list[FeatureName], Field(min_length=1), AfterValidator(unique)] | None = Field(
        None,
        description=(
            "a model is trained on each; null: those of models.preset (paper: [m3gnet]).\n"
            "m3gnet: last block, 64 numbers; m3gnet_all: embedding and three blocks, 256; chgnet: atom features and\n"
            "magnetic moment, 65; radial: histograms of distances, 30; acsf and soap: descriptors, of which a model\n"
            "sees principal components; or several joined as m3gnet_all+chgnet"
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
    fractions: Annotated[tuple[Share, Share, Share], AfterValidator(_whole)] = Field(
        (0.8, 0.1, 0.1), description="share of training, validation and test part in the balanced split"
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

    preset: Preset = Field(
        "paper",
        description=(
            "paper: training as published; best: what predicts spectra best (docs/accuracy.md), features and seeds\n"
            "included; it stands for all keys here, and features.models, that are null"
        ),
    )
    kinds: Annotated[list[Literal["expert", "universal", "tuned"]], Field(min_length=1), AfterValidator(unique)] = (
        Field(
            ["expert"],
            description=(
                "expert: one model per subset; universal: one over all subsets of a level of theory; tuned: one per\n"
                "subset that goes on from the universal one"
            ),
        )
    )
    tuned_from: dict[Theory, Theory] = Field(
        {"VASP": "FEFF"},
        description="of which level of theory the universal model is that a subset's is tuned from; not named: its own",
    )
    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(unique)] | None = Field(
        None,
        description=(
            "a model is trained with each, all at once; of several the mean prediction is reported as well\n"
            "(paper: [0], best: four)"
        ),
    )
    widths: dict[ModelName, Annotated[list[Count], Field(min_length=1)]] = Field(
        {},
        description="hidden layers, {Cu_FEFF: [600, 600, 400], universal: [500, 500, 550]}; not named: the preset's",
    )
    batch_size: dict[ModelName, Annotated[int, Field(ge=2)]] = Field(
        {}, description="spectra per step, {Cu_FEFF: 32, universal: 32}; not named: the preset's"
    )
    dropout: Annotated[float, BeforeValidator(not_bool), Field(ge=0, lt=1)] | None = Field(
        None, description="share of hidden units left out at each step of the training (paper: 0.5)"
    )
    tuned_dropout: Annotated[float, BeforeValidator(not_bool), Field(ge=0, lt=1)] | None = Field(
        None, description="the same for tuned models, of which the paper has some with 0; null: as dropout"
    )
    output: Output | None = Field(
        None,
        description="softplus: positive (paper); difference: linear, added to the mean training spectrum (best)",
    )
    learning_rate: Positive | Literal["range_test"] | None = Field(
        None, description="Adam's step size; range_test: found by a range test (paper)"
    )
    weight_decay: Annotated[float, BeforeValidator(not_bool), Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="of AdamW (paper: 0, plain Adam)"
    )
    schedule: Literal["constant", "one_cycle"] | None = Field(
        None, description="constant learning rate (paper), or one_cycle: up to it and down again over max_epochs (best)"
    )
    average: Annotated[float, BeforeValidator(not_bool), Field(ge=0, lt=1)] | None = Field(
        None, description="0: the weights themselves (paper); 0.999: their running mean, with this share of the old"
    )
    kernel_share: Annotated[float, BeforeValidator(not_bool), Field(ge=0, lt=1)] | None = Field(
        None,
        description=(
            "share of a kernel regression in the predictions of experts and tuned models; the network has the rest\n"
            "(paper: 0, best: 0.5)"
        ),
    )
    max_epochs: Count | None = Field(None, description="longest training (paper: 1000)")
    patience: Count | None = Field(
        None,
        description="epochs without a better validation loss after which training stops (paper: 50); not one_cycle",
    )
    scaling: Literal["paper", "standardise", "auto"] = Field(
        "auto",
        description=(
            "paper: features and spectra × 1000; standardise: each feature to mean 0, deviation 1 over the training\n"
            "part; auto: paper for m3gnet alone, standardise for all others"
        ),
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description=(
            "of the products in training; bfloat16 is faster on GPUs, and on processors that know it (avx512_bf16,\n"
            "amx), and slower on others"
        ),
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the models are trained")
    threads: Count = Field(
        1, description="of a training on the cpu; the weights are the same bit by bit for the same number only"
    )


class Evaluation(Section):
    """How the models are judged."""

    part: Literal["test", "val"] = Field(
        "test",
        description=(
            "part of the split that the figures are taken on; val only where test runs are not at hand: it also\n"
            "stopped the training, so its figures are a little too good, and the report says so"
        ),
    )
