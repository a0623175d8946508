"""A CIF is read as the crystal that it means, or refused in a sentence that helps; never as another crystal."""

from collections import defaultdict
from pathlib import Path

import gemmi
import numpy as np
import pytest
import spglib
from cif_files import NAME, NIO, PLACES, a_cif, in_setting, number_of_group, operations_of, shortest
from sentences import tells

from xanesflow.core.errors import UnusableStructure
from xanesflow.structures.examples import load_examples
from xanesflow.structures.one_file import read_structure_file
from xanesflow.structures.read_cif import read_cif
from xanesflow.structures.read_structure import read_structure

FILES = Path(__file__).parents[1] / "data" / "structures"
EXAMPLES = {example.id: example for example in load_examples()}

READ = {  # density in g/cm³, space group, atoms in the cell, shortest distance in Å, of the literature
    "anatase_o2.cif": (3.895, 141, 12, 1.934), "nio_R.cif": (6.80, 225, 2, 2.089),
    "ufe2_o2.cif": (13.19, 227, 24, 2.496),
    "cart_negative.vasp": (6.81, 225, 8, 2.089), "nio_textfield.cif": (6.81, 225, 8, 2.089),
    "cr_only.vasp": (6.81, 225, 8, 2.089), "mp_doc.json": (6.81, 225, 8, 2.089),
    "unknown_name.cif": (6.81, 225, 8, 2.089),
    "zno_333.cif": (5.25, 186, 4, 1.97),
}  # fmt: skip
REFUSED = {
    "disorder_group.cif": ("disordered", "O1A (disorder group 1) and O1B (group 2) are alternatives"),
    "h_unknown.cif": ("no_structure", "gives no place of its atom H1"),
    "few_rows.vasp": ("no_structure", "announces 8 atoms and has 7 rows"),
    "nio_identity_Z.cif": ("no_structure", "Z = 4 makes 8 atoms a cell, and its symmetry and atoms make 2"),
    "nio_4_operations.cif": ("no_structure", "lists 4 symmetry operations, which are no whole group"),
}


@pytest.mark.parametrize("name", READ)
def test_files_of_bug_reports_are_read_as_the_literature_has_their_crystals(name):
    density, group, atoms, distance = READ[name]
    structure, _ = read_structure_file(FILES / name)
    assert structure.density == pytest.approx(density, rel=2e-3)
    assert (number_of_group(structure), len(structure)) == (group, atoms)
    assert shortest(structure) == pytest.approx(distance, abs=2e-3)


@pytest.mark.parametrize("name", REFUSED)
def test_files_of_bug_reports_that_are_no_ordered_crystal_are_refused_with_what_is_wrong(name):
    reason, said = REFUSED[name]
    with pytest.raises(UnusableStructure) as caught:
        read_structure_file(FILES / name)
    assert said in str(caught.value) and caught.value.reason == reason
    assert len(str(caught.value)) < 400


def test_all_files_of_bug_reports_are_tested():
    assert {path.name for path in FILES.iterdir()} == READ.keys() | REFUSED.keys()


SAME_NIO = {
    "operations": operations_of("F m -3 m"),
    "operations with decimals": operations_of("F m -3 m").replace("1/2", "0.5"),
    "operations and an unknown name": f"{operations_of('F m -3 m')}{NAME} ?",
    "number": "_symmetry_Int_Tables_number 225",
    "Hall symbol": "_space_group_name_Hall '-F 4 2 3'",
    "old name": f"{NAME} 'F m 3 m'",
    "old short name": f"{NAME} Fm3m",
    "full name": f"{NAME} 'F 4/m -3 2/m'",
    "name in capitals": f"{NAME} 'F M -3 M'",
    "name with underscores": f"{NAME} 'F_m_-3_m'",
    "whole cell as formula": f"{NAME} 'F m -3 m'\n_chemical_formula_sum 'Ni4 O4'\n_cell_formula_units_Z 4",
    "density in kg/m³": f"{NAME} 'F m -3 m'\n_exptl_crystal_density_diffrn 6808",
    "CIF 2 names": "_space_group.name_H-M_alt 'F m -3 m'\n_space_group.IT_number 225",
    "unknown name and a number": f"{NAME} 'F mm'\n_symmetry_Int_Tables_number 225",
}


@pytest.mark.parametrize("symmetry", SAME_NIO.values(), ids=SAME_NIO.keys())
def test_however_its_symmetry_is_told_a_crystal_is_the_same(symmetry):
    structure, _ = read_cif(a_cif(symmetry))
    assert (len(structure), number_of_group(structure)) == (8, 225)
    assert shortest(structure) == pytest.approx(4.177 / 2)


CONTRADICTIONS = {
    "name and number": (f"{NAME} 'F m -3 m'\n_symmetry_Int_Tables_number 221", ("number 225", "number 221")),
    "two numbers": ("_symmetry_Int_Tables_number 225\n_space_group_IT_number 216", ("'225'", "'216'")),
    "Hall symbol and number": ("_space_group_name_Hall '-P 4 2 3'\n_space_group_IT_number 225", ("221", "225")),
    "operations of another group": (f"{operations_of('P m -3 m')}{NAME} 'F m -3 m'", ("48 operations", "number 225")),
    "identity alone": (f"_symmetry_equiv_pos_as_xyz x,y,z\n{NAME} 'F m -3 m'", ("1 operation of P 1", "F m -3 m")),
    "P 1 and a number": (f"{NAME} 'P 1'\n_symmetry_Int_Tables_number 225", ("P 1 (number 1)", "225")),
    "P 1 and a density": (f"{NAME} 'P 1'\n_exptl_crystal_density_diffrn 6.81", ("6.81 g/cm³", "1.702 g/cm³")),
    "formula": (f"{NAME} 'F m -3 m'\n_chemical_formula_sum 'Ni2 O3'", ("'Ni2 O3'", "'Ni1 O1'")),
    "element": (f"{NAME} 'F m -3 m'\n_chemical_formula_sum 'Co O'", ("'Co O'", "'Ni1 O1'")),
    "Z": (f"{NAME} 'F m -3 m'\n_chemical_formula_sum 'Ni O'\n_cell_formula_units_Z 1", ("2 atoms", "make 8")),
    "volume": (f"{NAME} 'F m -3 m'\n_cell_volume 60", ("60 Å³", "72.877 Å³")),
    "crystal system": (f"{NAME} 'F m -3 m'\n_symmetry_cell_setting tetragonal", ("tetragonal", "cubic")),
    "two lists": ("_symmetry_equiv_pos_as_xyz x,y,z\n" + operations_of("P m -3 m").replace(
        "_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz"), ("two different sets",)),
}  # fmt: skip


@pytest.mark.parametrize("listed", ["-x,-y-z", "x,y,z+l/2", "x,y,z+9**9**9", "x,y,z+__import__('os')", "2x,y,z",
                                    "x,y,y", "x,y,z+1/0", "x,y,z+1/5", "x;y;z", "xy,z,x", "x,y,z,t",
                                    "x+,y,z"])  # fmt: skip
def test_an_operation_that_is_none_is_refused_and_never_evaluated(listed):
    loop = f'loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n"{listed}"\n'
    with pytest.raises(UnusableStructure, match="which is no symmetry operation such as"):
        read_cif(a_cif(loop))


def test_without_symmetry_the_atoms_are_all_of_the_cell_only_where_the_file_counts_them():
    counted = "_chemical_formula_sum 'Ni O'\n_cell_formula_units_Z {}"
    structure, note = read_cif(a_cif(counted.format(1)))
    assert len(structure) == 2 and "gives no symmetry" in note
    with pytest.raises(UnusableStructure, match="8 atoms"):
        read_cif(a_cif(counted.format(4)))


CARBON = ("C1 C 0 0 0",)
LAVES = ("U1 U .125 .125 .125", "Fe1 Fe .5 .5 .5")


def test_of_two_origins_the_one_is_taken_that_the_rest_of_the_file_leaves():
    """Diamond, a = 3.567 Å, C-C 1.545 Å, 3.515 g/cm³."""
    counted = "_chemical_formula_sum C\n_cell_formula_units_Z 8"
    structure, note = read_cif(a_cif(f"{NAME} 'F d -3 m'\n{counted}", CARBON, a=3.567))
    assert (len(structure), round(shortest(structure), 3)) == (8, 1.545)
    assert "F d -3 m:1 is taken" in note
    with pytest.raises(UnusableStructure, match=r"C with 8 atoms .* in F d -3 m:1 or C with 16 atoms .* in F d -3 m:2"):
        read_cif(a_cif(f"{NAME} 'F d -3 m'", CARBON, a=3.567))
    with pytest.raises(UnusableStructure, match=r"U2Fe .* or UFe2 .*; list the operations or write the setting"):
        read_cif(a_cif(f"{NAME} 'F d -3 m'", LAVES, a=7.06))


@pytest.mark.parametrize(("name", "place"), [("S", "0 0 0"), (":1", "0 0 0"), ("Z", ".125 .125 .125"),
                                             ("(origin choice 2)", ".125 .125 .125")])  # fmt: skip
def test_origins_are_known_by_all_their_names(name, place):
    structure, _ = read_cif(a_cif(f"{NAME} 'F d -3 m {name}'", (f"C1 C {place}",), a=3.567))
    assert (len(structure), round(shortest(structure), 3)) == (8, 1.545)


@pytest.mark.parametrize("first", [operations_of("F d -3 m:1"), "_space_group_name_Hall 'F 4d 2 3 -1d'\n"])
def test_two_settings_of_one_group_that_give_two_crystals_are_refused(first):
    with pytest.raises(UnusableStructure, match=r"U2Fe .* in F d -3 m:1 or UFe2 .* in F d -3 m:2"):
        read_cif(a_cif(f"{first}{NAME} 'F d -3 m :2'", LAVES, a=7.06))


@pytest.mark.parametrize("digits", ["0.33 0.67", "0.333 0.667", "0.3333 0.6667", "0.333333 0.666667", "1/3 2/3",
                                    "0.3330(5) 0.6670(5)", "0.333 0.666"])  # fmt: skip
def test_coordinates_that_lack_digits_are_put_onto_the_special_position(digits):
    """Wurtzite ZnO: 5.675 g/cm³, Zn-O 1.974 Å."""
    rows = (f"Zn1 Zn {digits} 0", f"O1 O {digits} 0.382")
    structure, note = read_cif(a_cif(f"{NAME} 'P 63 m c'", rows, a=3.25, c=5.207, angles=(90, 90, 120)))
    assert (len(structure), number_of_group(structure, 1e-4)) == (4, 186)
    assert structure.density == pytest.approx(5.675, rel=1e-3) and shortest(structure) == pytest.approx(1.974, abs=1e-3)
    exact = digits in ("1/3 2/3", "0.3333 0.6667", "0.333333 0.666667")
    assert ("put onto the special position: Zn1 onto 0.333333, 0.666667, 0" in note) != exact


@pytest.mark.parametrize("place", ["0.3 0.7 0", "0.34 0.66 0", "0.3433 0.6667 0"])
def test_an_atom_beside_a_special_position_is_refused_and_not_moved(place):
    rows = (f"Zn1 Zn {place}", "O1 O 1/3 2/3 0.382")
    with pytest.raises(UnusableStructure, match=r"puts its atom Zn1 0\.\d+ Å from an image of its own"):
        read_cif(a_cif(f"{NAME} 'P 63 m c'", rows, a=3.25, c=5.207, angles=(90, 90, 120)))


UNKNOWN = "lists no operations, so which atoms the cell holds is open"
FM3M = f"{NAME} 'F m -3 m'"
NOT_READ = {name: (a_cif(symmetry), both) for name, (symmetry, both) in CONTRADICTIONS.items()} | {
    "cell of another system": (a_cif(FM3M, c=5), ("4.177, 4.177, 5 Å; ", "has not the symmetry of F m -3 m")),
    "cell of other axes": (
        a_cif(f"{NAME} 'R -3 m :H'", a=2.952, angles=(60.08,) * 3), ("has not the symmetry of R -3 m:H",)
    ),
    "multiplicity": (
        a_cif(FM3M, ("Ni1 Ni 4 0 0 0", "O1 O 8 .5 .5 .5"),
              columns=PLACES.replace("fract_x", "symmetry_multiplicity fract_x")),
        ("8 atoms O1 a cell, and F m -3 m makes 4",),
    ),
    "cut loop": (a_cif(FM3M, ("Ni1 Ni 0 0 0", "O1 O .5 .5")), ("is cut off or lacks a value",)),
    "word": (a_cif(FM3M, ("Ni1 Ni 0 0 zero",)), ("'zero' as coordinate of its atom Ni1",)),
    "full cell and operations": (
        a_cif(FM3M, (*NIO, "Ni2 Ni 0 .5 .5")), ("Ni1 and Ni2 are one atom by its symmetry",)
    ),
    "alternatives": (
        a_cif(FM3M, ("Ni1 Ni 0 0 0 -1",), columns=f"{PLACES} disorder_group"), ("shares its place with its own image",)
    ),
    "too full": (a_cif(FM3M, ("Ni1 Ni 0 0 0 2",), columns=f"{PLACES} occupancy"), ("'2' as occupancy",)),
    "Cartesian": (a_cif(FM3M, columns=PLACES.replace("fract", "Cartn")), ("gives its atoms in Å",)),
    "twice": (a_cif(FM3M, [f"{row} x" for row in NIO], columns=f"{PLACES} label"), ("twice",)),
    "no symmetry": (a_cif(""), (UNKNOWN,)),
    "unknown symmetry": (a_cif(f"{NAME} ?"), (UNKNOWN,)),
    "no such group": (a_cif(f"{NAME} 'P q 3'"), (UNKNOWN,)),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), NOT_READ.values(), ids=NOT_READ)
def test_what_contradicts_itself_or_is_no_whole_crystal_is_refused_with_what_is_wrong(text, said):
    with tells(*said, error=UnusableStructure):
        read_cif(text)


def test_atoms_are_as_far_apart_as_their_elements_can_be():
    """Ni-O is 2.09 Å in NiO and 1.15 Å if its cell is read wrongly; O-O is 1.21 Å at the least."""
    for rows in (("Ni1 Ni 0 0 0", "O1 O .2753 0 0"), ("O1 O 0 0 0", "O2 O .2 0 0")):
        with tells(match="two atoms that are", reason="atoms_too_close", error=UnusableStructure):
            read_cif(a_cif(f"{NAME} 'P 1'", rows))
    assert len(read_cif(a_cif(f"{NAME} 'P 1'", ("O1 O 0 0 0", "O2 O .2897 0 0")))[0]) == 2  # O2, 1.21 Å
    assert len(read_cif(a_cif(f"{NAME} 'P 1'", ("V1 V 0 0 0", "O2 O .3759 0 0")))[0]) == 2  # vanadyl, 1.57 Å


def test_a_magnetic_cif_is_read_with_its_magnetic_cell():
    text = a_cif(
        "_parent_space_group.IT_number 225\nloop_\n_space_group_symop_magn_operation.xyz\nx,y,z,+1\n-x,-y,-z,+1\n"
        "loop_\n_space_group_symop_magn_centering.xyz\nx,y,z,+1\nx,y+1/2,z+1/2,+1\nx+1/2,y,z+1/2,-1\nx+1/2,y+1/2,z,-1\n"
    )
    structure, note = read_cif(text + "loop_\n_atom_site_moment.label\n_atom_site_moment.crystalaxis_x\nNi1 1.7\n")
    assert (len(structure), number_of_group(structure)) == (8, 225) and "magnetic moments are left out" in note


def test_deuterium_is_hydrogen():
    structure, note = read_cif(a_cif(f"{NAME} 'P 1'\n_chemical_formula_sum 'Ni D'", ("Ni1 Ni 0 0 0", "D1 D .4 0 0")))
    assert structure.composition.formula == "Ni1 H1" and "D is taken as H" in note


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_the_name_of_a_block_may_have_any_letters(encoding):
    text = a_cif(f"{NAME} 'F m -3 m'").replace("data_x", "# NiO\nDATA_größe")
    assert len(read_structure(text.encode(encoding), "cif")[0]) == 8


@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_line_ends_of_all_systems_are_read(end):
    assert len(read_structure(a_cif(f"{NAME} 'F m -3 m'").replace("\n", end).encode(), "cif")[0]) == 8


HALLS = defaultdict(list)
for _hall in range(1, 531):
    HALLS[spglib.get_spacegroup_type(_hall).number].append(_hall)
NAMES = {group.hall: group for group in gemmi.spacegroup_table()}


@pytest.mark.parametrize("example", ["tio2-anatase", "v2o5-shcherbinaite", "vo2-monoclinic", "cr2o3-corundum",
                                     "cu2v2o7-blossite", "tio2-brookite"])  # fmt: skip
def test_a_crystal_of_the_library_is_the_same_in_every_setting(example):
    """Written by spglib in each setting of its group, and read back by name, Hall symbol, operations and number."""
    structure = EXAMPLES[example].structure()
    group = number_of_group(structure)
    formula, units = structure.composition.get_reduced_composition_and_factor()
    for hall_number in HALLS[group]:
        hall = spglib.get_spacegroup_type(hall_number).hall_symbol
        lattice, rows = in_setting(structure, hall_number)
        ratio = lattice.volume / structure.volume
        counted = f"_chemical_formula_sum '{formula.formula}'\n_cell_formula_units_Z {round(units * ratio)}"
        told = [f"_space_group_name_Hall '{hall}'", f"_space_group_IT_number {group}\n{counted}"]
        if hall in NAMES:
            name = f"_space_group_name_H-M_alt '{NAMES[hall].xhm()}'"
            told += [name, f"{operations_of(NAMES[hall].xhm())}{name}", f"{NAME} '{NAMES[hall].hm}'\n{counted}"]
        for k, symmetry in enumerate(told):
            a, b, c = np.round(lattice.abc, 6)
            text = a_cif(symmetry, rows, a=a, b=b, c=c, angles=np.round(lattice.angles, 5))
            try:
                found, _ = read_cif(text)
            except UnusableStructure as error:
                assert k == 1 and "does not say in which setting" in str(error)
                continue
            assert found.composition.reduced_composition == formula
            assert len(found) == round(len(structure) * ratio)
            assert found.density == pytest.approx(structure.density, rel=1e-4)
            assert shortest(found) == pytest.approx(shortest(structure), abs=1e-3)
            assert number_of_group(found) == group
