"""Minerals of larixite's database: read rightly, left out with reasons, chosen, found by name, and never written to."""

import base64
import json
import sqlite3
import struct
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest
from command_line import answer
from sentences import tells
from site_tables import SiteTables

from xanesflow.config.load import load_config
from xanesflow.core.errors import UnusableStructure, XanesflowError
from xanesflow.prediction.input_structures import read_structures
from xanesflow.structures.amcsd import database
from xanesflow.structures.amcsd.choose_entries import Filters, choose_entries
from xanesflow.structures.amcsd.conditions import read_conditions
from xanesflow.structures.amcsd.database import database_path, load_entries, open_database, unpack
from xanesflow.structures.amcsd.find_mineral import find_mineral, search
from xanesflow.structures.amcsd.read_entry import read_entry, sum_formula, symbol_of
from xanesflow.structures.amcsd.read_minerals import read_minerals
from xanesflow.structures.choose_site import make_request
from xanesflow.structures.collect_structures import collect_structures

ENTRIES = {entry.number: entry for entry in load_entries()}

# name: formula, atoms in the conventional cell, a and c in Å, density in g/cm³, pair and its shortest distance in Å.
# From handbooks (Anthony et al., Handbook of Mineralogy; CRC Handbook), not from the database.
KNOWN = {
    "hematite": ("Fe2O3", 30, 5.036, 13.749, 5.27, ("Fe", "O", 1.945)),
    "periclase": ("MgO", 8, 4.212, 4.212, 3.58, ("Mg", "O", 2.106)),
    "rutile": ("TiO2", 6, 4.594, 2.958, 4.25, ("Ti", "O", 1.948)),
    "magnetite": ("Fe3O4", 56, 8.396, 8.396, 5.20, ("Fe", "O", 1.888)),
    "cuprite": ("Cu2O", 6, 4.2696, 4.2696, 6.11, ("Cu", "O", 1.849)),
    "corundum": ("Al2O3", 30, 4.759, 12.993, 3.99, ("Al", "O", 1.855)),
    "bunsenite": ("NiO", 8, 4.177, 4.177, 6.81, ("Ni", "O", 2.089)),
    "pyrite": ("FeS2", 12, 5.418, 5.418, 5.01, ("Fe", "S", 2.262)),
    "halite": ("NaCl", 8, 5.640, 5.640, 2.165, ("Na", "Cl", 2.820)),
    "calcite": ("CaCO3", 30, 4.990, 17.061, 2.711, ("C", "O", 1.283)),
    "quartz": ("SiO2", 9, 4.913, 5.405, 2.65, ("Si", "O", 1.607)),
    "fluorite": ("CaF2", 12, 5.463, 5.463, 3.18, ("Ca", "F", 2.366)),
    "copper": ("Cu", 4, 3.615, 3.615, 8.93, ("Cu", "Cu", 2.556)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_well_known_minerals_are_what_handbooks_say(name):
    formula, atoms, a, c, density, (one, other, distance) = KNOWN[name]
    found = find_mineral(name)
    structure = found.structure
    assert structure.composition.reduced_formula == formula and len(structure) == atoms
    assert structure.lattice.a == pytest.approx(a, rel=3e-3) and structure.lattice.c == pytest.approx(c, rel=3e-3)
    assert float(structure.density) == pytest.approx(density, rel=0.01)
    assert float(structure.density) == pytest.approx(float(found.entry.density), rel=2e-3)
    pairs = structure.distance_matrix
    kinds = [site.specie.symbol for site in structure]
    between = [
        pairs[i, j] for i, k in enumerate(kinds) for j, m in enumerate(kinds) if i != j and {k, m} == {one, other}
    ]
    assert min(between) == pytest.approx(distance, abs=0.02)


def test_blakes_hematite_is_as_published():
    # Blake et al., American Mineralogist 51, 123 (1966): a 5.038, c 13.772 Å, x(O) 0.3059, z(Fe) 0.3553.
    entry = ENTRIES[143]
    structure, note = read_entry(entry)
    assert structure.lattice.abc == pytest.approx((5.038, 5.038, 13.772)) and not note
    assert float(structure.density) == pytest.approx(5.256, abs=0.002)
    assert entry.reference.startswith(
        "Blake R L, Hessevick R E, Zoltai T, Finger L W (1966) Refinement of the hematite"
    )
    assert entry.reference.endswith("American Mineralogist 51, 123-129")
    heights = {round(float(site.frac_coords[2]), 4) for site in structure if site.specie.symbol == "Fe"}
    assert 0.3553 in heights


def test_the_database_is_the_expected_one_and_nothing_writes_to_it():
    path = database_path()
    before, beside = sha256(path.read_bytes()).hexdigest(), sorted(path.parent.glob("amcsd*"))
    assert len(ENTRIES) == 9275
    assert len(search(["magnetite"])) > 49 and sum(entry.mineral == "Hematite" for entry in ENTRIES.values()) == 12
    connection = open_database(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM cif")
    connection.close()
    assert sha256(path.read_bytes()).hexdigest() == before and sorted(path.parent.glob("amcsd*")) == beside


def test_packed_numbers_are_unpacked():
    # 4,000,000 stands for 1; 2 and 3, which no coordinate is, for ? and .
    packed = base64.b64encode(struct.pack("<4i", 1_223_600, -1_333_332, 8_000_000, 12_000_000)).decode()
    assert unpack(packed) == ["0.305900", "-0.333333", "?", "."] and unpack("0") == []
    with pytest.raises(XanesflowError, match="packs its numbers in another way"):
        unpack("[0.1, 0.2]")


@pytest.mark.parametrize(
    ("number", "label", "symbol"),
    [(945, "FeT", "Fe"), (945, "O-H1", "O"), (945, "Wat1", "O"), (143, "FeO", "Fe"), (143, "Xx", "Xx")],
)
def test_the_element_of_a_label_is_one_of_the_formula(number, label, symbol):
    assert symbol_of(label, ENTRIES[number]) == symbol


def test_labels_are_read_by_the_formula_and_not_as_another_element():
    mercury = next(entry for entry in ENTRIES.values() if any(label.startswith("HgCO") for label in entry.labels))
    assert symbol_of("HgCO3*", mercury) == "Hg" and symbol_of("CuOT1", mercury) == "Cu"
    dolomite = ENTRIES[1453]
    assert [symbol_of(label, dolomite) for label in ("CO1", "CaMO", "OC")] == ["C", "Ca", "O"]  # CO is no cobalt here
    assert sum_formula("Ca Mg (C O3)2") == "Ca1 Mg1 C2 O6" and sum_formula("Fe2 O3") == "Fe2 O3"


def test_partial_occupancy_and_unknown_hydrogen_have_their_reasons():
    with tells(match="partially occupied", reason="disordered", error=UnusableStructure):
        read_entry(ENTRIES[18106])
    watery = next(entry for entry in ENTRIES.values() if "Wat" in entry.sites and not entry.partly_occupied)
    with tells(match="places are not known", reason="hydrogen_unknown", error=UnusableStructure):
        read_entry(watery)
    goethite = find_mineral("goethite")
    assert goethite.structure.composition.reduced_formula == "FeHO2"


@pytest.mark.parametrize("number", [3165, 18023, 10565])  # goethite, theophrastite, manganite
def test_an_old_entry_that_leaves_hydrogen_out_of_its_formula_too_is_not_an_oxide(number):
    """Found in the database: FeO2, NiO2 and MnO2, which are FeOOH, Ni(OH)2 and MnOOH."""
    with tells(
        match=r"lists no hydrogen .* which other entries of", reason="hydrogen_unknown", error=UnusableStructure
    ):
        read_entry(ENTRIES[number])


@pytest.mark.parametrize(
    ("text", "kelvin", "gigapascal", "ambient"),
    [
        ("Refinement of the hematite structure", None, None, True),
        ("A title\n Note: P = 31.4 kbar", None, 3.14, False),
        ("A title\n Note: P = 0.001 kbar", None, 0.0001, True),
        ("A title\n Note: P = 101 kPa", None, 0.000101, True),
        ("A title\n Sample: at T = 1128 C", 1401.15, None, False),
        ("A title\n T = 25 deg C, synthetic", None, None, True),
        ("A title\n Sample: P = .3 GPa, T = 16.6 K", 16.6, 0.3, False),
        ("A title\n Sample: RLM526, 555 C, Zn2TiO4", 828.15, None, False),
        ("A title\n Note Sample F54, disordered at 1000 C for 24 h, then ordered at 550 C", None, None, True),
        ("A title\n Quenched from T = 700 C", None, None, True),
        ("Structure of Ta3N5 at 16 K by diffraction", 16.0, None, False),
        ("Rinneite at 293, 84 and 9.5 K", None, None, True),
        ("Single-crystal study of the 55 K superconductor", None, None, True),
    ],
)
def test_conditions_are_read_from_words(text, kelvin, gigapascal, ambient):
    found = read_conditions(text)
    assert (found.temperature_k, found.pressure_gpa, found.ambient) == (kelvin, gigapascal, ambient)


def test_a_paper_on_pressure_without_a_statement_is_uncertain():
    assert read_conditions("Compression of periclase to 10 GPa").uncertain
    assert not read_conditions("Compression of periclase to 10 GPa\n Note: P = 0 GPa").uncertain
    assert not read_conditions("Refinement of the structure").uncertain


def test_systems_mean_what_they_mean_for_materials_project():
    assert {frozenset(entry.elements) for entry in choose_entries(ENTRIES.values(), ["Cu"])} == {frozenset({"Cu"})}
    binary = choose_entries(ENTRIES.values(), ["Cu-O"])
    assert {"Cuprite", "Tenorite"} <= {entry.mineral for entry in binary}
    ternary = choose_entries(ENTRIES.values(), ["Cu-O-*"])
    assert ternary and all({"Cu", "O"} < entry.elements and len(entry.elements) == 3 for entry in ternary)
    assert not {entry.id for entry in binary} & {entry.id for entry in ternary}


def test_a_formula_takes_the_commonest_mineral_and_a_name_the_newest_ambient_entry():
    assert find_mineral("TiO2").entry.mineral in ("Rutile", "Anatase")
    assert find_mineral("NiO").entry.mineral == "Bunsenite"
    assert find_mineral("CaMg(CO3)2").entry.mineral == "Dolomite"
    assert find_mineral("tio2") is None and find_mineral("no such thing") is None and find_mineral("") is None
    found = find_mineral("Hematite")
    assert (found.entry.year, found.entry.id) == (1994, "amcsd-0017806") and "has 12 entries" in found.note
    assert find_mineral("AMCSD-143").entry.number == 143 and find_mineral("amcsd-0000143").note == ""
    with pytest.raises(XanesflowError, match="has no entry amcsd-0000001"):
        find_mineral("amcsd-0000001")
    with pytest.raises(XanesflowError, match=r"amcsd-0018106: the entry of .* cannot be used: .* partially occupied"):
        find_mineral("amcsd-0018106")


def test_of_formulas_that_share_a_name_the_chosen_one_and_the_others_are_named():
    found = find_mineral("delafossite")  # the newer entry is CuAlO2
    assert found.structure.composition.reduced_formula == "FeCuO2"
    assert "is taken; it is FeCuO2, and others are AlCuO2 (amcsd-0010862); `xanesflow" in found.note
    assert "it is Ti(FeO2)2, and others are TiMn2O4 (amcsd-0006578)" in find_mineral("ulvospinel").note
    assert "and 17 more" in find_mineral("pyroxene-ideal").note
    assert "others are" not in find_mineral("hematite").note


@pytest.fixture
def without_larixite(monkeypatch):
    monkeypatch.setattr(database, "find_spec", lambda name: None)
    load_entries.cache_clear()
    yield
    load_entries.cache_clear()


def test_without_larixite_there_is_one_sentence(without_larixite):
    assert find_mineral("hematite") is None
    for ask in (load_entries, lambda: find_mineral("amcsd-0000143")):
        with pytest.raises(XanesflowError, match="package larixite, which is not installed; run pip install larixite"):
            ask()


def copper(folder, **filters):
    paths = {"structures": folder / "Cu.parquet", "manifest": folder / "Cu.json"}
    read_minerals(element="Cu", systems=["Cu", "Cu-O"], filters=Filters(**filters), **paths)
    return pd.read_parquet(paths["structures"]), json.loads(paths["manifest"].read_text())


def test_structures_and_manifest_of_an_element(tmp_path):
    table, manifest = copper(tmp_path)
    assert list(table["material_id"]) == sorted(manifest["materials"]) and {"Cu", "Cu2O", "CuO"} <= set(
        table["formula"]
    )
    assert manifest["found"] == len(table) + len(manifest["left_out"])
    path = database_path()
    assert manifest["database_version"] == "sha256:" + sha256(path.read_bytes()).hexdigest()
    first = manifest["materials"]["amcsd-0009326"]
    assert first["mineral"] == "Cuprite" and "(1990)" in first["reference"]
    text = table.set_index("material_id").loc["amcsd-0009326", "structure"]
    assert first["structure_sha256"] == sha256(text.encode()).hexdigest()
    assert (tmp_path / "Cu.parquet").read_bytes() == (copper(tmp_path), (tmp_path / "Cu.parquet").read_bytes())[1]


def test_filters_leave_out_with_their_sentence(tmp_path):
    table, manifest = copper(tmp_path, max_atoms=6, temperature=[273, 323], pressure=[0, 0.001], year=1980)
    assert len(table) > 0 and table["n_atoms"].max() <= 6
    left = " ".join(each["detail"] for each in manifest["left_out"])
    assert {each["reason"] for each in manifest["left_out"]} <= {"excluded", "disordered", "no_structure"}
    assert "before structures.amcsd.year" in left and "more than structures.amcsd.max_atoms" in left
    assert "outside structures.amcsd.temperature" in left
    with pytest.raises(XanesflowError, match="no usable structure for Cu in Cu, Cu-O"):
        copper(tmp_path, year=2030)


def test_entries_become_the_sites_of_a_subset(tmp_path):
    copper(tmp_path)
    tables, queried = SiteTables(tmp_path), (tmp_path / "Cu.parquet", tmp_path / "Cu.json")
    ids = ["amcsd-0009326", "amcsd-0000143"]  # cuprite; hematite, which is of another subset

    def collect(only):
        collect_structures(
            source="amcsd", directory=None, subset="Cu_FEFF", chunks=2, queried=queried, only=only, **tables.paths
        )

    collect(ids)
    assert list(tables.multiplicities.values()) == [4] and tables.ids[0][0] == "amcsd-0009326"
    assert tables.rejected == []
    with pytest.raises(XanesflowError, match=r"structures\.only names amcsd-9999999"):
        collect([*ids, "amcsd-9999999"])


def test_near_duplicates_are_merged_into_the_newest_at_room_conditions(tmp_path):
    """Hematite at six pressures and by four other papers is one crystal; maghemite and high-pressure forms are not."""
    paths = {"structures": tmp_path / "Fe.parquet", "manifest": tmp_path / "Fe.json"}
    read_minerals(element="Fe", systems=["Fe-O"], filters=Filters(), **paths)
    tables = SiteTables(tmp_path)
    collect_structures(
        source="amcsd", directory=None, subset="Fe_FEFF", chunks=1, queried=tuple(paths.values()), duplicates="merge",
        **tables.paths,
    )  # fmt: skip
    stay = {material for material, _ in tables.ids}
    rejected = {each.material_id: each for each in tables.rejected}
    hematite = {entry.id for entry in ENTRIES.values() if entry.mineral == "Hematite" and not entry.partly_occupied}
    assert stay & hematite == {"amcsd-0017806"}
    for other in hematite - {"amcsd-0017806"}:
        assert rejected[other].reason == "near_duplicate" and "amcsd-0017806" in rejected[other].detail
    magnetite = {entry.id for entry in ENTRIES.values() if entry.mineral == "Magnetite"}
    assert "amcsd-0020645" in stay and len(stay & magnetite) < 5
    assert not stay & rejected.keys()


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"temperature": [320, 0]}, "lowest value first"),
        ({"pressure": [0]}, "structures.amcsd.pressure"),
        ({"systems": ["Cu-O"]}, "a system is E"),
        ({"max_atoms": 0}, "structures.amcsd.max_atoms"),
        ({"yaer": 1990}, "did you mean 'year'"),
    ],
)
def test_a_wrong_key_or_value_is_named(section, told):
    with pytest.raises(XanesflowError, match=told):
        load_config({"structures": {"source": "amcsd", "amcsd": section}, "simulations": {"source": "run"}})


def test_a_mineral_stands_wherever_an_example_does():
    asked = make_request("hematite", "Fe", None, symprec=0.01)
    assert asked.name == "amcsd-0017806" and [site.multiplicity for site in asked.sites] == [12]
    assert "Acta Crystallographica" in asked.source and any("has 12 entries" in note for note in asked.notes)
    materials, rejected = read_structures(["cuprite", "nio-rocksalt"])
    assert [material.material_id for material in materials] == ["amcsd-0009326", "nio-rocksalt"] and not rejected
    assert "has 5 entries" in materials[0].note
    named, _ = read_structures({"mine": "amcsd-0000143"})
    assert named[0].material_id == "mine" and named[0].formula == "Fe2O3"
    assert np.isclose(json.loads(named[0].structure)["lattice"]["matrix"][2][2], 13.772)


def test_search_lists_examples_and_minerals_with_references():
    code, said = answer("structures", "search", "cuprite", columns=200)
    assert code == 0 and "cu2o-cuprite" in said and "amcsd-0009326" in said and "(1990)" in said
    code, said = answer("structures", "search", "hematite", "Blake", columns=200)
    assert code == 0 and "amcsd-0000143" in said and "amcsd-0017806" not in said
    code, said = answer("structures", "search", "xyzzy", columns=200)
    assert code == 2 and said.count("\n") == 1 and "holds xyzzy" in said
