"""Whose a file in Lightshow's tree is."""

import os

import pytest

from xanesflow.codes.lightshow_tree import folder_state, place_of, run_folder
from xanesflow.core.sites import WHOLE_MATERIAL


@pytest.mark.parametrize(
    ("path", "meaning"),
    [
        ("Cu/mp-390/FEFF-XANES/012_Cu/xmu.dat", ("mp-390", 12, "Cu")),
        ("deep/er/Cu/mp-390/FEFF-XANES/012_Cu/feff.inp", ("mp-390", 12, "Cu")),
        ("mp-390/FEFF-XANES/1000_Ti/feff.out", ("mp-390", 1000, "Ti")),
        ("Cu/mp-390/POSCAR", ("mp-390", None, "Cu")),
        ("structures/mp-390/POSCAR", ("mp-390", None, None)),
        ("mp-390/POSCAR", ("mp-390", None, None)),
        ("POSCAR", None),
        ("Cu/mp-390/FEFF-XANES/012_Cu", ("mp-390", 12, "Cu")),
        ("Cu/mp-390/FEFF-XANES/012_Cu/log1.dat", ("mp-390", 12, "Cu")),
        ("Cu/mp-390/FEFF-XANES", None),
        ("Cu/mp-390/FEFF-XANES/012_Cu/POSCAR", ("mp-390", 12, "Cu")),
        ("Cu/mp-390/FEFF-EXAFS/012_Cu/xmu.dat", None),
        ("Cu/mp-390/FEFF-XANES/x_Cu/xmu.dat", None),
        ("Cu/mp-390/FEFF-XANES/99999999999999999999_Cu/xmu.dat", None),
        ("Cu/mp-390/VASP/SCF/POSCAR", None),
        ("Cu/mp-390/VASP/012_Cu/POSCAR", None),
        ("Cu/mp-390/FEFF8L-XANES/012_Cu/xmu.dat", None),
        ("Cu/mp-390/FEFF8L-XANES/POSCAR", None),
        ("Cu/mp-390/VASP/relaxed/POSCAR", None),
        ("mp-390/VASP/SCF/POSCAR", None),
        ("mp-390/OCEAN/Cu/POSCAR", None),
        ("VASP/Cu/mp-390/POSCAR", ("mp-390", None, "Cu")),
        ("all/OCEAN/Cu/mp-390/POSCAR", ("mp-390", None, "Cu")),
        ("all/SCF/mp-390/POSCAR", ("mp-390", None, None)),
    ],
)
def test_lightshows_tree_says_whose_a_file_is(path, meaning):
    place = place_of(path, "FEFF")
    assert (place and (place.material_id, place.site_index, place.element)) == meaning


def test_steps_of_vasp_lie_beside_each_other_and_only_those_of_sites_are_runs_of_sites():
    assert run_folder("Ti", "mp-390", WHOLE_MATERIAL, "VASP") == "Ti/mp-390/VASP/SCF"
    folder = run_folder("Ti", "mp-390", 3, "VASP")
    assert folder == "Ti/mp-390/VASP/003_Ti"
    place = place_of(f"{folder}/OUTCAR", "VASP")
    assert place and (place.material_id, place.site_index, place.element) == ("mp-390", 3, "Ti")
    assert place.file == "OUTCAR" and place_of(f"{folder}/POSCAR", "VASP").file == "POSCAR"
    assert place_of(f"{folder}/vasp.out", "VASP").file == "" and place_of(f"{folder}/OUTCAR", "FEFF") is None
    for file in ("OUTCAR", "POSCAR", "run.json"):
        assert place_of(f"Ti/mp-390/VASP/SCF/{file}", "VASP") is None


@pytest.mark.parametrize("theory", ["FEFF", "FEFF8L"])
def test_a_run_of_each_theory_has_its_own_folder(theory):
    folder = run_folder("Cu", "mp-390", 12, theory)
    assert folder == f"Cu/mp-390/{theory}-XANES/012_Cu"
    other = {"FEFF": "FEFF8L", "FEFF8L": "FEFF"}[theory]
    files = dict.fromkeys(("xmu.dat", "feff.inp"), True) | dict.fromkeys(("run.json", "deep/xmu.dat"), False)
    for file, is_known in (files | {"log1.dat": theory == "FEFF"}).items():
        place = place_of(f"{folder}/{file}", theory)
        assert place and (place.folder, place.root, place.file) == (folder, "Cu/mp-390", file if is_known else "")
        assert (place.material_id, place.site_index, place.element) == ("mp-390", 12, "Cu")
        assert place_of(f"{folder}/{file}", other) is None


def test_the_state_of_a_folder_changes_with_files_behind_links_and_with_old_times(tmp_path):
    scratch, runs = tmp_path / "scratch", tmp_path / "runs"
    (scratch / "mp-1").mkdir(parents=True)
    runs.mkdir()
    (runs / "Cu").symlink_to(scratch)
    (scratch / "back").symlink_to(runs)  # a loop
    (scratch / "nowhere").symlink_to("nothing")
    states = [folder_state(runs)]
    for content in ("some", "other"):
        (scratch / "mp-1" / "xmu.dat").write_text(content)
        os.utime(scratch / "mp-1" / "xmu.dat", (1.6e9, 1.6e9))  # as `cp -p` does
        states.append(folder_state(runs))
    assert len(set(states)) == 3 and folder_state(runs) == states[-1]
