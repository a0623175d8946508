"""Read everything that can be read of a dataset file, for `validate`; each part that cannot be read is a finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from xanesflow.core.arrays import read_array
from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import BadArrayError
from xanesflow.core.foreign_json import parse_object
from xanesflow.core.sites import Site, site_id
from xanesflow.core.sites import Subset as SubsetName
from xanesflow.core.tables import REJECTED_COLUMNS
from xanesflow.core.text import first_of, plural
from xanesflow.dataset.check.findings import Finding
from xanesflow.dataset.file import STRUCTURES, about_structure, names_in, structure_keys, subset_names, text_of

COLUMNS = ("energy", "spectra", "material_id", "site_index", "multiplicity", "split", "corrections")
"""Arrays of a subset, besides its features."""

OPTIONAL = ("settings",)
"""Arrays that a subset has only where its sites differ."""

UNREADABLE = (OSError, RuntimeError, KeyError, ValueError, TypeError)
"""Errors that h5py raises for damaged files."""


@dataclass(frozen=True)
class Cell:
    """The parts of a structure that the checks need."""

    elements: tuple[str, ...]  # symbol of each atom, in order
    volume: float  # volume of the cell in Å³
    data: dict[str, Any]  # the structure as pymatgen's dictionary
    about: dict[str, str] = field(default_factory=dict)  # its name, reference and parent, as far as the file has them

    @cached_property
    def formula(self) -> str:
        """Reduced formula such as Cu2O, elements in the order of their electronegativity."""
        from pymatgen.core import Composition

        return str(Composition(Counter(self.elements)).reduced_formula)


@dataclass
class SubsetContents:
    """A subset, with those of its arrays that are intact."""

    name: str  # such as `Cu_FEFF`
    group: h5py.Group  # its group in the open file
    # arrays by name, including `features/<featurizer>`. All but the energies have one row for each site.
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    rejected: dict[str, NDArray[Any]] | None = None  # the four columns of the rejected table; None if one is missing

    @property
    def element(self) -> str:
        """The absorbing element."""
        return SubsetName.parse(self.name).element

    @cached_property
    def sites(self) -> list[Site]:
        """Material id and site index of each row; empty if one of these two arrays is missing."""
        if "material_id" not in self.arrays or "site_index" not in self.arrays:
            return []
        return list(zip(self.arrays["material_id"].tolist(), self.arrays["site_index"].tolist(), strict=True))

    def id_of(self, row: int) -> str:
        """Id of the site in a row."""
        return site_id(*self.sites[row]) if self.sites else f"row {row}"

    def named(self, wrong: Any) -> str:
        """The ids of the first few rows of a mask, for messages."""
        return first_of([self.id_of(row) for row in np.flatnonzero(wrong).tolist()])

    def parts_of_material(self) -> dict[str, set[str]]:
        """The parts of the split in which each material occurs."""
        found: dict[str, set[str]] = {}
        if "split" in self.arrays and "material_id" in self.arrays:
            for material, part in zip(self.arrays["material_id"].tolist(), self.arrays["split"].tolist(), strict=True):
                found.setdefault(material, set()).add(part)
        return found

    def __len__(self) -> int:
        return len(self.arrays["spectra"]) if "spectra" in self.arrays else 0


@dataclass
class FileContents:
    """A dataset file: its subsets and structures."""

    file: h5py.File
    version: str  # schema version
    subsets: dict[str, SubsetContents] = field(default_factory=dict)  # subsets by name
    structures: dict[str, Cell] = field(default_factory=dict)  # the structures that could be read, by name in the file
    unreadable: set[str] = field(default_factory=set)  # names of the structures that could not be read
    findings: list[Finding] = field(default_factory=list)  # everything that is missing or cannot be read

    def structure_of(self, subset: str, material_id: str) -> str | None:
        """Name of the structure to which a subset's site indices of a material refer; None if there is none."""
        both = structure_keys(subset, material_id)
        return next((key for key in both if key in self.structures or key in self.unreadable), None)


def read_contents(file: h5py.File) -> FileContents:
    """Read everything that can be read of an open dataset."""
    contents = FileContents(file, str(file.attrs["schema_version"]))
    report = contents.findings.append
    names = subset_names(file)
    for name in sorted(set(names_in(file)) - set(names) - {STRUCTURES}):
        report(Finding("layout", name, "it is no subset of a known level of theory", fault=False))
    if not names:
        report(Finding("layout", "", "the file has no subset"))
    for name in names:
        contents.subsets[name] = _subset(file[name], name, contents.version, report)
    if not isinstance(file.get(STRUCTURES), h5py.Group):
        report(Finding("layout", STRUCTURES, "the group is missing"))
        return contents
    structures = file[STRUCTURES]
    for name in names_in(structures):
        try:
            text = text_of(structures, name)
            contents.structures[name] = _cell(parse_object(text), about_structure(file, name))
        except (*UNREADABLE, AttributeError) as error:
            contents.unreadable.add(name)
            why = str(error) if type(error) is ValueError else what_is_wrong(error)
            report(Finding("structures", f"{STRUCTURES}/{name}", f"it is no structure of pymatgen ({why})"))
    return contents


def _subset(group: h5py.Group, name: str, version: str, report: Callable[[Finding], None]) -> SubsetContents:
    subset = SubsetContents(name, group)
    features = group.get("features")
    featurizers = names_in(features) if isinstance(features, h5py.Group) else []
    if not featurizers:
        report(Finding("layout", name, "it has no features"))
    optional = [each for each in OPTIONAL if each in group]
    for column in (*COLUMNS, *optional, *(f"features/{each}" for each in featurizers)):
        if column == "corrections" and version == "1.0" and column not in group:
            continue
        values = _read(group, column, report)
        if values is not None:
            subset.arrays[column] = values
    _check_shapes(subset, report)
    columns = {column: _read(group, f"rejected/{column}", report) for column in REJECTED_COLUMNS}
    whole = {c: values for c, values in columns.items() if values is not None}
    if len({len(values) for values in whole.values()}) > 1:
        lengths = ", ".join(f"{len(values)} {c}" for c, values in whole.items())
        report(Finding("shapes", f"{name}/rejected", f"its columns have different lengths: {lengths}"))
    elif len(whole) == len(REJECTED_COLUMNS):
        subset.rejected = whole
    return subset


def _check_shapes(subset: SubsetContents, report: Callable[[Finding], None]) -> None:
    """Report and drop arrays that have more or fewer rows than there are spectra."""
    energy, spectra = (subset.arrays.get(name) for name in ("energy", "spectra"))
    if spectra is None:
        return
    if energy is not None and spectra.shape[1] != len(energy):
        report(
            Finding(
                "shapes",
                f"{subset.name}/spectra",
                f"each has {plural(spectra.shape[1], 'number')}, but the grid has "
                f"{plural(len(energy), 'energy', 'energies')}",
            )
        )
    if not len(spectra):
        report(Finding("shapes", f"{subset.name}/spectra", "there are no spectra"))
    for name in [name for name in subset.arrays if name != "energy"]:
        if len(subset.arrays[name]) != len(spectra):
            rows = len(subset.arrays.pop(name))
            report(
                Finding(
                    "shapes",
                    f"{subset.name}/{name}",
                    f"it has {plural(rows, 'row')}, but there are {len(spectra)} spectra",
                )
            )


def _read(group: h5py.Group, name: str, report: Callable[[Finding], None]) -> NDArray[Any] | None:
    """An array; None if it cannot be read, which is reported."""
    place = f"{group.name.lstrip('/')}/{name}"
    try:
        return read_array(group, name, exact=True)
    except BadArrayError as error:
        report(Finding(error.check, place, str(error)))
    except UNREADABLE as error:
        report(Finding("layout", place, f"it cannot be read ({what_is_wrong(error)})"))
    return None


def _cell(data: Any, about: dict[str, str]) -> Cell:
    """Read the needed parts of a structure.

    Raises:
        ValueError, KeyError, TypeError: the data are no structure, or no site of the structure can be simulated.
    """
    matrix = np.asarray(data["lattice"]["matrix"], dtype=np.float64)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-3:
        raise ValueError("its cell is not a valid one")
    elements = []
    for site in data["sites"]:
        ((species,),) = (site["species"],)
        if species.get("occu", 1) != 1:
            raise ValueError("it has partially occupied sites")
        elements.append(str(species["element"]))
    if not elements:
        raise ValueError("it has no atoms")
    places = np.asarray([site["abc"] for site in data["sites"]], dtype=np.float64)
    if places.shape != (len(elements), 3) or not np.isfinite(places).all():
        raise ValueError("it has coordinates that are not finite")
    return Cell(tuple(elements), float(abs(np.linalg.det(matrix))), data, about)
