"""Lightshow's rule for k-points, by the size of a crystal in Å."""

from __future__ import annotations

from typing import Any

from ase.units import Bohr

from xanesflow.codes.lightshow_bridge import import_lightshow

_FAR_A = 1e4  # Lightshow's table of k-points ends before its goal if it has to end at 26 Å, its default


def kpoints_rule(length_a: float) -> Any:
    """Lightshow's rule for k-points: as many as make a crystal of the size `length_a` (Å) of the cell.

    Lightshow takes Bohr, whatever its documentation says, and by default looks no further than 26 Å, which for some
    cells leaves it with a single k-point.
    """
    rule = import_lightshow("common.kpoints").GenericEstimatorKpoints
    return rule(cutoff=length_a / Bohr, max_radii=_FAR_A)
