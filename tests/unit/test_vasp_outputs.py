"""Parts of VASP's files, written here in the layout of VASP 6."""

import numpy as np
import pytest

from xanesflow.codes.vasp.step_outputs import is_finished, read_epsilon2, without_potcars, without_projections

NAMES = "     E(ev)      X         Y         Z        XY        YZ        ZX\n  ------------------------\n"
HEAD = f"  frequency dependent {{}} DIELECTRIC FUNCTION (independent particle) density-density\n{NAMES}"


def write(path, *lines, rest=" \n"):
    real = HEAD.format("     REAL") + "  1.0 9. 9. 9. 9. 9. 9.\n"
    path.write_text(" volume of cell : 1.0\n" + HEAD.format("IMAGINARY") + "".join(lines) + rest + real)
    return path


@pytest.mark.parametrize(
    "lines",
    [
        ["  1.5 1. 2. 3. 4. 5. 6.\n", "  2.5 -1. 0. 0. 0. 0. 0.\n"],
        ["  1.5 1. 2. 3. 4. 5.\n   6.\n", "  2.5 -1. 0. 0. 0. 0.\n   0.\n"],
    ],
)
def test_the_imaginary_part_is_read_whether_or_not_rows_are_broken(tmp_path, lines):
    energies, components = read_epsilon2(write(tmp_path / "OUTCAR", *lines))
    assert energies.tolist() == [1.5, 2.5]
    assert components.tolist() == [[1, 2, 3, 4, 5, 6], [-1, 0, 0, 0, 0, 0]]


def test_a_row_that_is_cut_is_no_row_and_asterisks_are_no_numbers(tmp_path):
    path = write(tmp_path / "OUTCAR", "  1.5 1. 2. 3. 4. 5. ****\n", "  2.5 -1. 0.\n")
    energies, components = read_epsilon2(path)
    assert energies.tolist() == [1.5] and np.isnan(components[0, 5])
    (tmp_path / "none").write_text("nothing of the kind\n")
    assert len(read_epsilon2(tmp_path / "none")[0]) == 0


def test_of_potcars_outcar_keeps_the_titles_alone():
    listed = " POTCAR:    PAW_PBE Ti_x 01Jan2026\n POTCAR:    PAW_PBE O_x 01Jan2026\n" + " " + "-" * 77 + "\n"
    box = "|   a warning of VASP    |\n\n"
    heads = "".join(
        f" POTCAR:    PAW_PBE {name} 01Jan2026\n{first}   EATOM  = 1293.1 eV\n\n   TITEL  = PAW_PBE {name} 01Jan2026\n"
        "   LULTRA =        F    use ultrasoft PP ?\n   Atomic configuration\n    4 entries\n"
        "     1  0  0.50     -4864.0   2.0000\n   Description\n     0   -13.75     23  1.200\n"
        "  local pseudopotential read in\n  atomic valenz-charges read in\n   number of LMAX  =           4\n \n"
        for name, first in (
            ("Ti_x", "   SHA256 =  77 Ti/POTCAR\n   COPYR  = (c)\n   VRHFIN =Ti: d\n"),
            ("O_x", "   VRHFIN =O: s2p4\n"),
        )
    )
    rest = "  PAW_PBE Ti_x 01Jan2026                  :\n energy of atom  1       EATOM=-1293.1815\n"
    kept = without_potcars(f" INCAR:\n   ENCUT = 360\n{listed}{box}{heads}{rest}".encode()).decode()
    assert kept == f" INCAR:\n   ENCUT = 360\n{listed}{box}" + "".join(
        f" POTCAR:    PAW_PBE {name} 01Jan2026\n   TITEL  = PAW_PBE {name} 01Jan2026\n  local pseudopotential read in\n"
        "  atomic valenz-charges read in\n   number of LMAX  =           4\n \n"
        for name in ("Ti_x", "O_x")
    ) + rest  # fmt: skip
    cut = heads[: heads.index("1293")]
    assert "VRHFIN" not in without_potcars(cut.encode()).decode()


def test_projections_are_cut_out_wherever_the_file_ends():
    whole = b"<a>\n  <projected>\n   x\n  </projected>\n  <b/>\n</a>\n"
    assert without_projections(whole) == b"<a>\n  <b/>\n</a>\n"
    assert without_projections(whole[: whole.index(b"x")]) == b"<a>\n"
    assert without_projections(b"<a/>\n") == b"<a/>\n"


def test_a_finished_outcar_ends_with_the_account_of_time(tmp_path):
    path = tmp_path / "OUTCAR"
    path.write_text("x" * 10**6 + " General timing and accounting informations for this job:\n  Elapsed time\n")
    assert is_finished(path)
    path.write_text("General timing and accounting informations" + "x" * 10**6)
    assert not is_finished(path)
