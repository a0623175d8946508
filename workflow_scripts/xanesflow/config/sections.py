"""The sections of config.yaml: each key with its type, default and comment (see `xanesflow.config.model`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from xanesflow.codes.registry import theories
from xanesflow.config.base import Count, Number, Positive, Section, Seed, Share, SubsetName, not_bool, unique
from xanesflow.core.errors import XanesflowError
from xanesflow.core.feature_names import parse_features
from xanesflow.core.sites import known_theories

PAPER_ENERGY_START_EV = {
    "Ti": 4964.504, "V": 5464.097, "Cr": 5989.168, "Mn": 6537.886,
    "Fe": 7111.23, "Co": 7709.282, "Ni": 8332.181, "Cu": 8983.173,
}  # fmt: skip
"""First grid energy in eV of the K edge of each element (arXiv 2409.19552, methods)."""

PAPER_CORE_LEVEL_EV = {"Ti": -4864.0371, "Cu": -8850.2467}
"""ε_core of the published VASP spectra by absorber (arXiv 2409.19552), the 1s level of its POTCAR for GW."""

PAPER_BROADENING_EV = {"Ti": 0.89, "Cu": 3.458}
"""Full width in eV of the Lorentzian on the published VASP spectra."""

PAPER_SHIFT_EV = {"Ti": 5114.08973, "Cu": 9499.797}
"""Empirical shift in eV of the published VASP spectra, found from experimental ones."""


def _feature_names(name: str) -> str:
    try:
        return "+".join(parse_features(name, any_name=True))  # Config looks which are known
    except XanesflowError as error:
        raise ValueError(str(error)) from None


def _with_those_of_the_paper(values: Mapping[str, float]) -> AfterValidator:
    """Entries that are given change or add to the paper's, and take none of them away."""
    return AfterValidator(lambda given: {**values, **given})


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


SystemName = Annotated[str, AfterValidator(_system)]
MaterialId = Annotated[str, AfterValidator(_material_id)]
if TYPE_CHECKING:
    Theory = str
else:
    Theory = Literal[known_theories()]
ElementSymbol = Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]
FeatureName = Annotated[str, AfterValidator(_feature_names)]
Chunks = Annotated[int, BeforeValidator(not_bool), Field(ge=1, le=4096)]  # an import holds them all open

ENVELOPE_SIGMA: dict[Theory, float | None] = {
    each.name: each.envelope_sigma for each in theories() if each.envelope_sigma is not None
}
"""Standard deviations of the envelope by level of theory, the paper's for FEFF and VASP."""


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


class VaspSpectra(Section):
    """From the dielectric function that VASP computes to a cross section at absolute energies, by absorber."""

    core_level: Annotated[dict[ElementSymbol, Number], _with_those_of_the_paper(PAPER_CORE_LEVEL_EV)] = Field(
        PAPER_CORE_LEVEL_EV,
        description="1s level of the absorber's POTCAR in eV, which VASP's energies are relative to",
    )
    broadening: Annotated[dict[ElementSymbol, Positive], _with_those_of_the_paper(PAPER_BROADENING_EV)] = Field(
        PAPER_BROADENING_EV, description="full width of the Lorentzian in eV"
    )
    shift: Annotated[dict[ElementSymbol, Number], _with_those_of_the_paper(PAPER_SHIFT_EV)] = Field(
        PAPER_SHIFT_EV,
        description="eV added to energies aligned by the difference of total energies; found from a measured spectrum",
    )


class Curation(Section):
    """Which spectra are good, and the grid that they are put on."""

    envelope: Annotated[dict[Theory, Positive | None], _with_those_of_the_paper(ENVELOPE_SIGMA)] = Field(
        ENVELOPE_SIGMA,
        description=(
            "a spectrum is out if it leaves mean ± this many standard deviations of its subset at any grid point;\n"
            "null: keep them all"
        ),
    )
    energy_start: Annotated[dict[ElementSymbol, Positive], _with_those_of_the_paper(PAPER_ENERGY_START_EV)] = Field(
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
    vasp: VaspSpectra = Field(
        VaspSpectra(),
        description="spectra of VASP; an element besides Ti and Cu needs entries of its own (docs/vasp.md)",
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
    """What the dataset is made from, and what it says of itself."""

    source: Literal["workflow", "features_file"] = Field(
        "workflow",
        description=(
            "workflow: structures, simulations and features; features_file: features and spectra that were computed\n"
            "elsewhere, taken from `files` as they are; of structures, simulations and curation nothing is done then"
        ),
    )
    files: str | dict[SubsetName, str] | None = Field(
        None,
        description=(
            "for source features_file: one file for all subsets (a dataset of xanesflow, .h5), a path with {subset}\n"
            "in it (an .npz for each), or {Cu_FEFF: path, ...}; relative to the working directory (docs/transfer.md)"
        ),
    )
    creator: str = Field("xanesflow", description="who made it")
    licence: str = Field(
        "CC-BY-4.0", description="under which licence (SPDX) it may be used; Materials Project: CC-BY-4.0"
    )
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")] = Field(
        "1.0.0", description="of this release, for `snakemake package`"
    )
    url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = Field(
        None, description="where the release can be had, such as https://doi.org/...; null: not known yet"
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
