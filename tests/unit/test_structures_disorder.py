"""Cells that represent disordered crystals: composition, places and energies against sums done by hand."""

import json
from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from cif_files import PLACES, a_cif, operations_of, shortest
from pymatgen.analysis.ewald import EwaldSummation
from pymatgen.core import Lattice, Structure
from sentences import tells
from site_tables import SiteTables

from xanesflow.core.errors import UnusableStructure, WrongCallError
from xanesflow.core.sites import cell_id, parent_of
from xanesflow.dataset.splits import balanced_split, check_split
from xanesflow.structures.amcsd.choose_entries import Filters
from xanesflow.structures.amcsd.read_minerals import read_minerals
from xanesflow.structures.choose_site import make_request
from xanesflow.structures.collect_structures import collect_structures
from xanesflow.structures.disorder.represent import Disorder, fill
from xanesflow.structures.disorder.supercells import whole_numbers, widest
from xanesflow.structures.folder import read_directory
from xanesflow.structures.read_cif import read_cif

RANDOM, ORDERED = Disorder("random", number=3, max_atoms=64), Disorder("ordered", max_atoms=32)
WITH_OCCUPANCY = f"{PLACES} occupancy"
HALF = ("Ni1 Ni 0 0 0 0.5", "Co1 Co 0 0 0 0.5", "O1 O 0.5 0.5 0.5 1")
FM3M = operations_of("F m -3 m")


def mixed(*rows: str, symmetry: str = FM3M, a: float = 4.2, **cell) -> str:
    return a_cif(symmetry, rows or HALF, a=a, columns=WITH_OCCUPANCY, **cell)


def read(text: str) -> Structure:
    return read_cif(text, partly_occupied=True)[0]


def test_random_cells_hold_the_composition_on_the_places_of_the_crystal():
    cells = [cell for cell, _ in fill(read(mixed()), RANDOM)]
    assert len(cells) == 3 and all(len(cell) <= 64 for cell in cells)
    mass = (58.6934 + 58.9332) / 2 + 15.999  # u, of a formula unit; the conventional cell has four
    for cell in cells:
        counts = Counter(site.specie.symbol for site in cell)
        assert counts["Ni"] == counts["Co"] == counts["O"] / 2
        assert float(cell.density) == pytest.approx(4 * mass * 1.66053907 / 4.2**3, rel=1e-4)
        assert shortest(cell) == pytest.approx(2.1, abs=1e-6)  # every metal has six O at a/2
        assert min(cell.lattice.abc) > 8.0, "the widest cell is taken, not a layer"
    orders = {
        tuple(site.specie.symbol for site in cell.get_sorted_structure(lambda s: s.coords.tolist())) for cell in cells
    }
    assert len(orders) == 3


def test_the_same_seed_gives_the_same_cells():
    one, again = (fill(read(mixed()), RANDOM) for _ in range(2))
    assert [cell for cell, _ in one] == [cell for cell, _ in again]
    other = fill(read(mixed()), Disorder("random", number=3, max_atoms=64, seed=1))
    assert [cell for cell, _ in one] != [cell for cell, _ in other]


def test_vacancies_stay_empty():
    cells = fill(read(mixed("Fe1 Fe 0 0 0 0.875", "O1 O 0.5 0.5 0.5 1")), RANDOM)
    for cell, note in cells:
        counts = Counter(site.specie.symbol for site in cell)
        assert counts["Fe"] / counts["O"] == pytest.approx(0.875, abs=0.005) and "Fe 0.875 as" in note


def test_of_two_places_that_are_too_close_one_is_filled():
    # K on 2e of P m -3 m-like pairs 0.84 Å apart, each half occupied, as tunnel cations are refined.
    rows = ("K1 K 0 0 0.1 0.5", "Cl1 Cl 0.5 0.5 0.5 1")
    text = mixed(*rows, symmetry=operations_of("P 4/m m m"), a=4.2)
    with pytest.raises(UnusableStructure, match=r"partially occupied .*; --disorder random .* fills them"):
        read_cif(text)
    for cell, _ in fill(read(text), RANDOM):
        counts = Counter(site.specie.symbol for site in cell)
        assert counts["K"] == counts["Cl"] and shortest(cell) > 2.5


def test_ordered_takes_the_lowest_energy_of_all():
    """Of Li and Fe(III) on the metal places of rock salt, against all orderings computed one by one."""
    structure = read(mixed("Li1 Li 0 0 0 0.5", "Fe1 Fe 0 0 0 0.5", "O1 O 0.5 0.5 0.5 1"))
    ((found, note),) = fill(structure, Disorder("ordered", max_atoms=8))
    assert found.composition.reduced_formula == "LiFeO2" and "Fe +3, Li +1, O -2" in note
    metals = [k for k, site in enumerate(found) if site.specie.symbol != "O"]
    charge = {"Li": 1.0, "Fe": 3.0, "O": -2.0}

    def energy(iron: tuple[int, ...]) -> float:
        symbols = ["O" if k not in metals else "Fe" if k in iron else "Li" for k in range(len(found))]
        each = Structure(found.lattice, symbols, found.frac_coords)
        each.add_oxidation_state_by_element(charge)
        return EwaldSummation(each).total_energy

    energies = {iron: energy(iron) for iron in combinations(metals, len(metals) // 2)}
    own = tuple(k for k in metals if found[k].specie.symbol == "Fe")
    assert energies[own] == pytest.approx(min(energies.values()), abs=1e-6)


@pytest.mark.parametrize(
    ("rows", "disorder", "told"),
    [
        (
            ("Fe1 Fe 0 0 0 0.93", "O1 O 0.5 0.5 0.5 1"),
            Disorder("random", max_atoms=8),
            "no cell of up to 8 atoms holds",
        ),
        (
            HALF,
            Disorder("random", max_atoms=1),
            "its primitive cell alone has more than 2,000 places, or than the 1 atom",
        ),
        (HALF, ORDERED, "Co and Ni have the same charge"),
        (HALF, ORDERED, r"\(\+2, guessed from the composition; .*\), so .*; --disorder random .* fills it"),
        (("Cu1 Cu 0 0 0 0.5", "Au1 Au 0 0 0 0.5"), ORDERED, "no usual charges that add up to zero"),
    ],
)
def test_what_cannot_be_filled_is_refused_with_its_reason(rows, disorder, told):
    with tells(match=told, reason="disordered", error=UnusableStructure):
        fill(read(mixed(*rows)), disorder)


def test_an_element_that_is_rounded_away_is_named_with_its_share(tmp_path):
    path = tmp_path / "mgo.cif"
    path.write_text(mixed("Cu1 Cu 0 0 0 0.003", "Mg1 Mg 0 0 0 0.997", "O1 O 0.5 0.5 0.5 1"))
    with pytest.raises(
        WrongCallError, match=r"^Cu 0\.003 became 0 of (\d+) places in a cell of at most 80 atoms"
    ) as told:
        make_request(str(path), "Cu", None, symprec=0.01, disorder=Disorder("random"))
    cell, _ = fill(read(path.read_text()), Disorder("random"))[0]
    assert f"0 of {sum(site.specie.symbol == 'Mg' for site in cell)} places" in str(told.value)
    with pytest.raises(WrongCallError, match="holds no Ni, only"):
        make_request(str(path), "Ni", None, symprec=0.01, disorder=Disorder("random"))
    assert make_request(str(path), "Mg", None, symprec=0.01, disorder=Disorder("random")).element == "Mg"


def test_occupancies_that_add_up_to_more_than_one_contradict_themselves():
    with pytest.raises(UnusableStructure, match=r"Ni1 and Co1 are at one place, and their occupancies add up to 1\.2"):
        read(mixed("Ni1 Ni 0 0 0 0.6", "Co1 Co 0 0 0 0.6", "O1 O 0.5 0.5 0.5 1"))


def test_whole_numbers_are_the_nearest_that_add_up():
    assert whole_numbers({"Fe": 0.873, "Mg": 0.127}, 8) == {"Fe": 7, "Mg": 1}
    assert whole_numbers({"A": 1 / 3, "B": 1 / 3, "C": 1 / 3}, 4) == {"A": 2, "B": 1, "C": 1}


def test_cells_of_a_folder_are_materials_that_name_their_crystal(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "mix.cif").write_text(mixed())
    as_json = json.dumps(read(mixed()).as_dict())
    (folder / "again.json").write_text(as_json)
    (folder / "nio.cif").write_text(a_cif(FM3M))
    (folder / "twin.cif").write_text(a_cif(FM3M, a=4.19))
    assert {each.reason for each in read_directory(folder, symprec=0.01) if each.material_id in ("mix", "again")} == {
        "disordered"
    }
    tables = SiteTables(tmp_path)
    duplicates = tmp_path / "near.csv"
    collect_structures(
        source="directory", directory=folder, subset="Ni_FEFF", chunks=1, near_duplicates=duplicates,
        disorder=Disorder("random", number=2, max_atoms=16), **tables.paths,
    )  # fmt: skip
    sites = tables.sites
    names = ["again.cell1", "again.cell2", "mix.cell1", "mix.cell2"]
    assert sorted(set(sites["material_id"]) - {"nio", "twin"}) == names and not tables.rejected
    assert {name: parent_of(name) for name in sites["material_id"]} == dict(
        zip(sites["material_id"], sites["parent"].where(sites["parent"] != "", sites["material_id"]), strict=True)
    )
    atoms = sites.groupby("material_id")["multiplicity"].sum()
    assert atoms["mix.cell1"] == atoms["mix.cell2"] and atoms["nio"] == 4
    # Near-duplicates are listed although they are kept; cells of one crystal are not compared with each other.
    listed = pd.read_csv(duplicates)
    assert listed[listed["material_id"] == "twin"].iloc[0]["same_as"] == "nio" and not listed["left_out"].any()
    assert not {"mix.cell2", "again.cell2"} & set(
        listed.query("same_as == 'mix.cell1' or same_as == 'x'")["material_id"]
    )


def test_a_file_with_the_name_of_a_cell_is_refused(tmp_path):
    (tmp_path / "mix.cif").write_text(mixed())
    (tmp_path / f"{cell_id('mix', 1)}.cif").write_text(a_cif(FM3M))
    found = {each.material_id: each for each in read_directory(tmp_path, symprec=0.01, disorder=RANDOM)}
    assert found["mix.cell1"].reason == "duplicate_id" and "rename it" in found["mix.cell1"].detail
    assert set(found["mix.cell2"].elements) == {"Ni", "Co", "O"}


def test_the_cells_of_a_crystal_are_in_one_part_of_the_split():
    sites = [(cell_id(f"x-{k}", n), 0) for k in range(30) for n in (1, 2, 3)]
    parts = balanced_split(sites, seed=0)
    of_crystal = {}
    for (name, _), part in parts.items():
        of_crystal.setdefault(parent_of(name), set()).add(part)
    assert all(len(each) == 1 for each in of_crystal.values())
    check_split(parts, "Ni_FEFF")


def test_disordered_minerals_are_filled_and_point_to_their_entry(tmp_path):
    """Cuprospinel, CuFe2O4, has Cu and Fe on its octahedral places."""
    paths = {"structures": tmp_path / "Cu.parquet", "manifest": tmp_path / "Cu.json"}
    manifest = read_minerals(
        element="Cu", systems=["Cu-Fe-O"], filters=Filters(), disorder=Disorder("random", number=2), **paths
    )
    cells = {name: about for name, about in manifest.materials.items() if "parent" in about}
    assert cells and manifest.query["disorder"]["kind"] == "random"
    for name, about in cells.items():
        assert about["parent"] == parent_of(name) and about["reference"]
    table = pd.read_parquet(paths["structures"]).set_index("material_id")
    for parent in {about["parent"] for about in cells.values()}:
        first, second = (Structure.from_dict(json.loads(table.loc[cell_id(parent, n), "structure"])) for n in (1, 2))
        assert first.composition == second.composition and first.is_ordered
        assert np.isclose(first.lattice.volume, second.lattice.volume)


def test_the_widest_supercell_of_a_known_lattice():
    """Of a simple cubic lattice with the edge 3 Å."""
    cubic = Lattice.cubic(3.0)
    # Two cells make a face-centred one: 3 √2, four a body-centred one: 3 √3.
    assert [widest(cubic, size)[1] for size in (1, 2, 4)] == pytest.approx([3, 3 * 2**0.5, 3 * 3**0.5], abs=1e-6)
    matrix, width = widest(cubic, 8)
    assert round(np.linalg.det(matrix)) == 8 and width >= 6 - 1e-6
    reduced = Lattice(np.array(matrix) @ cubic.matrix).get_lll_reduced_lattice()
    assert min(reduced.abc) == pytest.approx(width, abs=1e-6)
