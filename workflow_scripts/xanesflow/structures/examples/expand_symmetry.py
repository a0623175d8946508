"""Space groups in the settings of the literature: operations, crystal system, primitive vectors."""

from __future__ import annotations

import difflib
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import SymmOp
from pymatgen.symmetry.groups import SpaceGroup, sg_symbol_from_int_number

# Primitive vectors in terms of the conventional ones (International Tables A, R: obverse setting on hexagonal axes).
PRIMITIVE = {
    "P": np.eye(3),
    "A": np.array([[1, 0, 0], [0, 0.5, -0.5], [0, 0.5, 0.5]]),
    "C": np.array([[0.5, -0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]),
    "I": np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]]),
    "F": np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
    "R": np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3,
}
SYSTEMS = (
    (2, "triclinic"), (15, "monoclinic"), (74, "orthorhombic"), (142, "tetragonal"), (167, "trigonal"),
    (194, "hexagonal"), (230, "cubic"),
)  # fmt: skip
"""Last space group number of each crystal system."""


def find_setting(given: int | str) -> tuple[str, str]:
    """Find symbol and crystal system of a space group.

    Args:
        given: number, or Hermann-Mauguin symbol, with the origin choice or `:H` if there are several settings.

    Raises:
        ValueError: the setting is unknown or ambiguous.
    """
    symbol = sg_symbol_from_int_number(given) if isinstance(given, int) else str(given)
    settings = _settings()
    if ":" not in symbol and (many := [symbol + s for s in (":1", ":2", ":H") if symbol + s in settings]):
        raise ValueError(f"the setting is ambiguous; write one of {', '.join(many)}")
    if symbol not in settings:
        near = difflib.get_close_matches(symbol, settings, 3)
        raise ValueError(f"{symbol!r} is not known" + (f"; perhaps you mean {' or '.join(near)}" if near else ""))
    if symbol[0] not in PRIMITIVE or symbol.endswith(":R"):
        raise ValueError(f"the centring of {symbol} is not supported; take another setting")
    return symbol, next(name for last, name in SYSTEMS if settings[symbol]["number"] <= last)


@cache
def _settings() -> dict[str, dict[str, Any]]:
    # pymatgen writes I4_1/amd without, but I41/amd:2 with the origin choice; here it is I4_1/amd:2.
    settings: dict[str, dict[str, Any]] = {}
    for entry in SpaceGroup.SYMM_OPS:
        plain, universal = entry["hermann_mauguin_u"], entry["universal_h_m"]
        for name in (plain, plain + universal[universal.index(":") :] if ":" in universal else universal):
            settings.setdefault(name, entry)
    return settings


@cache
def operations(symbol: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotations and translations of a space group, its centring included."""
    # Structure.from_spacegroup does the same, but takes up to half a second for each cubic structure.
    operations = [SymmOp.from_xyz_str(text) for text in _settings()[symbol]["symops"]]
    return np.array([o.rotation_matrix for o in operations]), np.array([o.translation_vector for o in operations])


def distinct(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fold fractional coordinates into [0, 1), round them to 8 decimals, sort them and remove duplicates."""
    folded = np.round(coordinates, 8) % 1
    folded[folded > 1 - 5e-8] = 0
    return np.unique(np.round(folded, 8), axis=0)
