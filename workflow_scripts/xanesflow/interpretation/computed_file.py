"""Read computed spectra: tables of `xanesflow xanes`, and xmu.dat of FEFF or of the embedded engine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from xanesflow.codes.feff.read_xmu import parse_xmu
from xanesflow.core import limits
from xanesflow.core.damage import explain_damage
from xanesflow.core.errors import BadRunError, XanesflowError
from xanesflow.core.files import read_small
from xanesflow.core.text import plural, printable

Floats = npt.NDArray[np.float64]

_XMU = re.compile(r"xsedge\+")
_TABLE = "energy_eV"
_ENERGY_LIMIT_EV = 1e6


@dataclass(frozen=True, eq=False)
class FileSpectrum:
    """A computed spectrum."""

    source: str  # the file's name, with the column for a table of several
    energy_ev: Floats  # (n,) rising, as the code gives them
    cross_section: Floats  # (n,)


def read_computed(path: Path) -> list[FileSpectrum] | None:
    """The spectra of a computed file; None if it is not recognised as one.

    Raises:
        XanesflowError: it is one, but cannot be used.
    """
    try:
        content = read_small(path, limits.MEASURED_FILE)
    except OSError:
        return None  # whoever reads measured files says why
    text = content.decode("utf-8", errors="replace")
    name = printable(path.name, 80)
    if _XMU.search(text[:5000]):
        try:
            xmu = parse_xmu(content)
        except BadRunError as error:
            raise XanesflowError(f"{name} cannot be read: {error.detail}; give the whole file.") from None
        return [FileSpectrum(name, xmu.energy_ev, xmu.cross_section)]
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or not lines[0].startswith(f"{_TABLE},"):
        return None
    columns = lines[0].split(",")
    with explain_damage(f"{name} is not a whole table of numbers ({{why}}); write it again."):
        values = np.loadtxt(lines[1:], delimiter=",", ndmin=2) if lines[1:] else np.zeros((0, len(columns)))
    energy = values[:, 0]
    if values.shape[1:] != (len(columns),) or len(energy) < 2 or (np.diff(energy) <= 0).any():
        raise XanesflowError(
            f"{name} needs rising energies and {plural(len(columns), 'number')} in each row; write it again."
        )
    if not np.isfinite(values).all() or energy[-1] > _ENERGY_LIMIT_EV:
        raise XanesflowError(f"{name} holds numbers that are not finite; write it again.")
    several = len(columns) > 2
    return [
        FileSpectrum(f"{name}: {printable(label, 40)}" if several else name, energy, spectrum)
        for label, spectrum in zip(columns[1:], values.T[1:], strict=True)
    ]
