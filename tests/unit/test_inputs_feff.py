"""feff.inp: physically equal to the published ones."""

import re

import numpy as np
import pytest
from compare_feff_inp import differences, parse_feff_input
from input_structures import cuprite, rutile
from published_runs import files_of_archive
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Poscar

from xanesflow.codes.feff.read_feff_inp import parse_feff_inp
from xanesflow.codes.feff.write_inputs import Feff, clusters_of
from xanesflow.config.inputs import InputsSection

PAPER = {
    "S02": "0", "COREHOLE": "RPA", "CONTROL": "1 1 1 1 1 1", "XANES": "4 0.04 0.1", "SCF": "7 0 100 0.2 3",
    "FMS": "9 0", "EXCHANGE": "0 0 0 2", "RPATH": "-1", "EDGE": "K",
    "EGRID": "K_GRID -1 0 0.04 K_GRID 0 6 0.04",
}  # fmt: skip


def feff_inp(folder, structure, site=0, **options) -> str:
    element = structure[site].specie.symbol
    assert Feff(InputsSection().of("FEFF") | options, element).write(folder, structure, [site]) == {}
    return (folder / f"FEFF-XANES/{site:03}_{element}/feff.inp").read_text()


def test_the_cards_are_the_papers(tmp_path):
    cards = parse_feff_input(feff_inp(tmp_path, cuprite())).cards
    assert {card: " ".join(words) for card, words in cards.items()} == PAPER


def test_a_card_of_the_user_changes_and_null_leaves_it_out(tmp_path):
    cards = InputsSection().of("FEFF")["cards"] | {"SCF": "5.0 0 30 0.2 3", "S02": None, "LDOS": "-30 20 0.1"}
    written = parse_feff_input(feff_inp(tmp_path, cuprite(), cards=cards)).cards
    assert written["SCF"][0] == "5" and "S02" not in written and written["LDOS"] == ("-30", "20", "0.1")


def test_the_cluster_of_rutile_is_the_one_counted_by_hand(tmp_path):
    written = parse_feff_input(feff_inp(tmp_path, rutile(), radius=3.0))
    distances = np.sort(np.linalg.norm(written.positions_a, axis=1))
    # Two O along the diagonal at 0.305 a sqrt(2), four at the other end, two Ti along c.
    plane, other = 0.305 * 4.594 * 2**0.5, np.hypot((0.5 - 0.305) * 4.594 * 2**0.5, 2.959 / 2)
    expected = np.sort([0, plane, plane, *4 * [other], 2.959, 2.959])
    assert np.abs(distances - expected).max() < 1e-5
    assert sorted(written.atomic_numbers[1:].tolist()) == 6 * [8] + 2 * [22]


def test_the_stoichiometry_is_that_of_the_unit_cell_and_no_potential_is_without_atoms(tmp_path):
    written = parse_feff_input(feff_inp(tmp_path, rutile(), radius=3.0))
    assert {z: p.stoichiometry for z, p in written.potentials.items()} == {22: 2, 8: 4}
    near = parse_feff_input(feff_inp(tmp_path / "near", rutile(), radius=2.5))
    assert {z: p.stoichiometry for z, p in near.potentials.items()} == {8: 4}
    assert written.absorber.stoichiometry == 0.0001 and written.absorber.l_max == (-1, -1)


def test_finished_runs_of_it_can_be_imported(tmp_path):
    """What checks a run's absorber and cluster reads the file as it is."""
    atomic_number, edge, distances, *_ = parse_feff_inp(feff_inp(tmp_path, cuprite()))
    assert (atomic_number, edge) == (29, "K")
    around = cuprite().get_neighbors(cuprite()[0], 9.0)
    assert np.allclose(distances, sorted(neighbour.nn_distance for neighbour in around), atol=1e-5)


def test_a_radius_that_leaves_no_neighbour_leaves_the_site_out(tmp_path):
    left_out = Feff(InputsSection().of("FEFF") | {"radius": 1.5}, "Ti").write(tmp_path, rutile(), [0, 1])
    assert {site: error.reason for site, error in left_out.items()} == {0: "isolated_atom", 1: "isolated_atom"}
    assert str(left_out[0]) == "no atom within 1.5 Å (inputs.feff.radius) of the absorber"
    assert not list(tmp_path.rglob("*"))


def test_a_cell_of_400_atoms_is_written_like_any_other(tmp_path):
    cell = Lattice.orthorhombic(20, 20, 12.5)
    grid = [[x / 10, y / 10, z / 4] for x in range(10) for y in range(10) for z in range(4)]
    crystal = Structure(cell, ["Cu", "O"] * 200, grid)
    written = parse_feff_input(feff_inp(tmp_path, crystal))
    inside = sum(
        (2 * x) ** 2 + (2 * y) ** 2 + (3.125 * z) ** 2 <= 81 + 1e-6
        for x in range(-5, 6) for y in range(-5, 6) for z in range(-3, 4)
    )  # fmt: skip
    assert len(written.positions_a) == inside
    assert {z: p.stoichiometry for z, p in written.potentials.items()} == {29: 200, 8: 200}


def test_the_same_structure_gives_the_same_bytes(tmp_path):
    assert feff_inp(tmp_path / "one", rutile()) == feff_inp(tmp_path / "two", rutile())


def test_the_order_of_equidistant_atoms_does_not_hang_on_noise():
    moved = rutile()
    moved.translate_sites(list(range(len(moved))), [1e-9, -1e-9, 2e-9])
    one, other = clusters_of(rutile(), [0], 9.0)[0], clusters_of(moved, [0], 9.0)[0]
    assert one.symbols == other.symbols
    assert np.abs(one.positions_a - other.positions_a).max() < 1e-6


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("SCF 7.0 0 100", "SCF 6.0 0 100", "cards"),
        ("k_grid 0 6 0.04", "k_grid 0 7 0.04", "cards"),
        (r"Cu +-1 ", "Cu  3 ", "l_max"),
        (r"(-1 +-1 +)2 ", r"\g<1>4 ", "stoichiometry"),
    ],
)
def test_a_change_of_physics_is_a_difference(tmp_path, old, new, kind):
    text = feff_inp(tmp_path, cuprite())
    assert re.search(old, text)
    changed = parse_feff_input(re.sub(old, new, text, count=1))
    assert differences(parse_feff_input(text), changed).keys() == {kind}


def test_a_moved_missing_or_exchanged_atom_is_a_difference_and_another_order_is_none(tmp_path):
    text = feff_inp(tmp_path, cuprite())
    lines = text.splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("ATOMS")) + 3
    x = float(lines[first][:12])
    same = parse_feff_input(text)

    def changed(line: str | None) -> dict[str, str]:
        return differences(
            same, parse_feff_input("\n".join([*lines[:first], *([line] if line else []), *lines[first + 1 :]]))
        )

    assert changed(f"{x + 2e-4:12.6f}{lines[first][12:]}").keys() == {"cluster"}
    assert changed(f"{x + 5e-5:12.6f}{lines[first][12:]}") == {}
    assert changed(None).keys() == {"cluster"}
    assert changed(lines[first + 1]).keys() == {"cluster"}, "an atom twice, another lacking"
    swapped = {"1": "2", "2": "1"}[lines[first].split()[3]]
    assert changed(lines[first].replace(f"  {lines[first].split()[3]}  ", f"  {swapped}  ")).keys() == {"cluster"}
    order = "\n".join([*lines[:first], *reversed(lines[first:-1]), lines[-1]])
    assert differences(same, parse_feff_input(order)) == {}


def test_published_feff_inp_are_reproduced_from_their_poscar(tmp_path):
    """The first 40 of the archive; benchmarks/bench_inputs.py takes all 4,833."""
    runs, poscars = [], {}
    for material, path, content in files_of_archive():
        if path == "POSCAR":
            poscars[material] = content.decode()
        elif path.endswith("feff.inp"):
            runs.append((material, int(path.split("/")[1][:3]), content.decode()))
        if len(runs) == 40 and runs[-1][0] in poscars:
            break
    compared = 0
    for material, site, published in runs:
        if material not in poscars:
            continue
        structure = Poscar.from_str(poscars[material]).structure
        written = feff_inp(tmp_path / material, structure, site)
        assert differences(parse_feff_input(written), parse_feff_input(published)) == {}, (material, site)
        compared += 1
    assert compared > 30
