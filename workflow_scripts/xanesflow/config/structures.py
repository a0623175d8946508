"""The section `structures` of config.yaml: where the crystal structures come from."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from xanesflow.config.base import Count, ElementSymbol, Number, Positive, Section, Seed, not_bool, unique
from xanesflow.core.sites import SYMPREC_A


def _system(name: str) -> str:
    first, *others = name.split("-")
    if first != "E" or not all(each == "*" or re.fullmatch("[A-Z][a-z]?", each) for each in others):
        raise ValueError("a system is E, for the subset's element, followed by other elements or *, such as E-O-*")
    return name


def _material_id(name: str) -> str:
    if not re.fullmatch(r"[a-z]{2,5}-(\d+|[a-z]+)", name):
        raise ValueError("give a material id, such as mp-390")
    return name


def _range(values: list[float]) -> list[float]:
    if values[0] > values[1]:
        raise ValueError("give the lowest value first, such as [0, 320]")
    return values


SystemName = Annotated[str, AfterValidator(_system)]
MaterialId = Annotated[str, AfterValidator(_material_id)]
Range = Annotated[list[Number], Field(min_length=2, max_length=2), AfterValidator(_range)]


class MaterialsProjectSection(Section):
    """Which structures are requested from Materials Project, for each element of the subsets."""

    systems: Annotated[list[SystemName], Field(min_length=1), AfterValidator(unique)] = Field(
        ["E", "E-O", "E-O-*", "E-O-*-*"],
        description=(
            "chemical systems: E is the subset's element, * any other element. By default, as in the paper: the pure\n"
            "element, and oxides with up to two further elements"
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
        [], description="ids of materials to leave out; the rejected table lists them"
    )
    ids: str | list[MaterialId] | dict[ElementSymbol, str | list[MaterialId]] | None = Field(
        None,
        description=(
            "exactly these materials, instead of systems and filters: a list of ids; a file with an id or a site\n"
            "(mp-390_000) on each line; a folder with published <subset>_{train,val,test}.txt; or one of these\n"
            "per element, {Cu: cu.txt, Ti: [mp-390]}; relative to the working directory. null: by systems"
        ),
    )

    def ids_of(self, element: str) -> str | list[str] | None:
        """The ids, file or folder for an element."""
        return self.ids[element] if isinstance(self.ids, dict) else self.ids


class AmcsdSection(Section):
    """Which measured structures are taken from the American Mineralogist Crystal Structure Database."""

    systems: Annotated[list[SystemName], Field(min_length=1), AfterValidator(unique)] = Field(
        ["E", "E-O", "E-O-*", "E-O-*-*"],
        description="chemical systems, as in materials_project: E is the subset's element, * any other element",
    )
    max_atoms: Count | None = Field(None, description="largest number of atoms in the conventional cell; null: any")
    temperature: Range | None = Field(
        None,
        description=(
            "[lowest, highest] temperature of the measurement in K; an entry that states none counts as 298 K;\n"
            "null: any"
        ),
    )
    pressure: Range | None = Field(
        None,
        description=(
            "[lowest, highest] pressure in GPa, such as [0, 0.001]; an entry that states none counts as 0;\nnull: any"
        ),
    )
    year: Count | None = Field(None, description="only structures published in this year or later; null: any")


class DisorderCells(Section):
    """The cells with whole atoms that represent a disordered crystal."""

    number: Annotated[Count, Field(le=100)] = Field(4, description="of random cells; `ordered` makes one")
    max_atoms: Annotated[Count, Field(le=200)] = Field(
        80,
        description=(
            "largest number of atoms in a cell; crystals whose occupancies need more are left out with the reason\n"
            "(an occupancy may be off by 0.02)"
        ),
    )
    seed: Seed = Field(0, description="of the random cells")


class StructuresSection(Section):
    """Where the crystal structures come from."""

    source: Literal["archive", "directory", "examples", "materials_project", "amcsd"] = Field(
        "archive",
        description=(
            "archive: the POSCAR next to the finished runs of simulations.archive; directory: your own files;\n"
            "examples: well-known structures that come with xanesflow; materials_project: Materials Project, with\n"
            "your API key in the environment variable MP_API_KEY; amcsd: measured structures of minerals, which come\n"
            "with the package larixite"
        ),
    )
    directory: str | None = Field(
        None,
        description=(
            "for source directory, the folder with your files: <id>/POSCAR (or CONTCAR, vasprun.xml), <id>.vasp,\n"
            "<id>.cif, <id>.mcif, <id>.json (pymatgen or Materials Project), <id>.xyz, <id>.extxyz; each may be\n"
            "compressed (.gz, .bz2, .xz); relative to the working directory (snakemake --directory)"
        ),
    )
    only: Annotated[list[str], Field(min_length=1), AfterValidator(unique)] | None = Field(
        None,
        description=("take only the structures with these ids (of any source but archive); null: all"),
    )
    duplicates: Literal["keep", "merge"] = Field(
        "keep",
        description=(
            "merge: of structures that are one crystal but for small differences (pymatgen's StructureMatcher), one\n"
            "stands for all: of amcsd the one at room conditions and newest, else the one whose id comes first; the\n"
            "rejected table lists the others. keep: take all. <subset>_near_duplicates.csv lists them in both cases"
        ),
    )
    disorder: Literal["refuse", "ordered", "random"] = Field(
        "refuse",
        description=(
            "partly occupied sites of CIF and JSON files and of amcsd. refuse: leave the structure out; ordered: one\n"
            "cell with whole atoms, that of the lowest electrostatic energy; random: several cells, filled at random.\n"
            "Each cell is a material, <id>.cell1 and so on, and the report averages them"
        ),
    )
    disorder_cells: DisorderCells = Field(
        DisorderCells(), description="for disorder ordered and random: the cells that represent a crystal"
    )
    symprec: Positive = Field(
        SYMPREC_A, description="tolerance in Å of spglib when it finds symmetry-equivalent sites (multiplicity)"
    )

    materials_project: MaterialsProjectSection = Field(
        MaterialsProjectSection(), description="for source materials_project: which structures to request"
    )
    amcsd: AmcsdSection = Field(AmcsdSection(), description="for source amcsd: which structures to take")
    refresh: bool = Field(
        False,
        description=(
            "true: ask Materials Project again, and report what was added, changed and withdrawn; for one call:\n"
            "--config structures='{refresh: true}'. Otherwise the first answer is kept"
        ),
    )
