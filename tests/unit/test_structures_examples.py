"""The library of literature structures: each comes out as its table says, and a mistake in a table is told."""

import re

import numpy as np
import pytest
import spglib
import yaml
from pymatgen.core import Composition, Element, Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer
from sentences import tells

from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import ELEMENTS
from xanesflow.structures.examples import FOLDER, load_examples
from xanesflow.structures.examples.expand_symmetry import PRIMITIVE, distinct, find_setting, operations

EXAMPLES = load_examples()
STRUCTURES = {example.id: example.structure() for example in EXAMPLES}
NUMBERS = {
    entry["id"]: entry["space_group"] for path in FOLDER.glob("*.yaml") for entry in yaml.safe_load(path.read_text())
}
SETTINGS = {  # symbols of the tables with their number in International Tables A
    "I4_1/amd:1": 141, "I4_1/amd:2": 141, "Fd-3m:2": 227, "Pn-3m:1": 224, "Pmmn:2": 59, "R-3:H": 148, "R-3m:H": 166,
    "R-3c:H": 167, "R3c:H": 161, "Pbnm": 62, "Pnam": 62, "P4/ncc:2": 130, "Fddd:2": 70, "P12_1/c1": 14, "P12/c1": 13,
    "C12/m1": 12, "C12/c1": 15, "I12/a1": 15,
}  # fmt: skip

OTHER_AXES = {
    "cr2sio4", "cu2v2o7-blossite", "cuwo4-triclinic", "li2cuo2", "sr2cuo3", "tio2-brookite", "v2o5-shcherbinaite",
    "vo2-monoclinic",
}  # fmt: skip


@pytest.fixture(params=EXAMPLES, ids=lambda e: e.id)
def example(request):
    return request.param


def test_each_structure_is_what_its_entry_says(example):
    structure = STRUCTURES[example.id]
    given = NUMBERS[example.id]
    dataset = SpacegroupAnalyzer(structure, symprec=0.01).get_symmetry_dataset()
    assert dataset.number == (given if isinstance(given, int) else SETTINGS[given])
    assert structure.is_ordered
    assert structure.composition.reduced_formula == Composition(example.formula).reduced_formula
    assert len(structure) == len(set(dataset.mapping_to_primitive.tolist())) <= 60  # the cell is primitive

    kinds = {i: structure[i].specie.symbol for i in set(dataset.equivalent_atoms.tolist())}
    assert example.inequivalent == {
        metal: list(kinds.values()).count(metal) for metal in ELEMENTS if metal in kinds.values()
    }
    centring = round(1 / np.linalg.det(PRIMITIVE[example.space_group[0]]))
    orbits = np.unique(dataset.equivalent_atoms, return_counts=True)[1] * centring
    assert sorted(orbits) == sorted(int(site.wyckoff[:-1]) for site in example.sites)


def test_each_bond_of_a_3d_metal_is_as_long_as_its_entry_says(example):
    structure = STRUCTURES[example.id]
    centers, neighbours, _, distances = structure.get_neighbor_list(3.2)
    assert distances.min() > 1.0
    symbols = np.array([site.specie.symbol for site in structure])
    for metal, (partner, shortest, longest) in example.nearest.items():
        for atom in np.flatnonzero(symbols == metal):
            nearest = distances[(centers == atom) & (symbols[neighbours] == partner)].min()
            assert shortest <= nearest <= longest
    assert set(example.nearest) == set(example.inequivalent)


def test_spglib_finds_the_same_wyckoff_letters(example):
    cell_of = {"positions": [], "numbers": [], "letters": []}
    rotations, translations = operations(example.space_group)
    for site in example.sites:
        orbit = distinct(rotations @ np.array(site.coordinates) + translations)
        cell_of["positions"] += orbit.tolist()
        cell_of["numbers"] += [Element(site.element).Z] * len(orbit)
        cell_of["letters"] += [site.wyckoff[-1]] * len(orbit)
    cell = (Lattice.from_parameters(*example.lattice).matrix, cell_of["positions"], cell_of["numbers"])
    number = SpacegroupAnalyzer(STRUCTURES[example.id], symprec=0.01).get_space_group_number()
    for hall in (hall for hall in range(1, 531) if spglib.get_spacegroup_type(hall).number == number):
        found = spglib.get_symmetry_dataset(cell, symprec=0.01, hall_number=hall)
        if np.allclose(found.transformation_matrix, np.eye(3), atol=1e-3) and np.allclose(
            found.origin_shift, np.round(found.origin_shift), atol=1e-3
        ):
            assert list(found.wyckoffs) == cell_of["letters"]
            return
    assert example.id in OTHER_AXES  # spglib prefers another choice of axes, in which the letters may differ


def test_the_library_is_large_enough_and_even():
    assert len(EXAMPLES) >= 80
    for element in ELEMENTS:
        assert sum(element in example.inequivalent for example in EXAMPLES) >= 9
    assert sum(sum(example.inequivalent.values()) for example in EXAMPLES) >= 105
    ids = [example.id for example in EXAMPLES]
    assert ids == sorted(set(ids))
    assert all(re.fullmatch("[a-z0-9-]+", name) for name in ids)
    assert all(re.search(r"\b(19[1-9]\d|20[0-2]\d)\b", example.reference) for example in EXAMPLES)


def test_at_most_two_further_elements_stand_beside_metal_and_oxygen():
    for example in EXAMPLES:
        further = {e.symbol for e in Composition(example.formula)} - set(ELEMENTS) - {"O"}
        assert len(further) <= 2, example.id


def test_building_twice_gives_the_same_structure():
    again = load_examples()
    assert again == EXAMPLES
    for example in again:
        assert example.structure().as_dict() == STRUCTURES[example.id].as_dict()


@pytest.mark.filterwarnings("ignore:Full symbol not available")
@pytest.mark.parametrize("name", ["tio2-anatase", "v2o5-shcherbinaite", "lamno3-perovskite", "licoo2-layered"])
def test_pymatgen_builds_the_same(name):
    example = next(e for e in EXAMPLES if e.id == name)
    symbol = example.space_group.replace("_", "") if ":" in example.space_group else example.space_group
    theirs = Structure.from_spacegroup(
        symbol,
        Lattice.from_parameters(*example.lattice),
        [s.element for s in example.sites],
        [s.coordinates for s in example.sites],
    )
    ours = STRUCTURES[name]
    assert len(theirs) == len(ours) * round(theirs.volume / ours.volume)
    assert np.isclose(theirs.volume / ours.volume, round(theirs.volume / ours.volume))
    for site in theirs:  # each of their atoms is on one of ours
        folded = ours.lattice.get_fractional_coords(site.coords)
        apart = ours.frac_coords - folded
        assert (np.abs(apart - np.round(apart)).max(axis=1) < 1e-6).any()


def test_a_number_is_taken_where_the_setting_is_plain():
    assert find_setting(225) == ("Fm-3m", "cubic")
    assert find_setting("Fd-3m:2") == ("Fd-3m:2", "cubic")
    assert len(operations("Fd-3m:2")[0]) == 192


RUTILE = {
    "id": "tio2-rutile", "formula": "TiO2", "name": "rutile", "space_group": 136,
    "lattice": {"a": 4.5937, "c": 2.9587},
    "sites": [["Ti", "2a", [0, 0, 0]], ["O", "4f", [0.3048, 0.3048, 0]]],
    "inequivalent": {"Ti": 1}, "nearest": {"Ti-O": [1.9, 2.0]},
    "reference": "Abrahams & Bernstein, J. Chem. Phys. 55, 3206 (1971)",
}  # fmt: skip


def build(folder, *entries):
    (folder / "table.yaml").write_text(yaml.safe_dump(list(entries), sort_keys=False))
    return [example.structure() for example in load_examples(folder)]


def test_a_table_of_ones_own_is_read(tmp_path):
    assert build(tmp_path, RUTILE)[0].composition.reduced_formula == "TiO2"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sites": [["Ti", "2a", [0, 0, 0]], ["O", "8f", [0.3, 0.3, 0]]]}, r"sites, row 2: O at 8f makes 4 atoms"),
        ({"sites": [["Ti", "a", [0, 0, 0]]]}, "sites: 'a' is not a Wyckoff position such as 4a"),
        ({"sites": [["Ti", "2a", [0, 0, 0]], ["Ox", "4f", [0.3, 0.3, 0]]]}, "sites: 'Ox' is not a valid Element"),
        ({"sites": [["Ti", "2a", [0, 0]]]}, "sites: "),
        ({"sites": [["Ti", "2a", ["1/0", 0, 0]]]}, "sites: "),
        ({"sites": None}, "sites: "),
        ({"formula": "Ti2O3"}, "formula: the sites make TiO2"),
        ({"colour": "red"}, "colour: this key is not known"),
        ({"id": "TiO2 rutile"}, "id: it may hold"),
        ({"space_group": 227}, "space_group: the setting is ambiguous; write one of Fd-3m:1, Fd-3m:2"),
        ({"space_group": "P42/mnn"}, "space_group: 'P42/mnn' is not known"),
        ({"space_group": 231}, "space_group: "),
        ({"lattice": {"a": 4.6}}, "lattice: a tetragonal cell is given by a, c"),
        ({"lattice": {"a": 4.6, "c": "long"}}, "lattice: "),
        ({"inequivalent": {"Ti": 2}}, "inequivalent: the table has 1 of Ti"),
        ({"nearest": {}}, "nearest: it must have one range for each of Ti"),
        ({"reference": "personal communication"}, "reference: it has no year"),
    ],
)
def test_a_mistake_names_entry_and_field(tmp_path, change, sentence):
    with tells(match=f"^example structure {change.get('id', 'tio2-rutile')}, .*{sentence}"):
        build(tmp_path, RUTILE | change)


def test_a_missing_key_and_an_id_twice_are_told(tmp_path):
    with pytest.raises(XanesflowError, match="tio2-rutile, reference: this key is missing"):
        build(tmp_path, {key: value for key, value in RUTILE.items() if key != "reference"})
    with pytest.raises(XanesflowError, match="tio2-rutile, id: it is there twice"):
        build(tmp_path, RUTILE, RUTILE)


def test_a_table_that_is_no_yaml_or_no_list_is_told(tmp_path):
    (tmp_path / "table.yaml").write_text("- id: [\n")
    with pytest.raises(XanesflowError, match=r"^table\.yaml is no YAML \(.*line 2.*\); correct the table$"):
        load_examples(tmp_path)
    (tmp_path / "table.yaml").write_text("id: tio2-rutile\n")
    with pytest.raises(XanesflowError, match=r"table\.yaml is not a list"):
        load_examples(tmp_path)
    with pytest.raises(XanesflowError, match=r"number 1 of table\.yaml, id"):
        build(tmp_path, {"formula": "TiO2"})
