"""Read the entries of larixite's copy of the American Mineralogist Crystal Structure Database, without writing to it.

larixite's own code is not imported: its `get_amcsd` downloads another copy, and its class opens the file for writing.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import sha256_file
from xanesflow.structures.amcsd.conditions import Conditions, read_conditions

TITLE = "American Mineralogist Crystal Structure Database"
FILE_NAME = "amcsd_cif1.db"
ID = re.compile(r"amcsd-(\d{1,7})", re.IGNORECASE)

_SCALE = 4e6
"""Packed numbers are 32-bit integers, of which so many make 1 (larixite.amcsd_utils.encode_farray)."""

_UNKNOWN, _NOT_GIVEN = 2.0, 3.0
"""What the packed columns hold where the CIF has `?` and `.`."""

_SELECT = """
SELECT cif.id, minerals.name, formula, hm_notation, symmetry_xyz, a, b, c, alpha, beta, gamma, cell_volume,
       crystal_density, atoms_sites, atoms_x, atoms_y, atoms_z, atoms_occupancy, pub_title, publication_id,
       journalname, volume, year, page_first, page_last
FROM cif JOIN minerals ON minerals.id = mineral_id JOIN spacegroups ON spacegroups.id = spacegroup_id
         JOIN publications ON publications.id = publication_id
ORDER BY cif.id
"""
_AUTHORS = """
SELECT publication_id, name FROM publication_authors JOIN authors ON authors.id = author_id
ORDER BY publication_authors.rowid
"""


@dataclass(frozen=True)
class Entry:
    """An entry of the database, as it stands there."""

    number: int  # AMCSD's own, its `_database_code_amcsd`
    mineral: str  # name of the mineral or compound; empty if it has none
    formula: str  # such as `Ca Mg (C O3)2`
    space_group: str  # Hermann-Mauguin symbol
    operations: str  # JSON list of the symmetry operations, such as `-x,y,1/2-z`
    cell: tuple[str, ...]  # a, b, c in Å and the angles in degrees, as text
    volume: str  # of the cell in Å³, as text
    density: str  # in g/cm³, as text
    sites: str  # JSON list of the atoms' labels
    packed: tuple[str, ...]  # the packed columns x, y, z and occupancy
    text: str  # the paper's title, followed by lines on the sample
    authors: tuple[str, ...]  # in the paper's order
    journal: str  # name, volume and pages
    year: int  # of the paper

    @property
    def id(self) -> str:
        """Name of the material, such as `amcsd-0000143`."""
        return f"amcsd-{self.number:07d}"

    @cached_property
    def elements(self) -> frozenset[str]:
        """Symbols of the elements in the formula; deuterium is H."""
        return frozenset("H" if name == "D" else name for name in re.findall(r"[A-Z][a-z]?", self.formula))

    @cached_property
    def conditions(self) -> Conditions:
        """Temperature and pressure, as far as the entry states them."""
        return read_conditions(self.text)

    @property
    def labels(self) -> list[str]:
        """The labels of the atoms."""
        return [str(label) for label in json.loads(self.sites)]

    @property
    def columns(self) -> list[list[str]]:
        """x, y, z and occupancy of each atom as a CIF has them; an empty list for the occupancy: all are 1."""
        return [unpack(column) for column in self.packed]

    @property
    def partly_occupied(self) -> bool:
        """Whether an atom has an occupancy other than 1."""
        return any(value not in ("?", ".") and float(value) < 0.9995 for value in unpack(self.packed[3]))

    @property
    def reference(self) -> str:
        """The paper: authors (year), title, journal."""
        title = " ".join(" ".join(title_lines(self.text)).split()).rstrip(".")
        return f"{', '.join(self.authors)} ({self.year}) {title}. {self.journal}"


def title_lines(text: str) -> list[str]:
    """The lines of an entry's text that are the paper's title, without those on the sample."""
    lines = [line.strip() for line in text.splitlines()]
    end = next((k for k, line in enumerate(lines) if k and is_about_sample(line)), len(lines))
    return lines[:end]


def is_about_sample(line: str) -> bool:
    """Whether a line of an entry's text describes the sample, not the paper."""
    return re.match(r"(?i)(sample|note|locality|_cod|[TP]\s*=)", line) is not None


def unpack(packed: str) -> list[str]:
    """Unpack a column of numbers into the text of a CIF; an empty list if the CIF has no such column.

    Raises:
        XanesflowError: the text is not packed numbers.
    """
    if packed == "0":
        return []
    try:
        numbers = np.frombuffer(base64.b64decode(packed, validate=True), dtype="<i4") / _SCALE
    except (ValueError, binascii.Error):
        raise XanesflowError(
            f"{FILE_NAME} of larixite packs its numbers in another way; install the version of requirements.txt."
        ) from None
    marks = {_UNKNOWN: "?", _NOT_GIVEN: "."}
    return [marks.get(number) or f"{number:.6f}" for number in numbers.tolist()]


def database_path() -> Path:
    """The database's file in the installed package.

    Raises:
        XanesflowError: larixite is not installed, or lacks the file.
    """
    spec = find_spec("larixite")  # finds the package without running its code
    if spec is None or not spec.submodule_search_locations:
        raise XanesflowError(
            f"The {TITLE} comes with the package larixite, which is not installed; run pip install larixite."
        )
    path = Path(next(iter(spec.submodule_search_locations))) / FILE_NAME
    if not path.is_file():
        raise XanesflowError(f"The installed larixite has no {FILE_NAME}; run pip install --force-reinstall larixite.")
    return path


def open_database(path: Path) -> sqlite3.Connection:
    """Open a database so that nothing can write to it, and no journal appears beside it."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


@cache
def database_hash() -> str:
    """SHA-256 of the database's file.

    Raises:
        XanesflowError: there is no database.
    """
    return sha256_file(database_path())


@cache
def load_entries() -> tuple[Entry, ...]:
    """Read all entries, in the order of their numbers.

    Raises:
        XanesflowError: there is no database, or it cannot be read.
    """
    path = database_path()
    try:
        with closing(open_database(path)) as database:
            authors: dict[int, list[str]] = {}
            for publication, name in database.execute(_AUTHORS):
                authors.setdefault(publication, []).append(name)
            return tuple(_entry(row, authors) for row in database.execute(_SELECT))
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise XanesflowError(f"{path.name} of larixite cannot be read ({error}); reinstall larixite.") from None


def _entry(row: tuple[object, ...], authors: dict[int, list[str]]) -> Entry:
    text = ["" if value in (None, "<missing>") else str(value) for value in row]
    journal, volume, year, first, last = text[20:25]
    pages = "-".join(page for page in (first, last) if page)
    return Entry(
        number=int(text[0]),
        mineral=text[1],
        formula=text[2],
        space_group=text[3].partition("%")[0].strip(),  # `%var1%` marks other operations under one name
        operations=text[4],
        cell=tuple(text[5:11]),
        volume=text[11],
        density=text[12],
        sites=text[13],
        packed=tuple(text[14:18]),
        text=text[18],
        authors=tuple(authors.get(int(text[19]), ())),
        journal=" ".join(part for part in (journal, f"{volume}," if volume else "", pages) if part).rstrip(","),
        year=int(year),
    )
