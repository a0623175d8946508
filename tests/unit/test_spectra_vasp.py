"""From two finished steps of VASP to a spectrum: the formula, the energies, and each fault of a run with its reason."""

import gzip
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import answer
from curated_runs import curate, ids, import_runs, reasons
from scipy import constants
from scipy.stats import cauchy
from sentences import tells
from vasp_archive import files_of, write_runs
from vasp_runs import MARK, strontium_titanate, two_titania

from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.run_zip import read_chunk
from xanesflow.codes.vasp.constants import Processing
from xanesflow.codes.vasp.make_spectrum import cross_section, make_spectrum, shift_of
from xanesflow.codes.vasp.read_run import VaspReader
from xanesflow.codes.vasp.read_steps import CoreHole
from xanesflow.codes.vasp.step_outputs import read_epsilon2
from xanesflow.config.campaign import Campaign
from xanesflow.config.load import load_config
from xanesflow.core.errors import BadRunError, XanesflowError
from xanesflow.core.sites import WHOLE_MATERIAL

pytestmark = pytest.mark.filterwarnings("ignore")  # pymatgen warns of POTCARs that it does not know

START = 4964.504
TITANIUM = {"core_level": -4864.0371, "broadening": 0.89, "shift": 5114.08973}
PROCESSING = Processing(-4864.0371, 0.89, 5114.08973, START)


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """Two materials, three sites, all good."""
    tree = tmp_path_factory.mktemp("vasp") / "runs"
    write_runs(tree, "m-tio2", two_titania(), [0, 1])
    write_runs(tree, "m-srtio3", strontium_titanate(), [1])
    return tree


def read(step, scf, *, site=1, structure=None, element="Ti"):
    """The spectrum of a site from the files of its two steps."""
    run, shared = FinishedRun("m", site, step), None if scf is None else FinishedRun("m", WHOLE_MATERIAL, scf)
    return VaspReader(PROCESSING)(run, shared, element=element, structure=structure or two_titania())


def published(outcar: Path, *, volume_a3: float, delta_scf_ev: float, fermi_ev: float, width: float) -> np.ndarray:
    """The spectrum on the grid by the sums of arXiv 2409.19552, over straight lines between VASP's points."""
    energies, components = read_epsilon2(outcar)
    fine = np.linspace(energies[0], energies[-1], 20 * len(energies))
    epsilon2 = np.interp(fine, energies, energies * components[:, :3].sum(axis=1) / 3)
    hartree = constants.value("Hartree energy in eV")
    bohr = constants.value("Bohr radius") * 1e10
    values = epsilon2 / hartree * volume_a3 / bohr**3 * constants.alpha
    absolute = fine - 4864.0371 - fermi_ev + delta_scf_ev + 5114.08973
    grid = START + 0.25 * np.arange(141)
    return np.array([cauchy.pdf(x, absolute, width / 2) @ values for x in grid]) * (fine[1] - fine[0])


def test_the_cross_section_is_that_of_a_medium_of_absorbers():
    """μ = ω ε₂ / c is what a medium absorbs a length, and μ V a cell of it; here in SI units."""
    energies, epsilon2 = np.array([4869.2, 4900.0]), np.array([1e-6, 4e-6])
    per_metre = energies * constants.e / constants.hbar * epsilon2 / constants.c
    in_bohr2 = per_metre * 1171.5e-30 / constants.value("Bohr radius") ** 2
    assert np.allclose(cross_section(energies, epsilon2, 1171.5), in_bohr2, rtol=1e-7)


def test_energies_are_aligned_by_total_energies_and_the_empirical_shift():
    hole = CoreHole(np.arange(3.0), np.ones(3), fermi_ev=5.1302, delta_scf_ev=-146.7, volume_a3=1.0)
    assert shift_of(hole, PROCESSING) == pytest.approx(-4864.0371 - 5.1302 - 146.7 + 5114.08973)


def test_an_archive_becomes_spectra_by_the_published_sums(archive, tmp_path):
    imported = import_runs(archive, tmp_path, subset="Ti_VASP")
    curated = curate(imported, tmp_path, processing=TITANIUM)
    assert ids(curated) == ["m-srtio3_001", "m-tio2_000", "m-tio2_001"] and curated.rejected == []
    assert curated.multiplicity.tolist() == [1, 1, 1]
    for row, (material, volume, atoms) in enumerate([("m-srtio3", 4.2**3, 5), ("m-tio2", 4.1 * 4.4 * 4.2, 6)]):
        step = archive / f"Ti/{material}/VASP" / ids(curated)[row].rpartition("_")[2].__add__("_Ti")
        energy = float(re.search(r"E0= (\S+)", (step / "OSZICAR").read_text())[1])
        wanted = published(
            step / "OUTCAR", volume_a3=volume, delta_scf_ev=energy + 8.5 * atoms, fermi_ev=4.321, width=0.89
        )
        # That much is what straight lines between energies 0.33 eV apart cost; VASP's own are 0.02 eV apart.
        assert np.abs(curated.spectra[row] - wanted).max() < 5e-3 * wanted.max()
        assert 1e-3 < wanted.max() < 1e-2  # bohr², as titanium absorbs


def test_packed_files_and_runs_in_a_tar_are_read_alike_and_nothing_licensed_is_kept(archive, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    wanted = curate(import_runs(archive, plain, subset="Ti_VASP"), plain, processing=TITANIUM)
    tree = tmp_path / "packed/deep"
    shutil.copytree(archive, tree)
    for path in [path for path in tree.rglob("*") if path.is_file() and path.parent.name != "m-srtio3"]:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert MARK in gzip.decompress((tree / "Ti/m-tio2/VASP/SCF/OUTCAR.gz").read_bytes()).decode()
    shutil.make_archive(str(tmp_path / "runs"), "gztar", tmp_path / "packed")
    imported = import_runs(tmp_path / "runs.tar.gz", tmp_path, subset="Ti_VASP")
    assert np.array_equal(curate(imported, tmp_path, processing=TITANIUM).spectra, wanted.spectra)
    for chunk in imported["chunks"]:
        for run in read_chunk(chunk, "VASP", shared=True):
            assert all(MARK.encode() not in content for content in run.files.values())
            assert b"<projected>" not in run.files["vasprun.xml"]


def test_a_copy_of_the_inputs_of_both_steps_does_no_harm(archive, tmp_path):
    shutil.copytree(archive / "Ti/m-tio2", tmp_path / "runs/b_finished/Ti/m-tio2")
    for step in ("SCF", "000_Ti", "001_Ti"):
        copy = tmp_path / "runs/a_inputs/Ti/m-tio2/VASP" / step
        copy.mkdir(parents=True)
        for name in ("INCAR", "POSCAR"):
            shutil.copy(archive / "Ti/m-tio2/VASP" / step / name, copy)
    shutil.copy(archive / "Ti/m-tio2/POSCAR", tmp_path / "runs/a_inputs/Ti/m-tio2")
    curated = curate(import_runs(tmp_path / "runs", tmp_path, subset="Ti_VASP"), tmp_path, processing=TITANIUM)
    assert ids(curated) == ["m-tio2_000", "m-tio2_001"]


def without(name):
    return lambda files: files.pop(name)


def changed(name, old, new, count=-1):
    def change(files):
        text = files[name].decode()
        assert re.search(old, text), f"{name} has no {old}"
        files[name] = re.sub(old, new, text, count=max(count, 0)).encode()

    return change


def more(text):
    return lambda files: files.update(INCAR=files["INCAR"] + f"\n{text}\n".encode())


def cut(name, share):
    def change(files):
        files[name] = files[name][: int(share * len(files[name]))]

    return change


def negative(files):
    lines = files["OUTCAR"].decode().splitlines(keepends=True)
    k = next(k for k, line in enumerate(lines) if line.strip().startswith(("4901.79", "4901.80")))
    lines[k] = lines[k].replace(" 0.00000", "-0.00000")
    files["OUTCAR"] = "".join(lines).encode()


def k_points(*first):
    """Write other irreducible k-points into vasprun.xml, by their first coordinates."""
    lines = "".join(f"<v> {x} 0.0 0.0 </v>" for x in first)
    return changed("vasprun.xml", r'(?s)("kpointlist" >).*?(</varray>)', rf"\1{lines}\2", 1)


# what is wrong -> step, what is done to its files, reason and words
FAULTS = {
    "no OUTCAR": ("hole", without("OUTCAR"), "no_output", "core hole: OUTCAR is missing or empty"),
    "no vasprun.xml of SCF": ("SCF", without("vasprun.xml"), "no_output",
                              r"ground state \(VASP/SCF\): vasprun.xml is missing"),
    "nothing": ("hole", lambda files: files.clear(), "no_output", "core hole: it is missing"),
    "half a vasprun.xml": ("hole", cut("vasprun.xml", 0.5), "truncated", "vasprun.xml ends before its time"),
    "half a vasprun.xml of SCF": ("SCF", cut("vasprun.xml", 0.5), "truncated", "ground state .* ends before its time"),
    "OUTCAR ends early": ("hole", cut("OUTCAR", 0.99), "truncated", "OUTCAR ends before its time"),
    "OSZICAR ends early": ("SCF", cut("OSZICAR", 0.5), "truncated", "OSZICAR ends without"),
    "no INCAR": ("hole", without("INCAR"), "no_output", "INCAR is missing"),
    "no POSCAR at all": ("hole", lambda files: files.update(POSCAR=b"\x00\xff"), "unreadable", "POSCAR is binary"),
    "half a POSCAR": ("hole", cut("POSCAR", 0.5), "unreadable", "core hole: INCAR or POSCAR is not what VASP reads"),
    "a POSCAR of VASP 4": ("hole", changed("POSCAR", "Ti Ti O\n", ""), "unreadable", "core hole: POSCAR does not name"),
    "no hole": ("hole", changed("INCAR", "ICORELEVEL = 2", "ICORELEVEL = 0"), "wrong_absorber", "no full hole in"),
    "a hole in another species": ("hole", changed("INCAR", "CLNT = 1", "CLNT = 2"), "wrong_absorber", "first species"),
    "a hole in 2s": ("hole", changed("INCAR", "CLN = 1", "CLN = 2"), "wrong_absorber", "no full hole in the 1s"),
    "half a hole": ("hole", changed("INCAR", "CLZ = 1.0", "CLZ = 0.5"), "wrong_absorber", "no full hole in the 1s"),
    "a p hole": ("hole", changed("INCAR", "CLL = 0", "CLL = 1"), "wrong_absorber", "no full hole in the 1s"),
    "no spectrum asked for": ("hole", changed("INCAR", "CH_LSPEC = True", "CH_LSPEC = False"), "wrong_absorber", "1s"),
    "other cutoffs": ("SCF", changed("vasprun.xml", "400.00000000", "500.00000000"), "steps_differ",
                      "differ in cutoff_ev: 500 and 400"),
    "other POTCARs": ("SCF", changed("vasprun.xml", "O_GW 01Jan2026", "O_GW 02Feb2025"), "steps_differ",
                      "only one of ground state and core hole has the POTCAR PAW_PBE O_GW 01Jan2026"),
    "other precision": ("SCF", changed("INCAR", "PREC = Accurate", "PREC = Normal"), "steps_differ",
                        "give PREC as Normal and Accurate"),
    "U in one step": ("SCF", more("LDAU = .TRUE.\nLDAUU = 4 0"), "steps_differ", "give LDAU as True and False"),
    "a functional of one step": ("SCF", more("METAGGA = SCAN"), "steps_differ", "give METAGGA as Scan and None"),
    "hybrid exchange in one step": ("hole", more("LHFCALC = T"), "steps_differ", "give LHFCALC as False and True"),
    "dispersion in one step": ("SCF", more("IVDW = 12"), "steps_differ", "give IVDW as 12 and 0"),
    "another k-mesh": ("hole", changed("vasprun.xml", "2 2 2</v>", "4 4 4</v>"), "steps_differ",
                       "differ in k_mesh: 2 × 2 × 2 offset 0 0 0 and 4 × 4 × 4 offset 0 0 0"),
    "a shifted k-mesh": ("SCF", k_points(0.25), "steps_differ",
                         "differ in k_mesh: 2 × 2 × 2 offset 0.5 0 0 and 2 × 2 × 2 offset 0 0 0"),
    "a density that is kept": ("SCF", more("ICHARG = 11"), "not_converged", "ground state .*ICHARG = 11 keeps"),
    "another grid of augmentation": ("SCF", more("ENAUG = 900"), "steps_differ", "give ENAUG as 900.0 and None"),
    "asterisks": ("hole", changed("OUTCAR", r"(DIRECTION|ZX\n\s+-+\n\s+\S+)(\s+)\S+", r"\1\2*****", 1), "not_a_number",
                  "no numbers"),
    "an energy axis that jumps": ("hole", changed("OUTCAR", r"4901\.(79|80)\d+", "4901.900000000000"), "unreadable",
                                  "not evenly spaced"),
    "a negative dielectric function": ("hole", negative, "negative", r"negative at 50\d\d\."),
    "energies of two unlike cells": ("hole", changed("OSZICAR", r"E0= -\S+", "E0= -.80000000E+02"), "edge_elsewhere",
                                     r"the edge lies at 50\d\d\.\d eV by a difference of total energies of -29.0 eV"),
}  # fmt: skip


@pytest.mark.parametrize(("step", "change", "reason", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_of_a_step_has_its_reason(archive, step, change, reason, words):
    scf, hole = (files_of(archive / "Ti/m-tio2/VASP" / name) for name in ("SCF", "001_Ti"))
    change(scf if step == "SCF" else hole)
    with tells(match=words, reason=reason, error=BadRunError):
        read(hole, scf)


def test_steps_that_differ_in_words_only_are_the_same(archive):
    """Defaults that one step names, spellings, and U by species, of which the core hole step has one more."""
    scf, hole = (files_of(archive / "Ti/m-tio2/VASP" / name) for name in ("SCF", "001_Ti"))
    more("LASPH = .FALSE.\nLDAU = T\nLDAUU = 4 0\nSYSTEM = one")(scf)
    more("LDAU = .TRUE.\nLDAUU = 4 4 0\nNCORE = 8\nIVDW = 0")(hole)
    hole["INCAR"] = hole["INCAR"].replace(b"PREC = Accurate", b"PREC = A").replace(b"SIGMA = 0.05", b"SIGMA = 5E-2")
    assert read(hole, scf).edge_ev == pytest.approx(4967.1, abs=0.5)
    hole["INCAR"] = hole["INCAR"].replace(b"4 4 0", b"4 3 0")
    with tells(match="give LDAUU as O 0, Ti 4 and O 0, Ti 3, Ti 4", reason="steps_differ", error=BadRunError):
        read(hole, scf)


def test_a_k_mesh_is_the_same_by_its_points_not_by_its_words(archive):
    """Fewer points are irreducible without the hole, and a list has no generation."""
    scf, hole = (files_of(archive / "Ti/m-tio2/VASP" / name) for name in ("SCF", "001_Ti"))
    changed("vasprun.xml", 'param="Gamma"', 'param="Automatic"')(scf)
    k_points(0.5)(scf)
    assert read(hole, scf).edge_ev == pytest.approx(4967.1, abs=0.5)
    scf = files_of(archive / "Ti/m-tio2/VASP/SCF")
    for files in (scf, hole):
        changed("vasprun.xml", r"(?s)<generation.*</generation>", "")(files)
    assert read(hole, scf).edge_ev == pytest.approx(4967.1, abs=0.5)
    k_points(0.25, 0.75)(scf)
    with tells(match="k_mesh: 0.25 0 0; 0.75 0 0 and 0 0 0; 0.5 0 0", reason="steps_differ", error=BadRunError):
        read(hole, scf)


def test_remarks_and_titles_in_other_encodings_are_read(archive):
    scf, hole = (files_of(archive / "Ti/m-tio2/VASP" / name) for name in ("SCF", "001_Ti"))
    more("! Maße in Å")(scf)
    hole["INCAR"] = hole["INCAR"].replace(b"SIGMA = 0.05", b"SIGMA = 5.0d-2") + "! Maße in Å\n".encode("latin-1")
    changed("POSCAR", "1 1 4", "1 1 4 ! 6 atoms, 999 in all")(hole)
    hole["POSCAR"] = "Müller, Å".encode("latin-1") + hole["POSCAR"]
    assert read(hole, scf).edge_ev == pytest.approx(4967.1, abs=0.5)


def test_a_hole_that_relies_on_vasps_defaults_is_that_of_1s_in_the_first_species(archive):
    scf, hole = (files_of(archive / "Ti/m-tio2/VASP" / name) for name in ("SCF", "001_Ti"))
    changed("INCAR", r"CLNT = 1\n|CLN = 1\n|CLL = 0\n", "")(hole)
    assert b"CLN" not in hole["INCAR"] and read(hole, scf).edge_ev == pytest.approx(4967.1, abs=0.5)


def test_of_another_site_element_or_structure_is_told(archive):
    scf, hole = (files_of(archive / "Ti/m-tio2/VASP" / name) for name in ("SCF", "001_Ti"))
    assert read(hole, scf).edge_ev == pytest.approx(4967.1, abs=0.5)
    for wrong, words in (({"site": 0}, "those around site 0 of POSCAR"), ({"element": "V"}, "hole is Ti, not V")):
        with tells(match=words, reason="wrong_absorber", error=BadRunError):
            read(hole, scf, **wrong)
    other = two_titania()
    other.apply_strain(0.02)
    with pytest.raises(BadRunError, match="are not where those around site"):
        read(hole, scf, structure=other)
    with pytest.raises(BadRunError, match=r"ground state \(VASP/SCF\): it is missing"):
        read(hole, None)


def test_a_hole_at_an_equivalent_place_of_the_supercell_is_the_right_one(archive):
    """Lightshow may take any image of the site, or an atom that is equivalent by symmetry."""
    scf, hole = (files_of(archive / "Ti/m-tio2/VASP" / name) for name in ("SCF", "001_Ti"))
    moved = two_titania()
    moved.translate_sites(range(6), [0.13, 0.4, 0.27])
    assert read(hole, scf, structure=moved).edge_ev > START


def test_steps_that_did_not_converge_or_have_too_few_bands_are_left_out(tmp_path):
    """Electrons that need all of NELM, of either step, and bands that end 15 eV above the Fermi level."""
    write_runs(tmp_path / "runs", "m-1", strontium_titanate(), [1], SCF=["unconverged"])
    write_runs(tmp_path / "runs", "m-2", strontium_titanate(), [1], hole=["unconverged"])
    write_runs(tmp_path / "runs", "m-3", strontium_titanate(), [1], hole=["few_bands"])
    write_runs(tmp_path / "runs", "m-4", strontium_titanate(), [1])
    shutil.rmtree(write_runs(tmp_path / "runs", "m-5", strontium_titanate(), [1]) / "VASP/SCF")
    shutil.rmtree(write_runs(tmp_path / "runs", "m-6", strontium_titanate(), [1]) / "VASP/001_Ti")
    curated = curate(import_runs(tmp_path / "runs", tmp_path, subset="Ti_VASP"), tmp_path, processing=TITANIUM)
    assert ids(curated) == ["m-4_001"]
    assert reasons(curated) == {
        ("m-1", 1): "not_converged", ("m-2", 1): "not_converged", ("m-3", 1): "grid_not_covered",
        ("m-5", 1): "no_output", ("m-6", -1): "no_run",
    }  # fmt: skip
    details = dict(pd.read_csv(tmp_path / "rejected.csv")[["material_id", "detail"]].itertuples(index=False))
    assert "ground state (VASP/SCF): the electrons did not converge within 200 steps" in details["m-1"]
    assert re.search(r"the last computed energy is 498\d\.\d\d eV, and the grid ends at 4999\.50 eV", details["m-3"])
    assert "ground state (VASP/SCF): it is missing" in details["m-5"]


def test_a_damaged_packed_file_is_told_with_its_name(archive, tmp_path):
    shutil.copytree(archive, tmp_path / "runs")
    broken = tmp_path / "runs/Ti/m-tio2/VASP/SCF/OUTCAR"
    broken.with_name("OUTCAR.gz").write_bytes(gzip.compress(broken.read_bytes())[:-9])
    broken.unlink()
    curated = curate(import_runs(tmp_path / "runs", tmp_path, subset="Ti_VASP"), tmp_path, processing=TITANIUM)
    assert ids(curated) == ["m-srtio3_001"]
    assert {(r.reason, r.detail.split(" (")[0]) for r in curated.rejected} == {
        ("unsafe_file", "SCF: OUTCAR: it is damaged")
    }


def test_elements_without_constants_are_told_with_the_keys_and_ones_that_are_given_add_to_the_papers(tmp_path):
    values = {"subsets": ["V_VASP", "Ti_VASP"], "inputs": {"vasp": {"e_range": {"V": 30, "Ti": 30}}}}
    config = load_config(values)
    assert Campaign(config).processing_of("Ti_VASP") == TITANIUM and Campaign(config).processing_of("Ti_FEFF") is None
    keys = "V in curation.vasp.core_level and in curation.vasp.broadening and in curation.vasp.shift; add it in eV"
    with pytest.raises(XanesflowError, match=re.escape(f"The spectra of V_VASP need an entry for {keys}")):
        nothing = {
            "chunks": [],
            "subset": "V_VASP",
            "structures": tmp_path,
            "site_table": tmp_path,
            "rejected": tmp_path,
        }
        curate(nothing, tmp_path, processing=Campaign(config).processing_of("V_VASP"))
    given = {"core_level": {"V": -5300.0}, "broadening": {"V": 1.0}, "shift": {"V": 5600.0, "Ti": 5114.0}}
    config = load_config({**values, "curation": {"vasp": given}})
    assert Campaign(config).processing_of("V_VASP") == {"core_level": -5300.0, "broadening": 1.0, "shift": 5600.0}
    assert Campaign(config).processing_of("Ti_VASP") == TITANIUM | {"shift": 5114.0}
    with pytest.raises(XanesflowError, match=r"curation\.vasp\.broadening\.Ti"):
        load_config({**values, "curation": {"vasp": {"broadening": {"Ti": 0}}}})


def test_what_lies_beyond_the_last_band_is_no_part_of_a_spectrum():
    energies = 4860 + 0.1 * np.arange(1000)
    epsilon2 = np.where((energies > 4870) & (energies < 4920), 2e-6, 0)
    spectrum = make_spectrum(CoreHole(energies, epsilon2, 5.0, -147.0, 1000.0), PROCESSING)
    shift = -4864.0371 - 5.0 - 147.0 + 5114.08973
    assert spectrum.energy_ev[-1] == pytest.approx(4919.9 + shift, abs=0.06)
    assert spectrum.energy_ev[0] == pytest.approx(4860 + shift)  # below the edge there is the Lorentzian's tail
    assert spectrum.edge_ev == pytest.approx(4870.1 + shift, abs=0.06) and spectrum.cross_section.min() > 0


def test_a_core_level_of_another_potcar_is_told_where_it_puts_the_edge_into_filled_states():
    energies = 4860 + 0.1 * np.arange(1000)
    hole = CoreHole(energies, np.where((energies > 4870) & (energies < 4920), 2e-6, 0), 5.0, -147.0, 1000.0)
    with pytest.raises(
        BadRunError, match=r"begins 2\.0 eV below the Fermi level, .* curation\.vasp\.core_level, -4867\.1 eV"
    ):
        make_spectrum(hole, Processing(-4867.1, 0.89, 5114.08973, START))


def test_xanesflow_check_judges_core_holes_with_their_ground_states(archive, tmp_path):
    shutil.copytree(archive, tmp_path / "runs")
    folder = tmp_path / "runs/Ti"
    packed = folder / "m-srtio3/VASP/001_Ti/OUTCAR"
    packed.with_name("OUTCAR.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    (folder / "m-tio2/VASP/001_Ti").rename(folder / "m-tio2/VASP/004_Ti")
    text = (folder / "m-tio2/VASP/000_Ti/INCAR").read_text()
    (folder / "m-tio2/VASP/000_Ti/INCAR").write_text(text.replace("CLN = 1", "CLN = 2"))
    exit_code, printed = answer("check", tmp_path / "runs", columns=200)
    assert printed.splitlines() == [
        f"good     {folder}/m-srtio3/VASP/001_Ti",
        f"refused  {folder}/m-tio2/VASP/000_Ti: wrong_absorber, core hole: INCAR asks for no full hole in the 1s level "
        "of the first species",
        f"refused  {folder}/m-tio2/VASP/004_Ti: wrong_absorber, site 4 of POSCAR is O, not Ti",
        "3 runs: 1 good, 2 refused (2 wrong_absorber)",
    ]
    assert exit_code == 1
    shutil.rmtree(folder / "m-srtio3/VASP/SCF")
    said = "no_output, ground state (VASP/SCF): it is missing"
    assert said in answer("check", folder / "m-srtio3", columns=200)[1]
