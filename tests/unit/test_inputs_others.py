"""Inputs of OCEAN, exciting, XSpectra and FDMNES, read back and compared with the crystal they are of."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from input_structures import anatase_backwards, cuprite, rutile
from pymatgen.core import Lattice, Structure

from xanesflow.codes.registry import writer_of
from xanesflow.config.inputs import InputsSection
from xanesflow.core.errors import XanesflowError


def write(folder, theory, structure, sites, element="Ti", **options):
    assert writer_of(theory, InputsSection().of(theory) | options, element).write(folder, structure, sites) == {}
    return folder


def test_ocean_names_the_edge_of_each_site_in_one_file(tmp_path):
    write(tmp_path, "OCEAN", anatase_backwards(), [8, 10])
    text = (tmp_path / "OCEAN/Ti/ocean.in").read_text()
    # n = 1, l = 0 of atoms 9 and 11, counted from 1
    assert re.search(r"edges \{ 9 1 0\n11 1 0 \}", text)
    assert re.search(r"znucl \{ 8 22 \}", text)
    assert text.split("typat{")[1].split("}")[0].split() == 8 * ["1"] + 4 * ["2"]
    volume = 3.7842**2 * 9.5146
    assert f"nbands {{ -{round(0.256 * volume * (30 / 13.6056980659) ** 1.5)} }}" in text
    # 8.467 Å: three of 3.78 Å, one of 9.51 Å
    assert "nkpt { 3 3 1 }" in text
    assert {path.name for path in (tmp_path / "OCEAN/Ti").iterdir()} == {"ocean.in", "photon1", "photon2", "photon3"}


def test_a_card_of_ocean_changes(tmp_path):
    cards = InputsSection().of("OCEAN")["cards"] | {"diemac": "6.8", "para_prefix": None}
    text = (write(tmp_path, "OCEAN", rutile(), [0], cards=cards) / "OCEAN/Ti/ocean.in").read_text()
    assert "diemac { 6.8 }" in text and "para_prefix" not in text


def test_exciting_names_the_absorber_within_its_species(tmp_path):
    structure = anatase_backwards()
    write(tmp_path, "EXCITING", structure, [8, 11])
    for site in (8, 11):
        root = ET.parse(tmp_path / f"EXCITING/{site:03}_Ti/input.xml").getroot()
        bse = root.find("xs/BSE").attrib
        species = root.findall("structure/species")[int(bse["xasspecies"]) - 1]
        assert species.get("speciesfile") == "Ti.xml" and bse["xasedge"] == "K"
        atom = species.findall("atom")[int(bse["xasatom"]) - 1]
        assert np.allclose([float(x) for x in atom.get("coord").split()], structure[site].frac_coords, atol=1e-7)
        assert root.find("structure").get("speciespath") == "./"


def test_excitings_window_is_around_the_1s_level_of_each_element(tmp_path):
    for element, structure, level_ev in (("Ti", rutile(), 4864.0371), ("Cu", cuprite(), 8850.2467)):
        write(tmp_path, "EXCITING", structure, [0], element)
        root = ET.parse(tmp_path / f"EXCITING/000_{element}/input.xml").getroot()
        first, last = (float(x) * 27.2114 for x in root.find("xs/energywindow").get("intv").split())
        assert first + 10 < level_ev < last - 35


def test_exciting_without_a_window_is_told():
    with pytest.raises(XanesflowError, match=r"inputs\.exciting\.energy_window has no entry for Zn"):
        writer_of("EXCITING", InputsSection().of("EXCITING"), "Zn")


def test_xspectra_makes_the_absorber_a_species_of_its_own(tmp_path):
    structure = anatase_backwards()
    write(tmp_path, "XSPECTRA", structure, [8])
    folder = tmp_path / "XSpectra"
    ground, excited = (folder / "GS/gs.in").read_text(), (folder / "008_Ti/es.in").read_text()
    positions = excited.split("ATOMIC_POSITIONS crystal\n")[1].split("K_POINTS")[0].split("\n")[:-1]
    kinds = [line.split()[0] for line in positions]
    # 3.784 and 9.515 Å: 3 x 3 x 1 cells
    assert (len(kinds), kinds.count("Ti+"), kinds.count("Ti"), kinds.count("O")) == (108, 1, 35, 72)
    assert "Ti+" not in ground and "nat = 108" in ground
    species = excited.split("ATOMIC_SPECIES\n")[1].split("ATOMIC_POSITIONS")[0].strip().splitlines()
    xanes = (folder / "008_Ti/dipole1/xanes.in").read_text()
    number = int(re.search(r"xiabs = (\d+)", xanes)[1])
    assert species[number - 1].split()[0] == "Ti+"
    assert {path.name for path in (folder / "008_Ti").iterdir()} == {"es.in", "dipole1", "dipole2", "dipole3"}


def test_fdmnes_keeps_angles_and_positions(tmp_path):
    skew = Structure(Lattice.from_parameters(5.1, 5.2, 5.3, 71.234567, 82.345678, 93.456789), ["Ti", "O"],
                     [[0.0123456, 0, 0], [0.5, 0.4321987, 0.5]])  # fmt: skip
    text = (write(tmp_path, "FDMNES", skew, [0]) / "FDMNES/Ti_in.txt").read_text()
    lines = text.split("Crystal \n")[1].split("\n\n")[0].splitlines()
    cell = [float(word) for word in lines[0].split()]
    assert np.allclose(cell, [*skew.lattice.abc, *skew.lattice.angles], atol=1e-6)
    assert [int(line.split()[0]) for line in lines[1:]] == [22, 8]
    assert np.allclose([[float(w) for w in line.split()[1:]] for line in lines[1:]], skew.frac_coords, atol=1e-8)
    assert re.search(r"Z_Absorber\n +22\n\nEdge \n +K", text)


@pytest.mark.parametrize("theory", ["OCEAN", "EXCITING", "XSPECTRA", "FDMNES"])
def test_what_was_written_before_does_not_show(tmp_path, theory):
    """Lightshow writes into its own defaults."""
    code = writer_of(theory, InputsSection().of(theory), "Ti")
    for name, structure in (("a", rutile()), ("b", anatase_backwards()), ("c", rutile())):
        code.write(tmp_path / name, structure, [structure.indices_from_symbol("Ti")[0]])
    first, again = (
        {str(p.relative_to(tmp_path / name)): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("a", "c")
    )
    assert first == again and first


@pytest.mark.parametrize("theory", ["FEFF", "VASP", "OCEAN", "EXCITING", "XSPECTRA", "FDMNES"])
def test_nothing_of_this_machine_comes_in(tmp_path, monkeypatch, theory):
    (tmp_path / "Ti_sv_GW").mkdir()
    (tmp_path / "Ti_sv_GW/POTCAR").write_text("licensed")
    for name in ("VASP_POTCAR_DIRECTORY", "XS_CHPSP_DIRECTORY", "XS_PSP_DIRECTORY", "SPECIES_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path))
    write(tmp_path / "out", theory, rutile(), [0])
    for path in (tmp_path / "out").rglob("*"):
        assert path.name != "POTCAR"
        assert path.is_dir() or (str(tmp_path) not in path.read_text() and "licensed" not in path.read_text())


def test_the_embedded_engine_has_no_inputs():
    with pytest.raises(XanesflowError, match="No inputs are written for FEFF8L"):
        writer_of("FEFF8L", {}, "Ti")
