"""How subsets, sites and chunks are named."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import combinations

from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import quoted

ELEMENTS = ("Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu")
"""The 3d metals of the paper, in the order of the periodic table."""

THEORIES = ("FEFF", "VASP", "FEFF8L", "FEFFQ", "OCEAN", "EXCITING", "XSPECTRA", "FDMNES")
"""Levels of theory that this version knows; FEFF8L is the embedded engine. `codes.registry` has a record of each."""

PAPER_SUBSETS = (*(f"{element}_FEFF" for element in ELEMENTS), "Ti_VASP", "Cu_VASP")
"""The paper's subsets (arXiv 2409.19552), in the order of its Table I."""

ADDED_THEORIES = "xanesflow.theories"
"""Group of entry points by which other packages add levels of theory; see `xanesflow.codes`."""

PARTS = ("train", "val", "test")
"""The parts of a split."""

SYMPREC_A = 0.01
"""spglib's tolerance in Å for symmetry-equivalent sites: the default of `structures.symprec` and `--symprec`."""

MATERIAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,149}(?<!_)")
"""What may name a material: folders, tables and groups of HDF5 are called by it."""

MATERIAL_ID_RULE = "up to 150 of A-Z a-z 0-9 . _ + -, the first a letter or digit and the last no _"

Site = tuple[str, int]
"""A site: material id and 0-based index into its structure."""

WHOLE_MATERIAL = -1
"""Used instead of a site's index for the material as a whole."""

_CELL = re.compile(r"(.+)\.cell\d+")
"""Id of a cell that represents a disordered crystal, such as `amcsd-0000945.cell2`."""


@cache
def known_theories() -> tuple[str, ...]:
    """List the levels of theory: `THEORIES`, then those that installed packages add, sorted by name."""
    from importlib.metadata import entry_points  # the options of each command take a default from this module

    added = {entry.name for entry in entry_points(group=ADDED_THEORIES)}
    return (*THEORIES, *sorted(added - set(THEORIES)))


@dataclass(frozen=True, order=True)
class Subset:
    """One element at one level of theory, written `Cu_FEFF`."""

    element: str
    theory: str

    @classmethod
    def parse(cls, name: str) -> Subset:
        """Read `Cu_FEFF`.

        Raises:
            XanesflowError: the name is not `<element>_<theory>` with a known theory.
        """
        match = re.fullmatch(r"([A-Z][a-z]?)_([A-Z0-9]+)", name)
        if match is None or (match[2] not in THEORIES and match[2] not in known_theories()):
            raise XanesflowError(
                f"{quoted(name)} is not a subset: write <element>_<theory>, as Cu_FEFF, with one of "
                f"{', '.join(known_theories())}."
            )
        return cls(match[1], match[2])

    def __str__(self) -> str:
        return f"{self.element}_{self.theory}"


def pairs_of_theories(subsets: Iterable[str]) -> list[tuple[str, str]]:
    """List all pairs of subsets with the same element, in the order given."""
    return [(a, b) for a, b in combinations(subsets, 2) if Subset.parse(a).element == Subset.parse(b).element]


def site_id(material_id: str, site_index: int) -> str:
    """Name a site as the published splits do: `mp-390`, 0 -> `mp-390_000` (0-based index into the structure).

    A step that all sites of a material share is `mp-390_shared`.
    """
    if site_index == WHOLE_MATERIAL:
        return f"{material_id}_shared"
    return f"{material_id}_{site_index:03d}"


def parse_site_id(text: str) -> tuple[str, int]:
    """Read `mp-390_000` -> (`mp-390`, 0).

    Raises:
        XanesflowError: the text is not a material id (`MATERIAL_ID`), an underscore and a number.
    """
    material_id, _, index = text.rpartition("_")
    if not MATERIAL_ID.fullmatch(material_id) or not re.fullmatch(r"[0-9]{1,9}", index):
        raise XanesflowError(f"{quoted(text)} is not a site: write <material id>_<site index>, such as mp-390_000.")
    return material_id, int(index)


def cell_id(parent: str, number: int) -> str:
    """Name a cell of a disordered crystal: `amcsd-0000945`, 2 -> `amcsd-0000945.cell2`, counted from 1."""
    return f"{parent}.cell{number}"


def parent_of(material_id: str) -> str:
    """The crystal that a material represents: `amcsd-0000945` for its cells, else the material itself."""
    match = _CELL.fullmatch(material_id)
    return match[1] if match else material_id


def chunk_of(material_id: str, chunks: int) -> int:
    """Return the chunk (0 .. chunks - 1) of all sites of a material.

    It is a stable hash (the first 8 bytes of SHA-256). So the plan of a campaign is known before anything has run, and
    a material that you add later changes only one chunk.
    """
    return int.from_bytes(hashlib.sha256(material_id.encode()).digest()[:8], "big") % chunks


def chunk_name(chunk: int) -> str:
    """Name a chunk's files: 7 -> `0007`."""
    return f"{chunk:04d}"


def rows_of_sites(material_id: Iterable[str], site_index: Iterable[int]) -> dict[Site, int]:
    """The row of each site in a table with these columns."""
    return {(m, int(i)): row for row, (m, i) in enumerate(zip(material_id, site_index, strict=True))}
