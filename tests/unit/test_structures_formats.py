"""Files that are no CIF: each form that people have is read as VASP, ASE or Materials Project mean it."""

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pytest
from cif_files import NAME, a_cif, number_of_group, shortest
from feff_runs import poscar, rocksalt, rutile, write_files
from pymatgen.core import Lattice, Structure
from sentences import tells
from structure_files import GOOD, formulas, read, with_symmetry

from xanesflow.core.errors import UnusableStructure
from xanesflow.structures.file_forms import name_in
from xanesflow.structures.materials_project.material_ids import one_id
from xanesflow.structures.one_file import name_of, read_structure_file
from xanesflow.structures.read_structure import read_structure

PLACES = ["0 0 0", "0 .5 .5", ".5 0 .5", ".5 .5 0", ".5 .5 .5", ".5 0 0", "0 .5 0", "0 0 .5"]


def nio(scale="1.0", edge="4.177", mode="Direct", rows=PLACES, *, symbols="Ni O\n", counts="4 4") -> str:
    return "\n".join(["NiO", scale, f"{edge} 0 0", f"0 {edge} 0", f"0 0 {edge}", f"{symbols}{counts}", mode, *rows, ""])


MOVED = [f"{place} T T F" for place in PLACES]
SAME = {
    "as it is": nio(),
    "volume, Direct": nio("-72.8775", "1"),
    "volume, Cartesian": nio("-72.8775", "1", "Cartesian"),
    "volume, Cartesian, selective": nio("-72.8775", "2", "Selective dynamics\nCartesian", [
        " ".join([*(str(2 * float(x)) for x in place.split()), "T T F"]) for place in PLACES]),
    "three factors, Direct": nio("4.177 4.177 4.177", "1"),
    "three factors, Cartesian": nio("4.177 4.177 4.177", "1", "Cartesian"),
    "three factors, selective": nio("4.177 4.177 4.177", "1", "Selective dynamics\nCartesian", MOVED),
    "selective dynamics": nio(mode="Selective dynamics\nDirect", rows=MOVED),
    "velocities": nio() + "\n" + "0 0 0\n" * 8,
    "remark behind the scale": nio("1.0 ! as relaxed"),
    "names of potentials": nio(symbols="Ni_pv/1a2b3c O/4d5e\n"),
    "repeated blocks": nio(symbols="Ni O Ni O ! as written\n", counts="4 3 0 1"),
    "symbols and counts of two lines": nio(symbols="Ni Ni\n O\n", counts="2 2\n4"),
    "symbols behind the rows": nio(rows=[f"{place} {'Ni' if k < 4 else 'O'}" for k, place in enumerate(PLACES)]),
    "CR alone": nio().replace("\n", "\r"),
}  # fmt: skip


@pytest.mark.parametrize("text", SAME.values(), ids=SAME.keys())
def test_a_poscar_is_read_as_vasp_reads_it(text):
    """NiO: a = 4.177 Å, Ni-O 2.0885 Å, 6.808 g/cm³."""
    structure, note = read_structure(text.encode(), "poscar")
    assert [site.specie.symbol for site in structure] == ["Ni"] * 4 + ["O"] * 4 and not note
    assert structure.density == pytest.approx(6.808, abs=1e-3)
    assert number_of_group(structure) == 225 and shortest(structure) == pytest.approx(2.0885, abs=1e-4)


def test_three_factors_stretch_each_axis_and_cartesian_positions_with_it():
    text = nio("4 5 6", "1", "Cartesian", ["0 0 0", ".5 .5 .5"], counts="1 1")
    structure, _ = read_structure(text.encode(), "poscar")
    assert structure.lattice.abc == pytest.approx((4, 5, 6))
    assert structure[1].frac_coords == pytest.approx([0.5] * 3)


BAD_POSCARS = {
    "empty row": (nio(rows=[*PLACES[:3], "", *PLACES[3:]]), "announces 8 atoms and has 3 rows"),
    "stars": (nio(rows=["**** 0 0", *PLACES[1:]]), "has no three coordinates in line 9: '**** 0 0'"),
    "vector": (nio().replace("0 4.177 0", "0 4.177"), "its line 4 is '0 4.177' and not a vector of the cell"),
    "no numbers": (nio(counts="four four"), "the numbers of atoms are missing"),
    "head alone": ("NiO\n1.0\n4 0 0\n", "it has 3 lines, and a POSCAR has a remark, a scale"),
    "scale 0": (nio("0"), "has the scale '0'"),
    "two factors": (nio("1 1"), "has the scale '1 1'"),
    "fewer numbers": (nio(symbols="Ni Fe O\n"), "has 3 symbols of elements and 2 numbers of atoms"),
    "one number": (nio(counts="8"), "has 2 symbols of elements and 1 number of atoms"),
    "more numbers": (nio(counts="4 2 2"), "has 2 symbols of elements and 3 numbers of atoms"),
    "VASP 4": (nio(symbols=""), "does not name its elements"),
    "wrong scale": (nio("-1.0", "1"), "is 1.00 Å from its own image"),
}


WATER = "3\nwater\nO 0 0 0.119\nD 0 0.763 -0.477\nH 0 -0.763 -0.477\n"
CRYSTAL = "\n".join(
    ["2", 'Lattice="0 2.0885 2.0885 2.0885 0 2.0885 2.0885 2.0885 0" Properties=species:S:1:pos:R:3 pbc="T T T"',
     "Ni 0 0 0", "O 2.0885 0 0", ""]
)  # fmt: skip


def test_an_xyz_file_without_lattice_is_a_molecule_in_vacuum():
    structure, note = read_structure(WATER.encode(), "xyz")
    assert structure.composition.formula == "H2 O1" and shortest(structure) == pytest.approx(0.968, abs=1e-3)
    assert min(structure.lattice.abc) > 25
    assert "taken as a molecule in vacuum, in a cube of 27 Å" in note


def test_an_extended_xyz_file_with_a_lattice_is_a_crystal():
    structure, note = read_structure(CRYSTAL.encode(), "xyz")
    assert (number_of_group(structure), round(shortest(structure), 3), note) == (225, 2.088, "")


def test_an_extended_xyz_file_is_periodic_as_its_pbc_says():
    structure, note = read_structure(CRYSTAL.replace("T T T", "F F F").encode(), "xyz")
    assert min(structure.lattice.abc) > 25 and "it is not periodic" in note
    without = CRYSTAL.replace(' pbc="T T T"', "")
    assert number_of_group(read_structure(without.encode(), "xyz")[0]) == 225


BAD_XYZ = {
    "rows": ("\n".join(WATER.splitlines()[:4]), "announces 3 atoms and has 2 rows"),
    "several": (WATER + WATER, "holds several structures"),
    "several, apart": (f"{WATER}\n{WATER}", "holds several structures"),
    "layer": (CRYSTAL.replace("T T T", "T T F"), "is periodic along some axes only"),
    "no cell": (WATER.replace("water", 'pbc="T T T"'), "is periodic and has no cell"),
    "a row more": (WATER + "H 1 1 1\n", "announces 3 atoms and goes on with"),
    "no number": ("x" + WATER, "first line is 'x3'"),
    "no element": (WATER.replace("O 0", "Qq 0"), "a row is not an element's symbol"),
    "nan": (WATER.replace("0.119", "nan"), "not finite"),
    "flat": (CRYSTAL.replace("2.0885 2.0885 0\"", "2.0885 0 2.0885\""), "cell without volume"),
}  # fmt: skip


def vasprun(last="finalpos", edge=2.0885) -> str:
    cell = "".join(f"<v>{row}</v>" for row in (f"0 {edge} {edge}", f"{edge} 0 {edge}", f"{edge} {edge} 0"))
    structure = f'<crystal><varray name="basis">{cell}</varray></crystal><varray name="positions">' + "".join(
        f"<v>{place}</v>" for place in ("0 0 0", ".5 .5 .5")
    )
    atoms = "".join(f"<rc><c>{symbol}</c><c>1</c></rc>" for symbol in ("Ni", "O "))
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?><modeling><atominfo><array name="atoms"><set>'
        f'{atoms}</set></array></atominfo><structure name="initialpos">{structure.replace(str(edge), "9")}</varray>'
        f'</structure><structure name="{last}">{structure}</varray></structure></modeling>'
    )


def test_of_a_vasprun_the_last_structure_is_read():
    structure, _ = read_structure(vasprun().encode(), "vasprun")
    assert (number_of_group(structure), round(shortest(structure), 3)) == (225, 2.088)


BAD_VASPRUNS = {
    "not ended": (vasprun("primitive"), "holds no final structure"),
    "cut": (vasprun()[:300], "is cut off"),
    "entities": ('<!DOCTYPE x [<!ENTITY a "a">]><modeling>&a;</modeling>', "declares entities"),
}
BAD = {
    f"{form}, {name}": (form, *case)
    for form, cases in {"poscar": BAD_POSCARS, "xyz": BAD_XYZ, "vasprun": BAD_VASPRUNS}.items()
    for name, case in cases.items()
}


@pytest.mark.parametrize(("form", "text", "said"), BAD.values(), ids=BAD)
def test_what_is_none_of_its_form_is_refused_with_what_is_wrong(form, text, said):
    with tells(said, error=UnusableStructure):
        read_structure(text.encode(), form)


DOCUMENT = {"material_id": "mp-19009", "formula_pretty": "CuO", "nsites": len(rocksalt()),
            "structure": rocksalt().as_dict(), "builder_meta": {"database_version": "2024.12.18"},
            "last_updated": {"$date": "2024-01-01"}}  # fmt: skip


def test_a_document_of_materials_project_is_read_with_its_id_and_version():
    for content in (DOCUMENT, [DOCUMENT], {"data": [DOCUMENT]}):
        structure, note = read_structure(json.dumps(content).encode(), "json")
        assert structure.composition.reduced_formula == "CuO"
        assert note == "mp-19009 of Materials Project, database 2024.12.18, as of 2024-01-01"


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"density": 1.0}, "1 g/cm³"), ({"nsites": 3}, "3 atoms a cell"), ({"formula_pretty": "Cu2O"}, "'Cu2O'"),
     ({"structure": None}, "a document without a structure"), ({"volume": 1.0}, "volume of 1 Å³")],
)  # fmt: skip
def test_a_document_that_contradicts_its_structure_is_refused(changed, said):
    with tells(said, match=r"contradicts itself|without a structure", error=UnusableStructure):
        read_structure(json.dumps(DOCUMENT | changed).encode(), "json")


@pytest.mark.parametrize("partly_occupied", [False, True])
@pytest.mark.parametrize("form", ["cif", "json"])
def test_a_place_of_two_valences_is_full(form, partly_occupied):
    """Magnetite as pymatgen writes it: 8 Fe3+, 16 Fe2+ and Fe3+ at random, 32 O."""
    magnetite = Structure.from_spacegroup(
        "Fd-3m:2", Lattice.cubic(8.394), ["Fe3+", {"Fe2+": 0.5, "Fe3+": 0.5}, "O2-"],
        [[0.125] * 3, [0.5] * 3, [0.2549] * 3],
    )  # fmt: skip
    content = magnetite.to(fmt=form).encode()
    structure, note = read_structure(content, form, partly_occupied=partly_occupied)
    assert form == "json" or "rows of one element that fill a place together" in note
    assert structure.is_ordered and structure.composition.formula == "Fe24 O32"


PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


@pytest.mark.parametrize("ending", PACK)
def test_compressed_files_are_read_whatever_they_are_called(tmp_path, ending):
    for name, content in {
        f"m.cif{ending}": a_cif(f"{NAME} 'F m -3 m'"),
        f"POSCAR_m{ending}": nio(),
        "m": nio(),
    }.items():
        path = tmp_path / name
        path.write_bytes(PACK[ending](content.encode()))
        structure, _ = read_structure_file(path)
        assert (len(structure), name_of(path)) == (8, "m")


@pytest.mark.parametrize("ending", PACK)
def test_a_compressed_file_that_is_damaged_or_endless_is_refused(tmp_path, ending):
    whole = PACK[ending](b" " * 17 * 2**20)
    for content, said in ((whole, "limit"), (PACK[ending](nio().encode())[:-9], "cut off or damaged")):
        (tmp_path / f"m.cif{ending}").write_bytes(content)
        with pytest.raises(UnusableStructure, match=said):
            read_structure_file(tmp_path / f"m.cif{ending}")


def test_all_forms_are_found_in_a_folder(tmp_path):
    packed = gzip.compress(poscar(rutile("Ti")).encode())
    write_files(tmp_path, {
        "a.mcif": with_symmetry(rutile()), "b.xyz": WATER, "c.extxyz": CRYSTAL, "POSCAR_d.gz": packed,
        "e/POSCAR.gz": packed,
        "f/vasprun.xml": vasprun(), "g.cif.gz": gzip.compress(with_symmetry(rutile()).encode()), "CONTCAR_h": GOOD,
        "i/CONTCAR": GOOD, "i/vasprun.xml": "x", "i/POSCAR.gz": b"x", "j/m.xyz": "x",
        "j/m.cif": with_symmetry(rutile()),
    })  # fmt: skip
    assert formulas(read(tmp_path)) == {"a": "CuO2", "b": "H2O", "c": "NiO", "d": "TiO2", "e": "TiO2", "f": "NiO",
                                        "g": "CuO2", "h": "CuO", "i": "CuO", "j": "CuO2"}  # fmt: skip


def test_a_form_is_known_by_content_where_a_name_does_not_say_it(tmp_path):
    for content in (WATER, vasprun(), json.dumps(DOCUMENT), a_cif(f"{NAME} 'F m -3 m'").replace("\n", "\r")):
        (tmp_path / "m").write_text(content, newline="")
        assert len(read_structure_file(tmp_path / "m")[0]) > 1


@pytest.mark.parametrize(
    ("written", "one"),
    [("mp-aaaaaapa", "mp-390"), ("mp-390", "mp-390"), ("mvc-aaaaaaam", "mvc-12"), ("mp-aaahilzd", "mp-3347529"),
     ("mp-aaahilze", "mp-aaahilze"), ("mp-3347530", "mp-aaahilze"), ("mp-abcde", "mp-abcde")],
)  # fmt: skip
def test_an_id_of_materials_project_is_one_in_both_notations(written, one):
    assert one_id(written) == one


@pytest.mark.parametrize(
    "name", ["a.cif", "a.cif.gz", "POSCAR_a", "CONTCAR.a", "POSCAR_a.vasp", "vasprun.a.xml", "a.xyz"]
)
def test_a_file_has_one_id_in_a_folder_and_alone(name):
    assert name_of(Path("folder") / name) == name_in(name)


def test_a_name_keeps_its_letters_and_fits_into_a_file_name():
    assert name_of(Path("größe α-Fe.cif")) == "größe_α-Fe"
    assert name_of(Path("gro\u0308\u00dfe.cif")) == "größe", "macOS writes ö as two signs"
    assert name_of(Path("銅" * 80 + ".cif")) == "銅" * 50
    assert name_of(Path("../a;b\n$(c).cif")) == "a_b_c"
