"""Structures of a subset and its site table, the single answer to "which sites are there"."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Element, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from xanesflow.core.files import atomic_path
from xanesflow.core.sites import Site, chunk_of
from xanesflow.structures.poscar_text import plain_poscar
from xanesflow.structures.unusable import BadStructure, UnusableStructure

if TYPE_CHECKING:
    import pandas as pd

    from xanesflow.structures.cost import SiteCost

log = logging.getLogger(__name__)

STRUCTURE_COLUMNS = ["material_id", "structure", "formula", "n_atoms"]
SITE_COLUMNS = [
    "material_id", "site_index", "multiplicity", "formula", "n_atoms", "chunk", "cluster_atoms", "core_hours",
]  # fmt: skip


@dataclass(frozen=True)
class Material:
    """A structure that could be read, with its symmetry.

    Attributes:
        material_id: its name, such as `mp-390`.
        structure: pymatgen's JSON; a string, as it goes through process borders and files.
        formula: reduced formula.
        elements: symbol of each atom, in the structure's order.
        equivalent: for each atom the index of its first symmetry-equivalent atom.
        note: what could not be found out, empty if nothing.
    """

    material_id: str
    structure: str
    formula: str
    elements: tuple[str, ...]
    equivalent: tuple[int, ...]
    note: str = ""

    def multiplicity(self, site_index: int) -> int:
        """How many symmetry-equivalent atoms of the cell a site stands for, itself included."""
        return self.equivalent.count(self.equivalent[site_index])


def read_poscar(material_id: str, text: bytes, *, symprec: float) -> Material | BadStructure:
    """Read a POSCAR and find its symmetry-equivalent atoms.

    Args:
        material_id: name to give it.
        text: the file's bytes.
        symprec: spglib's distance tolerance in Å.
    """
    try:
        structure = parse_poscar(text.decode("ascii"))
    except UnicodeDecodeError:
        return BadStructure(material_id, "POSCAR is not a text file")
    except UnusableStructure as error:
        return BadStructure(material_id, f"POSCAR {error}", error.reason)
    return describe(material_id, structure, symprec=symprec)


def parse_poscar(text: str) -> Structure:
    """Read a POSCAR's text.

    Raises:
        UnusableStructure: it cannot be read, or what it says is no structure.
    """
    from pymatgen.io.vasp import Poscar  # slow to import, for what else is in that package

    try:
        poscar = Poscar.from_str(plain_poscar(text))
        structure = poscar.structure
    except UnusableStructure:
        raise
    except Exception as error:  # pymatgen raises whatever its parsing ran into
        said = "it ends too early, or a line is too short" if isinstance(error, IndexError) else one_line(error)
        raise UnusableStructure(f"cannot be read: {said}") from error
    if not poscar.true_names:  # VASP 4 wrote none; pymatgen then takes H, He, Li ...
        raise UnusableStructure(
            "does not name its elements, as VASP 4 wrote it; write their symbols into a line above the numbers of atoms"
        )
    if not np.isfinite(structure.frac_coords).all() or not np.isfinite(structure.volume) or structure.volume < 1e-3:
        raise UnusableStructure("has coordinates or a cell that are not finite")
    return structure


def describe(material_id: str, structure: Structure, *, symprec: float) -> Material | BadStructure:
    """Take what the workflow needs from a pymatgen structure: JSON, formula, equivalent atoms.

    Args:
        material_id: name to give it.
        structure: an ordered structure.
        symprec: spglib's distance tolerance in Å.
    """
    if not structure.is_ordered:
        return BadStructure(material_id, "the structure has partially occupied sites", "disordered")
    unknown = {site.specie.symbol for site in structure if not Element.is_valid_symbol(site.specie.symbol)}
    if unknown:
        return BadStructure(material_id, f"the structure holds {', '.join(sorted(unknown))}, which is no element")
    note = ""
    try:
        equivalent = SpacegroupAnalyzer(structure, symprec=symprec).get_symmetry_dataset().equivalent_atoms.tolist()
    except Exception as error:  # spglib gives up on near-degenerate cells; the spectra are good all the same
        equivalent = list(range(len(structure)))
        note = f"symmetry not found ({one_line(error)}), so each atom counts as its own site"
    elements = tuple(site.specie.symbol for site in structure)
    as_json = json.dumps(structure.as_dict(verbosity=0), sort_keys=True)
    return Material(material_id, as_json, structure.composition.reduced_formula, elements, tuple(equivalent), note)


def not_the_absorber(elements: Sequence[str], site_index: int, element: str) -> str:
    """Why a site cannot be the absorber of a run, in words; empty if it can.

    Args:
        elements: symbol of each site of the material's POSCAR.
        site_index: 0-based index of the site.
        element: symbol of the absorber.
    """
    if site_index >= len(elements):
        return f"site {site_index} lies outside the structure, which has {len(elements)} atoms"
    if elements[site_index] != element:
        return f"site {site_index} of POSCAR is {elements[site_index]}, not {element}"
    return ""


def write_structures(path: str | Path, materials: Iterable[Material]) -> None:
    """Write structures as Parquet, one row a material in the order of their ids."""
    write_structure_rows(path, [(m.material_id, m.structure, m.formula, len(m.elements)) for m in materials])


def write_structure_rows(path: str | Path, rows: Iterable[tuple[str, str, str, int]]) -> None:
    """`write_structures` of rows with the `STRUCTURE_COLUMNS`."""
    import pandas as pd  # slow to import, and a structure that is read needs none

    table = pd.DataFrame(sorted(rows), columns=STRUCTURE_COLUMNS)
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")


def write_site_table(
    path: str | Path,
    sites: Iterable[tuple[Material, int]],
    *,
    chunks: int,
    costs: Mapping[Site, SiteCost] | None = None,
) -> pd.DataFrame:
    """Write the site table as Parquet, in the order of material id and site index.

    Args:
        path: the file.
        sites: the materials with a 0-based site index each.
        chunks: number of chunks that the subset is divided into.
        costs: what the simulation of each site is expected to cost; None leaves `cluster_atoms` and `core_hours` null,
            as for finished runs, which cost nothing more.

    Returns:
        The table, with `SITE_COLUMNS`.
    """
    import pandas as pd

    nothing = (None, None)
    rows = [
        (
            *(m.material_id, i, m.multiplicity(i), m.formula, len(m.elements), chunk_of(m.material_id, chunks)),
            *(costs[m.material_id, i] if costs is not None else nothing),
        )
        for m, i in sorted(sites, key=lambda site: (site[0].material_id, site[1]))
    ]
    table = pd.DataFrame(rows, columns=SITE_COLUMNS).astype({"cluster_atoms": "Int64", "core_hours": "float64"})
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)
    return table


def one_line(error: BaseException, length: int = 160) -> str:
    """An exception's message without line breaks, cut after `length` characters."""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return text if len(text) <= length else text[: length - 3] + "..."
