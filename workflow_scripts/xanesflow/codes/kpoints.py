"""Lightshow's rule for k-points, by the size of a crystal in Å."""

from __future__ import annotations

from typing import Any

from ase.units import Bohr

from xanesflow.codes.lightshow_bridge import import_lightshow

_FAR_A = 1e4  # with its default of 26 Å, Lightshow's table of k-points is too short for some cells


def kpoints_rule(length_a: float) -> Any:
    """Make Lightshow's rule for k-points: enough of them to repeat the cell to a crystal of size `length_a` (Å).

    Lightshow expects Bohr, despite its documentation. By default it looks no further than 26 Å, which gives some cells
    only one k-point.
    """
    rule = import_lightshow("common.kpoints").GenericEstimatorKpoints
    return rule(cutoff=length_a / Bohr, max_radii=_FAR_A)
