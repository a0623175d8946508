"""VASP's inputs, against the paper's numbers and rules worked out by hand."""

from itertools import islice

import numpy as np
import pandas as pd
import pytest
from input_structures import anatase_backwards, rutile
from published_runs import files_of_archive, split_file
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Incar, Kpoints, Poscar

from xanesflow.codes.vasp.potcar import valence_electrons
from xanesflow.codes.vasp.write_inputs import Vasp, kpoints_rule
from xanesflow.config.inputs import InputsSection
from xanesflow.core.errors import NoInputError, XanesflowError

OPTIONS = InputsSection().of("VASP")
STEPS = ("SCF", "000_Ti")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vasp")
    assert Vasp(OPTIONS, "Ti").write(folder, rutile(), [0]) == {}
    return folder / "VASP"


def test_there_are_two_steps_with_four_files_each(written):
    names = {str(path.relative_to(written)) for path in written.rglob("*") if path.is_file()}
    assert names == {f"{step}/{file}" for step in STEPS for file in ("INCAR", "KPOINTS", "POSCAR", "POTCAR.spec")}


def test_both_steps_are_of_one_supercell_with_edges_of_nine_angstrom(written):
    cells = [Poscar.from_file(written / step / "POSCAR").structure for step in STEPS]
    # 4.594 and 2.959 Å: 2 x 2 x 4 cells of six atoms.
    assert [len(cell) for cell in cells] == [96, 96]
    for cell in cells:
        assert np.allclose(sorted(cell.lattice.abc), sorted([2 * 4.594, 2 * 4.594, 4 * 2.959]))
    assert cells[0].matches(cells[1])


def test_the_atom_with_the_core_hole_is_the_first_and_a_species_of_its_own(written):
    lines = (written / "000_Ti/POSCAR").read_text().splitlines()
    assert lines[5].split() == ["Ti", "Ti", "O"]
    assert lines[6].split() == ["1", "31", "64"]
    assert (written / "000_Ti/POTCAR.spec").read_text().split() == ["Ti_sv_GW", "Ti_sv_GW", "O_GW"]
    assert (written / "SCF/POTCAR.spec").read_text().split() == ["Ti_sv_GW", "O_GW"]


def test_the_absorber_is_the_site_that_was_asked_for(tmp_path):
    crystal = Structure(Lattice.cubic(9.5), ["Ti", "Ti", "O", "O"],
                        [[0, 0, 0], [0.5, 0.5, 0.5], [0.2, 0, 0], [0.5, 0.5, 0.85]])  # fmt: skip
    Vasp(OPTIONS, "Ti").write(tmp_path, crystal, [0, 1])
    nearest = []
    for site in (0, 1):
        cell = Poscar.from_file(tmp_path / f"VASP/00{site}_Ti/POSCAR").structure
        nearest.append(sorted(cell.get_distance(0, k) for k in range(1, len(cell)))[0])
    assert nearest == pytest.approx([0.2 * 9.5, 0.35 * 9.5])


def test_holes_that_a_skewed_cell_brings_close_are_told_once(tmp_path, caplog):
    """LiCoO2, 2.816 and 14.05 Å: the edges of its rhombohedral cell, 4.96 Å, twice; between their ends 2 x 2.816 Å."""
    hexagonal = Lattice.hexagonal(2.816, 14.05)
    rhombohedral = np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3 @ hexagonal.matrix
    crystal = Structure(rhombohedral, ["Co", "Li", "O", "O"], np.outer([0, 0.5, 0.26, 0.74], [1] * 3))
    vasp = Vasp({**OPTIONS, "e_range": {"Co": 20.0}}, "Co")
    for _ in range(2):
        vasp.write(tmp_path, crystal, [0])
    assert [record.getMessage()[:40] for record in caplog.records] == ["The core holes of LiCoO2 are 5.6 Å apart"]
    vasp.write(tmp_path, Structure.from_spacegroup("R-3m", hexagonal, ["Co"], [[0, 0, 0]]), [0])
    assert len(caplog.records) == 1


def test_the_core_hole_is_a_whole_electron_of_1s(written):
    incar = Incar.from_file(written / "000_Ti/INCAR")
    assert incar["ICORELEVEL"] == 2 and (incar["CLN"], incar["CLL"], incar["CLZ"], incar["CLNT"]) == (1, 0, 1.0, 1)
    assert incar["CH_LSPEC"] is True
    assert "CH_LSPEC" not in Incar.from_file(written / "SCF/INCAR")


@pytest.mark.parametrize("step", STEPS)
def test_no_step_is_spin_polarised(written, step):
    incar = Incar.from_file(written / step / "INCAR")
    assert incar["ISPIN"] == 1 and "MAGMOM" not in incar


def test_the_number_of_bands_is_lightshows_rule(written):
    volume = 16 * 4.594**2 * 2.959
    conduction = round(0.256 * volume * (30 / 13.6056980659) ** 1.5)
    assert Incar.from_file(written / "000_Ti/INCAR")["NBANDS"] == conduction + 32 * 12 + 64 * 6
    assert "NBANDS" not in Incar.from_file(written / "SCF/INCAR")


def test_k_points_make_a_crystal_of_24_angstrom(written):
    # Edges 9.188, 9.188, 11.836 Å: two of them are 18.4 and 23.7 Å, three are beyond 24 Å.
    assert Kpoints.from_file(written / "SCF/KPOINTS").kpts == [(3, 3, 3)]
    assert Kpoints.from_file(written / "000_Ti/KPOINTS").kpts == [(3, 3, 3)]


@pytest.mark.parametrize("edge", [2.5, 5.1, 9.0, 13.4, 23.9, 24.5, 50.0])
@pytest.mark.parametrize("length", [8.467, 24.0, 60.0])
def test_k_points_always_reach_the_length(edge, length):
    mesh = kpoints_rule(length)(Structure(Lattice.cubic(edge), ["Ti"], [[0, 0, 0]]))
    assert mesh[0] * edge > length >= (mesh[0] - 1) * edge


def test_a_user_changes_tags_of_each_step_and_takes_them_out(tmp_path):
    options = OPTIONS | {"scf": {"ENCUT": 500, "LAECHG": None}, "core_hole": {"CH_SIGMA": 0.1}}
    Vasp(options, "Ti").write(tmp_path, rutile(), [0])
    scf, hole = (Incar.from_file(tmp_path / "VASP" / step / "INCAR") for step in STEPS)
    assert scf["ENCUT"] == 500 and "LAECHG" not in scf
    assert hole["CH_SIGMA"] == 0.1 and "ENCUT" not in hole and hole["LAECHG"] is True


def test_a_cell_of_400_atoms_needs_too_many_bands(tmp_path):
    grid = [[x / 10, y / 10, z / 4] for x in range(10) for y in range(10) for z in range(4)]
    crystal = Structure(Lattice.orthorhombic(20, 20, 12.5), ["Ti", "O"] * 200, grid)
    with pytest.raises(NoInputError) as caught:
        Vasp(OPTIONS, "Ti").write(tmp_path, crystal, [0])
    assert caught.value.reason == "too_many_bands"
    bands = round(0.256 * 5000 * (30 / 13.6056980659) ** 1.5) + 200 * 12 + 200 * 6
    assert str(caught.value) == (
        f"the core hole in a supercell of 400 atoms needs {bands} bands, more than inputs.vasp.max_bands, 2200"
    )


def test_an_element_without_a_potcar_for_gw_is_told_and_can_be_given_one(tmp_path):
    crystal = Structure(Lattice.cubic(4), ["Ti", "Nd"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(NoInputError, match=r"POTCAR for GW of Nd; name one in inputs.vasp.potcars") as caught:
        Vasp(OPTIONS, "Ti").write(tmp_path, crystal, [0])
    assert caught.value.reason == "no_potential"
    Vasp(OPTIONS | {"potcars": {"Nd": "Nd_3"}}, "Ti").write(tmp_path, crystal, [0])
    assert (tmp_path / "VASP/SCF/POTCAR.spec").read_text().split() == ["Nd_3", "Ti_sv_GW"]
    electrons = Incar.from_file(tmp_path / "VASP/000_Ti/INCAR")["NBANDS"] - round(
        0.256 * 12**3 * (30 / 13.6056980659) ** 1.5
    )
    assert electrons == 27 * (12 + 11)


def test_a_potcar_that_does_not_exist_is_told():
    with pytest.raises(XanesflowError, match="names Ti_gw, which is not among the POTCARs of PBE_54"):
        Vasp(OPTIONS | {"potcars": {"Ti": "Ti_gw"}}, "Ti")
    with pytest.raises(XanesflowError, match="potcar_functional is PBE_99"):
        valence_electrons("Ti_sv_GW", "PBE_99")


def test_lightshows_valence_electrons_are_those_of_its_potcars_but_for_five():
    """The published data were chosen by these numbers, so the five wrong ones stay."""
    code = Vasp(OPTIONS, "Ti")
    wrong = {s for s, number in code._valence.items() if number != valence_electrons(code.titles[s], "PBE_54")}
    assert wrong == {"Ga", "Ge", "As", "Se", "Br"}


def test_published_materials_are_those_that_need_at_most_2200_bands():
    """Of Cu_VASP's materials in the archive of Cu runs (20 eV): the rule of supercell, bands and limit together."""
    parts = ("train", "val", "test")
    published = {site.rpartition("_")[0] for part in parts for site in split_file(part, "Cu_VASP")}
    code = Vasp(OPTIONS, "Cu")
    counted = []
    poscars = ((material, content) for material, path, content in files_of_archive() if path == "POSCAR")
    for material, content in islice(poscars, 600):
        rows = content.decode().splitlines()
        matrix = np.array([row.split()[:3] for row in rows[2:5]], dtype=float)
        cells = np.ceil(9 / np.linalg.norm(matrix, axis=1)).prod()
        atoms = dict(zip(rows[5].split(), map(int, rows[6].split()), strict=True))
        known = atoms.keys() <= code._valence.keys()
        electrons = sum(code._valence.get(symbol, 0) * number for symbol, number in atoms.items())
        bands = cells * (0.256 * abs(np.linalg.det(matrix)) * (20 / 13.6056980659) ** 1.5 + electrons)
        counted.append((material in published, known, bands <= 2200.5))
    table = pd.DataFrame(counted, columns=["published", "known", "few"])
    assert table[table.published].known.all()
    assert table[table.published].few.mean() > 0.98
    assert table[~table.published].few.mean() < 0.4


def test_other_orders_of_atoms_do_no_harm(tmp_path):
    Vasp(OPTIONS, "Ti").write(tmp_path, anatase_backwards(), [9])
    lines = (tmp_path / "VASP/009_Ti/POSCAR").read_text().splitlines()
    assert lines[5].split() == ["Ti", "Ti", "O"] and lines[8].split()[-1] == "Ti"
