"""Compare the crystal of a finished run with that of POSCAR: the run must be of the site in whose folder it lies.

The cell of the run may be turned, repeated or numbered otherwise than that of POSCAR, so atoms are compared by what is
around them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pymatgen.core import Lattice, Structure

from xanesflow.codes.polarisations import first_equivalents, site_rotations
from xanesflow.core import limits
from xanesflow.core.array_types import Floats
from xanesflow.core.errors import BadRunError

AROUND_A = 6.0
"""How far around the absorber the atoms are compared."""

_SAME_A = 0.02  # coordinates of an input may have few digits
_SAME_VOLUME = 0.01  # part, where only the volume of the cell is known
_THINNEST_A = 1.0  # distance of opposite faces of a cell; no crystal's is less


def crystal_of(cell_a: Floats, symbols: Sequence[str], places: Floats, *, cartesian: bool = False) -> Structure:
    """Return the crystal that a run's files describe, in their Cartesian frame.

    Args:
        cell_a: (3, 3) the vectors of the cell as rows, in Å.
        symbols: n symbols of elements.
        places: (n, 3) coordinates of the atoms, fractional or, if `cartesian`, in Å.
        cartesian: what they are.

    Raises:
        BadRunError: unreadable, if this is no crystal.
    """
    whole = np.shape(cell_a) == (3, 3) and np.shape(places) == (len(symbols), 3) and 0 < len(symbols) <= limits.ATOMS
    known = whole and np.isfinite(cell_a).all() and np.isfinite(places).all() and abs(np.linalg.det(cell_a)) > 1e-6
    if not known or (1 / np.linalg.norm(np.linalg.inv(cell_a), axis=0)).min() < _THINNEST_A:
        raise BadRunError("unreadable", "cell and atoms in the run's files are those of no crystal")
    return Structure(Lattice(cell_a), symbols, places, coords_are_cartesian=cartesian)


def check_surroundings(crystal: Structure, index: int, structure: Structure, site_index: int) -> None:
    """Check that an atom of a run's crystal is a site of POSCAR: the same distances to atoms of the same elements.

    Args:
        crystal: of the run, or a supercell of it.
        index: 0-based index of the absorber into it.
        structure: the material, as POSCAR has it.
        site_index: 0-based index of the absorber into it.

    Raises:
        BadRunError: wrong_absorber.
    """
    if symbol := _differing(_around(crystal, index), _around(structure, site_index)):
        detail = f"{symbol} atoms around the hole are not where those around site {site_index} of POSCAR are"
        raise BadRunError("wrong_absorber", detail)


def atoms_of_site(crystal: Structure, structure: Structure, site_index: int) -> list[int]:
    """Find a site of POSCAR in a run's crystal: the indices of its equivalent atoms, first that at the same place.

    Args:
        crystal: of the run.
        structure: the material, as POSCAR has it.
        site_index: 0-based index of the absorber into it.

    Raises:
        BadRunError: wrong_absorber, if no atom has the site's surroundings, or atoms that differ have them.
    """
    wanted = structure[site_index]
    alike = crystal.indices_from_symbol(wanted.specie.symbol)
    around = _around(structure, site_index)
    found = [index for index in alike if not _differing(_around(crystal, index), around)]
    apart = crystal.lattice.get_all_distances(wanted.frac_coords, crystal.frac_coords)[0]
    found = [index for index in found if apart[index] < _SAME_A] or found
    if not found:
        raise BadRunError(
            "wrong_absorber",
            f"no {wanted.specie.symbol} of the run has the atoms around it that site {site_index} of POSCAR has",
        )
    kind_of = first_equivalents(crystal)
    if len({kind_of[index] for index in found}) > 1:
        raise BadRunError(
            "wrong_absorber",
            f"several atoms of the run that differ have the distances of site {site_index} of POSCAR, so which one it "
            "is is not known; give POSCAR the cell and origin of the run",
        )
    return sorted(
        (index for index in alike if kind_of[index] == kind_of[found[0]]), key=lambda index: index != found[0]
    )


def check_volume(volume_a3: float, structure: Structure) -> None:
    """Check that a run's cell has the volume (Å³) of POSCAR's, where its files say no more.

    Raises:
        BadRunError: wrong_absorber.
    """
    if abs(volume_a3 / structure.volume - 1) > _SAME_VOLUME:
        detail = f"the cell of the run has {volume_a3:.1f} Å³, and that of POSCAR {structure.volume:.1f} Å³"
        raise BadRunError("wrong_absorber", detail)


def rotations_in_run(crystal: Structure, index: int) -> list[Floats]:
    """Return the (3, 3) rotations of an absorber's site (`site_rotations`) in the Cartesian frame of its run.

    Args:
        crystal: of the run, or a supercell of it, whose shape does not matter.
        index: 0-based index of the absorber into it.
    """
    primitive = crystal.get_primitive_structure(tolerance=0.1)  # keeps the frame
    place = primitive.lattice.get_fractional_coords(crystal[index].coords)
    return site_rotations(primitive, int(primitive.lattice.get_all_distances(place, primitive.frac_coords)[0].argmin()))


def _around(structure: Structure, index: int) -> dict[str, Floats]:
    """List the distances in Å, ascending, from an atom to those around it, by symbol, to just beyond `AROUND_A`."""
    found: dict[str, list[float]] = {}
    for neighbor in structure.get_neighbors(structure[index], AROUND_A + 2 * _SAME_A):
        found.setdefault(neighbor.specie.symbol, []).append(float(neighbor.nn_distance))
    return {symbol: np.sort(distances) for symbol, distances in found.items()}


def _differing(one: dict[str, Floats], other: dict[str, Floats]) -> str:
    """Return the symbol of an element whose distances differ between two lists of `_around`; empty: none."""
    for symbol in sorted({*one, *other}):
        mine, theirs = one.get(symbol, np.empty(0)), other.get(symbol, np.empty(0))
        # An atom at the sphere's surface may count in one structure and not in the other.
        number = max(np.searchsorted(mine, AROUND_A), np.searchsorted(theirs, AROUND_A))
        if min(len(mine), len(theirs)) < number or np.abs(mine[:number] - theirs[:number]).max(initial=0) > _SAME_A:
            return symbol
    return ""
