"""One structure file of a user: read as it is meant, or told in one sentence why not; it runs nothing."""

import json
from itertools import product

import numpy as np
import pytest
from feff_runs import cuprite, perovskite, poscar, rocksalt, rutile, write_files
from pymatgen.core import Lattice, Molecule, Structure
from pymatgen.io.cif import CifWriter
from structure_files import (
    CUBE,
    GOOD,
    XYZ,
    as_json,
    assert_one_sentence,
    cell,
    cif,
    formulas,
    good_and_bad,
    read,
    with_site,
    with_symmetry,
)

from xanesflow.structures.material import BadStructure

SYMBOLS = ("_atom_site_label", "_atom_site_type_symbol", *XYZ)


# Wyckoff positions of the International Tables, divided by the centring where the cell is primitive.
SPINEL = Structure.from_spacegroup("Fd-3m", Lattice.cubic(8.1), ["Cu", "Al", "O"], [[0] * 3, [5 / 8] * 3, [0.388] * 3])
WURTZITE = Structure.from_spacegroup(
    "P6_3mc", Lattice.hexagonal(3.2, 5.2), ["Cu", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.38]]
)


@pytest.mark.parametrize("form", ["cif", "cif without symmetry", "json", "poscar"])
@pytest.mark.parametrize(
    ("structure", "multiplicities"),
    [
        (SPINEL.get_primitive_structure(), {"Cu": [2], "Al": [4], "O": [8]}),
        (SPINEL, {"Cu": [8], "Al": [16], "O": [32]}),
        (rutile(), {"Cu": [2], "O": [4]}),
        (cuprite(), {"Cu": [4], "O": [2]}),
        (perovskite(), {"Sr": [1], "Cu": [1], "O": [3]}),
        (WURTZITE, {"Cu": [2], "O": [2]}),
    ],
    ids=["spinel", "spinel, cubic cell", "rutile", "cuprite", "perovskite", "wurtzite"],
)
def test_multiplicities_are_those_of_the_wyckoff_positions_in_every_form(tmp_path, structure, multiplicities, form):
    texts = {"cif": lambda: with_symmetry(structure), "cif without symmetry": lambda: str(CifWriter(structure)),
             "json": lambda: as_json(structure), "poscar": lambda: poscar(structure)}  # fmt: skip
    write_files(tmp_path, {f"m.{form.split()[0]}": texts[form]()})
    if form == "cif" and multiplicities["O"] == [8]:
        multiplicities = {kind: [4 * n for n in numbers] for kind, numbers in multiplicities.items()}  # cubic again
    material = read(tmp_path)["m"]
    found = {}
    for kind in sorted(set(material.equivalent)):
        found.setdefault(material.elements[kind], []).append(material.multiplicity(kind))
    assert found == multiplicities
    assert material.note == ""


def test_what_is_stored_is_the_same_whatever_file_a_crystal_came_from(tmp_path):
    charged = rocksalt()
    charged.add_oxidation_state_by_element({"Cu": 2, "O": -2})
    charged.add_site_property("magmom", [1.0, 0.0])
    selective = (
        GOOD.replace("direct", "selective dynamics\ndirect")
        .replace("0 Cu\n", "0 T T F\n")
        .replace("0 O\n", "0 T F F\n")
    )
    write_files(tmp_path, {"a.json": as_json(charged), "b.poscar": GOOD, "c.vasp": selective})
    found = read(tmp_path)
    assert found["a"].structure == found["b"].structure == found["c"].structure


ONE = ("Cu 0 0 0 1", "O .5 .5 .5 1")
OCCUPIED = ("_atom_site_label", *XYZ, "_atom_site_occupancy")
BAD = {
    "empty": ("a.cif", "", "no_structure", "is empty"),
    "blank": ("a/POSCAR", " \n\n", "no_structure", "is empty"),
    "a word": ("a.vasp", "hello", "no_structure", "cannot be read"),
    "binary": ("a/POSCAR", bytes(range(256)), "no_structure", "binary"),
    "utf-16": ("a.cif", cif("Cu 0 0 0").encode("utf-16"), "no_structure", "binary"),
    "cut POSCAR": ("a.vasp", GOOD[:120], "no_structure", "cannot be read"),
    "VASP 4": ("a.vasp", cell(CUBE, "0 0 0").replace("Cu\n", ""), "no_structure", "not name its elements"),
    "more atoms than memory": ("a.vasp", cell(CUBE, "0 0 0").replace("\n1\n", f"\n{10**11}\n"),
                               "no_structure", "announces 100,000,000,000 atoms"),
    "nan": ("a.vasp", cell(CUBE, "nan 0 0"), "no_structure", "not finite"),
    "infinite": ("a.json", with_site(abc=[float("inf"), 0, 0]), "no_structure", "not finite"),
    "nan in a CIF": ("a.cif", cif("Cu nan 0 0"), "no_structure", "not finite"),
    "far outside": ("a.json", with_site(abc=[1e300, 0, 0]), "no_structure", "far outside its cell"),
    "endless cell": ("a.vasp", cell("4 0 0,0 4 0,0 0 1e200", "0 0 0"), "no_structure", "cell of 1e+200 Å"),
    "flat cell": ("a.vasp", cell("4 0 0,0 4 0,4 4 0", "0 0 0"), "no_structure",
                  "without volume: its three vectors lie in one plane"),
    "flat CIF": ("a.cif", cif("Cu 0 0 0", a="0.0001"), "no_structure", "without volume"),
    "flat JSON": ("a.json", as_json(rutile(), lattice={"matrix": [[1, 0, 0], [1, 0, 0], [0, 0, 1]]}), "no_structure",
                  "without volume"),
    "no atoms": ("a.json", as_json(rutile(), sites=[]), "no_structure", "has no atoms"),
    "no atoms in a CIF": ("a.cif", cif(), "no_structure", "no atoms"),
    "no atoms in a POSCAR": ("a.vasp", cell(CUBE), "no_structure", "announces no atoms"),
    "no structure in a CIF": ("a.cif", "data_x\n_publ_author Me\n", "no_structure", "holds no structure"),
    "two structures": ("a.cif", cif("Cu 0 0 0") + cif("Ni 0 0 0"), "no_structure", "holds 2 structures"),
    "partial": ("a.cif", cif("Cu 0 0 0 0.5", "O .5 .5 .5 1", columns=OCCUPIED), "disordered", "Cu:0.5"),
    "two on a place": ("a.cif", cif("Cu 0 0 0 .5", "Ni 0 0 0 .5", columns=OCCUPIED), "disordered", "partially"),
    "two whole on a place": ("a.cif", cif("Cu 0 0 0", "Ni 0 0 0"), "disordered", "several atoms at one place"),
    "partial JSON": ("a.json", with_site(species=[{"element": "Cu", "occu": 0.9}]), "disordered", "Cu:0.9"),
    "unknown space group": ("a.cif", cif("Cu 0 0 0", group="P q 3"), "no_structure", "'P q 3', which is not known"),
    "dummy": ("a.cif", cif("Cu 0 0 0", "X1 .5 0 0"), "no_structure", "X1"),
    "dummy JSON": ("a.json", with_site(species=[{"element": "X", "oxidation_state": 0, "occu": 1}]), "no_structure",
                   "X, which is no element"),
    "no such element": ("a.vasp", cell(CUBE, "0 0 0", elements="Qq"), "no_structure", "Qq"),
    "elements in small letters": ("a.vasp", cell(CUBE, "0 0 0", elements="ni"), "no_structure",
                                  "'ni' in line 6 is no symbol of an element"),
    "elements in capitals": ("a.vasp", cell(CUBE, "0 0 0", elements="NI"), "no_structure",
                             "'NI' in line 6 is no symbol of an element"),
    "vacancy, V to pymatgen": ("a.cif", cif("Cu 0 0 0", "Vac1 .5 0 0"), "no_structure", "'Vac1'"),
    "hydroxyl, dropped by pymatgen": ("a.cif", cif("Cu 0 0 0", "OH1 .5 0 0"), "no_structure", "'OH1'"),
    "no coordinate, 0 to pymatgen": ("a.cif", cif("Cu . 0 0"), "no_structure", "'.'"),
    "no occupancy, dropped by pymatgen": ("a.cif", cif("Cu 0 0 0 .", *ONE, columns=OCCUPIED), "no_structure", "'.'"),
    "no loop": ("a.cif", cif("Cu 0 0 0").replace("loop_", "").replace("_x", "_x 0"), "no_structure", "loop_"),
    "too close": ("a.vasp", cell(CUBE, "0 0 0", "0.1 0 0"), "atoms_too_close",
                  "two atoms that are 0.40 Å apart: Cu 0 and Cu 1"),
    "too close across the border": ("a.cif", cif("Cu 0.01 0 0", "O .96 0 0"), "atoms_too_close",
                                    "0.20 Å apart: Cu 0 and O 1"),
    "at one place": ("a.vasp", cell(CUBE, *["0 0 0"] * 3), "atoms_too_close", "0.00 Å apart"),
    "own image": ("a.vasp", cell("4 0 0,0 4 0,0 0 0.4", "0 0 0"), "atoms_too_close", "0.40 Å from its own image"),
    "own image of a skewed cell": ("a.vasp", cell("4 0 0,0 4 0,8 4 0.3", "0 0 0"), "atoms_too_close", "0.30 Å"),
    "molecule": ("a.json", json.dumps(Molecule(["Cu"], [[0] * 3]).as_dict()), "no_structure", "a Molecule, not"),
    "list": ("a.json", "[1]", "no_structure", "a list, not"),
    "number": ("a.json", "3", "no_structure", "a number, not"),
    "other object": ("a.json", "{}", "no_structure", "without @class"),
    "no JSON": ("a.json", "{", "no_structure", "is no JSON"),
    "deep JSON": ("a.json", "[" * 10**5, "no_structure", "is nested too deep"),
    "half a structure": ("a.json", '{"@class": "Structure"}', "no_structure", "it has no 'lattice'"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "reason", "said"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_used_is_told_in_one_sentence_and_stops_nothing(tmp_path, name, content, reason, said):
    write_files(tmp_path, {name: content, "good.vasp": GOOD})
    found = read(tmp_path)
    assert good_and_bad(found) == (["good"], {"a": reason})
    assert said in found["a"].detail and found["a"].detail.startswith(name)
    assert_one_sentence(found["a"])


def test_the_smallest_distance_is_that_of_all_images(tmp_path):
    """Against a search over the images of a compact cell; the file has a skewed cell of the same crystal.

    The smallest distances of pairs of elements are 0.63 of the sum of their covalent radii, 0.55 for two metals and
    0.68 for two non-metals (Cordero 2008: Cu 1.32, O 0.66 Å).
    """
    cu_o, cu_cu, o_o = 0.63 * (1.32 + 0.66), 0.55 * 2 * 1.32, 0.68 * 2 * 0.66
    random = np.random.default_rng(1)
    shifts = np.array(list(product(range(-5, 6), repeat=3)))
    skew = np.array([[1, 2, -3], [0, 1, 4], [0, 0, 1]])
    closest = {}
    for k in range(60):
        matrix = np.diag(random.uniform(0.8, 4.0, size=3)) + random.uniform(-0.1, 0.1, size=(3, 3))
        fractions = random.uniform(-1, 1, size=(2, 3))
        apart = (fractions @ matrix)[1] - (fractions @ matrix)[0] + shifts @ matrix
        own = (shifts @ matrix)[shifts.any(axis=1)]
        between, image = np.linalg.norm(apart, axis=1).min(), np.linalg.norm(own, axis=1).min()
        closest[f"m{k:02d}"] = min(between / cu_o, image / cu_cu, image / o_o)
        skewed = Structure(Lattice(skew @ matrix), ["Cu", "O"], fractions @ np.linalg.inv(skew))
        write_files(tmp_path, {f"m{k:02d}.json": as_json(skewed)})
    found = read(tmp_path)
    too_close = {key for key, each in found.items() if isinstance(each, BadStructure)}
    assert too_close == {key for key, of_the_limit in closest.items() if of_the_limit < 1}
    assert 5 < len(too_close) < 55
    assert all(found[key].reason == "atoms_too_close" for key in too_close)


def test_a_json_file_runs_nothing(tmp_path):
    """pymatgen's own reader imports and calls what a file names."""
    evil = {"@module": "subprocess", "@class": "Popen", "@version": "1", "args": ["touch", str(tmp_path / "ran")]}
    site = {"properties": {"magmom": evil}}
    write_files(tmp_path, {
        "a.json": with_site(**site), "b.json": json.dumps(evil), "c.json": as_json(rutile(), properties={"x": evil}),
        "d.json": with_site(species=[{**evil, "element": "Cu", "occu": 1}]), "e.json": as_json(rutile(), lattice=evil),
    })  # fmt: skip
    assert good_and_bad(read(tmp_path)) == (["a", "c", "d"], dict.fromkeys(["b", "e"], "no_structure"))
    assert not (tmp_path / "ran").exists()


def test_a_cif_with_blocks_of_text_beside_its_structure_is_read(tmp_path):
    write_files(tmp_path, {"a.cif": "data_global\n_publ_author Me\n" + cif("Cu1 0 0 0", "O1 .5 .5 .5")})
    material = read(tmp_path)["a"]
    assert material.formula == "CuO" and "P1" not in material.note


def test_other_encodings_and_line_ends_charges_and_letters_behind_an_element_are_understood(tmp_path):
    write_files(tmp_path, {
        "a.cif": b"\xef\xbb\xbf# M\xc3\xbcller\r\n" + cif("Cu1 0 0 0").replace("\n", "\r\n").encode(),
        "b.cif": b"# M\xfcller\n" + cif("Cu1 0 0 0").encode(), "c.vasp": "Müller" + GOOD.replace("\n", "\r\n"),
        "d.cif": cif("M1 Cu2+ 0 0 0", "A O2- .5 .5 .5", columns=SYMBOLS), "e.cif": cif("CuA 0 0 0", "OW1 .5 .5 .5"),
    })  # fmt: skip
    assert formulas(read(tmp_path)) == {"a": "Cu", "b": "Cu", "c": "CuO", "d": "CuO", "e": "CuO"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (cif("Cu 0.33331 0 0"), "1 coordinate taken as thirds, such as 0.33331 of Cu as 0.333333"),
        (cif("Cu 0 0 0 1", "H1 .5 0 0 0", columns=OCCUPIED), "H1 has occupancy 0 and is left out"),
        (cif("Cu 0 0 0", "D1 .5 0 0"), "D is taken as H, as an isotope scatters alike"),
        (cif("Cu 0 0 0", group="P m -3 m"), "Spacegroup from _symmetry_space_group_name_H-M used"),
        (cif("Cu 0 0 0", "O .5 .5 .5", extra="_chemical_formula_sum 'Cu O H'"), "Missing elements H"),
        (cif("OS1 0 0 0"), "OS1 parsed as Os"),
    ],
)
def test_what_a_cif_is_not_read_as_written_stands_in_the_note(tmp_path, text, said):
    write_files(tmp_path, {"a.cif": text})
    note = read(tmp_path)["a"].note
    assert note.startswith("a.cif: ") and said in note and "\n" not in note


@pytest.mark.parametrize("rows", [("Cu1 0.3333 0.6667 0",), ("Cu1 0.33333300 0.66666 0", "O1 0.5(3) 0 0")])
def test_thirds_with_few_digits_are_no_matter_of_a_note(tmp_path, rows):
    write_files(tmp_path, {"a.cif": cif(*rows, extra="_symmetry_equiv_pos_as_xyz 'x, y, z'")})
    assert read(tmp_path)["a"].note == ""
