"""Read computed spectra: files of `xanesflow xanes` (.csv, .dat for Athena), xmu.dat of FEFF or the embedded engine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xanesflow.codes.feff.read_xmu import OF_ENGINE, parse_xmu
from xanesflow.codes.feff8l.read_run import parse_xmu as parse_engine_xmu
from xanesflow.core import limits
from xanesflow.core.array_types import Floats
from xanesflow.core.damage import explain_damage
from xanesflow.core.errors import BadRunError, XanesflowError
from xanesflow.core.files import read_small
from xanesflow.core.text import plural, printable

_XMU = (
    (re.compile(r"xsedge\+"), parse_xmu),
    (OF_ENGINE, parse_engine_xmu),
)
"""What the header of each code's xmu.dat holds, and its parser."""

_MOVED = re.compile(r"^#.*\bmoved\b.*\bto experiment\b", re.MULTILINE)
"""In the header of a table whose energies are no longer those of the code."""

_CROSS_SECTION = re.compile(r"^#.*\bcross sections? in bohr\^2", re.MULTILINE)
"""In the header of all files with computed spectra that xanesflow writes."""

_NORMALISED_TABLE = "energy_ev,cross_section,background,normalised"
_TABLES = ("energy_eV,", _NORMALISED_TABLE)
_ATHENA = re.compile(r"^# energy (mu|norm)\s*$", re.MULTILINE)
_AVERAGE = "average"
_ENERGY_LIMIT_EV = 1e6


@dataclass(frozen=True, eq=False)
class FileSpectrum:
    """A computed spectrum."""

    source: str  # the file's name, with the column for a table of several
    energy_ev: Floats  # (n,) rising, as the code gives them
    cross_section: Floats  # (n,)


def read_computed(path: Path) -> list[FileSpectrum] | None:
    """The spectra of a computed file; None if it is not recognised as one.

    Of a normalised table it is the cross section; the average of a single site is that site. Tables and files for
    Athena are recognised by their header, which says that they hold cross sections.

    Raises:
        XanesflowError: it is one, but cannot be used.
    """
    try:
        content = read_small(path, limits.MEASURED_FILE)
    except OSError:
        return None  # whoever reads measured files says why
    text = content.decode("utf-8", errors="replace")
    name = printable(path.name, 80)
    for header, parse in _XMU:
        if not header.search(text[:5000]):
            continue
        try:
            xmu = parse(content)
        except BadRunError as error:
            raise XanesflowError(f"{name} cannot be read: {error.detail}; give the whole file.") from None
        return [FileSpectrum(name, xmu.energy_ev, xmu.cross_section)]
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    athena = _ATHENA.search(text)
    if not _CROSS_SECTION.search(text) or not (athena or (lines and lines[0].startswith(_TABLES))):
        return None
    if _MOVED.search(text):
        raise XanesflowError(
            f"{name} has energies that were moved to experiment, and interpreters learn from those that the code "
            "gives; write it again without --align."
        )
    if athena and athena[1] == "norm":
        raise XanesflowError(
            f"{name} holds a normalised spectrum, and interpreters learn from cross sections; give the file with the "
            "column mu."
        )
    columns, rows = (["energy", "mu"], lines) if athena else (lines[0].split(","), lines[1:])
    with explain_damage(f"{name} is not a whole table of numbers ({{why}}); write it again."):
        values = np.loadtxt(rows, delimiter=None if athena else ",", ndmin=2) if rows else np.zeros((0, len(columns)))
    energy = values[:, 0]
    if values.shape[1:] != (len(columns),) or len(energy) < 2 or (np.diff(energy) <= 0).any():
        raise XanesflowError(
            f"{name} needs rising energies and {plural(len(columns), 'number')} in each row; write it again."
        )
    if not np.isfinite(values).all() or energy[-1] > _ENERGY_LIMIT_EV:
        raise XanesflowError(f"{name} holds numbers that are not finite; write it again.")
    single = columns[:4] == _NORMALISED_TABLE.split(",") or columns[2:] == [_AVERAGE]
    labels = columns[1:2] if single else columns[1:]
    return [
        FileSpectrum(f"{name}: {printable(label, 40)}" if len(labels) > 1 else name, energy, spectrum)
        for label, spectrum in zip(labels, values.T[1:], strict=False)
    ]
