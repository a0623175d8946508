"""The Fermi level between the programs: moved before phases and cross section are computed.

The self-consistent field scatters within some 3 Å only, and so finds a Fermi level lower than FEFF 9's with its 7 Å,
by 0.3 eV in the median over Cu sites. The level is where the spectrum is cut off and what sets the energy scale; raised
by 0.6 eV the spectra's shape agrees better with FEFF 9 on sites of the development part of the study (docs/engine.md).
Where a learned model knows FEFF 9's level better than the field does, the level follows the model (see `level`).
"""

from __future__ import annotations

from pathlib import Path

from xanesflow.errors import XanesflowError
from xanesflow.simulations.feff8l.inputs import LearnedLevel
from xanesflow.simulations.feff8l.outputs import HARTREE_EV
from xanesflow.simulations.feff8l.pad import pack, unpack

FIELD_TOO_LOW_EV = 0.3
"""How far the field's level lies below FEFF 9's, the median over the study's development sites."""

_HEADER_REALS = 13  # average Norman radius, Fermi level, interstitial potential, ...
_LEVEL = 1
_LINE = 80  # packed characters a line


def raise_fermi_level(path: Path, offset_ev: float, level: LearnedLevel | None = None) -> float:
    """Add to the Fermi level in pot.pad, in place.

    Args:
        path: pot.pad as pot wrote it.
        offset_ev: eV.
        level: what the learned model says; the further to be believed, the more of the difference to it is added.

    Returns:
        eV added: offset + weight · (learned level − (level of the field + FIELD_TOO_LOW_EV)).

    Raises:
        XanesflowError: the file is not what pot writes.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
        start = next(k for k, line in enumerate(lines) if line.startswith("!"))
        stop = start
        packed = ""
        while len(packed) < _HEADER_REALS * 8:
            packed += lines[stop].removeprefix("!").rstrip()
            stop += 1
        values = unpack(packed)
        if len(values) != _HEADER_REALS:
            raise ValueError("the header has another length")
    except (OSError, StopIteration, IndexError, ValueError) as error:
        raise XanesflowError(f"pot.pad of FEFF 8 cannot be used: {type(error).__name__} {error}") from None
    added = offset_ev
    if level is not None:
        added += level.weight * (level.fermi_ev - (values[_LEVEL] * HARTREE_EV + FIELD_TOO_LOW_EV))
    values[_LEVEL] += added / HARTREE_EV
    text = pack(values)
    lines[start:stop] = ["!" + text[k : k + _LINE] for k in range(0, len(text), _LINE)]
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")
    return float(added)
