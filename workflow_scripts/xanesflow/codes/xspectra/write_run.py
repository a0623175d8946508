"""The inputs of a run that this version does itself: pw.x without and with the hole, xspectra.x for each axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymatgen.core import Element, Structure

HOLE = "+"
"""Added to the absorber's symbol where it is a species of its own, as in Lightshow's inputs."""

PREFIX, SCRATCH = "pwscf", "./tmp"


def field_input(
    structure: Structure,
    *,
    hole: bool,
    cutoffs: tuple[float, float],
    grid: tuple[int, int, int],
    electrons: Mapping[str, Any],
) -> str:
    """Write the input of `pw.x` for the self-consistent field of a cell.

    Args:
        structure: the cell; the absorber comes first.
        hole: whether the first atom has a hole in 1s. The electron stays in the cell, so it is neutral.
        cutoffs: of waves and of the charge, in Ry.
        grid: of k-points; moved by half a step where even.
        electrons: entries of &electrons and, for `nbnd`, of &system, that a correction may change.
    """
    symbols = [site.specie.symbol for site in structure]
    labels = [f"{symbols[0]}{HOLE}" if hole else symbols[0], *symbols[1:]]
    species = list(dict.fromkeys(labels))
    kinds = "".join(
        f"{label} {float(Element(label.rstrip(HOLE)).atomic_mass):.3f} "
        f"{label.rstrip(HOLE)}{'.fch' if label.endswith(HOLE) else ''}.upf\n"
        for label in species
    )
    atoms = "".join(
        f"{label} {a:.10f} {b:.10f} {c:.10f}\n" for label, (a, b, c) in zip(labels, structure.frac_coords, strict=True)
    )
    vectors = "".join(f"{x:.10f} {y:.10f} {z:.10f}\n" for x, y, z in structure.lattice.matrix)
    shift = " ".join("1" if n % 2 == 0 else "0" for n in grid)
    bands = f", nbnd={electrons['nbnd']}" if "nbnd" in electrons else ""
    rest = "".join(f"  {key}={_value(value)}\n" for key, value in electrons.items() if key != "nbnd")
    return (
        f"&control\n  calculation='scf', prefix='{PREFIX}', outdir='{SCRATCH}', pseudo_dir='./', disk_io='low'\n/\n"
        f"&system\n  ibrav=0, nat={len(structure)}, ntyp={len(species)}, ecutwfc={cutoffs[0]:g}, "
        f"ecutrho={cutoffs[1]:g}\n  occupations='smearing', smearing='gauss', degauss=0.002, nspin=1{bands}\n/\n"
        f"&electrons\n{rest}/\n"
        f"ATOMIC_SPECIES\n{kinds}ATOMIC_POSITIONS crystal\n{atoms}"
        f"K_POINTS automatic\n{' '.join(map(str, grid))} {shift}\nCELL_PARAMETERS angstrom\n{vectors}"
    )


def xanes_input(
    *, axis: int, grid: tuple[int, int, int], shift: tuple[int, int, int], steps: int, half_width_ev: float
) -> str:
    """Write the input of `xspectra.x` for light along a Cartesian axis; it starts from the restart file xanes.sav.

    Args:
        axis: 0, 1 or 2.
        grid: of k-points.
        shift: 1 where the grid is moved by half a step.
        steps: most Lanczos steps of a k-point.
        half_width_ev: half width of the Lorentzian for which the recursion must converge.
    """
    light = ", ".join(f"xepsilon({k + 1})={1 if k == axis else 0}" for k in range(3))
    return (
        f"&input_xspectra\n  calculation='xanes_dipole', edge='K', prefix='{PREFIX}', outdir='{SCRATCH}'\n"
        f"  xniter={steps}, xcheck_conv=25, xerror=0.01, xiabs=1, xcoordcrys=.false., {light}\n"
        "  x_save_file='xanes.sav', restart_mode='restart'\n/\n"
        f"&plot\n  xnepoint=400, xgamma={half_width_ev:g}, xemin=-15, xemax=70, terminator=.true.\n/\n"
        f"&pseudos\n  filecore='core.wfc'\n/\n&cut_occ\n/\n{' '.join(map(str, (*grid, *shift)))}\n"
    )


def _value(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else f"{value:g}"
