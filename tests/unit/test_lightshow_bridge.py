"""The bridge to Lightshow: each part of it is needed today, and is enough."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from compare_feff_inp import parse_feff_input
from input_structures import anatase_backwards, cuprite

from xanesflow.codes.lightshow_bridge import import_lightshow, without_local_folders
from xanesflow.core.errors import XanesflowError


def test_lightshow_still_needs_the_old_name():
    plain = subprocess.run([sys.executable, "-c", "import lightshow"], capture_output=True, text=True, check=False)
    assert plain.returncode != 0, "lightshow imports by itself now: import_lightshow need not put DictSet back"
    assert "DictSet" in plain.stderr


def test_pymatgens_own_feff_inp_still_counts_atoms_of_the_cluster(tmp_path):
    feff = import_lightshow("parameters.feff").FEFFParameters(radius=4.0, spectrum="XANES")
    feff.write(tmp_path, structure_uc=cuprite(), sites=[0])
    written = parse_feff_input((tmp_path / "000_Cu/feff.inp").read_text())
    amounts = {z: potential.stoichiometry for z, potential in written.potentials.items()}
    assert amounts != {29: 4.0, 8: 2.0}, (
        "the unit cell's stoichiometry is back: xanesflow/codes/feff/write_inputs.py may go"
    )


def test_lightshows_own_vasp_defaults_still_fail_on_the_moments(tmp_path):
    with without_local_folders():
        lightshow = import_lightshow("parameters.vasp")
        vasp = lightshow.VASPParameters(incar=lightshow.Incar.from_default(neutral=True))
        with pytest.raises(KeyError, match="MAGMOM"):
            vasp.write(tmp_path, structure_sc=cuprite(), sites=[0], index_mapping={0: 0})


def test_lightshows_fdmnes_parameters_still_cannot_be_a_dictionary():
    with pytest.raises(NotImplementedError):
        import_lightshow("parameters.fdmnes").FDMNESParameters().as_dict()


def test_lightshow_still_gives_exciting_the_index_into_the_whole_structure(tmp_path):
    with without_local_folders():
        exciting = import_lightshow("parameters.exciting").EXCITINGParameters()
        exciting.write(tmp_path, structure_uc=anatase_backwards(), sites=[8])
    bse = ET.parse(tmp_path / "008_Ti/input.xml").find("xs/BSE")
    assert bse.get("xasatom") == "9", "Lightshow counts within the species now: others.Exciting need not mend it"


def test_lightshows_default_rule_for_k_points_still_gives_one_where_it_looks_no_further():
    rule = import_lightshow("common.kpoints").GenericEstimatorKpoints(cutoff=24 / 0.529177, max_radii=50.0)
    assert rule(cuprite() * (2, 2, 2)) == (3, 3, 3)
    assert rule(cuprite() * (3, 3, 3)) == (2, 2, 2)
    far = cuprite()
    far.scale_lattice(13.4**3)  # one cell is too small, two are beyond 26.5 Å
    assert rule(far) == (1, 1, 1), "GenericEstimatorKpoints looks further now: kpoints_rule need not say how far"


def test_folders_of_this_machine_do_not_come_in(monkeypatch, tmp_path):
    monkeypatch.setenv("VASP_POTCAR_DIRECTORY", str(tmp_path))
    with without_local_folders():
        lightshow = import_lightshow("parameters.vasp")
        vasp = lightshow.VASPParameters(incar=lightshow.Incar.from_default(neutral=True))
    assert vasp._potcar_directory is None
    assert os.environ["VASP_POTCAR_DIRECTORY"] == str(tmp_path)


def test_what_needs_lightshow_names_the_command_that_installs_it(monkeypatch):
    class Absent:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] == "lightshow":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name.split(".")[0])

    for name in [name for name in sys.modules if name.split(".")[0] == "lightshow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    with pytest.raises(XanesflowError, match=r"not installed.*pip install --no-deps lightshow==\d"):
        import_lightshow("parameters.feff")
