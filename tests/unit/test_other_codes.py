"""Runs of OCEAN, exciting, XSpectra and FDMNES: recognised, checked, and brought to one width, scale and energy."""

import json

import made_up_runs as made_up
import numpy as np
import pytest
from command_line import answer
from curated_runs import curate, import_runs
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp.inputs import Poscar
from sentences import tells
from shared_data import shared

from xanesflow.codes.common_scale import CommonProcessing, RawSpectrum, tabulated_jump, to_common_scale
from xanesflow.codes.fdmnes.read_run import _name_of_site, read_absorber
from xanesflow.codes.ocean import read_run as ocean
from xanesflow.codes.ocean.read_input import read_input
from xanesflow.codes.polarisations import site_rotations, weights_of
from xanesflow.codes.run_description import read_files
from xanesflow.codes.xspectra.read_run import average, check_files
from xanesflow.core.errors import BadRunError, XanesflowError

KIND = {
    "OCEAN": ("OCEAN/Ti", made_up.ocean),
    "EXCITING": ("EXCITING/000_Ti", made_up.exciting),
    "XSPECTRA": ("XSpectra/000_Ti", made_up.xspectra),
    "FDMNES": ("FDMNES", made_up.fdmnes),
}
WIDTH = 0.89


def check(*arguments):
    return answer("check", *arguments, columns=120)


def encoded(files):
    return {name: text.encode() for name, text in files.items()}


def ocean_average(files, structure=None, element="Ti"):
    """The mean of OCEAN's spectra at the first site."""
    _, spectra, given = ocean.check_files(files, element=element)
    return ocean.average(spectra, given, element, structure, 0)


def tree(folder, theory, files):
    """A run in Lightshow's tree."""
    made_up.write(folder / f"Ti/mp-1/{KIND[theory][0]}", files)
    Poscar(made_up.rutile()).write_file(folder / "Ti/mp-1/POSCAR")
    return folder


@pytest.mark.parametrize(
    ("name", "code", "absorber"),
    [
        ("ocean/Cu_K", "OCEAN 2", "Cu"), ("ocean/Cu_dipole_quadrupole", "OCEAN 3", "Cu"),
        ("exciting/rutile_K", "exciting fluorine", "Ti"), ("exciting/BN_N_K", "exciting oxygen", "N"),
        ("xspectra/NiO_Ni_K", "XSpectra 7.0", "Ni"), ("xspectra/SiO2_Si_K", "XSpectra 5.2.0", "Si"),
        ("fdmnes/rutile", "FDMNES 21st of January 2021", "Ti"), ("fdmnes/Cu_metal", "FDMNES 21st", "Cu"),
    ],
)  # fmt: skip
def test_a_real_run_of_a_k_edge_is_good_and_says_what_it_is(name, code, absorber):
    exit_code, output = check(shared(f"codes/{name}"))
    assert exit_code == 0 and f"{code}" in output and f"{absorber} K edge" in output
    assert ("is none of Ti, V" in output) == (absorber in ("N", "Si"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ocean/rutile_2p", "wrong_absorber, it is the 2p edge of Ti, not a K edge"),
        ("exciting/rutile_L23", "wrong_absorber, it is the L23 edge of Ti, not a K edge"),
        ("xspectra/Cu_L2", "wrong_absorber, it is the L2 edge of Cu, not a K edge"),
        ("fdmnes/CuO_stopped", "truncated, FDMNES's log (<name>_bav.txt) ends before its time"),
    ],
)
def test_a_real_run_of_another_edge_or_that_stopped_is_refused_with_the_reason(name, said):
    exit_code, output = check(shared(f"codes/{name}"))
    assert exit_code == 1 and said in output


def test_a_stopped_calculation_alone_is_refused_and_beside_a_whole_one_remarked(tmp_path):
    source = shared("codes/xspectra/SiO2_Si_K")
    stopped = source / "SiO2.xspectra_dip_restart_1.out"
    (tmp_path / stopped.name).write_bytes(stopped.read_bytes())
    exit_code, output = check(tmp_path)
    assert exit_code == 1 and "XSpectra stopped at its time limit" in output
    assert "another calculation has its polarisation" in check(source)[1]


def test_json_says_all_of_each_run():
    exit_code, output = check(shared("codes"), "--json")
    found = json.loads(output)
    assert exit_code == 1 and (found["good"], found["refused"]) == (8, 4) and len(found["runs"]) == 12
    ocean = next(run for run in found["runs"] if run["folder"].endswith("Cu_dipole_quadrupole"))
    assert ocean["polarisations"] == ["1 0 0 (photon 1)", "1 0 0 with quadrupole terms (photon 2)"] and ocean["good"]


def test_the_size_of_real_spectra_is_the_tabulated_jump():
    """Where the runs reach far enough: XSpectra's file is in bohr², FDMNES's in Mbarn of all equivalent atoms."""
    table = np.loadtxt(shared("codes/xspectra/NiO_Ni_K/NiO.xspectra_dip.dat"))
    inside = (table[:, 0] > 5) & (table[:, 0] < 35)
    assert table[inside, 1].mean() == pytest.approx(tabulated_jump("Ni")[1], rel=0.05)
    for name, absorber in (("rutile", "Ti"), ("Cu_metal", "Cu")):
        raw = read_absorber(read_files(shared(f"codes/fdmnes/{name}"), ("*.txt",)), absorber)
        far = raw.energy_ev > tabulated_jump(absorber)[0] + 10
        assert raw.cross_section[far].mean() == pytest.approx(tabulated_jump(absorber)[1], rel=0.15)
    raw = ocean_average(read_files(shared("codes/ocean/Cu_K"), ("*",)), element="Cu")
    inside = (raw.energy_ev > 5) & (raw.energy_ev < 35)
    assert raw.cross_section[inside].mean() == pytest.approx(tabulated_jump("Cu")[1], rel=0.15)


def test_the_nine_columns_of_ocean_give_the_tabulated_jump_above_their_edge():
    """OCEAN 3 places the edge of this run at 18 eV; its own cross section lacks the energy of the edge as a factor."""
    folder = shared("codes/ocean/Cu_dipole_quadrupole")
    raw = ocean_average(read_files(folder, ("*",)), element="Cu")
    edge, jump = tabulated_jump("Cu")
    start = raw.energy_ev[np.argmax(raw.cross_section > jump / 2)]
    assert start == pytest.approx(18, abs=1)
    inside = (raw.energy_ev > start + 5) & (raw.energy_ev < start + 35)
    assert raw.cross_section[inside].mean() == pytest.approx(jump, rel=0.15)
    far = raw.energy_ev > 30
    own, energy = np.loadtxt(folder / "absspct_Cu.0001_1s_01")[far, 5], raw.energy_ev[far]
    assert raw.cross_section[far] == pytest.approx(own * (edge + energy) / energy, rel=1e-3)


@pytest.mark.parametrize("theory", KIND)
def test_a_made_up_run_comes_out_as_the_edge_that_was_put_in(theory, tmp_path):
    """Whatever the code's files, units, energies and number of atoms are."""
    runs = tree(tmp_path / "runs", theory, KIND[theory][1](WIDTH))
    exit_code, output = check(runs)
    assert exit_code == 0 and output.startswith(f"good     {runs}/Ti/mp-1/{KIND[theory][0]}\n")
    assert output.endswith("1 run: 1 good, 0 refused\n")
    imported = import_runs(runs, tmp_path / "out", subset=f"Ti_{theory}")
    curated = curate(imported, tmp_path, processing={"broadening": WIDTH})
    energy = 4964.504 + 0.25 * np.arange(141)
    wanted = made_up.edge(energy - (made_up.EDGE_EV + 13), WIDTH)
    assert len(curated.spectra) == 1 and curated.site_index.tolist() == [0]
    assert np.abs(curated.spectra[0] - wanted).max() < 0.01 * made_up.JUMP
    assert "half of the tabulated jump" in curated.described["processing"]


def test_lorentzians_add_their_widths_so_that_all_codes_end_with_one(tmp_path):
    energy = np.arange(4900.0, 5050.0, 0.05)
    raw = RawSpectrum(energy, made_up.edge(energy - 4966, 0.4), 0.4, "anywhere")
    wide = to_common_scale(raw, CommonProcessing("curation.ocean", "Ti", 1.4, 0.0))
    middle = slice(400, -400)
    wanted = made_up.edge(wide.energy_ev - 4966, 1.4)
    assert np.abs(wide.cross_section - wanted)[middle].max() < 2e-3 * made_up.JUMP
    assert "broadened from 0.4 to 1.4 eV" in wide.steps
    sharp = to_common_scale(raw, CommonProcessing("curation.ocean", "Ti", 0.2, 3.0))
    assert "width 0.4 eV as computed" in sharp.steps and sharp.energy_ev[0] == 4903.0


@pytest.mark.parametrize(
    ("theory", "files", "reason", "said"),
    [
        ("OCEAN", lambda: {k: v for k, v in made_up.ocean(WIDTH).items() if "0001_1s_03" not in k}, "no_output",
         "the spectrum of photon 3 is missing at Ti 1"),
        ("EXCITING", lambda: made_up.exciting(WIDTH, atom=2), "wrong_absorber", "the hole in Ti 2, and site 0 is Ti 1"),
        ("EXCITING", lambda: made_up.exciting(WIDTH, atom="x"), "wrong_absorber", "the hole in Ti x, and site 0 is"),
        ("EXCITING", lambda: made_up.exciting(WIDTH) | {"INFO.OUT": "| EXCITING FLUORINE started =\n"},
         "not_converged", "does not say that the ground state converged"),
        ("EXCITING", lambda: {k: v for k, v in made_up.exciting(WIDTH).items() if "OC22" not in k}, "no_output",
         "the component OC22"),
        ("XSPECTRA", lambda: made_up.xspectra(WIDTH, axes=("1.0 0.0 0.0",)), "other_kind_of_spectrum",
         "polarisations are missing"),
        ("XSPECTRA", lambda: {k: v for k, v in made_up.xspectra(WIDTH).items() if k != "es.out"}, "not_converged",
         "there is no es.out"),
        ("XSPECTRA", lambda: made_up.xspectra(WIDTH) | {"dipole3/xanes.in": "edge='K'"}, "no_output",
         "a polarisation is missing"),
        ("XSPECTRA", lambda: made_up.xspectra(WIDTH) | {"dipole3/xanes.out": ""}, "no_output",
         "dipole3 has no output of XSpectra, so a polarisation is missing"),
        ("XSPECTRA", lambda: {k: v.replace("CONVERGED", "Estimated") for k, v in made_up.xspectra(WIDTH).items()},
         "not_converged", "converged at 0 of 1 k-point"),
        ("XSPECTRA", lambda: {k: v.replace("0.00000000", "NaN") for k, v in made_up.xspectra(WIDTH).items()},
         "not_a_number", "printed NaN"),
        ("FDMNES", lambda: made_up.fdmnes(WIDTH, ended=False), "truncated", "ends before its time"),
        ("FDMNES", lambda: {k: v[:-5] if "conv" in k else v for k, v in made_up.fdmnes(WIDTH).items()}, "truncated",
         "Ti_conv.txt ends in the middle of a row"),
        ("FDMNES", lambda: {k: v for k, v in made_up.fdmnes(WIDTH).items() if "conv" not in k}, "no_output",
         "Ti_conv.txt is missing"),
    ],
)  # fmt: skip
def test_a_run_that_is_not_whole_is_refused_in_the_tree(theory, files, reason, said, tmp_path):
    exit_code, output = check(tree(tmp_path, theory, files()))
    assert exit_code == 1 and f": {reason}, " in output and said in output


def test_the_direction_of_a_photon_is_read_or_unknown():
    given = {"photon1": b"dipole\ncartesian 0 3 4\nend", "photon2": b"quad\ncartesian 0 0 0\nend", "photon3": b"dipole"}
    assert [each.text for each in read_input(given).photons.values()] == [
        "0 3 4", "an unknown direction with quadrupole terms", "an unknown direction",
    ]  # fmt: skip


def test_absolute_energies_of_ocean_give_the_same_cross_section():
    """`ebase` moves the first column by the edge; nothing else may change."""
    relative = made_up.ocean(WIDTH)

    def moved(line):
        energy, *rest = line.split()
        return f"{float(energy) + tabulated_jump('Ti')[0]:.8E} {' '.join(rest)}"

    absolute = {
        name: "\n".join(line if line.startswith("#") else moved(line) for line in text.splitlines())
        if "absspct" in name else text
        for name, text in relative.items()
    }  # fmt: skip
    one, other = ocean_average(encoded(relative)), ocean_average(encoded(absolute))
    assert other.energy_ev - one.energy_ev == pytest.approx(tabulated_jump("Ti")[0], abs=1e-4)
    assert other.cross_section == pytest.approx(one.cross_section, rel=1e-6)
    assert one.zero == "an edge of OCEAN's own" and other.zero == "the edge that OCEAN was given"


def test_a_width_that_no_file_names_is_refused():
    without = {k: v.replace("gam=", "") if "absspct" in k else v for k, v in made_up.ocean(WIDTH).items()}
    with pytest.raises(BadRunError, match=r"header of CNBSE/absspct_Ti.0001_1s_01 does not name the width"):
        ocean_average(encoded(without))
    files = made_up.fdmnes(WIDTH)
    files["Ti_bav.txt"] = files["Ti_bav.txt"].replace("Gamma_hole", "Hole")
    with tells(
        match=r"does not name the width that Ti_conv.txt has \(Gamma_hole\)", reason="unreadable", error=BadRunError
    ):
        read_absorber(encoded(files), "Ti")


def test_a_spectrum_of_ocean_without_an_atom_in_its_name_is_not_taken_for_several_sites():
    files = made_up.ocean(WIDTH, photons=1, atoms=1)
    files["absspct"] = files.pop("CNBSE/absspct_Ti.0001_1s_01")
    rutile = made_up.rutile()  # both Ti are equivalent, so only its photon is missing
    with pytest.raises(BadRunError, match="photons are missing"):
        ocean_average(encoded(files), rutile)
    two_kinds = rutile.copy()
    two_kinds.translate_sites([1], [0, 0, 0.05])
    with tells(
        match="of absspct does not say which atom it is of, and 2 atoms of Ti",
        reason="wrong_absorber",
        error=BadRunError,
    ):
        ocean_average(encoded(files), two_kinds)
    with pytest.raises(BadRunError, match="names of absspct and absspct_2 do not say atom and photon"):
        ocean_average(encoded(files | {"absspct_2": files["absspct"]}))


def test_five_columns_of_ocean_do_not_tell_the_version_and_a_gaussian_is_remarked():
    files = {
        name: "\n".join(" ".join(line.split()[:5]) if line[0] != "#" else line for line in text.splitlines())
        if "absspct" in name else text
        for name, text in made_up.ocean(WIDTH).items()
    }  # fmt: skip
    files["ocean.in"] += "bse.core.gauss_broaden 0.4\n"
    found, _, _ = ocean.check_files(encoded(files), element="Ti")
    assert found.version == "2, or 3 with Gaussian broadening" and "a Gaussian of 0.4 eV" in found.remarks[0]


def test_polarisations_of_xspectra_from_different_zeros_of_energy_are_averaged_at_one():
    def mean():
        return average(check_files(encoded(files), element="Ti", in_tree=True)[1], made_up.rutile(), 0)

    files = made_up.xspectra(WIDTH)
    same = mean()
    rows = files["dipole2/xanes.dat"].splitlines()
    moved = [row if row[0] == "#" else f"{float(row.split()[0]) - 1.5:.8f} {row.split()[1]}" for row in rows]
    files["dipole2/xanes.dat"] = "\n".join(moved)
    files["dipole2/xanes.out"] = files["dipole2/xanes.out"].replace("[eV]: 6.4", "[eV]: 7.9")
    other = mean()
    inside = slice(20, -20)
    assert other.cross_section[inside] == pytest.approx(same.cross_section[inside], rel=1e-6)
    files["dipole2/xanes.out"] = files["dipole2/xanes.out"].replace("energy-zero", "zero")
    with pytest.raises(BadRunError, match="only some of the polarisations name the energy"):
        mean()


def test_two_spectra_of_exciting_in_one_folder_are_not_guessed_between(tmp_path):
    files = made_up.exciting(WIDTH)
    free = {k.replace("singlet-TDA-BAR", "IP"): v for k, v in files.items() if "EPSILON_BSE" in k}
    exit_code, output = check(tree(tmp_path, "EXCITING", files | free))
    assert exit_code == 1 and "other_kind_of_spectrum, there are several spectra of the component OC11" in output


def test_spectra_of_fdmnes_belong_to_the_atoms_in_the_order_of_their_numbers():
    """Eleven inequivalent absorbers: the second is that of Ti_2.txt, not of Ti_10.txt, which sorts before it."""
    structure = Structure(Lattice.cubic(30), ["Ti"] * 11, [[k / 20, 0, 0] for k in range(11)])
    cell = "".join(f"    22    {k / 20:.8f}  0.00000000  0.00000000    1\n" for k in range(11))
    kinds = "".join(
        f"   ipr = {k:3d}, Z = 22, natomsym =     1\n\n  igr  posx posy posz sym code\n"
        f"  {k:3d}    {(k - 1) / 20:.8f}  0.00000000  0.00000000  E  1\n\n"
        for k in range(1, 12)
    )  # fmt: skip
    first = made_up.fdmnes(WIDTH)["Ti.txt"].encode()
    lengths = "a, b, c =  30.0 30.0 30.0\n   alfa, beta, gamma =  90.0 90.0 90.0"
    head = f" Crystal,  n_atom_uc =   11\n   {lengths}\n    Z         x              y              z      Typ\n"
    files = {"Ti_bav.txt": f"{head}{cell}{kinds}".encode()} | {f"Ti_{k}.txt": first for k in range(1, 12)}
    assert [_name_of_site(files, "Ti", structure, k) for k in (0, 1, 9, 10)] == ["Ti_1", "Ti_2", "Ti_10", "Ti_11"]
    del files["Ti_3.txt"]
    with pytest.raises(BadRunError, match="found 11 inequivalent atoms of Ti and left spectra of 10"):
        _name_of_site(files, "Ti", structure, 1)


def test_a_window_that_ends_early_is_left_out_with_the_reason(tmp_path):
    files = made_up.xspectra(WIDTH)
    short = {k: "\n".join(v.splitlines()[:300]) if k.endswith(".dat") else v for k, v in files.items()}
    imported = import_runs(tree(tmp_path / "runs", "XSPECTRA", short), tmp_path / "out", subset="Ti_XSPECTRA")
    with pytest.raises(XanesflowError, match=r"grid_not_covered.*the last computed energy is"):
        curate(imported, tmp_path, processing={"broadening": WIDTH})


def test_sites_by_symmetry_need_few_polarisations():
    rotations = site_rotations(made_up.rutile(), 0)
    assert len(rotations) == 8
    assert weights_of([(1, 0, 0), (0, 0, 1)], rotations) == pytest.approx([2 / 3, 1 / 3])
    assert weights_of([(1, 1, 0), (1, -1, 0), (0, 0, 1)], rotations) == pytest.approx([1 / 3] * 3)
    assert weights_of([(1, 0, 0)], rotations) is None


def test_a_curve_without_an_edge_is_refused():
    energy = np.arange(0.0, 50.0, 0.1)
    raw = RawSpectrum(energy, np.full(500, 1e-5), 1.0, "anywhere")
    with tells(match="does not rise through half of the jump of Ti", reason="edge_elsewhere", error=BadRunError):
        to_common_scale(raw, CommonProcessing("curation.ocean", "Ti", 0.89, None))
