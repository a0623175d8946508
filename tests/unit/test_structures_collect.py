"""Collection: every inequivalent absorber of a subset's structures is a site, and all else is told."""

import json
import logging
from pathlib import Path

import pandas as pd
import pytest
from feff_runs import cuprite, layered, perovskite, poscar, rocksalt, rutile, write_files
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter
from sentences import tells
from site_tables import SiteTables

from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import chunk_of
from xanesflow.structures.collect_structures import collect_structures
from xanesflow.structures.examples import load_examples


class Collected(SiteTables):
    """What a collection wrote."""

    def __init__(self, directory: Path | None, out: Path, *, subset: str = "Cu_FEFF", **options):
        super().__init__(out)
        source = "directory" if directory else "examples"
        collect_structures(source=source, directory=directory, subset=subset, chunks=3, **self.paths, **options)


DISORDERED = str(CifWriter(Structure(Lattice.cubic(4), [{"Cu": 0.5, "Ni": 0.5}], [[0, 0, 0]])))
SPINEL = Structure.from_spacegroup("Fd-3m", Lattice.cubic(8.1), ["Cu", "Cu", "O"], [[0] * 3, [5 / 8] * 3, [0.388] * 3])


def mixed(folder: Path) -> Path:
    files = {
        "a/POSCAR": poscar(rocksalt()), "b.vasp": poscar(layered()), "c.vasp": poscar(rutile("Ti")),
        "d.cif": DISORDERED, "e.vasp": "broken", "f.vasp": poscar(rocksalt("Ni")),
        "g/POSCAR": poscar(rutile()), "g.vasp": poscar(cuprite()),
    }  # fmt: skip
    write_files(folder, files)
    return folder


@pytest.mark.parametrize(("duplicates", "simulated"), [("keep", ["a", "b", "c"]), ("merge", ["a"])])
def test_three_identical_crystals_are_one_where_that_is_asked_for(tmp_path, duplicates, simulated):
    """Under three ids, in three cells: the primitive one, the conventional one, and one with its atoms reordered."""
    cubic = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.26), ["Cu", "O"], [[0] * 3, [0.5] * 3])
    cells = {"a": cubic.get_primitive_structure(), "b": cubic, "c": Structure.from_sites(cubic.sites[::-1])}
    write_files(tmp_path / "in", {f"{name}.vasp": poscar(cell) for name, cell in cells.items()})
    near = tmp_path / "near.csv"
    found = Collected(tmp_path / "in", tmp_path, duplicates=duplicates, near_duplicates=near)
    assert sorted(found.sites["material_id"]) == simulated
    listed = pd.read_csv(near)
    assert sorted(listed["material_id"]) == ["b", "c"] and set(listed["same_as"]) == {"a"}
    assert found.reasons == ({} if duplicates == "keep" else dict.fromkeys([("b", -1), ("c", -1)], "near_duplicate"))


@pytest.mark.parametrize(
    ("structure", "multiplicities"),
    [
        (SPINEL.get_primitive_structure(), [2, 4]),  # A and B: 8a and 16d of a cell of 4 lattice points
        (perovskite() * (2, 2, 2), [8]),
        (layered(), [1, 2]),
    ],
    ids=["spinel", "perovskite", "layered"],
)
def test_a_site_is_the_first_atom_of_each_kind_of_absorber_with_its_multiplicity(tmp_path, structure, multiplicities):
    write_files(tmp_path, {"in/m.vasp": poscar(structure)})
    collected = Collected(tmp_path / "in", tmp_path / "out")
    assert sorted(collected.sites["multiplicity"]) == multiplicities
    stored = Structure.from_dict(json.loads(collected.structures["structure"][0]))
    indices = collected.sites["site_index"].tolist()
    assert all(stored[i].specie.symbol == "Cu" for i in indices)
    assert indices[0] == min(i for i, site in enumerate(stored) if site.specie.symbol == "Cu")
    assert sum(multiplicities) == sum(site.specie.symbol == "Cu" for site in stored)


def test_the_three_tables_hold_the_sites_their_structures_and_what_is_left_out(tmp_path):
    collected = Collected(mixed(tmp_path / "in"), tmp_path / "out")
    assert collected.multiplicities == {("a", 0): 1, ("b", 2): 1, ("b", 3): 2}
    assert collected.structures["material_id"].tolist() == ["a", "b"]
    assert collected.sites.columns.tolist() == [
        "material_id",
        "site_index",
        "multiplicity",
        "formula",
        "n_atoms",
        "chunk",
        "cluster_atoms",
        "core_hours",
        "parent",
    ]
    assert collected.sites["chunk"].tolist() == [chunk_of(m, 3) for m in collected.sites["material_id"]]
    assert collected.reasons == {
        ("c", -1): "no_absorber", ("d", -1): "disordered", ("e", -1): "no_structure", ("f", -1): "no_absorber",
        ("g", -1): "duplicate_id",
    }  # fmt: skip
    assert {r.detail for r in collected.rejected if r.reason == "no_absorber"} == {
        "TiO2 holds no Cu",
        "NiO holds no Cu",
    }


def test_another_element_takes_its_own_structures_from_the_same_folder(tmp_path):
    collected = Collected(mixed(tmp_path / "in"), tmp_path / "out", subset="Ti_VASP")
    assert collected.multiplicities == {("c", 0): 2}


def test_the_log_has_one_line_of_counts(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        Collected(mixed(tmp_path / "in"), tmp_path / "out")
    assert caplog.messages[-1] == (
        "Cu_FEFF: 3 sites in 2 structures, 5 left out: 1 no_structure, 1 disordered, 1 duplicate_id, 2 no_absorber"
    )
    write_files(tmp_path / "good", {"a.vasp": poscar(rocksalt())})
    with caplog.at_level(logging.INFO):
        Collected(tmp_path / "good", tmp_path / "out")
    assert caplog.messages[-1] == "Cu_FEFF: 1 site in 1 structure, none left out"


def test_what_a_used_file_was_not_read_as_written_is_logged(tmp_path, caplog):
    text = str(CifWriter(rocksalt())).replace("_cell_length_a", "_chemical_formula_sum 'Cu1 O1 H2'\n_cell_length_a")
    write_files(tmp_path, {"in/a.cif": text.replace("_chemical_formula_sum   'Cu1 O1'\n", "")})
    Collected(tmp_path / "in", tmp_path / "out")
    assert "a: a.cif: Missing elements H" in caplog.text


def test_without_any_site_it_is_told_how_many_structures_were_read_and_nothing_is_written(tmp_path):
    mixed(tmp_path / "in")
    why = "7 structures were read", "4 no_absorber", "d: d.cif has partially occupied sites"
    with tells(*why, "remove V_FEFF from `subsets`", match="^V_FEFF: no site of V in the folder "):
        Collected(tmp_path / "in", tmp_path / "out", subset="V_FEFF")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_named_is_told(tmp_path):
    with pytest.raises(XanesflowError, match=r"structures\.directory names none"):
        collect_structures(source="directory", directory=None, subset="Cu_FEFF", chunks=1, **SiteTables(tmp_path).paths)


def test_the_example_library_gives_the_sites_of_its_structures_with_the_element(tmp_path):
    collected = Collected(None, tmp_path / "out")
    holding = {e.id for e in load_examples() if "Cu" in {site.specie.symbol for site in e.structure()}}
    assert set(collected.structures["material_id"]) == set(collected.sites["material_id"]) == holding
    assert {r.reason for r in collected.rejected} == {"no_absorber"}
    assert len(holding) + len(collected.rejected) == len(load_examples())
