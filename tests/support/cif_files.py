"""CIFs as people have them, of crystals whose density, group and bonds the literature gives."""

from collections.abc import Iterable

import gemmi
import numpy as np
import spglib
from pymatgen.core import Lattice, Structure

PLACES = "label type_symbol fract_x fract_y fract_z"
NIO = ("Ni1 Ni 0 0 0", "O1 O 0.5 0.5 0.5")
NAME = "_symmetry_space_group_name_H-M"


def a_cif(
    symmetry: str, rows: Iterable[str] = NIO, *, a=4.177, b=None, c=None, angles=(90, 90, 90), columns=PLACES
) -> str:
    """A CIF of one block; without more than `symmetry` that of NiO, a = 4.177 Å."""
    lengths = zip("abc", (a, b or a, c or a), strict=True)
    lines = ["data_x", *(f"_cell_length_{axis} {value}" for axis, value in lengths)]
    lines += [f"_cell_angle_{name} {value}" for name, value in zip(("alpha", "beta", "gamma"), angles, strict=True)]
    return "\n".join([*lines, symmetry, "loop_", *(f"_atom_site_{each}" for each in columns.split()), *rows, ""])


def operations_of(name: str) -> str:
    """The loop of all operations of a space group in a setting of the tables."""
    group = gemmi.find_spacegroup_by_name(name)
    return "\n".join(["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{op.triplet()}'" for op in group.operations()), ""])


def in_setting(structure: Structure, hall_number: int) -> tuple[Lattice, list[str]]:
    """Cell and rows of the inequivalent atoms of a crystal in one of the 530 settings, by spglib alone."""
    cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
    found = spglib.get_symmetry_dataset(cell, symprec=0.01, hall_number=hall_number)
    matrix = structure.lattice.matrix.T @ np.linalg.inv(found.transformation_matrix)
    first = sorted(set(found.equivalent_atoms.tolist()))
    places = (structure.frac_coords[first] @ found.transformation_matrix.T + found.origin_shift) % 1.0
    symbols = [structure[i].specie.symbol for i in first]
    rows = [f"{s}{k} {s} {x:.6f} {y:.6f} {z:.6f}" for k, (s, (x, y, z)) in enumerate(zip(symbols, places, strict=True))]
    return Lattice(matrix.T), rows


def number_of_group(structure: Structure, symprec: float = 0.01) -> int:
    """As spglib finds it."""
    cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
    return spglib.get_symmetry_dataset(cell, symprec=symprec).number


def shortest(structure: Structure) -> float:
    """The shortest distance between atoms in Å."""
    return float(structure.get_neighbor_list(5.0)[3].min())
